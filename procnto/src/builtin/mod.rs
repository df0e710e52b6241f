//! What procnto's own files hold: the texts of `/proc`, in Linux's formats where it has them.

pub mod link;
pub mod proc_process;
pub mod proc_system;

//! From an executable file to an address space.
//!
//! [`elf`] reads headers and says what lies where; [`stack`] makes the bytes of the first stack;
//! [`space`] puts both into a new address space, with the pieces every program gets.

pub mod boot_image;
pub mod elf;
pub mod space;
pub mod stack;

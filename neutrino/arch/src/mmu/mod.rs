//! Memory: the direct map, user page tables, copies, and the kernel's own mappings.

pub(crate) mod direct_map;
pub(crate) mod kernel_map;
pub(crate) mod records;
pub(crate) mod space;
pub(crate) mod user_copy;

//! A file of the boot image, started or mapped without a file server.

/// Where a file lies in the boot image's object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BootFile {
    /// Where it starts, in bytes.
    pub offset: u64,
    /// Its length in bytes.
    pub size: u64,
}

//! What the kernel and user space agree on.
//!
//! A reader starts in [`calls`], the one table of kernel calls: decoder, user-space stubs, trace
//! names and documentation are made from it. The other modules hold the structures that the calls
//! take by address and the numbers in them. Values that Linux has too (errno, signals, protection
//! bits) are Linux x86-64's, so that nothing needs translating; names are QNX's where QNX has one.
#![no_std]
#![forbid(unsafe_code)]

pub mod calls;
pub mod errno;
pub mod event;
pub mod handle;
pub mod image;
pub mod info;
pub mod memory;
pub mod message;
pub mod process;
pub mod pulse;
pub mod sched;
pub mod signal;
pub mod time;
pub mod trace;
pub mod wire;

pub use errno::Errno;

/// Asserts at compile time that a structure both worlds share has the size its layout promises.
#[macro_export]
macro_rules! assert_size {
    ($type:ty, $size:expr) => {
        const _: () = assert!(core::mem::size_of::<$type>() == $size);
    };
}

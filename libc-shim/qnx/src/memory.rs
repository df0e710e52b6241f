//! C's memory, shared with C: its heap as Rust's, structures seen through cells, and a lock.
//!
//! The framework and the program work on the same structures, each in its turn: contexts, attributes,
//! open control blocks. Rust has no `&mut` to any of them, only references to types that consist of
//! cells, which C may change whenever it runs. Who serves them with more than one thread locks them,
//! as QNX's library demands (`iofunc_attr_lock`).

use crate::kernel::USER_END;
use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ffi::{c_int, c_void};
use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;

unsafe extern "C" {
    fn aligned_alloc(alignment: usize, size: usize) -> *mut c_void;
    safe fn malloc(size: usize) -> *mut c_void;
    safe fn calloc(count: usize, size: usize) -> *mut c_void;
    fn realloc(block: *mut c_void, size: usize) -> *mut c_void;
    fn free(block: *mut c_void);
    fn pthread_mutex_lock(mutex: *mut PosixMutex) -> c_int;
    fn pthread_mutex_unlock(mutex: *mut PosixMutex) -> c_int;
}

/// What malloc aligns to.
const GRAIN: usize = 16;

/// The program's own heap.
struct Heap;

#[global_allocator]
static HEAP: Heap = Heap;

// SAFETY: malloc gives blocks of at least the size, aligned to 16, which nobody else has until free;
// aligned_alloc those with more.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.align() > GRAIN {
            let size = layout.pad_to_align().size();
            // SAFETY: the alignment is a power of two, and the size a multiple of it.
            return unsafe { aligned_alloc(layout.align(), size) }.cast();
        }
        malloc(layout.size()).cast()
    }

    unsafe fn dealloc(&self, block: *mut u8, _layout: Layout) {
        // SAFETY: the caller has it from `alloc`, which took it from malloc.
        unsafe { free(block.cast()) };
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if layout.align() <= GRAIN {
            // SAFETY: the caller has it from `alloc`, which took it from malloc.
            return unsafe { realloc(block.cast(), size) }.cast();
        }
        let Ok(wanted) = Layout::from_size_align(size, layout.align()) else {
            return core::ptr::null_mut();
        };
        // SAFETY: the layout is a valid one.
        let moved = unsafe { self.alloc(wanted) };
        if !moved.is_null() {
            let length = layout.size().min(size);
            // SAFETY: both blocks are at least that long, and two blocks never overlap.
            unsafe { block.copy_to_nonoverlapping(moved, length) };
            // SAFETY: the caller gives the old block up.
            unsafe { self.dealloc(block, layout) };
        }
        moved
    }
}

/// A structure of C's, seen through its cells; `None` for an address that no program can have.
#[inline]
pub(crate) fn view<'a, T>(pointer: *const T) -> Option<&'a T> {
    let is_possible = (0x1000..USER_END).contains(&(pointer.addr() as u64));
    if !is_possible || !pointer.addr().is_multiple_of(align_of::<T>()) {
        return None;
    }
    // SAFETY: C says that such a structure is there for as long as the call lasts; the types that
    // this is used with consist of cells, so C and Rust may both change them.
    Some(unsafe { &*pointer })
}

/// A structure that was put into the heap by [`place`], taken back.
///
/// # Errors
/// `None`: a null pointer.
pub(crate) fn reclaim<T>(pointer: *mut T) -> Option<alloc::boxed::Box<T>> {
    let pointer = NonNull::new(pointer)?;
    // SAFETY: C has the pointer from `place`, and gives it back once.
    Some(unsafe { alloc::boxed::Box::from_raw(pointer.as_ptr()) })
}

/// Puts a structure into the heap, for C to hold.
pub(crate) fn place<T>(value: T) -> *mut T {
    alloc::boxed::Box::into_raw(alloc::boxed::Box::new(value))
}

/// A block of zeros that C may free; null if there is no memory.
pub(crate) fn zeroed(size: usize) -> *mut c_void {
    calloc(1, size)
}

/// Gives a block back that came from malloc or calloc.
pub(crate) fn release(block: *mut c_void) {
    // SAFETY: C, or `zeroed`, had it from malloc, and nobody uses it any more.
    unsafe { free(block) };
}

/// Bytes of C's.
pub(crate) fn bytes<'a>(pointer: *const u8, length: usize) -> &'a [u8] {
    if length == 0 || pointer.is_null() {
        return &[];
    }
    // SAFETY: C says that so many bytes are there, and does not run while they are looked at.
    unsafe { core::slice::from_raw_parts(pointer, length) }
}

/// Bytes of C's, to fill.
pub(crate) fn bytes_mut<'a>(pointer: *mut u8, length: usize) -> &'a mut [u8] {
    if length == 0 || pointer.is_null() {
        return &mut [];
    }
    // SAFETY: C says that so many bytes are there, and does not run while they are filled.
    unsafe { core::slice::from_raw_parts_mut(pointer, length) }
}

/// A string of C's, without its end.
pub(crate) fn text<'a>(pointer: *const core::ffi::c_char) -> Option<&'a [u8]> {
    if (pointer.addr() as u64) < 0x1000 {
        return None;
    }
    // SAFETY: C says that a string is there.
    Some(unsafe { core::ffi::CStr::from_ptr(pointer) }.to_bytes())
}

/// The structure that has a member at this address.
pub(crate) fn container<T, M>(member: *const M, offset: usize) -> *const T {
    member.cast::<u8>().wrapping_sub(offset).cast()
}

/// musl's `pthread_mutex_t`; all zeros is a free one.
#[repr(C, align(8))]
struct PosixMutex([u32; 10]);

/// A value that one thread of the program at a time may touch.
pub(crate) struct Lock<T> {
    mutex: UnsafeCell<PosixMutex>,
    value: UnsafeCell<T>,
}

// SAFETY: the mutex lets one thread at a time reach the value.
unsafe impl<T: Send> Sync for Lock<T> {}

impl<T> Lock<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self { mutex: UnsafeCell::new(PosixMutex([0; 10])), value: UnsafeCell::new(value) }
    }

    pub(crate) fn lock(&self) -> Locked<'_, T> {
        // SAFETY: the mutex is one, and stays where it is while anybody holds or waits for it.
        unsafe { pthread_mutex_lock(self.mutex.get()) };
        Locked(self)
    }
}

/// Unlocks when it is dropped.
pub(crate) struct Locked<'a, T>(&'a Lock<T>);

impl<T> Deref for Locked<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: this thread holds the mutex.
        unsafe { &*self.0.value.get() }
    }
}

impl<T> DerefMut for Locked<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: this thread holds the mutex.
        unsafe { &mut *self.0.value.get() }
    }
}

impl<T> Drop for Locked<'_, T> {
    fn drop(&mut self) {
        // SAFETY: this thread holds the mutex.
        unsafe { pthread_mutex_unlock(self.0.mutex.get()) };
    }
}

/// An address of C's that the library keeps to hand it back.
#[derive(Debug)]
pub(crate) struct Address<T>(pub(crate) *mut T);

impl<T> Clone for Address<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Address<T> {}

// SAFETY: the library does not look behind it without C's word (`view`).
unsafe impl<T> Send for Address<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Address<T> {}

/// Puts a value into a block of C's that is large enough for it.
pub(crate) fn write<T>(place: *mut T, value: T) {
    // SAFETY: the caller has the block from `zeroed`, of at least that size, and it is not in use.
    unsafe { place.write(value) };
}

/// So many values of C's in a row.
pub(crate) fn slice<'a, T>(first: *const T, count: usize) -> &'a [T] {
    if view(first).is_none() {
        return &[];
    }
    // SAFETY: C says that so many are there; they are cells.
    unsafe { core::slice::from_raw_parts(first, count) }
}

//! The heap: TLSF (constant time) over memory that grows by mapping.

use crate::memory;
use crate::sync::Mutex;
use core::alloc::{GlobalAlloc, Layout};
use core::ptr::NonNull;
use rlsf::Tlsf;

const GROWTH_BYTES: u64 = 256 * 1024;

type Pool = Tlsf<'static, u32, u32, 28, 32>;

struct Heap(Mutex<Pool>);

// SAFETY: the pool is reached only under its mutex.
unsafe impl Sync for Heap {}

#[global_allocator]
static HEAP: Heap = Heap(Mutex::new(Pool::new()));

fn grow(pool: &mut Pool, layout: Layout) -> Option<()> {
    let wanted = (layout.size() as u64).checked_add(layout.align() as u64)?.checked_mul(2)?;
    let length = wanted.max(GROWTH_BYTES).next_multiple_of(4096);
    let address = usize::try_from(memory::map_anonymous(length).ok()?).ok()?;
    let start = NonNull::new(core::ptr::with_exposed_provenance_mut::<u8>(address))?;
    let block = NonNull::slice_from_raw_parts(start, usize::try_from(length).ok()?);
    // SAFETY: the kernel just mapped the block for nobody else, and it is never unmapped.
    unsafe { pool.insert_free_block_ptr(block) }.map(drop)
}

// SAFETY: TLSF hands out disjoint blocks of mapped memory that fit the layout.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let mut pool = self.0.lock();
        let block = pool.allocate(layout).or_else(|| {
            grow(&mut pool, layout)?;
            pool.allocate(layout)
        });
        block.map_or(core::ptr::null_mut(), NonNull::as_ptr)
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        if let Some(block) = NonNull::new(pointer) {
            // SAFETY: the caller got the block from `alloc` with this layout.
            unsafe { self.0.lock().deallocate(block, layout.align()) }
        }
    }
}

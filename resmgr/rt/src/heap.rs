//! The heap: TLSF (constant time) over memory that grows by mapping, with lists of small free
//! blocks before it, as a server's messages ask for the same few sizes again and again.

use crate::memory;
use crate::sync::Mutex;
use core::alloc::{GlobalAlloc, Layout};
use core::ptr::NonNull;
use rlsf::Tlsf;

const GROWTH_BYTES: u64 = 256 * 1024;
/// Sizes of small blocks are multiples of this, which is their alignment, too.
const GRAIN: usize = 16;
/// How many sizes of small blocks there are.
const SIZES: usize = 16;
/// Most free blocks of one size: what is beyond goes back to the pool, where it can be joined.
const KEPT_MAX: u32 = 64;

type Pool = Tlsf<'static, u32, u32, 28, 32>;

/// Free blocks of one size; each holds the address of the next.
#[derive(Clone, Copy)]
struct List {
    first: Option<NonNull<Free>>,
    length: u32,
}

struct Free {
    next: Option<NonNull<Self>>,
}

struct Blocks {
    small: [List; SIZES],
    pool: Pool,
}

struct Heap(Mutex<Blocks>);

// SAFETY: the blocks are reached only under their mutex.
unsafe impl Sync for Heap {}

#[global_allocator]
static HEAP: Heap =
    Heap(Mutex::new(Blocks { small: [List { first: None, length: 0 }; SIZES], pool: Pool::new() }));

/// Which list blocks of a layout are on, if they are small.
#[inline]
const fn size_class(layout: Layout) -> Option<usize> {
    if layout.size() == 0 || layout.size() > GRAIN * SIZES || layout.align() > GRAIN {
        return None;
    }
    Some((layout.size() - 1) / GRAIN)
}

impl List {
    fn pop(&mut self) -> Option<NonNull<u8>> {
        let block = self.first?;
        // SAFETY: `push` wrote the block, and it has been nobody's since.
        self.first = unsafe { block.as_ref() }.next;
        self.length -= 1;
        Some(block.cast())
    }

    fn push(&mut self, block: NonNull<u8>) {
        let block = block.cast::<Free>();
        // SAFETY: the block is free, of at least GRAIN bytes, and aligned to them.
        unsafe { block.write(Free { next: self.first }) };
        self.first = Some(block);
        self.length += 1;
    }
}

fn grow(pool: &mut Pool, layout: Layout) -> Option<()> {
    let wanted = (layout.size() as u64).checked_add(layout.align() as u64)?.checked_mul(2)?;
    let length = wanted.max(GROWTH_BYTES).next_multiple_of(4096);
    let address = usize::try_from(memory::map_anonymous(length).ok()?).ok()?;
    let start = NonNull::new(core::ptr::with_exposed_provenance_mut::<u8>(address))?;
    let block = NonNull::slice_from_raw_parts(start, usize::try_from(length).ok()?);
    // SAFETY: the kernel just mapped the block for nobody else, and it is never unmapped.
    unsafe { pool.insert_free_block_ptr(block) }.map(drop)
}

fn allocate(pool: &mut Pool, layout: Layout) -> Option<NonNull<u8>> {
    pool.allocate(layout).or_else(|| {
        grow(pool, layout)?;
        pool.allocate(layout)
    })
}

/// The layout that blocks of a size have in the pool.
fn block_layout(class: usize) -> Option<Layout> {
    Layout::from_size_align((class + 1) * GRAIN, GRAIN).ok()
}

// SAFETY: TLSF hands out disjoint blocks of mapped memory that fit the layout; a block on a list is
// one of those, of the list's size, and is taken off before it is handed out.
unsafe impl GlobalAlloc for Heap {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let mut blocks = self.0.lock();
        let block = match size_class(layout) {
            None => allocate(&mut blocks.pool, layout),
            Some(class) => match blocks.small.get_mut(class).and_then(List::pop) {
                None => block_layout(class).and_then(|whole| allocate(&mut blocks.pool, whole)),
                found => found,
            },
        };
        block.map_or(core::ptr::null_mut(), NonNull::as_ptr)
    }

    #[inline]
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        let Some(block) = NonNull::new(pointer) else { return };
        let mut blocks = self.0.lock();
        let class = size_class(layout);
        let list = class.and_then(|class| blocks.small.get_mut(class));
        match list.filter(|list| list.length < KEPT_MAX) {
            Some(list) => list.push(block),
            None => {
                let align = if class.is_some() { GRAIN } else { layout.align() };
                // SAFETY: the caller got the block from `alloc` with this layout, and so from the
                // pool with this alignment.
                unsafe { blocks.pool.deallocate(block, align) }
            }
        }
    }
}

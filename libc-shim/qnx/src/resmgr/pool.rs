//! Thread pools: as many threads wait for messages as a server asks for.
//!
//! `lo_water` threads at least wait, `hi_water` at most, and there are `maximum` at most; when too few
//! wait, `increment` more are made.

use crate::kernel::functions;
use crate::memory::{Lock, view};
use crate::resmgr::context::dispatch_unblock;
use crate::resmgr::event::start;
use crate::resmgr::layout::Context;
use core::ffi::{c_int, c_uint, c_void};
use neutrino_abi::Errno;

/// `POOL_FLAG_EXIT_SELF`: the thread that starts the pool ends.
const EXIT_SELF: c_uint = 1;
/// `POOL_FLAG_USE_SELF`: it becomes one of the pool's.
const USE_SELF: c_uint = 2;

type Param = *mut c_void;

/// C's `thread_pool_attr_t`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct PoolAttr {
    handle: *mut c_void,
    block: Option<extern "C" fn(Param) -> Param>,
    unblock: Option<extern "C" fn(Param)>,
    handler: Option<extern "C" fn(Param) -> c_int>,
    alloc: Option<extern "C" fn(*mut c_void) -> Param>,
    free: Option<extern "C" fn(Param)>,
    attr: *const c_void,
    lo_water: u16,
    increment: u16,
    hi_water: u16,
    maximum: u16,
    tid_name: *const u8,
    error: Option<extern "C" fn(c_uint, c_int)>,
    reserved: [c_uint; 4],
}

#[derive(Default)]
struct Counts {
    created: u32,
    waiting: u32,
    /// Contexts of threads that wait, to wake them by.
    contexts: alloc::vec::Vec<usize>,
    is_ending: bool,
    limits: Limits,
}

#[derive(Clone, Copy, Default)]
struct Limits {
    low: u32,
    high: u32,
    maximum: u32,
    increment: u32,
}

/// C's `thread_pool_t`.
pub struct Pool {
    attr: PoolAttr,
    flags: c_uint,
    counts: Lock<Counts>,
}

impl core::fmt::Debug for Pool {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Pool").field("attr", &self.attr).finish_non_exhaustive()
    }
}

/// What a thread does after it has waited.
enum Next {
    Handle,
    HandleAndGrow(u32),
    End,
}

impl Pool {
    /// One thread is about to wait; `false`: enough do already.
    fn begins_to_wait(&self, context: Param) -> bool {
        let mut counts = self.counts.lock();
        let enough = counts.waiting >= counts.limits.high.max(1);
        if counts.is_ending || enough && counts.created > counts.limits.low {
            counts.created = counts.created.saturating_sub(1);
            return false;
        }
        counts.waiting += 1;
        counts.contexts.push(context.addr());
        true
    }

    fn has_waited(&self, context: Param) -> Next {
        let mut counts = self.counts.lock();
        counts.waiting = counts.waiting.saturating_sub(1);
        counts.contexts.retain(|other| *other != context.addr());
        if counts.is_ending {
            counts.created = counts.created.saturating_sub(1);
            return Next::End;
        }
        let Limits { low, maximum, increment, .. } = counts.limits;
        let room = maximum.saturating_sub(counts.created);
        let more = if counts.waiting < low { increment.max(1).min(room) } else { 0 };
        counts.created += more;
        if more > 0 { Next::HandleAndGrow(more) } else { Next::Handle }
    }

    fn work(&self) {
        let PoolAttr { handle, block, handler, alloc, free, .. } = self.attr;
        let (Some(block), Some(handler)) = (block, handler) else { return };
        let mut context = alloc.map_or(core::ptr::null_mut(), |alloc| alloc(handle));
        // Bound: none; this is what a server does.
        while self.begins_to_wait(context) {
            let waited = block(context);
            let next = self.has_waited(context);
            if waited.is_null() {
                if matches!(next, Next::End) {
                    break;
                }
                continue;
            }
            context = waited;
            match next {
                Next::End => break,
                Next::Handle => {}
                Next::HandleAndGrow(more) => self.grow(more),
            }
            handler(context);
        }
        if let Some(free) = free {
            free(context);
        }
    }

    /// Starts so many threads, which are counted already.
    fn grow(&self, threads: u32) {
        for _ in 0..threads {
            let argument = core::ptr::from_ref(self).cast_mut().cast();
            if start(run, argument, self.attr.attr).is_err() {
                let mut counts = self.counts.lock();
                counts.created = counts.created.saturating_sub(1);
            }
        }
    }
}

extern "C" fn run(argument: *mut c_void) -> *mut c_void {
    if let Some(pool) = view(argument.cast::<Pool>()) {
        pool.work();
    }
    core::ptr::null_mut()
}

unsafe extern "C" {
    safe fn pthread_exit(value: *mut c_void) -> !;
}

/// Makes a pool; null and `errno` if the attributes make no sense.
#[unsafe(no_mangle)]
pub extern "C" fn thread_pool_create(attr: *const PoolAttr, flags: c_uint) -> *mut Pool {
    let is_sane = |attr: &&PoolAttr| {
        attr.block.is_some()
            && attr.handler.is_some()
            && attr.maximum > 0
            && attr.lo_water <= attr.hi_water.max(1)
    };
    let Some(attr) = view(attr).filter(is_sane) else {
        crate::kernel::with_errno(Err(Errno::EINVAL));
        return core::ptr::null_mut();
    };
    let limits = Limits {
        low: u32::from(attr.lo_water.max(1)),
        high: u32::from(attr.hi_water.max(1)),
        maximum: u32::from(attr.maximum),
        increment: u32::from(attr.increment),
    };
    let counts = Lock::new(Counts { limits, ..Counts::default() });
    crate::memory::place(Pool { attr: *attr, flags, counts })
}

functions! {
    /// Starts a pool's threads. With `POOL_FLAG_EXIT_SELF` it does not return, with
    /// `POOL_FLAG_USE_SELF` when the pool is destroyed, else at once.
    single thread_pool_start (pool: *mut c_void) -> c_int {
        let pool = view(pool.cast::<Pool>()).ok_or(Errno::EINVAL)?;
        let is_own = pool.flags & USE_SELF != 0;
        let threads = {
            let mut counts = pool.counts.lock();
            counts.created = counts.limits.low.min(counts.limits.maximum);
            counts.created
        };
        pool.grow(if is_own { threads - 1 } else { threads });
        if is_own {
            pool.work();
        }
        if pool.flags & EXIT_SELF != 0 {
            pthread_exit(core::ptr::null_mut());
        }
        Ok(0)
    }
    /// Ends a pool's threads: each when it has handled what it has.
    single thread_pool_destroy (pool: *mut Pool) -> c_int {
        let pool = view(pool).ok_or(Errno::EINVAL)?;
        let contexts = {
            let mut counts = pool.counts.lock();
            counts.is_ending = true;
            counts.contexts.clone()
        };
        for address in contexts {
            let context: Param = core::ptr::with_exposed_provenance_mut(address);
            match pool.attr.unblock {
                Some(unblock) => unblock(context),
                None => dispatch_unblock(context.cast::<Context>()),
            }
        }
        // The pool itself stays: its threads look at it until they end.
        Ok(0)
    }
    /// Changes a pool's limits; a negative number leaves one as it is.
    single thread_pool_limits (pool: *mut Pool, lowater: c_int, hiwater: c_int, maximum: c_int, increment: c_int, flags: c_uint) -> c_int {
        let _it_takes_effect_at_once = flags;
        let pool = view(pool).ok_or(Errno::EINVAL)?;
        let mut counts = pool.counts.lock();
        let pick = |new: c_int, old: u32| u32::try_from(new).unwrap_or(old);
        let old = counts.limits;
        let new = Limits {
            low: pick(lowater, old.low),
            high: pick(hiwater, old.high),
            maximum: pick(maximum, old.maximum),
            increment: pick(increment, old.increment),
        };
        if new.maximum == 0 || new.low > new.high {
            return Err(Errno::EINVAL);
        }
        counts.limits = new;
        Ok(0)
    }
}

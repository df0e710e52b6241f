//! Advisory locks on what a C server has, and clients that wait for one.

use crate::iofunc::attr::Attr;
use crate::iofunc::ocb::{Ocb, open_file};
use crate::memory::{place, reclaim, view};
use crate::resmgr::layout::{Context, Flock, Lock, LockReply, answer, code, number};
use core::cell::RefCell;
use core::ffi::{c_int, c_void};
use file_locks::{Held, Locks, Owner, Sharing, range};
use io_msg::io::lock as command;
use neutrino_abi::Errno;

const READ: i16 = 0;
const WRITE: i16 = 1;
const UNLOCK: i16 = 2;

/// The locks of a node, which its lock guards.
fn with<R>(node: &Attr, work: impl FnOnce(&mut Locks) -> R) -> R {
    if node.lock_list.get().is_null() {
        node.lock_list.set(place(RefCell::new(Locks::default())).cast());
    }
    let list = node.lock_list.get().cast::<RefCell<Locks>>();
    let mut none = Locks::default();
    let result = match view(list) {
        Some(locks) => work(&mut locks.borrow_mut()),
        None => work(&mut none),
    };
    if let Some(locks) = view(list) {
        count(node, &locks.borrow());
        if locks.borrow().is_empty() {
            node.lock_list.set(core::ptr::null_mut());
            drop(reclaim(list));
        }
    }
    result
}

fn count(node: &Attr, locks: &Locks) {
    let of = |sharing| locks.iter().filter(|held| held.sharing == sharing).count() as u16;
    node.rlocks.set(of(Sharing::Shared));
    node.wlocks.set(of(Sharing::Exclusive));
}

/// An OCB is closed: its locks go, and who waits for them is answered.
pub(crate) fn release(node: &Attr, ocb: *mut c_void) {
    if node.lock_list.get().is_null() {
        return;
    }
    with(node, |locks| {
        locks.release(0, ocb.addr() as u64);
        wake(locks);
    });
}

fn wake(locks: &mut Locks) {
    locks.wake(|client| crate::resmgr::answer::send(client as c_int, 0, &[]).is_ok());
}

/// Answers a lock request on a node.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_lock(
    ctp: *const Context,
    msg: *const u8,
    ocb: *const Ocb,
    attr: *const Attr,
) -> c_int {
    let _the_context_has_it = msg;
    let asked = view(ctp).ok_or(Errno::EINVAL).and_then(|context| {
        let (open, own) = open_file(ocb)?;
        let node = view(attr).unwrap_or(own);
        let message: Lock = context.header()?;
        let wanted = wanted(context, &message, (open, node))?;
        Ok((context, node, message, wanted))
    });
    match asked {
        Ok((context, node, message, wanted)) => handle(context, node, &message, &wanted),
        Err(errno) => code(errno),
    }
}

fn wanted(context: &Context, message: &Lock, (open, node): (&Ocb, &Attr)) -> Result<Held, Errno> {
    let Flock { l_type, l_whence, l_start, l_len, .. } = message.flock;
    if !(READ..=UNLOCK).contains(&l_type) {
        return Err(Errno::EINVAL);
    }
    let badge = core::ptr::from_ref(open).addr() as u64;
    let sharing = if l_type == WRITE { Sharing::Exclusive } else { Sharing::Shared };
    if message.owner != 0 {
        let owner = Owner::OpenFile(badge);
        return Ok(Held { node: 0, owner, badge, sharing, start: 0, end: u64::MAX });
    }
    let may = match l_type {
        READ => open.is_open_for(number::FLAG_RD),
        WRITE => open.is_open_for(number::FLAG_WR),
        _ => true,
    };
    if message.subtype != u32::from(command::GETLK) && !may {
        return Err(Errno::EBADF);
    }
    let base = match l_whence {
        0 => 0,
        1 => open.offset.get(),
        2 => node.nbytes.get(),
        _ => return Err(Errno::EINVAL),
    };
    let base = u64::try_from(base).map_err(|_| Errno::EINVAL)?;
    let (start, end) = range(base, l_start, l_len).ok_or(Errno::EINVAL)?;
    let (pid, _) = context.info.get().client();
    Ok(Held { node: 0, owner: Owner::Process(pid), badge, sharing, start, end })
}

fn handle(context: &Context, node: &Attr, message: &Lock, wanted: &Held) -> c_int {
    let waits = message.subtype == u32::from(command::SETLKW);
    if message.subtype == u32::from(command::GETLK) {
        let flock = with(node, |locks| test(locks, message, wanted));
        return context.answer(&LockReply { flock, ..LockReply::default() });
    }
    with(node, |locks| {
        if message.flock.l_type == UNLOCK {
            locks.clear(wanted);
        } else if !locks.set(wanted) {
            if !waits {
                return code(Errno::EAGAIN);
            }
            locks.wait(context.rcvid.get() as u64, wanted);
            return answer::NOREPLY;
        }
        wake(locks);
        0
    })
}

fn test(locks: &Locks, message: &Lock, wanted: &Held) -> Flock {
    match locks.conflict(wanted) {
        None => Flock { l_type: UNLOCK, ..message.flock },
        Some(other) => Flock {
            l_type: if other.sharing == Sharing::Exclusive { WRITE } else { READ },
            l_whence: 0,
            l_start: other.start.cast_signed(),
            l_len: other.length().cast_signed(),
            l_pid: other.process().map_or(-1, u32::cast_signed),
            ..Flock::default()
        },
    }
}

/// As [`iofunc_lock`], on the OCB's own attributes.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_lock_default(
    ctp: *const Context,
    msg: *const u8,
    ocb: *const Ocb,
) -> c_int {
    iofunc_lock(ctp, msg, ocb, core::ptr::null())
}

/// A client that waits wants to leave: EINTR if it waits for a lock here, else `_RESMGR_DEFAULT`.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_unblock(
    ctp: *const Context,
    msg: *const u8,
    ocb: *const Ocb,
    attr: *const Attr,
) -> c_int {
    let _the_context_has_it = msg;
    let Some(context) = view(ctp) else { return answer::DEFAULT };
    let Some(node) = view(attr).or_else(|| view(ocb)?.node()) else { return answer::DEFAULT };
    let client = context.rcvid.get() as u64;
    let waited = !node.lock_list.get().is_null() && with(node, |locks| locks.cancel(client));
    if waited { code(Errno::EINTR) } else { answer::DEFAULT }
}

/// As [`iofunc_unblock`], on the OCB's own attributes.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_unblock_default(
    ctp: *const Context,
    msg: *const u8,
    ocb: *const Ocb,
) -> c_int {
    iofunc_unblock(ctp, msg, ocb, core::ptr::null())
}

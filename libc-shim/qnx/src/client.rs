//! What clients of resource managers call beside POSIX: `devctl`, `ionotify`, and directory entries in
//! QNX's form.

use crate::event::{SigEvent, take};
use crate::kernel::{address_of, at, call, flat, functions, store_optional};
use crate::memory::{Lock, bytes, view};
use crate::resmgr::event::{ready_now, start, wait_until_ready};
use crate::resmgr::readiness::condition;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ffi::{c_char, c_int, c_uint, c_void};
use core::sync::atomic::{AtomicUsize, Ordering};
use io_msg::io::Devctl;
use io_msg::kind;
use neutrino_abi::Errno;
use neutrino_abi::calls::Call;
use neutrino_abi::event::Event;
use neutrino_abi::handle::ready;
use neutrino_abi::message::Iov;

/// Directions in a command's number.
const TO: u32 = 0x4000_0000;
const FROM: u32 = 0x8000_0000;

fn send_devctl(fd: c_int, dcmd: u32, data: *mut c_void, nbytes: usize) -> Result<i64, Errno> {
    let coid = u32::try_from(fd).map_err(|_| Errno::EBADF)?;
    let length = u32::try_from(nbytes).map_err(|_| Errno::EINVAL)?;
    let of = |direction| if dcmd & direction != 0 { length } else { 0 };
    let (nbytes, reply_max) = (of(TO), of(FROM));
    let kind = kind::IO_DEVCTL;
    let head = Devctl { kind, dcmd, nbytes, reply_max, ..Devctl::default() };
    let message = [
        Iov { base: address_of(&head), length: size_of::<Devctl>() as u64 },
        Iov { base: at(data), length: u64::from(nbytes) },
    ];
    let sent = call(Call::MsgSend {
        coid,
        message: address_of(&message),
        parts: message.len() as i64,
        reply: at(data),
        reply_parts: flat(reply_max as usize)?,
        extra: 0,
    });
    match sent {
        // A server that knows no device control at all.
        Err(Errno::ENOSYS) => Err(Errno::ENOTTY),
        other => other,
    }
}

/// Sends a device a command with data, as the command's number says in which direction; returns EOK
/// or an error, without `errno`. `info` gets the server's answer.
#[unsafe(no_mangle)]
pub extern "C" fn devctl(
    fd: c_int,
    dcmd: c_int,
    data: *mut c_void,
    nbytes: usize,
    info: *mut c_int,
) -> c_int {
    let done = send_devctl(fd, dcmd.cast_unsigned(), data, nbytes)
        .and_then(|status| store_optional(info, &(status as c_int)));
    crate::resmgr::layout::result(done)
}

/// `_NOTIFY_ACTION_*`.
mod action {
    pub(super) const POLL: i32 = 0;
    pub(super) const POLLARM: i32 = 1;
    pub(super) const TRANARM: i32 = 2;
}

/// An event that somebody waits for.
struct Armed {
    /// By which its thread finds it.
    id: usize,
    fd: c_int,
    events: i16,
    event: Option<Event>,
}

/// What is armed; each row has a thread that waits for it.
static ARMED: Lock<Vec<Armed>> = Lock::new(Vec::new());
static NEXT_ID: AtomicUsize = AtomicUsize::new(1);

const PAIRS: [(u32, u32); 3] = [
    (condition::INPUT, ready::IN),
    (condition::OUTPUT, ready::OUT),
    (condition::OBAND, ready::PRI),
];

fn arm(fd: c_int, events: i16, event: Event) -> Result<(), Errno> {
    let mut armed = ARMED.lock();
    if let Some(row) = armed.iter_mut().find(|row| row.fd == fd && row.events == events) {
        row.event = Some(event);
        return Ok(());
    }
    let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
    start(watcher, core::ptr::without_provenance_mut(id), core::ptr::null())?;
    armed.push(Armed { id, fd, events, event: Some(event) });
    Ok(())
}

/// Waits for what a row says, then delivers its event, unless it has been disarmed.
extern "C" fn watcher(row: *mut c_void) -> *mut c_void {
    let is_own = |row_: &Armed| row_.id == row.addr();
    // The row is there until this thread takes it out.
    let found = ARMED.lock().iter().find(|row| is_own(row)).map(|row| (row.fd, row.events));
    if let Some((fd, events)) = found {
        wait_until_ready(fd, events);
        let mut armed = ARMED.lock();
        let index = armed.iter().position(is_own);
        if let Some(event) = index.and_then(|index| armed.swap_remove(index).event) {
            // A full queue loses it, as any event.
            let _full = call(Call::MsgDeliverEvent { rcvid: 0, event: address_of(&event) });
        }
    }
    core::ptr::null_mut()
}

functions! {
    /// Partial: TRANARM tells at once if the condition is true already
    /// Asks which conditions of a descriptor are true (`_NOTIFY_COND_*`); if none is, or with
    /// `_NOTIFY_ACTION_TRANARM`, arms an event for when one is. A null event disarms.
    single ionotify (fd: c_int, what: c_int, flags: c_int, event: *const SigEvent) -> c_int {
        let wanted = flags.cast_unsigned();
        let pick = |(from, to): &(u32, u32)| if wanted & from != 0 { *to } else { 0 };
        let events = PAIRS.iter().map(pick).sum::<u32>() as i16;
        if event.is_null() && what != action::POLL {
            ARMED.lock().iter_mut().filter(|row| row.fd == fd).for_each(|row| row.event = None);
            return Ok(0);
        }
        let now = u32::from(ready_now(fd, events)?.cast_unsigned());
        let told = |(to, from): &(u32, u32)| if now & from != 0 { *to } else { 0 };
        let conditions = if what == action::TRANARM { 0 } else { PAIRS.iter().map(told).sum::<u32>() };
        match what {
            action::POLL => {}
            action::POLLARM if conditions != 0 => {}
            action::POLLARM | action::TRANARM => arm(fd, events, take(event)?)?,
            _ => return Err(Errno::EINVAL),
        }
        Ok(i64::from(conditions))
    }
    /// Closes a directory, and forgets the entry that it had last.
    single __neutrino_closedir (stream: *mut c_void) -> c_int {
        ENTRIES.lock().retain(|(of, _)| *of != stream.addr());
        if closedir(stream) == 0 { Ok(0) } else { Err(Errno::EBADF) }
    }
}

/// musl's `struct dirent`.
#[repr(C)]
struct MuslEntry {
    ino: core::cell::Cell<u64>,
    offset: core::cell::Cell<i64>,
    reclen: core::cell::Cell<u16>,
    kind: core::cell::Cell<u8>,
}
/// Where the names are: in musl's structure, and in QNX's.
const MUSL_NAME: usize = 19;
const NAME: usize = 20;

/// QNX's `struct dirent`, with room for any name.
type Entry = [u64; 36];

/// The entry that each open directory gave last.
static ENTRIES: Lock<Vec<(usize, Box<Entry>)>> = Lock::new(Vec::new());

unsafe extern "C" {
    // C says that these are streams and strings.
    safe fn readdir(stream: *mut c_void) -> *const MuslEntry;
    safe fn closedir(stream: *mut c_void) -> c_int;
    safe fn symlink(target: *const c_char, path: *const c_char) -> c_int;
    safe fn unlink(path: *const c_char) -> c_int;
}

/// The next entry of a directory in QNX's form; null at the end.
#[unsafe(no_mangle)]
pub extern "C" fn __neutrino_readdir(stream: *mut c_void) -> *const Entry {
    let Some(next) = view(readdir(stream)) else { return core::ptr::null() };
    let place = core::ptr::from_ref(next).cast::<u8>();
    let length = usize::from(next.reclen.get()).saturating_sub(MUSL_NAME);
    let name = bytes(place.wrapping_add(MUSL_NAME), length);
    let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
    let mut entries = ENTRIES.lock();
    let index = entries.iter().position(|(of, _)| *of == stream.addr());
    let index = index.unwrap_or_else(|| {
        entries.push((stream.addr(), Box::new([0; 36])));
        entries.len() - 1
    });
    let Some((_, entry)) = entries.get_mut(index) else { return core::ptr::null() };
    fill(entry, next, name);
    &raw const **entry
}

fn fill(entry: &mut Entry, next: &MuslEntry, name: &[u8]) {
    let reclen = ((NAME + name.len() + 1).next_multiple_of(8)) as u64;
    let [ino, offset, lengths, ..] = entry;
    *ino = next.ino.get();
    *offset = next.offset.get().cast_unsigned();
    *lengths = reclen | (name.len() as u64) << 16;
    let place = zerocopy::IntoBytes::as_mut_bytes(entry).get_mut(NAME..=NAME + name.len());
    if let Some((end, place)) = place.and_then(<[u8]>::split_last_mut) {
        place.copy_from_slice(name);
        *end = 0;
    }
}

/// Makes a symbolic link; here file systems keep it, and it outlives the system where they do.
#[unsafe(no_mangle)]
pub extern "C" fn pathmgr_symlink(target: *const c_char, path: *const c_char) -> c_int {
    symlink(target, path)
}

/// Removes it.
#[unsafe(no_mangle)]
pub extern "C" fn pathmgr_unlink(path: *const c_char) -> c_int {
    unlink(path)
}

/// Flags of `procmgr_daemon`.
mod daemon {
    pub(super) const NOCHDIR: u32 = 1;
    pub(super) const NOCLOSE: u32 = 2;
    pub(super) const NODEVNULL: u32 = 4;
    pub(super) const KEEPUMASK: u32 = 8;
}

unsafe extern "C" {
    safe fn setsid() -> c_int;
    safe fn umask(mask: c_uint) -> c_uint;
    safe fn close(fd: c_int) -> c_int;
    safe fn dup2(fd: c_int, target: c_int) -> c_int;
    fn chdir(path: *const c_char) -> c_int;
    fn open(path: *const c_char, flags: c_int) -> c_int;
}

/// Partial: it stays the same process, and its parent's wait goes on
/// Makes the process a daemon: in a session of its own, in `/`, without descriptors. It stays the
/// process that it is, so that its channels live; who waits for it goes on waiting.
#[unsafe(no_mangle)]
pub extern "C" fn procmgr_daemon(status: c_int, flags: c_uint) -> c_int {
    const DESCRIPTORS: c_int = 1024;
    const RDWR: c_int = 2;
    let _nobody_is_told = status;
    // The leader of a group has to stay in its session.
    let _own_session = setsid();
    if flags & daemon::NOCHDIR == 0 {
        // SAFETY: it is a string.
        let _there_is_a_root = unsafe { chdir(c"/".as_ptr()) };
    }
    if flags & daemon::NOCLOSE == 0 {
        for fd in 3..DESCRIPTORS {
            close(fd);
        }
    }
    if flags & daemon::NODEVNULL == 0 {
        // SAFETY: it is a string.
        let null = unsafe { open(c"/dev/null".as_ptr(), RDWR) };
        for fd in 0..3 {
            dup2(null, fd);
        }
        if null > 2 {
            close(null);
        }
    }
    if flags & daemon::KEEPUMASK == 0 {
        umask(0);
    }
    0
}

/// Partial: always ENOTSUP
/// Abilities cannot be taken away from, or given to, a process here: the answer is ENOTSUP, so that
/// nobody believes that they have been.
#[unsafe(no_mangle)]
pub extern "C" fn procmgr_ability(pid: c_int, first: c_uint) -> c_int {
    let _whatever_is_asked = (pid, first);
    crate::resmgr::layout::code(Errno::EOPNOTSUPP)
}

//! Messages on an open file: `resmgr_io_funcs_t`.

use crate::receive::CInfo;
use crate::resmgr::answer::{self, Reply, Turn};
use crate::resmgr::binding::Binding;
use crate::resmgr::context::handed;
use crate::resmgr::layout::{
    self, Chown, Context, Devctl, FdinfoAsked, Flock, IoFunc, Lock, Lseek, Mmap, Notify, Space,
    Transfer, Utime, Word, answer as returned, code, number,
};
use crate::resmgr::{connect, directory, path, readiness};
use alloc::sync::Arc;
use core::ffi::c_int;
use io_msg::io::{self as wire, XTYPE_NONE, XTYPE_OFFSET, XTYPE_READDIR};
use io_msg::kind;
use io_msg::stat::{Statfs, open};
use neutrino_abi::Errno;
use neutrino_abi::message::MsgInfo;
use neutrino_abi::pulse::{self, Pulse};
use zerocopy::IntoBytes;

/// Most bytes of one read or write (as Linux: 2 GiB less a page).
const TRANSFER_MAX: u64 = 0x7fff_f000;

/// `DCMD_ALL_GETFLAGS`, `DCMD_ALL_SETFLAGS`.
const GET_FLAGS: u32 = 0x8004_0101;
const SET_FLAGS: u32 = 0x4004_0101;

/// Answers a message on an open file.
pub(crate) fn message(context: &Context, which: u16) {
    let Ok(dispatch) = context.dispatch() else { return };
    let badge = context.own().head.get().badge;
    let Some(binding) = dispatch.state.lock().bindings.enter(badge) else {
        return answer::error(context, Errno::EBADF);
    };
    context.id.set(binding.mount.id);
    context.own().acts_for.set(badge);
    match outcome(context, &binding, which) {
        Ok(reply) => {
            let has_notifiers = dispatch.notifiers.load(core::sync::atomic::Ordering::Acquire) > 0;
            let reply = if has_notifiers { reply.kept(context) } else { reply };
            readiness::refresh(context);
            reply.send(context);
            // Only now may others change what the reply lies in.
            lock(context, &binding, IoFunc::UnlockOcb);
        }
        Err(errno) => answer::error(context, errno),
    }
    let last = dispatch.state.lock().bindings.leave(badge);
    if let Some(binding) = last {
        close(context, &binding);
    }
}

/// Calls a handler, with the OCB locked; it stays locked.
fn run(context: &Context, binding: &Binding, which: IoFunc) -> c_int {
    let Some(func) = binding.func(which) else { return returned::DEFAULT };
    lock(context, binding, IoFunc::LockOcb);
    let (ctp, msg) = handed(context);
    func(ctp, msg, binding.ocb.0)
}

/// Locks or unlocks the OCB.
pub(crate) fn lock(context: &Context, binding: &Binding, which: IoFunc) {
    if let Some(func) = binding.func(which) {
        func(handed(context).0, core::ptr::null_mut(), binding.ocb.0);
    }
}

/// As [`run`], and unlocks.
fn once(context: &Context, binding: &Binding, which: IoFunc) -> c_int {
    let value = run(context, binding, which);
    if binding.func(which).is_some() {
        lock(context, binding, IoFunc::UnlockOcb);
    }
    value
}

/// What the message comes to; the OCB is locked if this is no error.
fn outcome(context: &Context, binding: &Arc<Binding>, which: u16) -> Result<Reply, Errno> {
    let (func, turn, default) = match which {
        kind::IO_READ => return read(context, binding),
        kind::IO_WRITE => return write(context, binding),
        kind::IO_FLAGS => return flags(context, binding),
        kind::IO_FDINFO => return Ok(fdinfo(context, binding)),
        kind::IO_STATVFS => {
            let status = Statfs { bsize: 4096, namelen: 255, frsize: 4096, ..Statfs::default() };
            return locked(context, binding, Reply::Bytes(0, status.as_bytes().into()));
        }
        kind::IO_DEVCTL => (IoFunc::Devctl, devctl(context)?, Errno::ENOTTY),
        kind::IO_LSEEK => (IoFunc::Lseek, lseek(context)?, Errno::ESPIPE),
        kind::IO_LOCK => (IoFunc::Lock, file_lock(context)?, Errno::ENOSYS),
        kind::IO_STAT => (IoFunc::Stat, show_word(context, which, 0), Errno::ENOSYS),
        kind::IO_SYNC => (IoFunc::Sync, show_word(context, which, 0), Errno::EINVAL),
        kind::IO_CHMOD => {
            let mode = context.header::<wire::Chmod>()?.mode;
            (IoFunc::Chmod, show_word(context, which, mode), Errno::ENOSYS)
        }
        kind::IO_CHOWN => {
            show_chown(context, &context.header()?);
            (IoFunc::Chown, Turn::Plain, Errno::ENOSYS)
        }
        kind::IO_UTIME => {
            show_utime(context, &context.header()?);
            (IoFunc::Utime, Turn::Plain, Errno::ENOSYS)
        }
        kind::IO_SPACE => {
            show_space(context, &context.header()?);
            (IoFunc::Space, Turn::Plain, Errno::EINVAL)
        }
        kind::IO_MMAP => return mmap(context, binding),
        kind::IO_NOTIFY => {
            context.header::<Notify>()?;
            (IoFunc::Notify, Turn::Plain, Errno::ENOSYS)
        }
        kind::IO_MSG => {
            context.header::<[u16; 4]>()?;
            (IoFunc::Msg, Turn::Plain, Errno::ENOSYS)
        }
        number::PATHCONF => {
            context.header::<Word>()?;
            (IoFunc::Pathconf, Turn::Plain, Errno::ENOSYS)
        }
        _ => return Err(Errno::ENOSYS),
    };
    answer::note(context.rcvid.get(), turn);
    let value = run(context, binding, func);
    Ok(Reply::of(context, value, default))
}

/// A reply that no handler had to make, with the OCB locked as after one.
fn locked(context: &Context, binding: &Binding, reply: Reply) -> Result<Reply, Errno> {
    lock(context, binding, IoFunc::LockOcb);
    Ok(reply)
}

fn read(context: &Context, binding: &Binding) -> Result<Reply, Errno> {
    let asked: wire::Transfer = context.header()?;
    let head = context.own().head.get();
    let length = asked.nbytes.min(TRANSFER_MAX).min(head.dstmsglen);
    let mut shown = Transfer { kind: kind::IO_READ, nbytes: length as i32, ..Transfer::default() };
    match asked.xtype {
        XTYPE_NONE => {}
        XTYPE_OFFSET if asked.offset > i64::MAX as u64 => return Err(Errno::EINVAL),
        XTYPE_OFFSET => shown.xtype = number::xtype::OFFSET,
        XTYPE_READDIR => {
            let room = (length as usize).min(64 * 1024);
            shown.nbytes = directory::room(room) as i32;
            shown.xtype = number::xtype::READDIR;
            answer::note(context.rcvid.get(), Turn::Readdir { room });
        }
        _ => return Err(Errno::ENOSYS),
    }
    show_transfer(context, &shown, asked.offset);
    let mut value = run(context, binding, IoFunc::Read);
    if asked.xtype == XTYPE_READDIR && value == code(Errno::ENOSYS) {
        // A handler that knows no types of transfers reads a directory like anything else.
        lock(context, binding, IoFunc::UnlockOcb);
        show_transfer(context, &Transfer { xtype: number::xtype::NONE, ..shown }, 0);
        value = run(context, binding, IoFunc::Read);
    }
    Ok(Reply::of(context, value, Errno::ENOSYS))
}

/// The message of a read or write, with the offset behind it that its type says.
fn show_transfer(context: &Context, shown: &Transfer, offset: u64) {
    context.show(shown);
    let head = size_of::<Transfer>();
    if shown.xtype == number::xtype::OFFSET
        && let Some(place) = context.buffer().get_mut(head..head + size_of::<u64>())
    {
        place.copy_from_slice(&offset.to_ne_bytes());
    }
}

fn write(context: &Context, binding: &Binding) -> Result<Reply, Errno> {
    let asked: wire::Transfer = context.header()?;
    let head = size_of::<Transfer>();
    let sent = context.own().head.get().srcmsglen.saturating_sub(head as u64);
    let length = asked.nbytes.min(TRANSFER_MAX).min(sent);
    let mut shown = Transfer { kind: kind::IO_WRITE, nbytes: length as i32, ..Transfer::default() };
    match asked.xtype {
        XTYPE_NONE => {}
        XTYPE_OFFSET if asked.offset > i64::MAX as u64 => return Err(Errno::EINVAL),
        XTYPE_OFFSET => {
            // The offset comes between the head and the data, which `resmgr_msgread` knows.
            shown.xtype = number::xtype::OFFSET;
            let received = context.size.get();
            let room = context.buffer().len().saturating_sub(size_of::<u64>());
            let end = received.min(room).max(head);
            context.buffer().copy_within(head..end, head + size_of::<u64>());
            context.size.set(end + size_of::<u64>());
            context.offset.set(0_usize.wrapping_sub(size_of::<u64>()));
        }
        _ => return Err(Errno::ENOSYS),
    }
    show_transfer(context, &shown, asked.offset);
    let value = run(context, binding, IoFunc::Write);
    Ok(Reply::of(context, value, Errno::ENOSYS))
}

/// A message that is a type and a word.
fn show_word(context: &Context, which: u16, word: u32) -> Turn {
    context.show(&Word { kind: which, combine_len: size_of::<Word>() as u16, word });
    Turn::Plain
}

fn show_chown(context: &Context, asked: &wire::Chown) {
    context.show(&Chown {
        kind: kind::IO_CHOWN,
        gid: asked.gid,
        uid: asked.uid,
        ..Chown::default()
    });
}

fn show_utime(context: &Context, asked: &wire::Utime) {
    let is = |time: &[i64; 2], special: i64| time[1] == special;
    let both = [&asked.atime, &asked.mtime];
    let now = both.iter().all(|time| is(time, wire::UTIME_NOW));
    let present = crate::clock::timestamp();
    let pick = |time: &[i64; 2]| if is(time, wire::UTIME_NOW) { present } else { *time };
    let [[actime, actime_ns], [modtime, modtime_ns]] = both.map(pick);
    let omit =
        u32::from(is(both[0], wire::UTIME_OMIT)) | u32::from(is(both[1], wire::UTIME_OMIT)) << 1;
    context.show(&Utime {
        kind: kind::IO_UTIME,
        cur_flag: c_int::from(now),
        actime,
        modtime,
        actime_ns: actime_ns as u32,
        modtime_ns: modtime_ns as u32,
        omit,
        ..Utime::default()
    });
}

fn show_space(context: &Context, asked: &wire::Space) {
    let (subtype, start, len) = match asked.operation {
        wire::SPACE_ALLOCATE => (number::ALLOCSP, asked.offset, asked.size),
        // With no length it is the end.
        _ => (number::FREESP, asked.size, 0),
    };
    context.show(&Space { kind: kind::IO_SPACE, subtype, start, len, ..Space::default() });
}

fn devctl(context: &Context) -> Result<Turn, Errno> {
    let asked: wire::Devctl = context.header()?;
    let (from, to) = (size_of::<wire::Devctl>(), size_of::<Devctl>());
    let sent = context.own().head.get().srcmsglen.saturating_sub(from as u64);
    if u64::from(asked.nbytes) > sent {
        return Err(Errno::EBADMSG);
    }
    let received = context.size.get().max(from);
    context.buffer().copy_within(from..received, to);
    context.size.set(received - (from - to));
    context.offset.set(from - to);
    // A client that passes a buffer both ways sends and takes as much.
    let nbytes = asked.nbytes.max(asked.reply_max);
    if asked.nbytes == 0
        && let Some(place) = context.buffer().get_mut(to..to + size_of::<u64>())
    {
        // A request that takes a number has no data: the number stands for them.
        place.copy_from_slice(&asked.argument.to_ne_bytes());
    }
    let combine_len = size_of::<Devctl>() as u16;
    context.show(&Devctl { kind: kind::IO_DEVCTL, combine_len, dcmd: asked.dcmd, nbytes, zero: 0 });
    Ok(Turn::Devctl { reply_max: asked.reply_max })
}

fn lseek(context: &Context) -> Result<Turn, Errno> {
    let asked: wire::Lseek = context.header()?;
    let whence = i16::try_from(asked.whence).map_err(|_| Errno::EINVAL)?;
    context.show(&Lseek { kind: kind::IO_LSEEK, whence, offset: asked.offset, ..Lseek::default() });
    Ok(Turn::Lseek)
}

fn file_lock(context: &Context) -> Result<Turn, Errno> {
    let asked: wire::Lock = context.header()?;
    let (subtype, owner) = match asked.command {
        wire::lock::FLOCK => (wire::lock::SETLK, 1),
        wire::lock::FLOCKW => (wire::lock::SETLKW, 1),
        wire::lock::GETLK | wire::lock::SETLK | wire::lock::SETLKW => (asked.command, 0),
        _ => return Err(Errno::EINVAL),
    };
    if asked.lock_type > 2 || asked.whence > 2 {
        return Err(Errno::EINVAL);
    }
    let flock = Flock {
        l_type: asked.lock_type.cast_signed(),
        l_whence: asked.whence.cast_signed(),
        l_start: asked.start,
        l_len: asked.length,
        ..Flock::default()
    };
    let shown =
        Lock { kind: kind::IO_LOCK, subtype: u32::from(subtype), owner, flock, ..Lock::default() };
    context.show(&shown);
    Ok(if subtype == wire::lock::GETLK { Turn::Lock(asked) } else { Turn::Plain })
}

/// `fcntl(F_GETFL)` and `F_SETFL` are devctls.
fn flags(context: &Context, binding: &Arc<Binding>) -> Result<Reply, Errno> {
    let asked: wire::Flags = context.header()?;
    let ask = |dcmd, data: u32| {
        let nbytes = size_of::<u32>() as u32;
        context.show(&(Devctl { kind: kind::IO_DEVCTL, combine_len: 0, dcmd, nbytes, zero: 0 }));
        let place = size_of::<Devctl>()..size_of::<Devctl>() + size_of::<u32>();
        if let Some(place) = context.buffer().get_mut(place) {
            place.copy_from_slice(&data.to_ne_bytes());
        }
        context.status.set(0);
        once(context, binding, IoFunc::Devctl)
    };
    let mut now = flags_told(context, ask(GET_FLAGS, 0))?;
    let mask = asked.mask & (open::APPEND | open::NONBLOCK);
    if mask != 0 {
        now = now & !mask | asked.bits & mask;
        let value = ask(SET_FLAGS, now);
        if value > 0 {
            return Err(Errno::EINVAL);
        }
    }
    let shown = now & !(open::CREAT | open::EXCL | open::TRUNC | open::NOCTTY | open::CLOEXEC);
    locked(context, binding, Reply::Bytes(i64::from(shown), alloc::vec::Vec::new()))
}

/// The flags in the answer to a devctl.
fn flags_told(context: &Context, value: c_int) -> Result<u32, Errno> {
    if value >= 0 || value == returned::DEFAULT {
        return Err(Errno::EINVAL);
    }
    let data = answer::gather_parts(context, value.unsigned_abs() as usize);
    let place = size_of::<layout::DevctlReply>();
    let bytes = data.get(place..place + size_of::<u32>()).ok_or(Errno::EINVAL)?;
    bytes.try_into().map(u32::from_ne_bytes).map_err(|_| Errno::EINVAL)
}

/// The path of an open file, which the library knows if the handler does not say.
fn fdinfo(context: &Context, binding: &Arc<Binding>) -> Reply {
    context.show(&FdinfoAsked { kind: kind::IO_FDINFO, path_len: 4096, ..FdinfoAsked::default() });
    answer::note(context.rcvid.get(), Turn::Fdinfo);
    match run(context, binding, IoFunc::Fdinfo) {
        returned::DEFAULT => {
            answer::forget(context.rcvid.get());
            if binding.func(IoFunc::Fdinfo).is_none() {
                lock(context, binding, IoFunc::LockOcb);
            }
            let path = binding.mount.absolute(&binding.path);
            Reply::Bytes(path.len() as i64, path)
        }
        value => Reply::of(context, value, Errno::ENOSYS),
    }
}

fn mmap(context: &Context, binding: &Arc<Binding>) -> Result<Reply, Errno> {
    let asked: wire::Mmap = context.header()?;
    context.show(&Mmap {
        kind: kind::IO_MMAP,
        prot: asked.protection,
        required_prot: asked.protection,
        flags: asked.flags,
        ..Mmap::default()
    });
    let value = run(context, binding, IoFunc::Mmap);
    Ok(crate::resmgr::mapping::reply(context, binding, &asked, value))
}

/// `stat` of an open file, as a handler answers.
pub(crate) fn stat(context: &Context, binding: &Arc<Binding>) -> c_int {
    show_word(context, kind::IO_STAT, 0);
    once(context, binding, IoFunc::Stat)
}

/// `chmod`.
pub(crate) fn chmod(context: &Context, binding: &Arc<Binding>, mode: u32) -> c_int {
    show_word(context, kind::IO_CHMOD, mode);
    once(context, binding, IoFunc::Chmod)
}

/// `chown`.
pub(crate) fn chown(context: &Context, binding: &Arc<Binding>, owner: &wire::Chown) -> c_int {
    show_chown(context, owner);
    once(context, binding, IoFunc::Chown)
}

/// `utimensat`.
pub(crate) fn utime(context: &Context, binding: &Arc<Binding>, times: &wire::Utime) -> c_int {
    show_utime(context, times);
    once(context, binding, IoFunc::Utime)
}

/// `truncate`.
pub(crate) fn space(context: &Context, binding: &Arc<Binding>, space: &wire::Space) -> c_int {
    show_space(context, space);
    once(context, binding, IoFunc::Space)
}

/// The client has closed its last descriptor, and waits.
pub(crate) fn close_message(context: &Context) {
    disconnected(context, context.own().head.get().badge);
    answer::done(context, 0, &[]);
}

/// The last descriptor of an open file is gone: the message or the pulse, whichever comes first.
pub(crate) fn disconnected(context: &Context, badge: u64) {
    let Ok(dispatch) = context.dispatch() else { return };
    let closed = dispatch.state.lock().bindings.close(badge);
    if let Some(binding) = closed {
        close(context, &binding);
    }
}

/// Tells the handlers that nobody has the file open any more.
pub(crate) fn close(context: &Context, binding: &Arc<Binding>) {
    let kept = (context.info.get(), context.id.get());
    let acted_for = context.own().acts_for.replace(binding.badge());
    context.id.set(binding.mount.id);
    readiness::end(context, binding);
    show_word(context, kind::IO_CLOSE, 0);
    once(context, binding, IoFunc::CloseDup);
    if let Some(func) = binding.func(IoFunc::CloseOcb) {
        func(handed(context).0, core::ptr::null_mut(), binding.ocb.0);
    }
    context.own().acts_for.set(acted_for);
    context.info.set(kept.0);
    context.id.set(kept.1);
}

/// A client that waits for an answer wants to leave.
pub(crate) fn unblock(context: &Context, rcvid: u64) {
    let mut info = MsgInfo::default();
    let place = crate::kernel::address_of_mut(&mut info);
    let id = (rcvid & crate::receive::RCVID) as c_int;
    if crate::kernel::call(neutrino_abi::calls::Call::MsgInfo { rcvid, info: place }).is_err() {
        // It has been answered meanwhile, or has died: then what it waits for has to be dropped.
        let Some(badge) = answer::let_go(id) else { return };
        info.badge = badge;
    }
    let Ok(dispatch) = context.dispatch() else { return };
    context.rcvid.set(id);
    context.info.set(CInfo::new(&info));
    let pulse =
        Pulse { code: pulse::UNBLOCK, value: u64::from(id.cast_unsigned()), ..Pulse::default() };
    context.show(&pulse);
    let value = if let Some(index) = path::index_of(info.badge) {
        dispatch.mount(index).map_or(returned::DEFAULT, |mount| connect::unblock(context, &mount))
    } else {
        let binding = dispatch.state.lock().bindings.enter(info.badge);
        let Some(binding) = binding else {
            return unblock_other(context, dispatch, &pulse);
        };
        context.id.set(binding.mount.id);
        let value = once(context, &binding, IoFunc::Unblock);
        let last = dispatch.state.lock().bindings.leave(info.badge);
        if let Some(binding) = last {
            close(context, &binding);
        }
        value
    };
    if value == returned::NOREPLY {
        return;
    }
    answer::let_go(id);
    // Nobody else is going to let the client go: who has kept it finds it gone.
    Reply::of(context, value, Errno::EINTR).send(context);
}

/// A client of `message_attach`: the program has a function for the pulse, or it is let go.
fn unblock_other(context: &Context, dispatch: &crate::resmgr::dispatch::Dispatch, pulse: &Pulse) {
    let code = c_int::from(pulse.code);
    let is_known = dispatch.state.lock().pulses.iter().any(|row| row.code == code);
    if is_known {
        context.rcvid.set(0);
        crate::resmgr::event::pulse(context, dispatch, pulse);
    } else {
        answer::error(context, Errno::EINTR);
    }
}

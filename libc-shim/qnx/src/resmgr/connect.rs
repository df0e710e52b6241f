//! Messages with a path: `resmgr_connect_funcs_t`.

use crate::memory::view;
use crate::resmgr::answer::{self, Reply, Turn};
use crate::resmgr::binding::Binding;
use crate::resmgr::context::{Opening, handed};
use crate::resmgr::layout::{Connect as Shown, ConnectFunc, Context, code, number};
use crate::resmgr::path::{self, Extent, Mount, Place};
use crate::resmgr::{io, readiness};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ffi::{c_int, c_void};
use io_msg::connect::{
    Connect, ConnectReply, FLAG_NOFOLLOW, PATH_MAX, REMOVE_DIRECTORY, RESULT_REDIRECT, subtype,
};
use io_msg::io::{Chown, Space, Utime};
use io_msg::stat::{Statfs, mode, open};
use neutrino_abi::Errno;
use zerocopy::{FromBytes, IntoBytes};

/// A message with a path, as the client sent it.
struct Asked {
    message: Connect,
    mount: Arc<Mount>,
    path: Vec<u8>,
    extra: Vec<u8>,
    /// `_IO_CONNECT_EFLAG_DIR`, or 0.
    eflag: u8,
}

/// What a handler is shown beside a path.
#[derive(Clone, Copy, Default)]
struct View<'a> {
    subtype: u16,
    ioflag: u32,
    mode: u32,
    extra_type: u8,
    extra: &'a [u8],
}

/// Answers a message with a path.
pub(crate) fn connect(context: &Context) {
    let reply = match asked(context) {
        Err(errno) => Err(errno),
        Ok(Err(elsewhere)) => {
            answer::done(context, 0, &elsewhere);
            return;
        }
        Ok(Ok(asked)) => perform(context, &asked),
    };
    match reply {
        Ok(()) => {}
        Err(errno) => answer::error(context, errno),
    }
}

/// The message and its paths; or the reply that sends the client elsewhere.
fn asked(context: &Context) -> Result<Result<Asked, Vec<u8>>, Errno> {
    let message: Connect = context.header()?;
    let (path_length, extra_length) = (message.path_length as usize, message.extra_length as usize);
    if path_length >= PATH_MAX || extra_length > PATH_MAX {
        return Err(Errno::ENAMETOOLONG);
    }
    let rest = context.message().get(size_of::<Connect>()..).ok_or(Errno::EBADMSG)?;
    let (path, rest) = rest.split_at_checked(path_length).ok_or(Errno::EBADMSG)?;
    let extra = rest.get(..extra_length).ok_or(Errno::EBADMSG)?;
    let (mount, from) = start(context)?;
    if mount.extent == Extent::Node && !path.is_empty() {
        return Err(Errno::ENOTDIR);
    }
    let eflag = if path.ends_with(b"/") { number::EFLAG_DIR } else { 0 };
    let path = match mount.locate(&from, path) {
        Place::Here(path) => path,
        Place::Elsewhere(path) => return Ok(Err(answer::elsewhere(&path).1)),
    };
    let has_path = matches!(message.subtype, subtype::RENAME | subtype::LINK);
    let extra = match has_path.then(|| mount.locate(&from, extra)) {
        None => Vec::from(extra),
        Some(Place::Here(path)) => path,
        Some(Place::Elsewhere(path)) => return Ok(Err(second_elsewhere(&path))),
    };
    Ok(Ok(Asked { message, mount, path, extra, eflag }))
}

fn second_elsewhere(path: &[u8]) -> Vec<u8> {
    let head = ConnectReply {
        result: RESULT_REDIRECT,
        which: 1,
        data_length: path.len() as u32,
        ..ConnectReply::default()
    };
    [head.as_bytes(), path].concat()
}

/// Where the path starts: at an attachment, or at an open directory.
fn start(context: &Context) -> Result<(Arc<Mount>, Vec<u8>), Errno> {
    let dispatch = context.dispatch()?;
    let badge = context.own().head.get().badge;
    if let Some(index) = path::index_of(badge) {
        let mount = dispatch.mount(index).ok_or(Errno::ENOENT)?;
        return Ok((mount, Vec::new()));
    }
    let state = dispatch.state.lock();
    let binding = state.bindings.find(badge).ok_or(Errno::EBADF)?;
    Ok((Arc::clone(&binding.mount), binding.path.clone()))
}

fn perform(context: &Context, asked: &Asked) -> Result<(), Errno> {
    context.id.set(asked.mount.id);
    let message = &asked.message;
    match message.subtype {
        subtype::OPEN => open_file(context, asked),
        subtype::UNLINK => {
            let kind = if message.mode & REMOVE_DIRECTORY != 0 { mode::IFDIR } else { 0 };
            let shown = View { subtype: number::connect::UNLINK, mode: kind, ..View::default() };
            named(context, asked, (ConnectFunc::Unlink, &asked.path), &shown)
        }
        subtype::MKNOD => {
            let kind = message.mode;
            let kind = if kind & mode::IFMT == 0 { kind | mode::IFREG } else { kind };
            let shown = View { subtype: number::connect::MKNOD, mode: kind, ..View::default() };
            named(context, asked, (ConnectFunc::Mknod, &asked.path), &shown)
        }
        subtype::SYMLINK => {
            let (subtype, extra_type) = (number::connect::LINK, number::extra::SYMLINK);
            let (mode, extra) = (mode::IFLNK | 0o777, asked.extra.as_slice());
            let shown = View { subtype, mode, extra_type, extra, ..View::default() };
            named(context, asked, (ConnectFunc::Link, &asked.path), &shown)
        }
        subtype::RENAME => {
            let (subtype, extra_type) = (number::connect::RENAME, number::extra::RENAME);
            let shown = View { subtype, extra_type, extra: &asked.path, ..View::default() };
            named(context, asked, (ConnectFunc::Rename, &asked.extra), &shown)
        }
        subtype::READLINK => {
            let shown =
                View { subtype: number::connect::READLINK, mode: mode::IFLNK, ..View::default() };
            answer::note(context.rcvid.get(), Turn::Link);
            let value =
                call(context, &asked.mount, (ConnectFunc::Readlink, &asked.path), (&shown, 0));
            // What has no links has nothing to read.
            Reply::of(context, value, Errno::EINVAL).send(context);
            Ok(())
        }
        subtype::LINK => link(context, asked),
        subtype::STAT
        | subtype::ACCESS
        | subtype::CHMOD
        | subtype::CHOWN
        | subtype::UTIME
        | subtype::TRUNCATE => on_node(context, asked),
        subtype::STATVFS => {
            let status = Statfs { bsize: 4096, namelen: 255, frsize: 4096, ..Statfs::default() };
            let (status, data) = answer::connected(status.as_bytes());
            answer::done(context, status, &data);
            Ok(())
        }
        _ => Err(Errno::ENOSYS),
    }
}

/// Calls a handler for something that is done to a name.
fn named(
    context: &Context,
    asked: &Asked,
    what: (ConnectFunc, &[u8]),
    shown: &View<'_>,
) -> Result<(), Errno> {
    let from = asked.mount.absolute(what.1);
    answer::note(context.rcvid.get(), Turn::Named { from });
    let value = call(context, &asked.mount, what, (shown, asked.eflag));
    let reply = Reply::of(context, value, Errno::ENOSYS).kept(context);
    readiness::refresh(context);
    reply.send(context);
    Ok(())
}

/// Shows a handler a message with a path, and calls it.
fn call(
    context: &Context,
    mount: &Mount,
    (which, path): (ConnectFunc, &[u8]),
    (shown, eflag): (&View<'_>, u8),
) -> c_int {
    let Some(func) = view(mount.connect.0).and_then(|funcs| funcs.get(which)) else {
        return code(Errno::ENOSYS);
    };
    let head = size_of::<Shown>();
    let extra_at = (head + path.len() + 1).next_multiple_of(8);
    let has_extra = shown.extra_type != number::extra::NONE;
    let message = Shown {
        kind: io_msg::kind::IO_CONNECT,
        subtype: shown.subtype,
        ioflag: shown.ioflag,
        mode: shown.mode,
        reply_max: u16::MAX,
        path_len: path.len() as u16 + 1,
        eflag,
        extra_type: shown.extra_type,
        extra_len: if has_extra { shown.extra.len() as u16 + 1 } else { 0 },
        ..Shown::default()
    };
    context.show(&message);
    put(context, head, path);
    put(context, extra_at, shown.extra);
    let (ctp, msg) = handed(context);
    let extra = if has_extra { msg.wrapping_add(extra_at).cast() } else { core::ptr::null_mut() };
    func(ctp, msg, mount.handle.0, extra)
}

/// Puts bytes and an end into the message's buffer.
fn put(context: &Context, start: usize, text: &[u8]) {
    let place = context.buffer().get_mut(start..start + text.len() + 1);
    if let Some((end, place)) = place.and_then(<[u8]>::split_last_mut) {
        place.copy_from_slice(text);
        *end = 0;
    }
}

/// QNX's open flags: access modes count from 1.
fn ioflag(flags: u32) -> u32 {
    let access = if flags & open::PATH != 0 { 0 } else { (flags & open::ACCMODE) + 1 };
    flags & !open::ACCMODE | access & open::ACCMODE
}

fn open_file(context: &Context, asked: &Asked) -> Result<(), Errno> {
    let Connect { ioflag: flags, mode: permissions, .. } = asked.message;
    let is_creating = flags & open::CREAT != 0;
    let kind = if is_creating { mode::IFREG | permissions & 0o7777 } else { 0 };
    let eflag = if flags & open::DIRECTORY != 0 { number::EFLAG_DIR } else { asked.eflag };
    let rcvid = context.rcvid.get();
    expect(context, asked);
    let from = asked.mount.absolute(&asked.path);
    answer::note(rcvid, Turn::Open { bound: None, from });
    let shown = View {
        subtype: number::connect::OPEN,
        ioflag: ioflag(flags),
        mode: kind,
        ..View::default()
    };
    let value = call(context, &asked.mount, (ConnectFunc::Open, &asked.path), (&shown, eflag));
    let bound = match context.own().opening.take() {
        Opening::Bound(binding) => Some(binding),
        Opening::None | Opening::Asked { .. } => None,
    };
    let wants_directory = eflag & number::EFLAG_DIR != 0;
    let value = match &bound {
        Some(binding) if value == 0 && wants_directory => is_directory(context, binding),
        _ => value,
    };
    if value > 0 {
        answer::forget(rcvid);
        Reply::Error(value.cast_unsigned()).send(context);
        if let Some(binding) = bound {
            io::close(context, &binding);
        }
        return Ok(());
    }
    if let Some(binding) = &bound {
        readiness::begin(context, binding);
    }
    let reply = Reply::of(context, value, Errno::ENOSYS);
    readiness::refresh(context);
    reply.send(context);
    Ok(())
}

/// EOK, or ENOTDIR if an open file tells that it is something else.
fn is_directory(context: &Context, binding: &Arc<Binding>) -> c_int {
    match stat(context, binding) {
        Some(stat) if stat.mode & mode::IFMT != mode::IFDIR => code(Errno::ENOTDIR),
        Some(_) | None => 0,
    }
}

/// What an open file tells of itself.
fn stat(context: &Context, binding: &Arc<Binding>) -> Option<io_msg::stat::Stat> {
    let value = io::stat(context, binding);
    if value >= 0 {
        return None;
    }
    let data = answer::gather_parts(context, value.unsigned_abs() as usize);
    io_msg::stat::Stat::read_from_prefix(&data).ok().map(|(stat, _)| stat)
}

/// A handler is to open what the path names.
fn expect(context: &Context, asked: &Asked) {
    let (mount, path) = (Arc::clone(&asked.mount), asked.path.clone());
    context.own().opening.replace(Opening::Asked { mount, path });
}

/// Opens what the path names for one message; `None`: the client has been answered.
fn open_once(context: &Context, asked: &Asked, (flags, kind): (u32, u32)) -> Option<Arc<Binding>> {
    let rcvid = context.rcvid.get();
    expect(context, asked);
    let from = asked.mount.absolute(&asked.path);
    answer::note(rcvid, Turn::Named { from });
    let subtype = number::connect::COMBINE_CLOSE;
    let shown = View { subtype, ioflag: flags, mode: kind, ..View::default() };
    let what = (ConnectFunc::Open, asked.path.as_slice());
    let value = call(context, &asked.mount, what, (&shown, asked.eflag));
    match context.own().opening.take() {
        Opening::Bound(binding) if value == 0 => {
            answer::forget(rcvid);
            return Some(binding);
        }
        Opening::Bound(binding) => {
            Reply::of(context, value, Errno::ENOSYS).send(context);
            io::close(context, &binding);
        }
        Opening::None | Opening::Asked { .. } if value == 0 => {
            answer::error(context, Errno::ENXIO);
        }
        Opening::None | Opening::Asked { .. } => {
            Reply::of(context, value, Errno::ENOSYS).send(context);
        }
    }
    None
}

/// Something that is done to the node that a path names (`_IO_CONNECT_COMBINE_CLOSE`).
fn on_node(context: &Context, asked: &Asked) -> Result<(), Errno> {
    let nofollow = asked.message.flags & FLAG_NOFOLLOW != 0;
    let kind = if nofollow { mode::IFLNK } else { 0 };
    let which = asked.message.subtype;
    let flags = if which == subtype::TRUNCATE { number::FLAG_WR } else { 0 };
    let parsed = Work::of(asked)?;
    let ids = context.client().ok().map(|client| (client.euid, client.egid));
    let Some(binding) = open_once(context, asked, (flags, kind)) else { return Ok(()) };
    context.status.set(0);
    let value = match parsed {
        Work::Stat => io::stat(context, &binding),
        Work::Access(rights) => {
            let wants_real = asked.message.flags & io_msg::connect::FLAG_REAL_IDS != 0;
            access(context, &binding, rights, (wants_real, ids))
        }
        Work::Chmod(bits) => io::chmod(context, &binding, bits),
        Work::Chown(owner) => io::chown(context, &binding, &owner),
        Work::Utime(times) => io::utime(context, &binding, &times),
        Work::Truncate(space) => io::space(context, &binding, &space),
    };
    let default = if which == subtype::TRUNCATE { Errno::EINVAL } else { Errno::ENOSYS };
    let reply = Reply::of(context, value, default).kept(context);
    io::close(context, &binding);
    readiness::refresh(context);
    match reply {
        Reply::Bytes(_, data) if which == subtype::STAT => {
            let (status, data) = answer::connected(&data);
            answer::done(context, status, &data);
        }
        Reply::Parts(..) | Reply::Bytes(..) => {
            let (status, data) = answer::connected(&[]);
            answer::done(context, status, &data);
        }
        other @ (Reply::None | Reply::Error(_)) => other.send(context),
    }
    Ok(())
}

/// What is done to a node, with its arguments.
enum Work {
    Stat,
    Access(u32),
    Chmod(u32),
    Chown(Chown),
    Utime(Utime),
    Truncate(Space),
}

impl Work {
    fn of(asked: &Asked) -> Result<Self, Errno> {
        let extra = asked.extra.as_slice();
        let bits = asked.message.mode;
        match asked.message.subtype {
            subtype::STAT => Ok(Self::Stat),
            subtype::ACCESS => Ok(Self::Access(bits & 7)),
            subtype::CHMOD => Ok(Self::Chmod(bits)),
            subtype::CHOWN => {
                Chown::read_from_bytes(extra).map(Self::Chown).map_err(|_| Errno::EBADMSG)
            }
            subtype::UTIME => {
                Utime::read_from_bytes(extra).map(Self::Utime).map_err(|_| Errno::EBADMSG)
            }
            subtype::TRUNCATE => {
                Space::read_from_bytes(extra).map(Self::Truncate).map_err(|_| Errno::EBADMSG)
            }
            _ => Err(Errno::ENOSYS),
        }
    }
}

/// `access`: what the node's mode allows the client, by its real or effective ids.
fn access(
    context: &Context,
    binding: &Arc<Binding>,
    rights: u32,
    (wants_real, ids): (bool, Option<(u32, u32)>),
) -> c_int {
    let Some(stat) = stat(context, binding) else { return code(Errno::EACCES) };
    let Ok(credentials) = crate::connection::client_credentials(context.rcvid.get()) else {
        return code(Errno::EACCES);
    };
    let effective = ids.unwrap_or((credentials.euid, credentials.egid));
    let (uid, gid) = if wants_real { (credentials.ruid, credentials.rgid) } else { effective };
    let count = (credentials.group_count as usize).min(credentials.groups.len());
    let in_group = credentials.groups.get(..count).unwrap_or_default().contains(&stat.gid);
    context.status.set(0);
    let granted = match () {
        () if uid == 0 => {
            6 | u32::from(stat.mode & 0o111 != 0 || stat.mode & mode::IFMT == mode::IFDIR)
        }
        () if uid == stat.uid => stat.mode >> 6 & 7,
        () if gid == stat.gid || in_group => stat.mode >> 3 & 7,
        () => stat.mode & 7,
    };
    if rights & !granted == 0 { 0 } else { code(Errno::EACCES) }
}

/// Another name for a node: the handler gets its OCB.
fn link(context: &Context, asked: &Asked) -> Result<(), Errno> {
    let Some(binding) = open_once(context, asked, (0, mode::IFLNK)) else { return Ok(()) };
    let ocb = binding.ocb.0.addr() as u64;
    let extra = ocb.to_ne_bytes();
    let (subtype, extra_type) = (number::connect::LINK, number::extra::LINK);
    let shown = View { subtype, extra_type, extra: &extra, ..View::default() };
    answer::note(context.rcvid.get(), Turn::Named { from: asked.mount.absolute(&asked.extra) });
    let value = call(context, &asked.mount, (ConnectFunc::Link, &asked.extra), (&shown, 0));
    let reply = Reply::of(context, value, Errno::ENOSYS).kept(context);
    io::close(context, &binding);
    reply.send(context);
    Ok(())
}

/// The client that waits wants to leave an operation on a path.
pub(crate) fn unblock(context: &Context, mount: &Arc<Mount>) -> c_int {
    let Some(func) = view(mount.connect.0).and_then(|funcs| funcs.get(ConnectFunc::Unblock)) else {
        return crate::resmgr::layout::answer::DEFAULT;
    };
    context.id.set(mount.id);
    let (ctp, msg) = handed(context);
    func(ctp, msg, mount.handle.0, core::ptr::null_mut::<c_void>())
}

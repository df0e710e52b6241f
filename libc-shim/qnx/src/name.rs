//! Names for channels: `name_attach`, `name_open` and their opposites.
//!
//! A name is a path below `/dev/name/local` that a server attaches, as a resource manager does; who
//! opens it gets a connection of its own, so that the server hears when it goes.

use crate::connection::attach;
use crate::kernel::{call, functions, load, manager, store};
use crate::resmgr::dispatch::{Dispatch, dispatch, dispatch_destroy};
use core::ffi::{c_char, c_int, c_uint, c_void};
use io_msg::kind;
use io_msg::proc::{PathAttach, PathResolve, PathResolveReply, Target};
use neutrino_abi::Errno;
use neutrino_abi::calls::Call;
use neutrino_abi::handle::{SELF, SIDE_CHANNEL};
use neutrino_abi::info::HandleInfo;
use neutrino_abi::message::{SendExtra, chf};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// C's `name_attach_t`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Attached {
    dpp: u64,
    chid: i32,
    mntid: i32,
    zero: [i32; 2],
}

/// The longest name.
const NAME_MAX: usize = 200;
const PREFIX: &[u8] = b"/dev/name/local/";
/// `NAME_FLAG_ATTACH_GLOBAL`: there is no other node.
const GLOBAL: c_uint = 2;
/// `NAME_FLAG_DETACH_SAVEDPP`.
const SAVE_DISPATCH: c_uint = 1;
/// A named special file that anybody may open.
const MODE: u32 = 0o050_666;

struct Path {
    bytes: [u8; PREFIX.len() + NAME_MAX],
    length: usize,
}

impl Path {
    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// The path of a name.
///
/// # Errors
/// EFAULT; EINVAL: an empty one, an absolute one, or one with `..`. ENAMETOOLONG.
fn path(name: *const c_char) -> Result<Path, Errno> {
    let mut bytes = [0; PREFIX.len() + NAME_MAX];
    let (prefix, rest) = bytes.split_at_mut(PREFIX.len());
    prefix.copy_from_slice(PREFIX);
    for (index, place) in rest.iter_mut().enumerate() {
        let byte: u8 = load(name.wrapping_add(index).cast())?;
        if byte == 0 {
            let name = rest.get(..index).unwrap_or_default();
            let is_bad = name.starts_with(b"/") || name.split(|&b| b == b'/').any(|w| w == b"..");
            if name.is_empty() || is_bad {
                return Err(Errno::EINVAL);
            }
            return Ok(Path { bytes, length: PREFIX.len() + index });
        }
        *place = byte;
    }
    Err(Errno::ENAMETOOLONG)
}

/// A connection to whoever owns a path, if that is owned as a whole.
///
/// # Errors
/// ENOENT.
fn resolve(path: &Path) -> Result<u32, Errno> {
    let path_length = path.length as u32;
    let message = PathResolve { kind: kind::PATH_RESOLVE, subtype: 0, path_length };
    let extra =
        SendExtra { accepted_count: 1, accepted_minimum: SIDE_CHANNEL, ..SendExtra::default() };
    let mut reply = PathResolveReply::default();
    manager(&message, path.bytes(), &mut reply, &extra)?;
    if reply.prefix_length as usize >= path.length {
        return Ok(reply.coid);
    }
    close(reply.coid);
    Err(Errno::ENOENT)
}

fn close(coid: u32) {
    // One that is closed already needs no closing.
    let _closed = call(Call::ConnectDetach { coid });
}

fn publish(path: &Path, chid: u32) -> Result<i64, Errno> {
    if let Ok(taken) = resolve(path) {
        close(taken);
        return Err(Errno::EEXIST);
    }
    let own =
        Call::ConnectAttach { process: SELF, chid, minimum: SIDE_CHANNEL, flags: 0, badge: 0 };
    let coid = call(own)? as u32;
    let message = PathAttach {
        kind: kind::PATH_ATTACH,
        subtype: 0,
        flags: 0,
        path_length: path.length as u32,
        mode: MODE,
    };
    let extra = SendExtra { offered: [coid, 0, 0, 0], offered_count: 1, ..SendExtra::default() };
    let result = manager(&message, path.bytes(), &mut [0_u8; 0], &extra);
    close(coid);
    result
}

unsafe extern "C" {
    safe fn malloc(size: usize) -> *mut c_void;
    fn free(block: *mut c_void);
}

fn attach_name(
    dpp: *mut Dispatch,
    name: *const c_char,
    flags: c_uint,
) -> Result<*mut Attached, Errno> {
    if flags & GLOBAL != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    let path = path(name)?;
    let is_own = dpp.is_null();
    let chid = if is_own {
        let flags = chf::DISCONNECT | chf::UNBLOCK | chf::COID_DISCONNECT;
        call(Call::ChannelCreate { flags })? as u32
    } else {
        dispatch(dpp)?.channel()?
    };
    let published = publish(&path, chid).and_then(|mntid| {
        let block = malloc(size_of::<Attached>()).cast::<Attached>();
        if block.is_null() {
            return Err(Errno::ENOMEM);
        }
        let (chid, mntid) = (chid.cast_signed(), mntid as i32);
        let dpp = dpp.addr() as u64;
        store(block, &Attached { dpp, chid, mntid, ..Attached::default() })?;
        Ok(block)
    });
    if published.is_err() && is_own {
        let _gone = call(Call::ChannelDestroy { chid });
    }
    published
}

/// Partial: no global names (ENOTSUP)
/// Gives a channel a name: that of a dispatch structure, or a new one if `dpp` is null. Null and
/// `errno` if that fails.
#[unsafe(no_mangle)]
pub extern "C" fn name_attach(
    dpp: *mut Dispatch,
    name: *const c_char,
    flags: c_uint,
) -> *mut Attached {
    attach_name(dpp, name, flags).unwrap_or_else(|errno| {
        crate::kernel::with_errno(Err(errno));
        core::ptr::null_mut()
    })
}

functions! {
    /// Takes a name away and destroys its channel, or its dispatch structure unless
    /// `NAME_FLAG_DETACH_SAVEDPP` is set.
    single name_detach (attached: *mut Attached, flags: c_uint) -> c_int {
        let Attached { chid, mntid, dpp, .. } = load(attached)?;
        let message = Target { kind: kind::PATH_DETACH, subtype: 0, id: mntid };
        manager(&message, &[], &mut [0_u8; 0], &SendExtra::default())?;
        if dpp == 0 {
            let chid = u32::try_from(chid).map_err(|_| Errno::EINVAL)?;
            call(Call::ChannelDestroy { chid })?;
        } else if flags & SAVE_DISPATCH == 0 {
            dispatch_destroy(core::ptr::with_exposed_provenance_mut(dpp as usize));
        }
        // SAFETY: C says that the block came from `name_attach`, which took it from malloc.
        unsafe { free(attached.cast()) };
        Ok(0)
    }
    /// Connects to the channel with a name.
    single name_open (name: *const c_char, flags: c_int) -> c_int {
        if flags.cast_unsigned() & GLOBAL != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        let coid = resolve(&path(name)?)?;
        let mut info = HandleInfo::default();
        let process = SELF;
        let place = crate::kernel::address_of_mut(&mut info);
        let known = call(Call::ConnectServerInfo { process, coid, info: place });
        close(coid);
        known?;
        attach(info.pid.cast_signed(), info.chid.cast_signed(), SIDE_CHANNEL, 0)
    }
    /// Closes such a connection.
    single name_close (coid: c_int) -> c_int {
        let coid = u32::try_from(coid).map_err(|_| Errno::EBADF)?;
        call(Call::ConnectDetach { coid })
    }
}

const _: () = assert!(size_of::<Attached>() == 24);

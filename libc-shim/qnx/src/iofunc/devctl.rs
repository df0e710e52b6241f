//! Device control that every server understands: `DCMD_ALL_*`.

use crate::iofunc::attr::Attr;
use crate::iofunc::ocb::Ocb;
use crate::memory::view;
use crate::resmgr::layout::{Context, Devctl, DevctlReply, answer, code, number};
use core::ffi::c_int;
use io_msg::stat::open;
use neutrino_abi::Errno;
use zerocopy::{FromBytes, Immutable, IntoBytes};

const GETFLAGS: u32 = 0x8004_0101;
const SETFLAGS: u32 = 0x4004_0101;
const GETMOUNTFLAGS: u32 = 0x8004_0102;
/// What `F_SETFL` may change.
const SETTABLE: u32 = open::APPEND | open::NONBLOCK;

#[derive(Clone, Copy, Default, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
struct Told {
    head: DevctlReply,
    word: u32,
}

/// Answers the commands that every server understands, `_RESMGR_DEFAULT` for others.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_devctl(
    ctp: *const Context,
    msg: *const u8,
    ocb: *const Ocb,
    attr: *const Attr,
) -> c_int {
    let _the_context_has_it = msg;
    let (Some(context), Some(open)) = (view(ctp), view(ocb)) else { return code(Errno::EBADF) };
    let Ok(asked) = context.header::<Devctl>() else { return code(Errno::EBADMSG) };
    let nbytes = size_of::<u32>() as u32;
    let tell = |word| {
        let head = DevctlReply { nbytes, ..DevctlReply::default() };
        context.answer(&Told { head, word })
    };
    match asked.dcmd {
        GETFLAGS => {
            let flags = open.ioflag.get();
            let access = (flags & open::ACCMODE).saturating_sub(1);
            let path = if flags & open::ACCMODE == 0 { open::PATH } else { 0 };
            tell(flags & !open::ACCMODE | access | path)
        }
        SETFLAGS => {
            let place = size_of::<Devctl>();
            let data = context.buffer().get(place..place + size_of::<u32>());
            let Some(Ok(data)) = data.map(<[u8; 4]>::try_from) else {
                return code(Errno::EINVAL);
            };
            let new = u32::from_ne_bytes(data);
            open.ioflag.set(open.ioflag.get() & !SETTABLE | new & SETTABLE);
            context.answer(&DevctlReply::default())
        }
        GETMOUNTFLAGS => {
            let node = view(attr).or_else(|| open.node());
            let mount = node.and_then(|node| view(node.mount.get()));
            tell(mount.map_or(0, |mount| mount.flags.get()))
        }
        _ => answer::DEFAULT,
    }
}

/// As [`iofunc_devctl`], on the OCB's own attributes.
#[unsafe(no_mangle)]
pub extern "C" fn iofunc_devctl_default(
    ctp: *const Context,
    msg: *const u8,
    ocb: *const Ocb,
) -> c_int {
    let _flags = number::FLAG_RD;
    iofunc_devctl(ctp, msg, ocb, core::ptr::null())
}

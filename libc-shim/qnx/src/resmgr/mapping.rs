//! `mmap` of what a C server has: an object of the server's own that its handler names.

use crate::kernel::{address_of, address_of_mut, call};
use crate::resmgr::answer::{self, Reply};
use crate::resmgr::binding::Binding;
use crate::resmgr::layout::{Context, MmapReply, answer as returned};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ffi::c_int;
use io_msg::io::{Mmap, MmapReply as Told};
use neutrino_abi::Errno;
use neutrino_abi::calls::Call;
use neutrino_abi::handle::SIDE_CHANNEL;
use neutrino_abi::message::SendExtra;
use zerocopy::{FromBytes, IntoBytes};

/// What a client that maps an open file is told: the handler's reply names, in `coid` or `fd`, a
/// descriptor of an object (`shm_open`) that the server has the contents in.
pub(crate) fn reply(
    context: &Context,
    _binding: &Arc<Binding>,
    asked: &Mmap,
    value: c_int,
) -> Reply {
    if value == returned::NOREPLY || value >= 0 || value == returned::DEFAULT {
        // EOK without an object: the system has no pager that asks the server for pages.
        let value = if value == 0 { returned::DEFAULT } else { value };
        return Reply::of(context, value, Errno::ENODEV);
    }
    let data = answer::gather_parts(context, value.unsigned_abs() as usize);
    let given = MmapReply::read_from_prefix(&data)
        .map_err(|_| Errno::ENODEV)
        .and_then(|(named, _)| give(context, &named, asked));
    match given {
        Ok(told) => Reply::Bytes(0, Vec::from(told.as_bytes())),
        Err(errno) => Reply::Error(u32::from(errno.number())),
    }
}

/// Gets the object behind the server's descriptor, and gives it to the client.
fn give(context: &Context, named: &MmapReply, asked: &Mmap) -> Result<Told, Errno> {
    let fd = if named.coid > 0 { named.coid } else { named.fd };
    let coid = u32::try_from(fd).map_err(|_| Errno::ENODEV)?;
    if coid == 0 {
        return Err(Errno::ENODEV);
    }
    let mut told = Told::default();
    let extra =
        SendExtra { accepted_count: 1, accepted_minimum: SIDE_CHANNEL, ..SendExtra::default() };
    call(Call::MsgSend {
        coid,
        message: address_of(asked),
        parts: crate::kernel::flat(size_of::<Mmap>())?,
        reply: address_of_mut(&mut told),
        reply_parts: crate::kernel::flat(size_of::<Told>())?,
        extra: address_of(&extra),
    })?;
    let handle = told.object;
    let rcvid = crate::receive::rcvid(context.rcvid.get())?;
    let given = call(Call::MsgGive { rcvid, handle, flags: 0 });
    let _closed = call(Call::ConnectDetach { coid: handle });
    told.object = given? as u32;
    told.offset += named.offset;
    told.protection &= if named.allowed_prot == 0 { u32::MAX } else { named.allowed_prot };
    Ok(told)
}

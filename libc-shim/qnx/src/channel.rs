//! Channels.

use crate::kernel::{call, functions};
use core::ffi::{c_int, c_uint};
use neutrino_abi::Errno;
use neutrino_abi::calls::Call;

functions! {
    /// Makes a channel to receive on.
    /// Partial: no NET_MSG, PULSE_POOL, MSG_PAUSING, INHERIT_RUNMASK, UNBLOCK_TIMER (EINVAL)
    value ChannelCreate [ChannelCreate_r] (flags: c_uint) -> c_int {
        call(Call::ChannelCreate { flags })
    }
    /// Destroys a channel; its clients get ESRCH.
    status ChannelDestroy [ChannelDestroy_r] (chid: c_int) -> c_int {
        let chid = u32::try_from(chid).map_err(|_| Errno::EINVAL)?;
        match call(Call::ChannelDestroy { chid }) {
            Err(Errno::EBADF) => Err(Errno::EINVAL),
            other => other,
        }
    }
}

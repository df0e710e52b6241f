//! Interrupts, for processes that have the right (`able::INTERRUPT`); others get EPERM.

use crate::event::{SigEvent, take};
use crate::kernel::{address_of, call, functions, load};
use core::ffi::{c_int, c_uint};
use neutrino_abi::Errno;
use neutrino_abi::calls::Call;
use neutrino_abi::event::{Event, kind};
use neutrino_abi::handle::SELF;
use neutrino_abi::info::{HandleInfo, handle_kind};
use neutrino_abi::time::timeout;

/// `_NTO_INTR_FLAGS_END`, `PROCESS`, `TRK_MSK`: what the kernel does anyway.
const FLAGS: u32 = 0x1 | 0x4 | 0x8;
/// Flags of `InterruptWait`: unmask what this thread waits for.
const WAIT_FLAGS: c_int = 0;

fn attach(line: c_int, event: &Event, flags: c_uint) -> Result<i64, Errno> {
    if flags & !FLAGS != 0 {
        return Err(Errno::EINVAL);
    }
    let line = u32::try_from(line).map_err(|_| Errno::EINVAL)?;
    call(Call::InterruptAttachEvent { line, event: address_of(event), flags })
}

/// An attachment's handle; other handles are none.
fn interrupt(id: c_int) -> Result<u32, Errno> {
    let id = u32::try_from(id).map_err(|_| Errno::EINVAL)?;
    let mut info = HandleInfo::default();
    let asked = Call::ConnectServerInfo {
        process: SELF,
        coid: id,
        info: crate::kernel::address_of_mut(&mut info),
    };
    let found = call(asked).map_err(|_| Errno::EINVAL)?;
    if found == i64::from(id) && info.kind == handle_kind::INTERRUPT {
        Ok(id)
    } else {
        Err(Errno::EINVAL)
    }
}

functions! {
    /// Delivers an event for each interrupt, which is masked until `InterruptUnmask`.
    /// Partial: flags END, PROCESS, TRK_MSK
    value InterruptAttachEvent [InterruptAttachEvent_r] (intr: c_int, event: *const SigEvent, flags: c_uint) -> c_int {
        let event = take(event)?;
        attach(intr, &event, flags)
    }
    /// Makes the caller the thread that waits for an interrupt with `InterruptWait`.
    /// Partial: flags END, PROCESS, TRK_MSK
    value InterruptAttachThread [InterruptAttachThread_r] (intr: c_int, flags: c_uint) -> c_int {
        attach(intr, &Event { notify: kind::INTR, ..Event::default() }, flags)
    }
    /// Ends an attachment.
    status InterruptDetach [InterruptDetach_r] (id: c_int) -> c_int {
        call(Call::ConnectDetach { coid: interrupt(id)? })
    }
    /// Masks an interrupt, by the id of its attachment.
    /// Partial: does not nest, returns 0
    single InterruptMask (intr: c_int, id: c_int) -> c_int {
        let _the_attachment_knows_it = intr;
        call(Call::InterruptMask { interrupt: interrupt(id)? })
    }
    /// Unmasks it.
    /// Partial: does not nest, returns 0
    single InterruptUnmask (intr: c_int, id: c_int) -> c_int {
        let _the_attachment_knows_it = intr;
        call(Call::InterruptUnmask { interrupt: interrupt(id)? })
    }
    /// Waits for an interrupt, for so many nanoseconds at most.
    status InterruptWait [InterruptWait_r] (flags: c_int, limit: *const u64) -> c_int {
        if flags != WAIT_FLAGS {
            return Err(Errno::EINVAL);
        }
        if !limit.is_null() {
            let time = load(limit)?;
            call(Call::TimerTimeout { states: timeout::INTR, time, flags: 0 })?;
        }
        call(Call::InterruptWait { flags: 0 })
    }
}

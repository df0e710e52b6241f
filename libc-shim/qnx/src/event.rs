//! Events: C's `struct sigevent` and the kernel's.
//!
//! The structure has musl's layout and numbers; QNX's kinds have numbers behind Linux's (see
//! `include/signal.h`).

use crate::kernel::{address_of, call, functions, load};
use crate::receive::rcvid;
use core::ffi::c_int;
use neutrino_abi::Errno;
use neutrino_abi::calls::Call;
use neutrino_abi::event::{Event, kind};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// C's `struct sigevent`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct SigEvent {
    value: u64,
    /// `sigev_signo`, `sigev_coid`.
    target: u32,
    notify: u32,
    /// `sigev_code` and `sigev_priority`, or `sigev_notify_thread_id`.
    code: i16,
    priority: i16,
    padding: [u32; 11],
}
const _: () = assert!(size_of::<SigEvent>() == 64);

/// The kinds: Linux's, then QNX's.
mod notify {
    pub(super) const SIGNAL: u32 = 0;
    pub(super) const NONE: u32 = 1;
    pub(super) const THREAD_ID: u32 = 4;
    pub(super) const PULSE: u32 = 16;
    pub(super) const SIGNAL_CODE: u32 = 17;
    pub(super) const SIGNAL_THREAD: u32 = 18;
    pub(super) const UNBLOCK: u32 = 19;
    pub(super) const INTR: u32 = 20;
    /// Bits beside the kind (`SIGEV_FLAG_*`).
    pub(super) const FLAGS: u32 = 0xffff_ff00;
    /// They are taken and have no effect (`SIGEV_FLAG_CRITICAL`, `SIGEV_FLAG_OVERDRIVE`,
    /// `SIGEV_FLAG_UPDATEABLE`, `SIGEV_FLAG_CODE_UPDATEABLE`).
    pub(super) const KNOWN_FLAGS: u32 = 0x1_b000;
}

/// Linux's `SI_TIMER`-like codes are negative; a signal without a code of its own has `SI_QUEUE`.
const SI_QUEUE: i32 = -1;

impl SigEvent {
    /// The event as the kernel takes it.
    ///
    /// # Errors
    /// EINVAL: no such kind, or a value that it cannot have.
    pub(crate) fn native(&self) -> Result<Event, Errno> {
        if self.notify & notify::FLAGS & !notify::KNOWN_FLAGS != 0 {
            return Err(Errno::EINVAL);
        }
        let (target, value) = (self.target, self.value);
        let base = Event { target, value, ..Event::default() };
        let code = i32::from(self.code);
        match self.notify & !notify::FLAGS {
            notify::NONE => Ok(Event::default()),
            notify::SIGNAL => Ok(Event { notify: kind::SIGNAL, code: SI_QUEUE, ..base }),
            notify::SIGNAL_CODE => Ok(Event { notify: kind::SIGNAL, code, ..base }),
            notify::SIGNAL_THREAD => {
                let priority = crate::kernel::whoami().1.cast_signed();
                Ok(Event { notify: kind::SIGNAL_THREAD, code, priority, ..base })
            }
            notify::THREAD_ID => {
                let low = u32::from(self.code.cast_unsigned());
                let tid = (u32::from(self.priority.cast_unsigned()) << 16 | low).cast_signed();
                Ok(Event { notify: kind::SIGNAL_THREAD, code: SI_QUEUE, priority: tid, ..base })
            }
            notify::PULSE => {
                if self.priority == 0 || !(0..=127).contains(&code) {
                    return Err(Errno::EINVAL);
                }
                let priority = i32::from(self.priority);
                Ok(Event { notify: kind::PULSE, code, priority, ..base })
            }
            notify::UNBLOCK => Ok(Event { notify: kind::UNBLOCK, ..Event::default() }),
            notify::INTR => Ok(Event { notify: kind::INTR, ..Event::default() }),
            _ => Err(Errno::EINVAL),
        }
    }
}

/// C's event as the kernel takes it.
///
/// # Errors
/// EFAULT, EINVAL.
pub(crate) fn take(event: *const SigEvent) -> Result<Event, Errno> {
    load(event)?.native()
}

functions! {
    /// Delivers an event to the client that a receive id names (0: to the caller).
    status MsgDeliverEvent [MsgDeliverEvent_r] (id: c_int, event: *const SigEvent) -> c_int {
        let event = take(event)?;
        call(Call::MsgDeliverEvent { rcvid: rcvid(id)?, event: address_of(&event) })
    }
    /// Says whether an event could be delivered.
    status MsgVerifyEvent [MsgVerifyEvent_r] (id: c_int, event: *const SigEvent) -> c_int {
        let event = take(event)?;
        call(Call::MsgVerifyEvent { rcvid: rcvid(id)?, event: address_of(&event) })
    }
}

//! Interrupts, as pulses.

use crate::channel::Handle;
use crate::sys::{address_of, pure, pure_u32};
use neutrino_abi::Errno;
use neutrino_abi::calls::Call;
use neutrino_abi::event::{Event, kind};

/// An interrupt line that sends pulses; it is masked at each delivery until
/// [`Interrupt::unmask`].
#[derive(Debug)]
pub struct Interrupt(Handle);

impl Interrupt {
    /// Attaches a line (ISA numbers 0 to 15, else global interrupt numbers): each interrupt sends a
    /// pulse with `code` on the connection `coid` (QNX: `InterruptAttachEvent`).
    ///
    /// # Errors
    /// EPERM without `able::INTERRUPT`, EINVAL, EAGAIN.
    pub fn attach(line: u32, coid: u32, code: i8, value: u64) -> Result<Self, Errno> {
        let event = pulse_event(coid, code, value);
        let call = Call::InterruptAttachEvent { line, event: address_of(&event), flags: 0 };
        pure_u32(call).map(|number| Self(Handle::from_raw(number)))
    }

    /// Attaches a line: each interrupt ends the caller's [`wait`].
    ///
    /// # Errors
    /// As [`Interrupt::attach`].
    pub fn attach_thread(line: u32) -> Result<Self, Errno> {
        let event = Event { notify: kind::INTR, ..Event::default() };
        let call = Call::InterruptAttachEvent { line, event: address_of(&event), flags: 0 };
        pure_u32(call).map(|number| Self(Handle::from_raw(number)))
    }

    /// Lets the next interrupt through.
    pub fn unmask(&self) {
        let _it_is_ours = pure(Call::InterruptUnmask { interrupt: self.0.raw() });
    }
}

/// Waits for an interrupt of a line that the caller has attached (QNX: `InterruptWait`).
///
/// # Errors
/// EINTR.
pub fn wait() -> Result<(), Errno> {
    pure(Call::InterruptWait { flags: 0 }).map(drop)
}

/// The event that sends a pulse at the process's priority.
#[must_use]
pub fn pulse_event(coid: u32, code: i8, value: u64) -> Event {
    Event { notify: kind::PULSE, target: coid, code: i32::from(code), priority: -1, value }
}

//! Interrupts, as pulses.

use crate::channel::Handle;
use crate::sys::{address_of, pure, pure_u32};
use neutrino_abi::Errno;
use neutrino_abi::calls::Call;
use neutrino_abi::event::{Event, MESSAGE_LINE, kind};
use neutrino_abi::handle::SELF;

/// An interrupt line that sends pulses; one that is wired is masked at each delivery until
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
        Self::attach_event(line, &pulse_event(coid, code, value))
    }

    /// As [`Interrupt::attach`], by a handle of the line that the caller was given, which needs no
    /// ability.
    ///
    /// # Errors
    /// EBADF, EINVAL, EAGAIN.
    pub fn attach_given(line: &Handle, coid: u32, code: i8, value: u64) -> Result<Self, Errno> {
        Self::attach(line.raw(), coid, code, value)
    }

    /// Holds a line for somebody else: a handle to give away, by which nothing is told.
    ///
    /// # Errors
    /// As [`Interrupt::attach`].
    pub fn reserve(line: u32) -> Result<Self, Errno> {
        Self::attach_event(line, &Event { notify: kind::NONE, ..Event::default() })
    }

    /// Holds a line that a device raises by a message, and tells the message.
    ///
    /// # Errors
    /// EPERM without `able::INTERRUPT`, EAGAIN if there is no line left.
    pub fn reserve_message() -> Result<(Self, Message), Errno> {
        let held = Self::reserve(MESSAGE_LINE)?;
        let (_, info) = crate::manager::handle_info(SELF, held.0.raw())?;
        Ok((held, Message { address: (info.badge >> 32) as u32, data: info.badge as u32 }))
    }

    fn attach_event(line: u32, event: &Event) -> Result<Self, Errno> {
        let call = Call::InterruptAttachEvent { line, event: address_of(event), flags: 0 };
        pure_u32(call).map(|number| Self(Handle::from_raw(number)))
    }

    /// Attaches a line: each interrupt ends the caller's [`wait`].
    ///
    /// # Errors
    /// As [`Interrupt::attach`].
    pub fn attach_thread(line: u32) -> Result<Self, Errno> {
        Self::attach_event(line, &Event { notify: kind::INTR, ..Event::default() })
    }

    /// The handle's number.
    #[must_use]
    pub const fn raw(&self) -> u32 {
        self.0.raw()
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

/// What a device writes to raise an interrupt (PCI 3.0, 6.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// Physical address.
    pub address: u32,
    /// Data.
    pub data: u32,
}

/// The event that sends a pulse at the process's priority.
#[must_use]
pub fn pulse_event(coid: u32, code: i8, value: u64) -> Event {
    Event { notify: kind::PULSE, target: coid, code: i32::from(code), priority: -1, value }
}

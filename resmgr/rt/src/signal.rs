//! Signals of native programs: defaults and ignoring, no handlers.

use crate::sys::pure;
use neutrino_abi::Errno;
use neutrino_abi::calls::Call;
use neutrino_abi::handle::SELF;
use neutrino_abi::signal::disposition;

/// Ignores a signal.
///
/// # Errors
/// EINVAL.
pub fn ignore(signal: u32) -> Result<(), Errno> {
    let call = Call::SignalAction { process: SELF, signal, disposition: disposition::IGNORE };
    pure(call).map(drop)
}

//! The kernel lock: CPUs enter the kernel in the order in which they came.

use spin::RelaxStrategy;
use spin::mutex::TicketMutex;

use crate::cpu::remote;

/// A CPU that waits serves what others ask of it, so that whoever holds the lock may wait for it.
pub(crate) struct Serving;

impl RelaxStrategy for Serving {
    fn relax() {
        remote::serve();
        core::hint::spin_loop();
    }
}

/// A lock whose waiters serve.
pub(crate) type KernelLock<T> = TicketMutex<T, Serving>;

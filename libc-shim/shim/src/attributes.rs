//! Scheduling by `struct sched_attr` (Linux: `sched_setattr`, `sched_getattr`).

use crate::block::{int, low};
use crate::copy;
use crate::dispatch::{Args, Caller};
use crate::identity::{RESET_ON_FORK, native, sched};
use crate::sys::{Errno, Outcome};
use io_msg::proc::Sched;
use neutrino_abi::sched::policy;

/// Bytes of the first version of the structure: size, policy, flags, nice, priority, and three times.
const BYTES: u32 = 48;
/// `SCHED_FLAG_RESET_ON_FORK`.
const FLAG_RESET_ON_FORK: u64 = 1;
/// Bytes that a structure has at most.
const PAGE: u32 = 4096;

/// `sched_setattr(tid, attributes, flags)`.
pub(crate) fn sched_setattr(
    caller: &mut Caller<'_>,
    [tid, attributes, flags, ..]: Args,
) -> Outcome {
    if attributes == 0 || int(tid) < 0 || flags != 0 {
        return Err(Errno::EINVAL);
    }
    let [size, policy]: [u32; 2] = copy::read(attributes)?;
    if size != 0 && !(BYTES..=PAGE).contains(&size) {
        copy::write(attributes, &BYTES)?;
        return Err(Errno::E2BIG);
    }
    let [options, _]: [u64; 2] = copy::read(attributes + 8)?;
    let [_nice, priority]: [u32; 2] = copy::read(attributes + 16)?;
    if options & !FLAG_RESET_ON_FORK != 0 {
        return Err(Errno::EINVAL);
    }
    let policy = policy & !RESET_ON_FORK;
    let priority = native(policy, priority.cast_signed())?;
    let policy = if policy > policy::ROUND_ROBIN { policy::OTHER } else { policy };
    let message = Sched { subtype: 1, tid: int(tid), policy, priority, ..Sched::default() };
    sched(caller, &message).map(|_| 0)
}

/// `sched_getattr(tid, attributes, size, flags)`.
pub(crate) fn sched_getattr(
    caller: &mut Caller<'_>,
    [tid, attributes, size, flags, ..]: Args,
) -> Outcome {
    if attributes == 0 || int(tid) < 0 || flags != 0 || !(BYTES..=PAGE).contains(&low(size)) {
        return Err(Errno::EINVAL);
    }
    let found = sched(caller, &Sched { tid: int(tid), ..Sched::default() })?;
    let priority = if found.policy == policy::OTHER { 0 } else { found.priority };
    let head = u64::from(BYTES) | u64::from(found.policy) << 32;
    copy::write(attributes, &[head, 0])?;
    copy::write(attributes + 16, &[u64::from(priority) << 32, 0])?;
    copy::write(attributes + 32, &[0_u64, 0]).map(|()| 0)
}

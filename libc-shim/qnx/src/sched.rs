//! Scheduling. The caller's own threads are the kernel's matter, others' the process manager's,
//! which checks who asks.

use crate::kernel::{address_of, address_of_mut, call, functions, load, manager, store, whoami};
use core::ffi::c_int;
use io_msg::kind;
use io_msg::proc::Sched;
use neutrino_abi::Errno;
use neutrino_abi::calls::Call;
use neutrino_abi::handle::SELF;
use neutrino_abi::info::ThreadInfo;
use neutrino_abi::message::SendExtra;
use neutrino_abi::sched::{PRIORITY_MAX, SchedParam, policy};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// C's `struct sched_param`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct CParam {
    priority: u32,
    current: u32,
    period: Timespec,
    budget: Timespec,
    low_priority: u32,
    replenishments: u32,
}

/// C's `struct timespec`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
struct Timespec {
    seconds: i64,
    nanoseconds: i64,
}

const SECOND: u64 = 1_000_000_000;

impl Timespec {
    fn new(nanoseconds: u64) -> Self {
        let [seconds, nanoseconds] =
            [nanoseconds / SECOND, nanoseconds % SECOND].map(u64::cast_signed);
        Self { seconds, nanoseconds }
    }

    /// # Errors
    /// EINVAL: it is no length of time.
    fn total(&self) -> Result<u64, Errno> {
        let seconds = u64::try_from(self.seconds).map_err(|_| Errno::EINVAL)?;
        let rest = u64::try_from(self.nanoseconds).map_err(|_| Errno::EINVAL)?;
        if rest >= SECOND {
            return Err(Errno::EINVAL);
        }
        seconds.checked_mul(SECOND).and_then(|all| all.checked_add(rest)).ok_or(Errno::EINVAL)
    }
}

impl CParam {
    fn new(known: &SchedParam) -> Self {
        Self {
            priority: known.priority,
            current: known.current_priority,
            period: Timespec::new(known.period),
            budget: Timespec::new(known.budget),
            low_priority: known.low_priority,
            replenishments: known.replenishments,
        }
    }

    /// What it asks for under a policy; what only sporadic threads have counts for those only.
    ///
    /// # Errors
    /// EINVAL: a budget or a period that is no length of time.
    fn wanted(&self, policy: u32) -> Result<SchedParam, Errno> {
        let plain = SchedParam { policy, priority: self.priority, ..SchedParam::default() };
        if policy != policy::SPORADIC {
            return Ok(plain);
        }
        Ok(SchedParam {
            low_priority: self.low_priority,
            budget: self.budget.total()?,
            period: self.period.total()?,
            replenishments: self.replenishments,
            ..plain
        })
    }
}

/// C's `struct _sched_info`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct SchedInfo {
    priority_min: i32,
    priority_max: i32,
    interval: u64,
    priority_priv: i32,
    reserved: i32,
}

/// The lowest priority that needs a right.
const PRIVILEGED: i32 = 64;
/// The kernel's time slice of round robin.
const SLICE_NS: u64 = 4_000_000;

/// Whom a pid and a tid mean.
enum Whom {
    /// A thread of the caller's process; 0 is the caller.
    Own(u32),
    /// Another process's, by its system-wide number.
    Other(i32),
}

fn whom(pid: c_int, tid: c_int) -> Result<Whom, Errno> {
    let tid = u32::try_from(tid).map_err(|_| Errno::ESRCH)?;
    match u32::try_from(pid).map_err(|_| Errno::ESRCH)? {
        own if own == 0 || own == whoami().0 => Ok(Whom::Own(tid)),
        pid => Ok(Whom::Other(if tid == 0 { pid } else { tid }.cast_signed())),
    }
}

fn ask(tid: i32, subtype: u16, wanted: &SchedParam) -> Result<SchedParam, Errno> {
    let kind = kind::PROC_SCHED;
    let message = Sched { kind, subtype, tid, ..Sched::default() }.telling(wanted);
    let mut reply = Sched::default();
    manager(&message, &[], &mut reply, &SendExtra::default())?;
    Ok(reply.parameters())
}

/// Parameters of a thread of the caller's process.
///
/// # Errors
/// ESRCH.
pub(crate) fn own_get(tid: u32) -> Result<SchedParam, Errno> {
    let mut known = SchedParam::default();
    let parameters = address_of_mut(&mut known);
    call(Call::SchedGet { process: SELF, tid, parameters })?;
    Ok(known)
}

/// Sets them.
///
/// # Errors
/// ESRCH, EINVAL, EPERM.
pub(crate) fn own_set(tid: u32, policy: u32, priority: u32) -> Result<i64, Errno> {
    own_set_all(tid, &SchedParam { policy, priority, ..SchedParam::default() })
}

fn own_set_all(tid: u32, new: &SchedParam) -> Result<i64, Errno> {
    call(Call::SchedSet { process: SELF, tid, parameters: address_of(new) })
}

functions! {
    /// Reads scheduling parameters; returns the policy.
    value SchedGet [SchedGet_r] (pid: c_int, tid: c_int, param: *mut CParam) -> c_int {
        let known = match whom(pid, tid)? {
            Whom::Own(tid) => own_get(tid)?,
            Whom::Other(tid) => ask(tid, 0, &SchedParam::default())?,
        };
        store(param, &CParam::new(&known))?;
        Ok(i64::from(known.policy))
    }
    /// Sets scheduling parameters.
    status SchedSet [SchedSet_r] (pid: c_int, tid: c_int, policy: c_int, param: *const CParam) -> c_int {
        let wanted = load(param)?;
        let policy = u32::try_from(policy).map_err(|_| Errno::EINVAL)?;
        let wanted = wanted.wanted(policy)?;
        match whom(pid, tid)? {
            Whom::Own(tid) => own_set_all(tid, &wanted),
            Whom::Other(tid) => ask(tid, 1, &wanted).map(|_| 0),
        }
    }
    /// Tells what a policy allows.
    status SchedInfo [SchedInfo_r] (pid: c_int, of: c_int, info: *mut SchedInfo) -> c_int {
        if let Whom::Other(pid) = whom(pid, 0)? {
            ask(pid, 0, &SchedParam::default())?;
        }
        let interval = match u32::try_from(of) {
            Ok(policy::FIFO | policy::SPORADIC) => 0,
            Ok(policy::OTHER | policy::ROUND_ROBIN) => SLICE_NS,
            Ok(_) | Err(_) => return Err(Errno::EINVAL),
        };
        let told = SchedInfo {
            priority_min: 1,
            priority_max: i32::from(PRIORITY_MAX),
            interval,
            priority_priv: PRIVILEGED,
            reserved: 0,
        };
        store(info, &told)?;
        Ok(0)
    }
    /// Goes behind the others of the caller's priority.
    status SchedYield [SchedYield_r] () -> c_int {
        call(Call::SchedYield {})
    }
    /// The CPU that the caller runs on.
    single SchedGetCpuNum () -> c_int {
        let mut info = ThreadInfo::default();
        let tid = whoami().1;
        call(Call::ThreadInfo { process: SELF, tid, info: address_of_mut(&mut info) })?;
        Ok(i64::from(info.cpu))
    }
}

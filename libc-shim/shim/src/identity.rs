//! Who a process is: numbers, users, groups, sessions, limits, priorities.

use crate::block::{int, low};
use crate::copy;
use crate::dispatch::{Args, Caller};
use crate::limit;
use crate::mounts::changes;
use crate::sys::{self, Errno, Outcome, part, room};
use core::sync::atomic::Ordering::{Acquire, Relaxed};
use io_msg::kind;
use io_msg::proc::{Ids, Priority, Rlimit, RlimitReply, Sched, SetIds, Target, Usage, setids};
use neutrino_abi::handle::SYSMGR_COID;
use neutrino_abi::sched::policy;

/// `getpid()`.
pub(crate) fn getpid(caller: &mut Caller<'_>, _: Args) -> Outcome {
    Ok(u64::from(caller.process.pid.load(Relaxed)))
}

fn ids(caller: &Caller<'_>, pid: i32) -> Result<Ids, Errno> {
    let message = Target { kind: kind::PROC_GETIDS, subtype: 0, id: pid };
    let mut reply = Ids::default();
    caller.send(SYSMGR_COID, &[part(&message)], &[room(&mut reply)], None)?;
    Ok(reply)
}

/// What `Process::family` keeps, in that order.
#[derive(Clone, Copy, Debug)]
enum Relative {
    Parent,
    Group,
    Session,
}

/// A number of the caller that others may change: asked for again when any of them has.
fn family(caller: &Caller<'_>, which: Relative) -> Outcome {
    let family = &caller.process.family;
    let now = u64::from(changes().families.load(Acquire));
    let kept = match which {
        Relative::Parent => &family[0],
        Relative::Group => &family[1],
        Relative::Session => &family[2],
    };
    let known = kept.load(Relaxed);
    if known >> 32 == now {
        return Ok(known & 0xffff_ffff);
    }
    let ids = ids(caller, 0)?;
    for (kept, id) in family.iter().zip([ids.ppid, ids.pgrp, ids.session]) {
        kept.store(now << 32 | u64::from(id), Relaxed);
    }
    Ok(kept.load(Relaxed) & 0xffff_ffff)
}

/// `getppid()`.
pub(crate) fn getppid(caller: &mut Caller<'_>, _: Args) -> Outcome {
    family(caller, Relative::Parent)
}

/// `getpgrp()`.
pub(crate) fn getpgrp(caller: &mut Caller<'_>, _: Args) -> Outcome {
    family(caller, Relative::Group)
}

/// `getpgid(pid)`.
pub(crate) fn getpgid(caller: &mut Caller<'_>, [pid, ..]: Args) -> Outcome {
    if low(pid) == 0 {
        return family(caller, Relative::Group);
    }
    ids(caller, int(pid)).map(|ids| u64::from(ids.pgrp))
}

/// `getsid(pid)`.
pub(crate) fn getsid(caller: &mut Caller<'_>, [pid, ..]: Args) -> Outcome {
    if low(pid) == 0 {
        return family(caller, Relative::Session);
    }
    ids(caller, int(pid)).map(|ids| u64::from(ids.session))
}

fn cached(caller: &Caller<'_>, which: usize) -> Outcome {
    Ok(u64::from(caller.process.ids[which].load(Relaxed)))
}

/// `getuid()`.
pub(crate) fn getuid(caller: &mut Caller<'_>, _: Args) -> Outcome {
    cached(caller, 0)
}

/// `geteuid()`.
pub(crate) fn geteuid(caller: &mut Caller<'_>, _: Args) -> Outcome {
    cached(caller, 1)
}

/// `getgid()`.
pub(crate) fn getgid(caller: &mut Caller<'_>, _: Args) -> Outcome {
    cached(caller, 2)
}

/// `getegid()`.
pub(crate) fn getegid(caller: &mut Caller<'_>, _: Args) -> Outcome {
    cached(caller, 3)
}

fn get_three(addresses: [u64; 3], values: [u32; 3]) -> Outcome {
    for (address, value) in addresses.into_iter().zip(values) {
        copy::write(address, &value)?;
    }
    Ok(0)
}

/// `getresuid(real, effective, saved)`.
pub(crate) fn getresuid(caller: &mut Caller<'_>, [real, effective, saved, ..]: Args) -> Outcome {
    let ids = ids(caller, 0)?;
    get_three([real, effective, saved], ids.uids)
}

/// `getresgid(real, effective, saved)`.
pub(crate) fn getresgid(caller: &mut Caller<'_>, [real, effective, saved, ..]: Args) -> Outcome {
    let ids = ids(caller, 0)?;
    get_three([real, effective, saved], ids.gids)
}

/// `getgroups(size, list)`.
pub(crate) fn getgroups(caller: &mut Caller<'_>, [size, list, ..]: Args) -> Outcome {
    let ids = ids(caller, 0)?;
    let groups = ids.groups.get(..ids.group_count as usize).unwrap_or(&ids.groups);
    if int(size) != 0 {
        if (low(size) as usize) < groups.len() {
            return Err(Errno::EINVAL);
        }
        copy::write_slice(list, groups)?;
    }
    Ok(groups.len() as u64)
}

/// Asks for other ids, and remembers what they are then.
fn set(caller: &Caller<'_>, subtype: u16, values: &[u32]) -> Outcome {
    let mut message = SetIds { kind: kind::PROC_SETIDS, subtype, ..SetIds::default() };
    message.values.get_mut(..values.len()).ok_or(Errno::EINVAL)?.copy_from_slice(values);
    message.count = low(values.len() as u64);
    let status = caller.send(SYSMGR_COID, &[part(&message)], &[], None)?;
    if !matches!(subtype, setids::PGID | setids::SID) {
        let ids = ids(caller, 0)?;
        let now = [ids.uids[0], ids.uids[1], ids.gids[0], ids.gids[1]];
        for (kept, id) in caller.process.ids.iter().zip(now) {
            kept.store(id, Relaxed);
        }
    }
    Ok(status)
}

/// `setpgid(pid, group)`.
pub(crate) fn setpgid(caller: &mut Caller<'_>, [pid, group, ..]: Args) -> Outcome {
    set(caller, setids::PGID, &[low(pid), low(group)]).map(|_| 0)
}

/// `setsid()`.
pub(crate) fn setsid(caller: &mut Caller<'_>, _: Args) -> Outcome {
    set(caller, setids::SID, &[])
}

/// `setuid(user)`.
pub(crate) fn setuid(caller: &mut Caller<'_>, [id, ..]: Args) -> Outcome {
    set(caller, setids::UID, &[low(id)]).map(|_| 0)
}

/// `setgid(group)`.
pub(crate) fn setgid(caller: &mut Caller<'_>, [id, ..]: Args) -> Outcome {
    set(caller, setids::GID, &[low(id)]).map(|_| 0)
}

/// `setreuid(real, effective)`.
pub(crate) fn setreuid(caller: &mut Caller<'_>, [real, effective, ..]: Args) -> Outcome {
    set(caller, setids::REUID, &[low(real), low(effective)]).map(|_| 0)
}

/// `setregid(real, effective)`.
pub(crate) fn setregid(caller: &mut Caller<'_>, [real, effective, ..]: Args) -> Outcome {
    set(caller, setids::REGID, &[low(real), low(effective)]).map(|_| 0)
}

/// `setresuid(real, effective, saved)`.
pub(crate) fn setresuid(caller: &mut Caller<'_>, [real, effective, saved, ..]: Args) -> Outcome {
    set(caller, setids::RESUID, &[real, effective, saved].map(low)).map(|_| 0)
}

/// `setresgid(real, effective, saved)`.
pub(crate) fn setresgid(caller: &mut Caller<'_>, [real, effective, saved, ..]: Args) -> Outcome {
    set(caller, setids::RESGID, &[real, effective, saved].map(low)).map(|_| 0)
}

/// `setgroups(size, list)`.
pub(crate) fn setgroups(caller: &mut Caller<'_>, [size, list, ..]: Args) -> Outcome {
    let mut groups = [0_u32; 16];
    let groups = groups.get_mut(..low(size) as usize).ok_or(Errno::EINVAL)?;
    copy::read_slice(list, groups)?;
    set(caller, setids::GROUPS, groups).map(|_| 0)
}

/// `setfsuid`, `setfsgid`: the effective ids count for files; returns the one there is.
pub(crate) fn setfsuid(caller: &mut Caller<'_>, _: Args) -> Outcome {
    cached(caller, 1)
}

/// As [`setfsuid`], for the group.
pub(crate) fn setfsgid(caller: &mut Caller<'_>, _: Args) -> Outcome {
    cached(caller, 3)
}

/// `prlimit64(pid, resource, new, old)`.
pub(crate) fn prlimit64(caller: &mut Caller<'_>, [pid, resource, new, old, ..]: Args) -> Outcome {
    let mut message = Rlimit {
        kind: kind::PROC_RLIMIT,
        pid: int(pid),
        resource: low(resource),
        ..Rlimit::default()
    };
    if new != 0 {
        let [soft, hard]: [u64; 2] = copy::read(new)?;
        if soft > hard {
            return Err(Errno::EINVAL);
        }
        (message.subtype, message.soft, message.hard) = (1, soft, hard);
    }
    let mut reply = RlimitReply::default();
    caller.send(SYSMGR_COID, &[part(&message)], &[room(&mut reply)], None)?;
    let is_own = [0, caller.process.pid.load(Relaxed)].contains(&low(pid));
    if message.subtype == 1 && is_own {
        limit::remember(caller, message.resource, message.soft);
    }
    if old != 0 {
        copy::write(old, &[reply.soft, reply.hard])?;
    }
    Ok(0)
}

/// `getrlimit(resource, limits)`.
pub(crate) fn getrlimit(caller: &mut Caller<'_>, [resource, limits, ..]: Args) -> Outcome {
    prlimit64(caller, [0, resource, 0, limits, 0, 0])
}

/// `setrlimit(resource, limits)`.
pub(crate) fn setrlimit(caller: &mut Caller<'_>, [resource, limits, ..]: Args) -> Outcome {
    prlimit64(caller, [0, resource, limits, 0, 0, 0])
}

fn usage(caller: &Caller<'_>, who: i32) -> Result<Usage, Errno> {
    let message = Target { kind: kind::PROC_USAGE, subtype: 0, id: who };
    let mut reply = Usage::default();
    caller.send(SYSMGR_COID, &[part(&message)], &[room(&mut reply)], None)?;
    Ok(reply)
}

/// `getrusage(who, usage)`.
pub(crate) fn getrusage(caller: &mut Caller<'_>, [who, address, ..]: Args) -> Outcome {
    let who = match int(who) {
        0 | 1 => 0,
        -1 => -1,
        _ => return Err(Errno::EINVAL),
    };
    let usage = usage(caller, who)?;
    copy::write(address, &crate::process::usage_words(&usage)).map(|()| 0)
}

/// `times(buffer)`: in hundredths of a second.
pub(crate) fn times(caller: &mut Caller<'_>, [address, ..]: Args) -> Outcome {
    const TICK: u64 = 10_000_000;
    if address != 0 {
        let (own, children) = (usage(caller, 0)?, usage(caller, -1)?);
        let ticks = [own.user_ns, own.system_ns, children.user_ns, children.system_ns];
        copy::write(address, &ticks.map(|time| time / TICK))?;
    }
    Ok(crate::time::monotonic() / TICK)
}

/// `getpriority(which, who)`.
pub(crate) fn getpriority(caller: &mut Caller<'_>, [which, who, ..]: Args) -> Outcome {
    let (which, who) = (low(which), low(who));
    let message = Priority { kind: kind::PROC_PRIORITY, which, who, ..Priority::default() };
    caller.send(SYSMGR_COID, &[part(&message)], &[], None)
}

/// `setpriority(which, who, nice)`.
pub(crate) fn setpriority(caller: &mut Caller<'_>, [which, who, nice, ..]: Args) -> Outcome {
    let (which, who, nice) = (low(which), low(who), int(nice).clamp(-20, 19));
    let message = Priority { kind: kind::PROC_PRIORITY, subtype: 1, which, who, nice };
    caller.send(SYSMGR_COID, &[part(&message)], &[], None).map(|_| 0)
}

pub(crate) fn sched(caller: &Caller<'_>, message: &Sched) -> Result<Sched, Errno> {
    let message = Sched { kind: kind::PROC_SCHED, ..*message };
    let mut reply = message;
    caller.send(SYSMGR_COID, &[part(&message)], &[room(&mut reply)], None)?;
    Ok(reply)
}

/// `SCHED_RESET_ON_FORK`.
pub(crate) const RESET_ON_FORK: u32 = 0x4000_0000;

/// The native priority for a Linux policy and priority; 0: where the nice value puts it.
pub(crate) const fn native(policy: u32, priority: i32) -> Result<u32, Errno> {
    match (policy, priority) {
        (policy::OTHER | 3 | 5, 0) => Ok(0),
        (policy::FIFO | policy::ROUND_ROBIN, 1..=99) => Ok(priority.cast_unsigned()),
        _ => Err(Errno::EINVAL),
    }
}

/// `sched_setscheduler(tid, policy, parameters)`.
pub(crate) fn sched_setscheduler(
    caller: &mut Caller<'_>,
    [tid, policy, parameters, ..]: Args,
) -> Outcome {
    let policy = low(policy) & !RESET_ON_FORK;
    let priority = native(policy, copy::read(parameters)?)?;
    let policy = if policy > policy::ROUND_ROBIN { policy::OTHER } else { policy };
    let message = Sched { subtype: 1, tid: int(tid), policy, priority, ..Sched::default() };
    sched(caller, &message).map(|_| 0)
}

/// `sched_setparam(tid, parameters)`.
pub(crate) fn sched_setparam(caller: &mut Caller<'_>, [tid, parameters, ..]: Args) -> Outcome {
    let before = sched(caller, &Sched { tid: int(tid), ..Sched::default() })?;
    sched_setscheduler(caller, [tid, u64::from(before.policy), parameters, 0, 0, 0])
}

/// `sched_getscheduler(tid)`.
pub(crate) fn sched_getscheduler(caller: &mut Caller<'_>, [tid, ..]: Args) -> Outcome {
    sched(caller, &Sched { tid: int(tid), ..Sched::default() }).map(|found| found.policy.into())
}

/// `sched_getparam(tid, parameters)`.
pub(crate) fn sched_getparam(caller: &mut Caller<'_>, [tid, parameters, ..]: Args) -> Outcome {
    let found = sched(caller, &Sched { tid: int(tid), ..Sched::default() })?;
    let priority = if found.policy == policy::OTHER { 0 } else { found.priority };
    copy::write(parameters, &priority).map(|()| 0)
}

/// `sched_get_priority_max(policy)`.
pub(crate) fn sched_get_priority_max(_: &mut Caller<'_>, [policy, ..]: Args) -> Outcome {
    match low(policy) {
        policy::FIFO | policy::ROUND_ROBIN => Ok(99),
        policy::OTHER | 3 | 5 => Ok(0),
        _ => Err(Errno::EINVAL),
    }
}

/// `sched_get_priority_min(policy)`.
pub(crate) fn sched_get_priority_min(caller: &mut Caller<'_>, arguments: Args) -> Outcome {
    sched_get_priority_max(caller, arguments).map(|most| most.min(1))
}

/// `sched_rr_get_interval(tid, time)`.
pub(crate) fn sched_rr_get_interval(_: &mut Caller<'_>, [_, address, ..]: Args) -> Outcome {
    copy::write(address, &[0_u64, 4_000_000]).map(|()| 0)
}

/// `sched_yield()`.
pub(crate) fn sched_yield(_: &mut Caller<'_>, _: Args) -> Outcome {
    sys::sched_yield()
}

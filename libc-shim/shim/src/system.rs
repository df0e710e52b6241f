//! The system: its name, memory, processors, random bytes; and calls that need no more than a
//! fixed answer.

use crate::block::{int, low};
use crate::copy;
use crate::dispatch::{Args, Caller};
use crate::open;
use crate::path::Base;
use crate::sys::{self, Errno, Outcome, part, user};
use io_msg::io::Transfer;
use io_msg::kind;
use linux_raw_sys::general as linux;
use linux_raw_sys::prctl;
use neutrino_abi::info::{SystemInfo, ThreadInfo};
use neutrino_abi::memory::PAGE_SIZE;
use neutrino_abi::process::thread_ctl;

/// `uname(buffer)`.
pub(crate) fn uname(_: &mut Caller<'_>, [buffer, ..]: Args) -> Outcome {
    const FIELD: usize = 65;
    let fields: [&[u8]; 6] =
        [b"Neutrino", b"neutrino", b"6.1.0-neutrino", b"#1 SMP PREEMPT", b"x86_64", b"(none)"];
    for (at, field) in (buffer..).step_by(FIELD).zip(fields) {
        let mut text = [0_u8; FIELD];
        text[..field.len()].copy_from_slice(field);
        copy::write(at, &text)?;
    }
    Ok(0)
}

/// `sysinfo(buffer)`.
pub(crate) fn sysinfo(_: &mut Caller<'_>, [buffer, ..]: Args) -> Outcome {
    let mut info = SystemInfo::default();
    sys::system_info(&mut info)?;
    let mut words = [0_u64; 14];
    words[0] = info.uptime / crate::time::NANOSECONDS;
    words[4] = info.total_pages * PAGE_SIZE;
    words[5] = info.free_pages * PAGE_SIZE;
    words[10] = u64::from(info.processes & 0xffff);
    words[13] = 1;
    copy::write(buffer, &words).map(|()| 0)
}

/// `getcpu(cpu, node)`.
pub(crate) fn getcpu(caller: &mut Caller<'_>, [cpu, node, ..]: Args) -> Outcome {
    let mut info = ThreadInfo::default();
    sys::thread_info(caller.tid(), &mut info)?;
    for (address, value) in [(cpu, info.cpu), (node, 0)] {
        if address != 0 {
            copy::write(address, &value)?;
        }
    }
    Ok(0)
}

/// `sched_getaffinity(tid, size, mask)`.
pub(crate) fn sched_getaffinity(_: &mut Caller<'_>, [tid, size, mask, ..]: Args) -> Outcome {
    if size < 8 || size % 8 != 0 {
        return Err(Errno::EINVAL);
    }
    let set = sys::thread_ctl(low(tid), thread_ctl::GET_RUN_MASK, 0)?;
    copy::write(mask, &set)?;
    Ok(8)
}

/// `sched_setaffinity(tid, size, mask)`: also what the thread makes may run there only.
pub(crate) fn sched_setaffinity(_: &mut Caller<'_>, [tid, size, mask, ..]: Args) -> Outcome {
    let wanted =
        if size >= 8 { copy::read::<u64>(mask)? } else { u64::from(copy::read::<u8>(mask)?) };
    sys::thread_ctl(low(tid), thread_ctl::RUN_MASK_INHERIT, wanted)
}

/// `getrandom(buffer, count, flags)`: from `/dev/urandom`.
pub(crate) fn getrandom(caller: &mut Caller<'_>, [buffer, count, flags, ..]: Args) -> Outcome {
    if low(flags) & !7 != 0 {
        return Err(Errno::EINVAL);
    }
    caller.scratch.paths[0].set(b"/dev/urandom")?;
    let coid = open::open_side(caller, Base::Cwd, 0, 0)?;
    let count = count.min(1 << 20);
    let header = Transfer { kind: kind::IO_READ, nbytes: count, ..Transfer::default() };
    let outcome = caller.send(coid, &[part(&header)], &[user(buffer, count)], None);
    let _closed = sys::detach(coid);
    outcome
}

/// `prctl(operation, …)`.
pub(crate) fn prctl(_: &mut Caller<'_>, [operation, argument, ..]: Args) -> Outcome {
    match low(operation) {
        prctl::PR_SET_NAME => {
            let mut name = [0_u8; 16];
            match copy::read_string(argument, &mut name[..15]) {
                Ok(_) | Err(Errno::ENAMETOOLONG) => {}
                Err(error) => return Err(error),
            }
            sys::thread_ctl(0, thread_ctl::NAME, sys::address(&name)).map(|_| 0)
        }
        prctl::PR_SET_PDEATHSIG
        | prctl::PR_SET_DUMPABLE
        | prctl::PR_SET_KEEPCAPS
        | prctl::PR_SET_TIMERSLACK
        | prctl::PR_SET_NO_NEW_PRIVS
        | prctl::PR_GET_NO_NEW_PRIVS => Ok(0),
        prctl::PR_GET_DUMPABLE => Ok(1),
        prctl::PR_GET_TIMERSLACK => Ok(1),
        _ => Err(Errno::EINVAL),
    }
}

/// `personality(persona)`: 0 is the only one.
pub(crate) fn personality(_: &mut Caller<'_>, [persona, ..]: Args) -> Outcome {
    match low(persona) {
        0 | u32::MAX => Ok(0),
        _ => Err(Errno::EINVAL),
    }
}

/// `membarrier(command, …)`: nothing but the query.
pub(crate) fn membarrier(_: &mut Caller<'_>, [command, ..]: Args) -> Outcome {
    if int(command) == 0 { Ok(0) } else { Err(Errno::EINVAL) }
}

/// A call that only the system's own programs may make, or that is none of a program's business.
pub(crate) fn not_permitted(_: &mut Caller<'_>, _: Args) -> Outcome {
    Err(Errno::EPERM)
}

/// A call that there is not.
pub(crate) fn absent(_: &mut Caller<'_>, _: Args) -> Outcome {
    Err(Errno::ENOSYS)
}

/// `restart_syscall()`: the shim restarts calls by themselves.
pub(crate) fn restart_syscall(_: &mut Caller<'_>, _: Args) -> Outcome {
    Err(Errno::EINTR)
}

/// `reboot(magic, magic, command)`.
pub(crate) fn reboot(caller: &mut Caller<'_>, [_, _, command, ..]: Args) -> Outcome {
    use io_msg::proc::Shutdown;
    const CAD_OFF: u32 = 0;
    const CAD_ON: u32 = 0x89ab_cdef;
    let subtype = match low(command) {
        CAD_OFF | CAD_ON => return Ok(0),
        linux::LINUX_REBOOT_CMD_RESTART => 1,
        linux::LINUX_REBOOT_CMD_POWER_OFF | linux::LINUX_REBOOT_CMD_HALT => 0,
        _ => return Err(Errno::EINVAL),
    };
    let message = Shutdown { kind: kind::SYS_SHUTDOWN, subtype, status: 0 };
    caller.send(neutrino_abi::handle::SYSMGR_COID, &[part(&message)], &[], None)
}

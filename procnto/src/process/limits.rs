//! Resource limits (`prlimit64`); the numbers are Linux x86-64's.

use crate::state::{Answer, Client, State};
use crate::system::{Control, System};
use io_msg::proc::{Rlimit, RlimitReply};
use io_msg::start::STACK_SIZE;
use neutrino_abi::Errno;
use neutrino_abi::handle::FD_LIMIT;
use zerocopy::IntoBytes;

/// No limit.
pub const INFINITY: u64 = u64::MAX;
/// How many resources there are.
pub const COUNT: usize = 16;

/// The resources that mean something here; the others are only remembered.
pub mod resource {
    /// Size of a file; the personality keeps it.
    pub const FSIZE: usize = 1;
    /// Private writable memory; the personality keeps it.
    pub const DATA: usize = 2;
    /// Size of the main stack; counts at the next exec.
    pub const STACK: usize = 3;
    /// Processes of one user.
    pub const NPROC: usize = 6;
    /// Descriptors.
    pub const NOFILE: usize = 7;
    /// Address space.
    pub const AS: usize = 9;
    /// Core files: none are written.
    pub const CORE: usize = 4;
    /// Nice values.
    pub const NICE: usize = 13;
    /// Real-time priority.
    pub const RTPRIO: usize = 14;
}

/// A soft and a hard limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What counts.
    pub soft: u64,
    /// What the soft limit may be raised to.
    pub hard: u64,
}

/// The limits of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits([Limit; COUNT]);

impl Default for Limits {
    fn default() -> Self {
        let mut limits = [Limit { soft: INFINITY, hard: INFINITY }; COUNT];
        limits[resource::STACK] = Limit { soft: STACK_SIZE, hard: STACK_SIZE };
        limits[resource::CORE] = Limit { soft: 0, hard: 0 };
        limits[resource::NPROC] = Limit { soft: 1024, hard: 1024 };
        let descriptors = u64::from(FD_LIMIT);
        limits[resource::NOFILE] = Limit { soft: descriptors, hard: descriptors };
        limits[resource::NICE] = Limit { soft: 0, hard: 0 };
        limits[resource::RTPRIO] = Limit { soft: 0, hard: 0 };
        Self(limits)
    }
}

impl Limits {
    /// The limit on one resource.
    #[must_use]
    pub fn get(&self, resource: usize) -> Limit {
        self.0.get(resource).copied().unwrap_or(Limit { soft: INFINITY, hard: INFINITY })
    }
}

/// Serves `PROC_RLIMIT`: replies the limit before.
///
/// # Errors
/// ESRCH, EINVAL, EPERM.
pub fn rlimit(
    state: &mut State,
    system: &impl System,
    client: &Client,
    message: &Rlimit,
) -> Result<Answer, Errno> {
    let resource = usize::try_from(message.resource).unwrap_or(COUNT);
    if resource >= COUNT {
        return Err(Errno::EINVAL);
    }
    let pid = if message.pid == 0 { client.info.pid } else { message.pid.unsigned_abs() };
    let caller = state.processes.get(client.info.pid)?.credentials;
    let process = state.processes.get_mut(pid)?;
    let is_own = process.credentials.ruid == caller.ruid && process.credentials.suid == caller.ruid;
    if pid != client.info.pid && caller.euid != 0 && !is_own {
        return Err(Errno::EPERM);
    }
    let before = process.limits.0[resource];
    if message.subtype == 1 {
        let new = Limit { soft: message.soft, hard: message.hard };
        check(before, new, caller.euid == 0, resource)?;
        process.limits.0[resource] = new;
        tell_kernel(system, process.live_handle()?, resource, new);
    }
    let reply = RlimitReply { soft: before.soft, hard: before.hard };
    Ok(Answer::Data(0, reply.as_bytes().to_vec()))
}

fn check(before: Limit, new: Limit, is_root: bool, resource: usize) -> Result<(), Errno> {
    if new.soft > new.hard {
        return Err(Errno::EINVAL);
    }
    let is_beyond_table = resource == resource::NOFILE && new.hard > u64::from(FD_LIMIT);
    if (new.hard > before.hard && !is_root) || is_beyond_table {
        return Err(Errno::EPERM);
    }
    Ok(())
}

/// The kernel enforces what it can count.
pub fn tell_kernel(system: &impl System, handle: u32, resource: usize, limit: Limit) {
    let control = match resource {
        resource::NOFILE => {
            Control::DescriptorLimit(u32::try_from(limit.soft).unwrap_or(FD_LIMIT).min(FD_LIMIT))
        }
        resource::AS => Control::SpaceLimit(limit.soft),
        _ => return,
    };
    // A process that ends meanwhile needs no limit.
    let _gone = system.control(handle, control);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_may_lower_but_not_raise_a_hard_limit() {
        let before = Limit { soft: 10, hard: 20 };
        assert_eq!(check(before, Limit { soft: 5, hard: 15 }, false, 0), Ok(()));
        assert_eq!(check(before, Limit { soft: 5, hard: 25 }, false, 0), Err(Errno::EPERM));
        assert_eq!(check(before, Limit { soft: 5, hard: 25 }, true, 0), Ok(()));
        assert_eq!(check(before, Limit { soft: 6, hard: 5 }, true, 0), Err(Errno::EINVAL));
    }
}

//! User and group ids: the rules of the `setuid` family (POSIX.1-2017; `setres*id` as Linux).

use io_msg::proc::{SetIds, setids};
use neutrino_abi::Errno;
use neutrino_abi::process::{Credentials, GROUPS_MAX, able};

/// "Leave it as it is".
const KEEP: u32 = u32::MAX;

/// Real, effective and saved id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Triple {
    real: u32,
    effective: u32,
    saved: u32,
}

/// What the caller is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Privilege {
    /// Any id.
    Root,
    /// One of its own.
    None,
}

/// The credentials after a `PROC_SETIDS` with a subtype of the id family.
///
/// # Errors
/// EPERM, EINVAL.
pub fn apply(old: &Credentials, message: &SetIds) -> Result<Credentials, Errno> {
    let mut new = *old;
    let privilege = if old.euid == 0 { Privilege::Root } else { Privilege::None };
    let values = &message.values;
    let user = Triple { real: old.ruid, effective: old.euid, saved: old.suid };
    let group = Triple { real: old.rgid, effective: old.egid, saved: old.sgid };
    match message.subtype {
        setids::UID => set_user(&mut new, set_one(user, privilege, values[0])?),
        setids::GID => set_group(&mut new, set_one(group, privilege, values[0])?),
        setids::RESUID => set_user(&mut new, set_three(user, privilege, values)?),
        setids::RESGID => set_group(&mut new, set_three(group, privilege, values)?),
        setids::REUID => set_user(&mut new, set_two(user, privilege, (values[0], values[1]))?),
        setids::REGID => set_group(&mut new, set_two(group, privilege, (values[0], values[1]))?),
        setids::GROUPS => set_groups(&mut new, privilege, message)?,
        _ => return Err(Errno::EINVAL),
    }
    Ok(new)
}

/// The abilities that go with new credentials: root has all, everybody else none.
#[must_use]
pub const fn abilities(old: &Credentials, new: &Credentials, abilities: u64) -> u64 {
    match (old.euid, new.euid) {
        (0, 0) => abilities,
        (_, 0) => able::ALL,
        (0, _) => 0,
        (_, _) => abilities,
    }
}

/// The credentials after the execution of a file with set-id bits.
#[must_use]
pub fn after_exec(
    old: &Credentials,
    set_user_to: Option<u32>,
    set_group_to: Option<u32>,
) -> Credentials {
    let mut new = *old;
    new.euid = set_user_to.unwrap_or(old.euid);
    new.egid = set_group_to.unwrap_or(old.egid);
    new.suid = new.euid;
    new.sgid = new.egid;
    new
}

const fn set_user(credentials: &mut Credentials, ids: Triple) {
    credentials.ruid = ids.real;
    credentials.euid = ids.effective;
    credentials.suid = ids.saved;
}

const fn set_group(credentials: &mut Credentials, ids: Triple) {
    credentials.rgid = ids.real;
    credentials.egid = ids.effective;
    credentials.sgid = ids.saved;
}

fn set_one(old: Triple, privilege: Privilege, id: u32) -> Result<Triple, Errno> {
    if id == KEEP {
        return Err(Errno::EINVAL);
    }
    match privilege {
        Privilege::Root => Ok(Triple { real: id, effective: id, saved: id }),
        Privilege::None if id == old.real || id == old.saved => Ok(Triple { effective: id, ..old }),
        Privilege::None => Err(Errno::EPERM),
    }
}

fn set_three(old: Triple, privilege: Privilege, values: &[u32; 16]) -> Result<Triple, Errno> {
    let pick = |value: u32, current: u32| match (value, privilege) {
        (KEEP, _) => Ok(current),
        (_, Privilege::Root) => Ok(value),
        (_, Privilege::None) if [old.real, old.effective, old.saved].contains(&value) => Ok(value),
        (_, Privilege::None) => Err(Errno::EPERM),
    };
    Ok(Triple {
        real: pick(values[0], old.real)?,
        effective: pick(values[1], old.effective)?,
        saved: pick(values[2], old.saved)?,
    })
}

fn set_two(
    old: Triple,
    privilege: Privilege,
    (real, effective): (u32, u32),
) -> Result<Triple, Errno> {
    let may = |value: u32, allowed: &[u32]| {
        value == KEEP || privilege == Privilege::Root || allowed.contains(&value)
    };
    if !may(real, &[old.real, old.effective])
        || !may(effective, &[old.real, old.effective, old.saved])
    {
        return Err(Errno::EPERM);
    }
    let mut new = old;
    if real != KEEP {
        new.real = real;
    }
    if effective != KEEP {
        new.effective = effective;
    }
    if real != KEEP || (effective != KEEP && effective != old.real) {
        new.saved = new.effective;
    }
    Ok(new)
}

fn set_groups(
    credentials: &mut Credentials,
    privilege: Privilege,
    message: &SetIds,
) -> Result<(), Errno> {
    if privilege == Privilege::None {
        return Err(Errno::EPERM);
    }
    let count = usize::try_from(message.count).unwrap_or(usize::MAX);
    if count > GROUPS_MAX {
        return Err(Errno::EINVAL);
    }
    credentials.groups = [0; GROUPS_MAX];
    credentials.groups[..count].copy_from_slice(&message.values[..count]);
    credentials.group_count = message.count;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(ruid: u32, euid: u32, suid: u32) -> Credentials {
        Credentials { ruid, euid, suid, ..Credentials::default() }
    }

    fn message(subtype: u16, values: &[u32]) -> SetIds {
        let mut message = SetIds { subtype, ..SetIds::default() };
        message.count = values.iter().map(|_| 1).sum();
        message.values[..values.len()].copy_from_slice(values);
        message
    }

    fn ids(c: &Credentials) -> (u32, u32, u32) {
        (c.ruid, c.euid, c.suid)
    }

    #[test]
    fn setuid_of_root_changes_all_three_ids() {
        let new = apply(&credentials(0, 0, 0), &message(setids::UID, &[5])).unwrap();
        assert_eq!(ids(&new), (5, 5, 5));
        assert_eq!(abilities(&credentials(0, 0, 0), &new, u64::MAX), 0);
    }

    #[test]
    fn setuid_of_a_user_changes_the_effective_id_to_the_saved_one() {
        let new = apply(&credentials(5, 5, 0), &message(setids::UID, &[0])).unwrap();
        assert_eq!(ids(&new), (5, 0, 0));
        assert_eq!(abilities(&credentials(5, 5, 0), &new, 0), able::ALL);
    }

    #[test]
    fn a_user_may_not_become_another() {
        let user = credentials(5, 5, 5);
        assert_eq!(apply(&user, &message(setids::UID, &[6])), Err(Errno::EPERM));
        assert_eq!(apply(&user, &message(setids::RESUID, &[5, 6, 5])), Err(Errno::EPERM));
        assert_eq!(apply(&user, &message(setids::REUID, &[6, KEEP])), Err(Errno::EPERM));
        assert_eq!(apply(&user, &message(setids::GROUPS, &[1])), Err(Errno::EPERM));
    }

    #[test]
    fn setreuid_swaps_real_and_effective_and_saves_the_effective_id() {
        let new = apply(&credentials(5, 6, 6), &message(setids::REUID, &[6, 5])).unwrap();
        assert_eq!(ids(&new), (6, 5, 5));
    }

    #[test]
    fn setresuid_keeps_what_is_minus_one() {
        let new = apply(&credentials(1, 2, 3), &message(setids::RESUID, &[KEEP, 3, KEEP])).unwrap();
        assert_eq!(ids(&new), (1, 3, 3));
    }

    #[test]
    fn too_many_groups_are_refused() {
        let mut too_many = message(setids::GROUPS, &[]);
        too_many.count = 17;
        assert_eq!(apply(&credentials(0, 0, 0), &too_many), Err(Errno::EINVAL));
    }
}

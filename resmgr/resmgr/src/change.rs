//! Changes of attributes, by whoever may make them.

use crate::attributes::{Change, right};
use crate::engine::Engine;
use crate::request::Request;
use crate::server::{Node, Server};
use io_msg::io::{Chown, Utime};
use io_msg::stat::mode;
use neutrino_rt::{Errno, clock};

impl<S: Server> Engine<S> {
    /// `chmod`, by whoever may.
    pub(crate) fn change_mode(
        &mut self,
        request: &Request<'_>,
        node: Node,
        bits: u32,
    ) -> Result<(), Errno> {
        let attributes = self.server.attributes(node)?;
        if !request.owns(&attributes) {
            return Err(Errno::EPERM);
        }
        let mut bits = bits & 0o7777;
        let foreign_group = request.info().euid != 0 && request.info().egid != attributes.gid;
        if foreign_group {
            let ids = request.credentials();
            let count = (ids.group_count as usize).min(ids.groups.len());
            if !ids.groups[..count].contains(&attributes.gid) {
                bits &= !mode::ISGID;
            }
        }
        self.server.change(node, &Change::Mode(bits))
    }

    /// `chown`, by whoever may: root; the owner to a group of theirs.
    pub(crate) fn change_owner(
        &mut self,
        request: &Request<'_>,
        node: Node,
        owner: &Chown,
    ) -> Result<(), Errno> {
        let attributes = self.server.attributes(node)?;
        let uid = Some(owner.uid).filter(|&uid| uid != u32::MAX);
        let gid = Some(owner.gid).filter(|&gid| gid != u32::MAX);
        if request.info().euid != 0 {
            let ids = request.credentials();
            let count = (ids.group_count as usize).min(ids.groups.len());
            let own_group = |gid: u32| gid == ids.egid || ids.groups[..count].contains(&gid);
            let same_owner = uid.is_none_or(|uid| uid == attributes.uid);
            let allowed_group = gid.is_none_or(|gid| gid == attributes.gid || own_group(gid));
            if !request.owns(&attributes) || !same_owner || !allowed_group {
                return Err(Errno::EPERM);
            }
        }
        self.server.change(node, &Change::Owner(uid, gid))
    }

    /// `utimensat`, by whoever may: the owner any time, a writer "now".
    pub(crate) fn change_times(
        &mut self,
        request: &Request<'_>,
        node: Node,
        times: &Utime,
    ) -> Result<(), Errno> {
        use io_msg::io::{UTIME_NOW, UTIME_OMIT};
        let attributes = self.server.attributes(node)?;
        let now = clock::timestamp();
        let is_now = |time: &[i64; 2]| time[1] == UTIME_NOW;
        let pick = |time: [i64; 2]| match time[1] {
            UTIME_OMIT => None,
            UTIME_NOW => Some(now),
            _ => Some(time),
        };
        for time in [&times.atime, &times.mtime] {
            let special = matches!(time[1], UTIME_NOW | UTIME_OMIT);
            if !special && !(0..1_000_000_000).contains(&time[1]) {
                return Err(Errno::EINVAL);
            }
        }
        if !request.owns(&attributes) {
            if !(is_now(&times.atime) && is_now(&times.mtime)) {
                return Err(Errno::EPERM);
            }
            request.check(&attributes, right::WRITE, 0)?;
        }
        self.server.change(node, &Change::Times(pick(times.atime), pick(times.mtime)))
    }
}

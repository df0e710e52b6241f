//! Connections, and who is on their other side.
//!
//! A connection to another process's channel comes from the process manager, which makes it and
//! gives it: no program ever holds another process.

use crate::kernel::{address_of_mut, at, call, functions, load, manager, store, whoami};
use core::ffi::{c_int, c_uint, c_void};
use io_msg::kind;
use io_msg::proc::Attach;
use neutrino_abi::Errno;
use neutrino_abi::calls::Call;
use neutrino_abi::handle::{SELF, SIDE_CHANNEL, SYSMGR_CHID, SYSMGR_COID, SYSMGR_PID};
use neutrino_abi::info::{HandleInfo, handle_kind};
use neutrino_abi::message::SendExtra;
use neutrino_abi::process::Credentials;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// In a server-side id: it is no number of the caller's own table (`_NTO_CONNECTION_SCOID`).
pub(crate) const SCOID: u32 = 0x1_0000;

/// `_NTO_CI_UNABLE`.
const UNABLE: u32 = 0x100;
/// `_NTO_CLIENTINFO_*`: that groups, or type ids, are wanted.
const CLIENTINFO_FLAGS: c_int = 3;
/// Groups in C's `struct _cred_info`.
const GROUPS: usize = 8;

/// C's `struct _server_info`, which is `struct _msg_info`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct ServerInfo {
    nd: [u32; 2],
    pid: u32,
    tid: u32,
    chid: u32,
    scoid: u32,
    coid: u32,
    priority: u16,
    flags: u16,
    lengths: [u64; 3],
    type_id: [u32; 2],
}

/// C's `struct _client_info`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct ClientInfo {
    nd: u32,
    pid: u32,
    sid: u32,
    flags: u32,
    ids: [u32; 6],
    group_count: u32,
    groups: [u32; GROUPS],
}

/// C's `struct _client_able`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct ClientAble {
    ability: u32,
    flags: u32,
    range: [u64; 2],
}

/// What a side-channel index means, and a descriptor's.
fn minimum(index: c_uint) -> u32 {
    if index & SIDE_CHANNEL != 0 { SIDE_CHANNEL } else { index }
}

/// Connects to a channel of the caller (`pid` 0) or of another process.
///
/// # Errors
/// As `ConnectAttach`.
pub(crate) fn attach(pid: c_int, chid: c_int, index: c_uint, flags: u32) -> Result<i64, Errno> {
    let pid = u32::try_from(pid).map_err(|_| Errno::ESRCH)?;
    let chid = u32::try_from(chid).map_err(|_| Errno::ESRCH)?;
    let minimum = minimum(index);
    if pid == 0 || pid == whoami().0 {
        return call(Call::ConnectAttach { process: SELF, chid, minimum, flags, badge: 0 });
    }
    if pid == SYSMGR_PID {
        if chid != SYSMGR_CHID {
            return Err(Errno::ESRCH);
        }
        return call(Call::ConnectDup { coid: SYSMGR_COID, minimum, flags });
    }
    let message = Attach { kind: kind::PROC_ATTACH, subtype: 0, pid, chid };
    let extra = SendExtra {
        accepted_count: 1,
        accepted_minimum: minimum,
        accepted_flags: flags,
        ..SendExtra::default()
    };
    manager(&message, &[], &mut [0_u8; 0], &extra)
}

/// The first connection of the caller at or above a number.
///
/// # Errors
/// EINVAL: there is none.
fn connection_from(coid: u32) -> Result<(u32, HandleInfo), Errno> {
    let mut from = coid;
    // Bound: the caller's handles.
    loop {
        let mut info = HandleInfo::default();
        let asked =
            Call::ConnectServerInfo { process: SELF, coid: from, info: address_of_mut(&mut info) };
        let number = call(asked).map_err(|_| Errno::EINVAL)? as u32;
        if info.kind == handle_kind::CONNECTION {
            return Ok((number, info));
        }
        from = number.checked_add(1).ok_or(Errno::EINVAL)?;
    }
}

/// The process of a call that takes a pid must be the caller: what others hold is their own.
///
/// # Errors
/// ESRCH: nobody's, EPERM: another's.
fn own(pid: c_int) -> Result<(), Errno> {
    match u32::try_from(pid) {
        Ok(pid) if pid == 0 || pid == whoami().0 => Ok(()),
        Ok(pid) => {
            let message =
                io_msg::proc::Target { kind: kind::PROC_GETIDS, subtype: 0, id: pid.cast_signed() };
            manager(&message, &[], &mut io_msg::proc::Ids::default(), &SendExtra::default())?;
            Err(Errno::EPERM)
        }
        Err(_) => Err(Errno::ESRCH),
    }
}

/// A server-side id without its mark.
fn plain_scoid(scoid: c_int) -> Result<u32, Errno> {
    u32::try_from(scoid).map(|scoid| scoid & !SCOID).map_err(|_| Errno::EINVAL)
}

/// A server-side id as C knows it.
pub(crate) fn marked(scoid: u32) -> u32 {
    if scoid == 0 { 0 } else { scoid | SCOID }
}

/// The credentials of the client behind a receive id.
///
/// # Errors
/// ESRCH: it has gone.
pub(crate) fn client_credentials(id: c_int) -> Result<Credentials, Errno> {
    let mut known = Credentials::default();
    let rcvid = crate::receive::rcvid(id)?;
    let credentials = address_of_mut(&mut known);
    call(Call::ConnectClientInfo { scoid: 0, badge: 0, rcvid, credentials })?;
    Ok(known)
}

fn client_info(scoid: c_int, groups: usize) -> Result<ClientInfo, Errno> {
    client_info_of(plain_scoid(scoid)?, 0, groups)
}

/// Tells who waits behind a receive id (or, if that is 0, on a connection).
///
/// # Errors
/// ESRCH, EINVAL: nobody does.
pub(crate) fn client_info_of(scoid: u32, rcvid: u64, groups: usize) -> Result<ClientInfo, Errno> {
    let mut known = Credentials::default();
    let credentials = address_of_mut(&mut known);
    let asked = Call::ConnectClientInfo { scoid, badge: 0, rcvid, credentials };
    let both = call(asked)?.cast_unsigned();
    let mut info = ClientInfo {
        pid: both as u32,
        sid: (both >> 32) as u32,
        ids: [known.ruid, known.euid, known.suid, known.rgid, known.egid, known.sgid],
        group_count: known.group_count,
        ..ClientInfo::default()
    };
    for (place, group) in info.groups.iter_mut().zip(known.groups).take(groups.min(GROUPS)) {
        *place = group;
    }
    Ok(info)
}

impl ClientInfo {
    /// Real and effective user; real and effective group.
    pub(crate) fn ids(&self) -> [u32; 4] {
        let [ruid, euid, _, rgid, egid, _] = self.ids;
        [ruid, euid, rgid, egid]
    }

    /// The same, lacking an ability.
    pub(crate) fn unable(self) -> Self {
        Self { flags: self.flags | UNABLE, ..self }
    }

    /// The supplementary groups that are known.
    pub(crate) fn groups(&self) -> &[u32] {
        self.groups.get(..(self.group_count as usize).min(GROUPS)).unwrap_or_default()
    }
}

unsafe extern "C" {
    safe fn malloc(size: usize) -> *mut c_void;
    fn free(block: *mut c_void);
}

fn allocated(scoid: c_int, unable: u32, pp: *mut u64) -> Result<i64, Errno> {
    let mut info = client_info(scoid, GROUPS)?;
    info.flags |= unable;
    let block = malloc(size_of::<ClientInfo>()).cast::<ClientInfo>();
    if block.is_null() {
        return Err(Errno::ENOMEM);
    }
    let filled = store(block, &info).and_then(|()| store(pp, &at(block)));
    if filled.is_err() {
        // SAFETY: it came from malloc just now, and nobody else knows of it.
        unsafe { free(block.cast()) };
    }
    filled.map(|()| 0)
}

functions! {
    /// Connects to a channel.
    /// Partial: one node; type ids do not exist
    value ConnectAttach [ConnectAttach_r] (nd: u32, pid: c_int, chid: c_int, index: c_uint, flags: c_int) -> c_int {
        // There is one node.
        if nd != 0 {
            return Err(Errno::EINVAL);
        }
        attach(pid, chid, index, flags.cast_unsigned())
    }
    /// Closes a connection. A server-side id needs no closing: it ends with its last handle.
    status ConnectDetach [ConnectDetach_r] (coid: c_int) -> c_int {
        let number = u32::try_from(coid).map_err(|_| Errno::EINVAL)?;
        if number == SYSMGR_COID {
            return Err(Errno::EPERM);
        }
        if number & (SIDE_CHANNEL | SCOID) == SCOID {
            return Ok(0);
        }
        let (found, _) = connection_from(number)?;
        if found != number {
            return Err(Errno::EINVAL);
        }
        call(Call::ConnectDetach { coid: number })
    }
    /// Changes a connection's flags; returns the old ones.
    /// Partial: own process; another is EPERM
    value ConnectFlags [ConnectFlags_r] (pid: c_int, coid: c_int, mask: c_uint, bits: c_uint) -> c_int {
        own(pid)?;
        let coid = u32::try_from(coid).map_err(|_| Errno::EBADF)?;
        call(Call::ConnectFlags { coid, mask, bits })
    }
    /// Tells about the first connection at or above `coid`; returns its number.
    /// Partial: own process; another is EPERM
    value ConnectServerInfo [ConnectServerInfo_r] (pid: c_int, coid: c_int, info: *mut ServerInfo) -> c_int {
        own(pid)?;
        let (number, found) = connection_from(u32::try_from(coid).map_err(|_| Errno::EINVAL)?)?;
        let told = ServerInfo {
            pid: found.pid,
            chid: found.chid,
            scoid: found.scoid | SCOID,
            coid: number,
            flags: found.flags as u16,
            ..ServerInfo::default()
        };
        store(info, &told)?;
        Ok(i64::from(number))
    }
    /// Tells who waits for a reply on a connection.
    status ConnectClientInfo [ConnectClientInfo_r] (scoid: c_int, info: *mut ClientInfo, ngroups: c_int) -> c_int {
        let known = client_info(scoid, usize::try_from(ngroups).map_err(|_| Errno::EINVAL)?)?;
        store(info, &known)?;
        Ok(0)
    }
    /// As `ConnectClientInfo`, into memory that it allocates.
    status ConnectClientInfoExt [ConnectClientInfoExt_r] (scoid: c_int, pp: *mut u64, flags: c_int) -> c_int {
        if flags & !CLIENTINFO_FLAGS != 0 {
            return Err(Errno::EINVAL);
        }
        allocated(scoid, 0, pp)
    }
    /// As `ConnectClientInfoExt`; says in the flags whether the client lacks one of the abilities:
    /// here root has them all, and others none.
    /// Partial: root has every ability, others none
    single ConnectClientInfoAble (scoid: c_int, pp: *mut u64, flags: c_int, abilities: *mut ClientAble, nable: c_int) -> c_int {
        if flags & !CLIENTINFO_FLAGS != 0 {
            return Err(Errno::EINVAL);
        }
        let count = u32::try_from(nable).map_err(|_| Errno::EINVAL)?;
        if count > 0 {
            load(abilities)?;
        }
        let [_, euid, ..] = client_info(scoid, 0)?.ids;
        allocated(scoid, if count > 0 && euid != 0 { UNABLE } else { 0 }, pp)
    }
    /// Frees what `ConnectClientInfoExt` allocated.
    single ClientInfoExtFree (pp: *mut u64) -> c_int {
        let block = load(pp)?;
        // SAFETY: C says that the block came from `ConnectClientInfoExt`, which took it from malloc.
        unsafe { free(core::ptr::with_exposed_provenance_mut(block as usize)) };
        store(pp, &0)?;
        Ok(0)
    }
}

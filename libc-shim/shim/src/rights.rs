//! Control data of socket messages: descriptors and credentials that go with them (`SCM_RIGHTS`,
//! `SCM_CREDENTIALS`).

use crate::block::{index, low};
use crate::copy;
use crate::dispatch::Caller;
use crate::socket::answer;
use crate::sys::{self, Errno, part, user};
use io_msg::kind;
use io_msg::socket::{Control, Credentials, HANDLES_MAX, Received, control, flag};
use neutrino_abi::handle::{COF_CLOEXEC, FD_LIMIT};
use neutrino_abi::message::{Iov, OFFER_MAX, SendExtra};

const SOL_SOCKET: u32 = 1;
const RIGHTS: u32 = 1;
const CREDENTIALS: u32 = 2;
/// `MSG_CMSG_CLOEXEC`.
pub(crate) const CMSG_CLOEXEC: u32 = 0x4000_0000;
/// Bytes of a `struct cmsghdr`: length, level and type.
const HEAD: u64 = 16;
/// Bytes of a `struct ucred`.
const UCRED: u64 = 12;
const MOST: usize = HANDLES_MAX as usize;

/// What a message passes beside its data.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Passing {
    credentials: Option<[u32; 3]>,
    count: usize,
    numbers: [u32; MOST],
}

impl Passing {
    /// Nothing.
    pub(crate) const NOTHING: Self = Self { credentials: None, count: 0, numbers: [0; MOST] };

    /// Reads the control data of a message to send.
    ///
    /// # Errors
    /// EINVAL, EFAULT.
    pub(crate) fn read(control: u64, length: u64) -> Result<Self, Errno> {
        let mut passing = Self::NOTHING;
        if control == 0 {
            return Ok(passing);
        }
        let mut at = 0;
        while at + HEAD <= length {
            let [bytes, which]: [u64; 2] = copy::read(control + at)?;
            if bytes < HEAD || bytes > length - at {
                return Err(Errno::EINVAL);
            }
            let data = control + at + HEAD;
            match (low(which), low(which >> 32)) {
                (SOL_SOCKET, RIGHTS) => passing.add(data, bytes - HEAD)?,
                (SOL_SOCKET, CREDENTIALS) if bytes == HEAD + UCRED => {
                    passing.credentials = Some(copy::read(data)?);
                }
                (SOL_SOCKET, _) => return Err(Errno::EINVAL),
                _ => {}
            }
            at += bytes.next_multiple_of(8);
        }
        Ok(passing)
    }

    fn add(&mut self, data: u64, bytes: u64) -> Result<(), Errno> {
        let end = self.count + index(bytes / 4);
        let place = self.numbers.get_mut(self.count..end).ok_or(Errno::EINVAL)?;
        copy::read_slice(data, place)?;
        if place.iter().any(|number| *number >= FD_LIMIT) {
            return Err(Errno::EBADF);
        }
        self.count = end;
        Ok(())
    }

    /// The credentials to send, and the flag that says that they count.
    pub(crate) fn credentials(&self) -> (Credentials, u32) {
        match self.credentials {
            Some([pid, uid, gid]) => (Credentials { pid, uid, gid }, flag::CREDENTIALS),
            None => (Credentials::default(), 0),
        }
    }
}

/// Offers all descriptors but the last few to the server; those go with the message.
///
/// # Errors
/// EBADF: one is not open. ETOOMANYREFS.
pub(crate) fn offer(caller: &Caller<'_>, coid: u32, passing: &Passing) -> Result<SendExtra, Errno> {
    let mut left = &passing.numbers[..passing.count];
    while let Some((some, others)) = left.split_at_checked(OFFER_MAX)
        && !others.is_empty()
    {
        let extra = offering(some);
        let message = Control {
            kind: kind::SOCKET_CONTROL,
            subtype: control::OFFER,
            argument: extra.offered_count,
            ..Control::default()
        };
        answer(caller.send(coid, &[part(&message)], &[], Some(&extra)))?;
        left = others;
    }
    Ok(offering(left))
}

fn offering(numbers: &[u32]) -> SendExtra {
    let mut extra = SendExtra { offered_count: low(numbers.len() as u64), ..SendExtra::default() };
    extra.offered.iter_mut().zip(numbers).for_each(|(to, from)| *to = *from);
    extra
}

/// How many descriptors control data of this length have room for.
pub(crate) fn room_for(length: u64) -> u32 {
    low((length.saturating_sub(HEAD) / 4).min(HANDLES_MAX.into()))
}

/// Where their numbers go.
pub(crate) fn numbers_room(caller: &mut Caller<'_>, most: u32) -> Iov {
    let base = sys::address_mut(&mut caller.scratch.reply);
    user(base, u64::from(most) * 4)
}

/// How they are accepted.
pub(crate) fn accept(flags: u32, most: u32) -> SendExtra {
    let accepted_flags = if flags & CMSG_CLOEXEC != 0 { COF_CLOEXEC } else { 0 };
    SendExtra { accepted_count: most, accepted_flags, ..SendExtra::default() }
}

/// What was written of control data.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Told {
    pub(crate) bytes: u64,
    /// `MSG_CTRUNC`, if not all was.
    pub(crate) flags: u32,
}

/// Writes the control data of a message that was received. Descriptors that there is no room for, after
/// all, are closed.
///
/// # Errors
/// EFAULT.
pub(crate) fn tell(
    caller: &Caller<'_>,
    head: &Received,
    control: u64,
    length: u64,
) -> Result<Told, Errno> {
    let mut told = Told::default();
    if head.flags & flag::CREDENTIALS != 0 {
        let Credentials { pid, uid, gid } = head.credentials;
        if length >= HEAD + UCRED {
            write_head(control, UCRED, CREDENTIALS)?;
            copy::write(control + HEAD, &[pid, uid, gid])?;
            told.bytes = (HEAD + UCRED).next_multiple_of(8).min(length);
        } else {
            told.flags |= flag::CTRUNC;
        }
    }
    let count = (head.handles as usize).min(MOST);
    let (numbers, _) = caller.scratch.reply.as_chunks::<4>();
    let fits = index(room_for(length - told.bytes).into()).min(count);
    for (at, number) in numbers[..count].iter().enumerate() {
        if at < fits {
            let place = control + told.bytes + HEAD + at as u64 * 4;
            copy::write(place, &u32::from_le_bytes(*number))?;
        } else {
            told.flags |= flag::CTRUNC;
            let _closed = sys::close(u32::from_le_bytes(*number));
        }
    }
    if fits > 0 {
        let bytes = fits as u64 * 4;
        write_head(control + told.bytes, bytes, RIGHTS)?;
        told.bytes = (told.bytes + (HEAD + bytes).next_multiple_of(8)).min(length);
    }
    Ok(told)
}

fn write_head(at: u64, bytes: u64, which: u32) -> Result<(), Errno> {
    copy::write(at, &[HEAD + bytes, u64::from(SOL_SOCKET) | u64::from(which) << 32])
}

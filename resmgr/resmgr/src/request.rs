//! One request of a client.

use crate::attributes::{Attributes, Identity, check};
use crate::ocb::Ocb;
use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::cell::OnceCell;
use io_msg::connect::FLAG_REAL_IDS;
use io_msg::io::{Transfer, XTYPE_NONE};
use neutrino_rt::Errno;
use neutrino_rt::abi::message::{Head, MsgInfo, WORDS_BYTES};
use neutrino_rt::abi::process::Credentials;
use neutrino_rt::message;
use zerocopy::{FromBytes, Immutable, KnownLayout};

/// A message that waits for its reply, as handlers see it.
#[derive(Debug)]
pub struct Request<'a> {
    /// Names the client until the reply.
    pub rcvid: u64,
    /// What is known of it without asking.
    pub head: Head,
    /// The beginning of the message, as far as the server's buffer holds it.
    pub bytes: &'a [u8],
    /// Data of the reply; the handler fills it.
    pub reply: Vec<u8>,
    info: OnceCell<MsgInfo>,
    credentials: OnceCell<Credentials>,
}

impl<'a> Request<'a> {
    /// A request whose first bytes were received into `buffer`.
    #[must_use]
    pub fn new(rcvid: u64, head: &Head, buffer: &'a [u8]) -> Self {
        let length = usize::try_from(head.srcmsglen).unwrap_or(usize::MAX).min(buffer.len());
        let (info, credentials) = (OnceCell::new(), OnceCell::new());
        Self { rcvid, head: *head, bytes: &buffer[..length], reply: Vec::new(), info, credentials }
    }

    /// All that is known of the client; asked for once. One that is gone is nobody.
    pub fn info(&self) -> &MsgInfo {
        self.info.get_or_init(|| {
            let nobody = MsgInfo { euid: u32::MAX, egid: u32::MAX, ..MsgInfo::default() };
            message::info(self.rcvid).unwrap_or(nobody)
        })
    }

    /// The structure at the start of the message.
    ///
    /// # Errors
    /// EBADMSG if the message is too short.
    pub fn header<T: FromBytes + KnownLayout + Immutable>(&self) -> Result<T, Errno> {
        T::read_from_prefix(self.bytes).map(|(header, _)| header).map_err(|_| Errno::EBADMSG)
    }

    /// `length` bytes of the message from `offset` on, wherever they are.
    ///
    /// # Errors
    /// EBADMSG if the message is shorter; EFAULT, ESRCH if the client is bad or gone.
    pub fn data(&self, offset: usize, length: usize) -> Result<Vec<u8>, Errno> {
        let end = offset.checked_add(length).ok_or(Errno::EBADMSG)?;
        if let Some(inline) = self.bytes.get(offset..end) {
            return Ok(Vec::from(inline));
        }
        if end as u64 > self.head.srcmsglen {
            return Err(Errno::EBADMSG);
        }
        let mut data = alloc::vec![0; length];
        let n = message::read(self.rcvid, &mut data, offset as u64)?;
        if n == length { Ok(data) } else { Err(Errno::EBADMSG) }
    }

    /// As [`Request::data`], without a copy if the server has received them already.
    ///
    /// # Errors
    /// As that.
    pub(crate) fn bytes_at(&self, offset: usize, length: usize) -> Result<Cow<'a, [u8]>, Errno> {
        match self.inline(offset, length) {
            Some(bytes) => Ok(Cow::Borrowed(bytes)),
            None => self.data(offset, length).map(Cow::Owned),
        }
    }

    /// As [`Request::data`], if the server has received them already.
    #[must_use]
    pub fn inline(&self, offset: usize, length: usize) -> Option<&'a [u8]> {
        self.bytes.get(offset..offset.checked_add(length)?)
    }

    /// For a read or write that is answered later: moves the file offset behind `bytes` now, if it
    /// is at that, as nobody else will.
    pub fn move_offset(&self, ocb: &mut Ocb, bytes: u64) {
        if self.header::<Transfer>().is_ok_and(|message| message.xtype == XTYPE_NONE) {
            ocb.offset = ocb.offset.saturating_add(bytes);
        }
    }

    /// Answers with bytes of a memory object: a few go with the reply, more straight into the
    /// client's memory. Returns how many.
    ///
    /// # Errors
    /// EBADF: no such object. EFAULT: the client's memory is bad. ESRCH: it is gone.
    pub fn reply_object(&mut self, object: u32, offset: u64, bytes: u64) -> Result<u64, Errno> {
        if bytes > WORDS_BYTES {
            return message::write_object(self.rcvid, 0, object, offset, bytes);
        }
        self.reply.clear();
        self.reply.resize(bytes as usize, 0);
        let read = neutrino_rt::manager::object_read(object, offset, &mut self.reply)?;
        self.reply.truncate(read);
        Ok(read as u64)
    }

    /// The client's credentials; asked for once.
    pub fn credentials(&self) -> &Credentials {
        self.credentials.get_or_init(|| {
            message::credentials(self.rcvid).unwrap_or(Credentials {
                ruid: self.info().euid,
                euid: self.info().euid,
                suid: self.info().euid,
                rgid: self.info().egid,
                egid: self.info().egid,
                sgid: self.info().egid,
                ..Credentials::default()
            })
        })
    }

    /// Checks the client's rights on a node ([`crate::attributes::right`]).
    ///
    /// # Errors
    /// EACCES.
    pub fn check(&self, attributes: &Attributes, rights: u32, flags: u32) -> Result<(), Errno> {
        // What everybody may needs no question who it is.
        if attributes.everybody_may(rights) {
            return Ok(());
        }
        if flags & FLAG_REAL_IDS != 0 {
            let ids = self.credentials();
            let who = self.identity(ids.ruid, ids.rgid, attributes);
            return check(attributes, &who, rights);
        }
        let (uid, gid) = (self.info().euid, self.info().egid);
        let simple = Identity { uid, gid, in_group: false };
        // Supplementary groups cost a kernel call: only where they can matter.
        if uid == 0 || uid == attributes.uid || gid == attributes.gid {
            return check(attributes, &simple, rights);
        }
        check(attributes, &self.identity(uid, gid, attributes), rights)
    }

    fn identity(&self, uid: u32, gid: u32, attributes: &Attributes) -> Identity {
        let ids = self.credentials();
        let count = (ids.group_count as usize).min(ids.groups.len());
        let in_group = ids.groups[..count].contains(&attributes.gid);
        Identity { uid, gid, in_group }
    }

    /// Whether the client is root or owns the node.
    #[must_use]
    pub fn owns(&self, attributes: &Attributes) -> bool {
        self.info().euid == 0 || self.info().euid == attributes.uid
    }
}

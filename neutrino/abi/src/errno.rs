//! Errors of kernel calls and messages: Linux x86-64's numbers (POSIX.1-2017 `<errno.h>`).

macro_rules! define_errno {
    ($($(#[doc = $doc:literal])+ $name:ident = $number:literal),+ $(,)?) => {
        /// Why a call failed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u16)]
        #[allow(clippy::upper_case_acronyms, reason = "these are the names that POSIX gives them")]
        pub enum Errno { $($(#[doc = $doc])+ $name = $number),+ }

        impl Errno {
            /// The error with this number, if there is one.
            #[must_use]
            #[inline]
            pub const fn from_number(number: u16) -> Option<Self> {
                match number { $($number => Some(Self::$name),)+ _ => None }
            }

            /// The name as C programs spell it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),+ }
            }
        }
    };
}

define_errno! {
    /// The operation is not permitted.
    EPERM = 1,
    /// There is no such file or directory.
    ENOENT = 2,
    /// There is no such process, thread or waiting client.
    ESRCH = 3,
    /// A signal interrupted the call.
    EINTR = 4,
    /// Input or output failed.
    EIO = 5,
    /// There is no such device or address.
    ENXIO = 6,
    /// The argument list is too long.
    E2BIG = 7,
    /// The file is not an executable this system can run.
    ENOEXEC = 8,
    /// The number names no open descriptor or handle.
    EBADF = 9,
    /// There is no child process.
    ECHILD = 10,
    /// A limit is reached or nothing is ready; try again.
    EAGAIN = 11,
    /// There is not enough memory.
    ENOMEM = 12,
    /// Permission is denied.
    EACCES = 13,
    /// The address is bad.
    EFAULT = 14,
    /// A block device is required.
    ENOTBLK = 15,
    /// The resource is in use.
    EBUSY = 16,
    /// The file exists.
    EEXIST = 17,
    /// The link would cross file systems.
    EXDEV = 18,
    /// There is no such device.
    ENODEV = 19,
    /// It is not a directory.
    ENOTDIR = 20,
    /// It is a directory.
    EISDIR = 21,
    /// An argument is invalid.
    EINVAL = 22,
    /// Too many files are open in the system.
    ENFILE = 23,
    /// The process has too many descriptors.
    EMFILE = 24,
    /// It is not a terminal, or the control request does not apply.
    ENOTTY = 25,
    /// The executable is in use.
    ETXTBSY = 26,
    /// The file is too large.
    EFBIG = 27,
    /// There is no space left.
    ENOSPC = 28,
    /// The descriptor cannot seek.
    ESPIPE = 29,
    /// The file system is read-only.
    EROFS = 30,
    /// There are too many links.
    EMLINK = 31,
    /// Nobody reads the pipe.
    EPIPE = 32,
    /// The argument is outside the function's domain.
    EDOM = 33,
    /// The result is too large.
    ERANGE = 34,
    /// The call would deadlock.
    EDEADLK = 35,
    /// The name is too long.
    ENAMETOOLONG = 36,
    /// No locks are available.
    ENOLCK = 37,
    /// There is no such call.
    ENOSYS = 38,
    /// The directory is not empty.
    ENOTEMPTY = 39,
    /// There are too many symbolic links.
    ELOOP = 40,
    /// There is no data of that kind.
    ENODATA = 61,
    /// The timer expired.
    ETIME = 62,
    /// The message is malformed.
    EBADMSG = 74,
    /// The value is too large for its type.
    EOVERFLOW = 75,
    /// It is not a socket.
    ENOTSOCK = 88,
    /// The message is too long.
    EMSGSIZE = 90,
    /// The socket there is of another type.
    EPROTOTYPE = 91,
    /// There is no such option.
    ENOPROTOOPT = 92,
    /// There is no such protocol.
    EPROTONOSUPPORT = 93,
    /// There is no such type of socket.
    ESOCKTNOSUPPORT = 94,
    /// The operation is not supported here.
    EOPNOTSUPP = 95,
    /// The address family is not supported.
    EAFNOSUPPORT = 97,
    /// The address is in use.
    EADDRINUSE = 98,
    /// The other side closed without reading everything.
    ECONNRESET = 104,
    /// There is no buffer space.
    ENOBUFS = 105,
    /// It is connected already.
    EISCONN = 106,
    /// It is not connected.
    ENOTCONN = 107,
    /// Too many descriptors are on their way.
    ETOOMANYREFS = 109,
    /// The time-out expired.
    ETIMEDOUT = 110,
    /// The connection was refused.
    ECONNREFUSED = 111,
    /// The operation is under way already.
    EALREADY = 114,
    /// The operation is now under way.
    EINPROGRESS = 115,
    /// The operation was cancelled.
    ECANCELED = 125,
    /// The previous owner died.
    EOWNERDEAD = 130,
    /// The state cannot be recovered.
    ENOTRECOVERABLE = 131,
    /// The call is to be sent again; never seen by a program.
    ERESTART = 512,
}

impl Errno {
    /// The positive number, as in C's `errno`.
    #[must_use]
    pub const fn number(self) -> u16 {
        self as u16
    }

    /// What a kernel call leaves in `rax` for this error: the number, negated.
    #[must_use]
    #[inline]
    pub const fn to_result(self) -> i64 {
        (self as i64).wrapping_neg()
    }

    /// Splits a call's result: a value, or the error that a number from -4095 to -1 stands for.
    ///
    /// # Errors
    /// The error in the result; [`Errno::EINVAL`] for a number that names none.
    #[inline(always)]
    pub fn split(result: i64) -> Result<i64, Self> {
        if !(-4095..0).contains(&result) {
            return Ok(result);
        }
        Err(Self::of_result(result))
    }

    #[cold]
    fn of_result(result: i64) -> Self {
        let number = u16::try_from(result.unsigned_abs()).unwrap_or(0);
        Self::from_number(number).unwrap_or(Self::EINVAL)
    }
}

impl core::fmt::Display for Errno {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}

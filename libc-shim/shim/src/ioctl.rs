//! `ioctl`: how many bytes each request moves, and in which direction.

use crate::block::{int, low};
use crate::copy;
use crate::dispatch::{Args, Caller};
use crate::open;
use crate::path::descriptor;
use crate::sys::{self, Errno, Outcome, part, user};
use io_msg::io::Devctl;
use io_msg::kind;
use io_msg::stat::open as flag;
use linux_raw_sys::ioctl as request;
use neutrino_abi::handle::COF_CLOEXEC;

/// What the argument of a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// A number.
    Value,
    /// The address of this many bytes that the server reads.
    In(u32),
    /// The address of this many bytes that the server writes.
    Out(u32),
    /// Both.
    InOut(u32),
}

const TERMIOS: u32 = 36;
const WINSIZE: u32 = 8;
const INT: u32 = 4;
const LONG: u32 = 8;
/// The geometry of a disk; its number is in no header that the crate has.
const HDIO_GETGEO: u32 = 0x0301;

/// Requests whose numbers do not tell their shape.
const SHAPES: [(u32, Shape); 38] = [
    (request::TCGETS, Shape::Out(TERMIOS)),
    (request::TCSETS, Shape::In(TERMIOS)),
    (request::TCSETSW, Shape::In(TERMIOS)),
    (request::TCSETSF, Shape::In(TERMIOS)),
    (request::TCGETA, Shape::Out(18)),
    (request::TCSETA, Shape::In(18)),
    (request::TCSETAW, Shape::In(18)),
    (request::TCSETAF, Shape::In(18)),
    (request::TCSBRK, Shape::Value),
    (request::TCSBRKP, Shape::Value),
    (request::TCXONC, Shape::Value),
    (request::TCFLSH, Shape::Value),
    (request::TIOCSBRK, Shape::Value),
    (request::TIOCCBRK, Shape::Value),
    (request::TIOCEXCL, Shape::Value),
    (request::TIOCNXCL, Shape::Value),
    (request::TIOCSCTTY, Shape::Value),
    (request::TIOCNOTTY, Shape::Value),
    (request::TIOCGPGRP, Shape::Out(INT)),
    (request::TIOCSPGRP, Shape::In(INT)),
    (request::TIOCGSID, Shape::Out(INT)),
    (request::TIOCOUTQ, Shape::Out(INT)),
    (request::FIONREAD, Shape::Out(INT)),
    (request::TIOCSTI, Shape::In(1)),
    (request::TIOCGWINSZ, Shape::Out(WINSIZE)),
    (request::TIOCSWINSZ, Shape::In(WINSIZE)),
    (request::TIOCMGET, Shape::Out(INT)),
    (request::TIOCMSET, Shape::In(INT)),
    (request::TIOCSETD, Shape::In(INT)),
    (request::BLKROGET, Shape::Out(INT)),
    (request::BLKGETSIZE, Shape::Out(LONG)),
    (request::BLKSSZGET, Shape::Out(INT)),
    (request::BLKPBSZGET, Shape::Out(INT)),
    (request::BLKIOMIN, Shape::Out(INT)),
    (request::BLKIOOPT, Shape::Out(INT)),
    (request::BLKALIGNOFF, Shape::Out(INT)),
    (request::BLKDISCARDZEROES, Shape::Out(INT)),
    (HDIO_GETGEO, Shape::Out(16)),
];

/// The shape of a request: from the table, or from its number as `_IOR`, `_IOW`, `_IOWR` make it.
fn shape(number: u32) -> Option<Shape> {
    const WRITE: u32 = 1;
    const READ: u32 = 2;
    if let Some((_, shape)) = SHAPES.iter().find(|(known, _)| *known == number) {
        return Some(*shape);
    }
    let size = number >> 16 & 0x3fff;
    match number >> 30 {
        WRITE => Some(Shape::In(size)),
        READ => Some(Shape::Out(size)),
        0 if number > 0xffff => None,
        0 => Some(Shape::Value),
        _ => Some(Shape::InOut(size)),
    }
}

/// `ioctl(fd, request, argument)`.
pub(crate) fn ioctl(caller: &mut Caller<'_>, [fd, number, argument, ..]: Args) -> Outcome {
    let coid = descriptor(fd)?;
    match low(number) {
        request::FIOCLEX => sys::connect_flags(coid, COF_CLOEXEC, COF_CLOEXEC).map(|_| 0),
        request::FIONCLEX => sys::connect_flags(coid, COF_CLOEXEC, 0).map(|_| 0),
        request::FIONBIO => {
            let is_on: i32 = copy::read(argument)?;
            let bits = if is_on != 0 { flag::NONBLOCK } else { 0 };
            open::change_flags(caller, coid, flag::NONBLOCK, bits).map(|_| 0)
        }
        request => devctl(caller, coid, request, argument),
    }
}

fn devctl(caller: &Caller<'_>, coid: u32, dcmd: u32, argument: u64) -> Outcome {
    let (sent, taken) = match shape(dcmd).ok_or(Errno::ENOTTY)? {
        Shape::Value => (0, 0),
        Shape::In(bytes) => (bytes, 0),
        Shape::Out(bytes) => (0, bytes),
        Shape::InOut(bytes) => (bytes, bytes),
    };
    let value = if sent == 0 && taken == 0 { argument } else { 0 };
    let message = Devctl {
        kind: kind::IO_DEVCTL,
        dcmd,
        argument: value,
        nbytes: sent,
        reply_max: taken,
        ..Devctl::default()
    };
    let parts = [part(&message), user(argument, u64::from(sent))];
    match caller.send(coid, &parts, &[user(argument, u64::from(taken))], None) {
        // A server that knows no device control at all.
        Err(Errno::ENOSYS) => Err(Errno::ENOTTY),
        Ok(status) => Ok(u64::from(int(status).cast_unsigned())),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_of_the_old_kind_are_in_the_table() {
        assert_eq!(shape(request::TIOCGWINSZ), Some(Shape::Out(8)));
        assert_eq!(shape(request::TCSETSW), Some(Shape::In(36)));
        assert_eq!(shape(request::TIOCSCTTY), Some(Shape::Value));
    }

    #[test]
    fn requests_of_the_new_kind_tell_their_shape() {
        assert_eq!(shape(request::TIOCGPTN), Some(Shape::Out(4)));
        assert_eq!(shape(request::TIOCSPTLCK), Some(Shape::In(4)));
    }
}

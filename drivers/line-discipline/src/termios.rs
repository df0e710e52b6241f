//! `struct termios` as Linux x86-64 lays it out (`TCGETS`).
//!
//! Values come from `linux-raw-sys`. Bits without a name here are kept as the program set them.

use bitflags::bitflags;
use linux_raw_sys::general as linux;

use crate::speed::speed_of;

/// Number of control characters in the kernel's `struct termios`.
const CONTROL_CHARACTERS: usize = linux::NCCS as usize;
/// The value that switches a control character off (`_POSIX_VDISABLE`).
const DISABLED: u8 = 0;

bitflags! {
    /// `c_iflag`: what happens to bytes from the device.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct InputFlags: u32 {
        /// A break is ignored.
        const IGNBRK = linux::IGNBRK;
        /// A break flushes and interrupts.
        const BRKINT = linux::BRKINT;
        /// Bytes with a parity error are dropped.
        const IGNPAR = linux::IGNPAR;
        /// Errors are marked with 0xff 0x00.
        const PARMRK = linux::PARMRK;
        /// Parity is checked.
        const INPCK = linux::INPCK;
        /// The eighth bit is cleared.
        const ISTRIP = linux::ISTRIP;
        /// Newline becomes carriage return.
        const INLCR = linux::INLCR;
        /// Carriage return is dropped.
        const IGNCR = linux::IGNCR;
        /// Carriage return becomes newline.
        const ICRNL = linux::ICRNL;
        /// Upper case becomes lower case (with `IEXTEN`).
        const IUCLC = linux::IUCLC;
        /// The stop and start characters hold and release output.
        const IXON = linux::IXON;
        /// Any byte releases held output.
        const IXANY = linux::IXANY;
        /// A full input queue sends the stop character.
        const IXOFF = linux::IXOFF;
        /// A full queue rings the bell.
        const IMAXBEL = linux::IMAXBEL;
        /// Input is UTF-8: erase removes whole characters.
        const IUTF8 = linux::IUTF8;
        const _ = !0;
    }

    /// `c_oflag`: what happens to bytes on their way to the device.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct OutputFlags: u32 {
        /// Output is processed at all.
        const OPOST = linux::OPOST;
        /// Lower case becomes upper case.
        const OLCUC = linux::OLCUC;
        /// Newline becomes carriage return and newline.
        const ONLCR = linux::ONLCR;
        /// Carriage return becomes newline.
        const OCRNL = linux::OCRNL;
        /// No carriage return is sent in column 0.
        const ONOCR = linux::ONOCR;
        /// Newline also returns the carriage.
        const ONLRET = linux::ONLRET;
        /// Tabs become spaces (both bits of `TABDLY`).
        const XTABS = linux::XTABS;
        const _ = !0;
    }

    /// `c_cflag`: the hardware.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct ControlFlags: u32 {
        /// The speed, and `CBAUDEX`.
        const CBAUD = linux::CBAUD;
        /// The speed is in `c_ospeed`.
        const BOTHER = linux::BOTHER;
        /// Six data bits (both with `CS7`: eight).
        const CS6 = linux::CS6;
        /// Seven data bits.
        const CS7 = linux::CS7;
        /// Two stop bits.
        const CSTOPB = linux::CSTOPB;
        /// The receiver is on.
        const CREAD = linux::CREAD;
        /// Parity is generated.
        const PARENB = linux::PARENB;
        /// Parity is odd.
        const PARODD = linux::PARODD;
        /// The last close hangs up.
        const HUPCL = linux::HUPCL;
        /// Modem lines are ignored.
        const CLOCAL = linux::CLOCAL;
        /// RTS and CTS hold the sender.
        const CRTSCTS = linux::CRTSCTS;
        const _ = !0;
    }

    /// `c_lflag`: the line discipline proper.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct LocalFlags: u32 {
        /// Control characters cause signals.
        const ISIG = linux::ISIG;
        /// Input is gathered into lines that can be edited.
        const ICANON = linux::ICANON;
        /// Input is echoed.
        const ECHO = linux::ECHO;
        /// Erase wipes the character from the screen.
        const ECHOE = linux::ECHOE;
        /// Kill is echoed, followed by a newline.
        const ECHOK = linux::ECHOK;
        /// Newline is echoed even without `ECHO`.
        const ECHONL = linux::ECHONL;
        /// Signals do not flush the queues.
        const NOFLSH = linux::NOFLSH;
        /// Background writers are stopped.
        const TOSTOP = linux::TOSTOP;
        /// Control characters are echoed as `^X`.
        const ECHOCTL = linux::ECHOCTL;
        /// Erased characters are printed between `\` and `/`.
        const ECHOPRT = linux::ECHOPRT;
        /// Kill wipes the line from the screen.
        const ECHOKE = linux::ECHOKE;
        /// `VWERASE`, `VLNEXT`, `VREPRINT` and `VEOL2` are known.
        const IEXTEN = linux::IEXTEN;
        /// Somebody else edits the lines.
        const EXTPROC = linux::EXTPROC;
        const _ = !0;
    }
}

/// A control character, by its index in `c_cc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Id {
    /// `VINTR`, ^C.
    Interrupt,
    /// `VQUIT`, ^\.
    Quit,
    /// `VERASE`, DEL.
    Erase,
    /// `VKILL`, ^U.
    Kill,
    /// `VEOF`, ^D.
    EndOfFile,
    /// `VTIME`: tenths of a second.
    Time,
    /// `VMIN`: bytes.
    Minimum,
    /// `VSTART`, ^Q.
    Start,
    /// `VSTOP`, ^S.
    Stop,
    /// `VSUSP`, ^Z.
    Suspend,
    /// `VEOL`.
    EndOfLine,
    /// `VREPRINT`, ^R.
    Reprint,
    /// `VWERASE`, ^W.
    WordErase,
    /// `VLNEXT`, ^V.
    LiteralNext,
    /// `VEOL2`.
    EndOfLine2,
}

impl Id {
    /// Gives the index in `c_cc`.
    #[must_use]
    pub const fn index(self) -> usize {
        (match self {
            Self::Interrupt => linux::VINTR,
            Self::Quit => linux::VQUIT,
            Self::Erase => linux::VERASE,
            Self::Kill => linux::VKILL,
            Self::EndOfFile => linux::VEOF,
            Self::Time => linux::VTIME,
            Self::Minimum => linux::VMIN,
            Self::Start => linux::VSTART,
            Self::Stop => linux::VSTOP,
            Self::Suspend => linux::VSUSP,
            Self::EndOfLine => linux::VEOL,
            Self::Reprint => linux::VREPRINT,
            Self::WordErase => linux::VWERASE,
            Self::LiteralNext => linux::VLNEXT,
            Self::EndOfLine2 => linux::VEOL2,
        }) as usize
    }
}

/// The settings of a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Termios {
    /// `c_iflag`.
    pub input: InputFlags,
    /// `c_oflag`.
    pub output: OutputFlags,
    /// `c_cflag`.
    pub control: ControlFlags,
    /// `c_lflag`.
    pub local: LocalFlags,
    /// `c_line`; only 0 (`N_TTY`) exists, the byte is kept.
    pub discipline: u8,
    /// `c_cc`.
    pub characters: [u8; CONTROL_CHARACTERS],
    /// Bits per second, input side.
    pub input_speed: u32,
    /// Bits per second, output side.
    pub output_speed: u32,
}

impl Termios {
    /// Bytes of `struct termios` (`TCGETS`).
    pub const SIZE: usize = 36;
    /// Bytes of `struct termios2` (`TCGETS2`).
    pub const SIZE2: usize = 44;

    /// Gives the character for `id`, or nothing if it is switched off.
    #[must_use]
    pub fn character(&self, id: Id) -> Option<u8> {
        self.characters.get(id.index()).copied().filter(|byte| *byte != DISABLED)
    }

    /// Tells if `byte` is the character for `id`; a character that is switched off matches nothing.
    #[must_use]
    pub fn is(&self, id: Id, byte: u8) -> bool {
        self.character(id) == Some(byte)
    }

    /// Gives `VMIN` or `VTIME` as the number it is.
    #[must_use]
    pub fn count(&self, id: Id) -> u8 {
        self.characters.get(id.index()).copied().unwrap_or(0)
    }

    /// Tells if lines are edited and delivered whole.
    #[must_use]
    pub fn is_canonical(&self) -> bool {
        self.local.contains(LocalFlags::ICANON) && !self.local.contains(LocalFlags::EXTPROC)
    }

    /// Lays the settings out as `struct termios`.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        let words = [self.input.bits(), self.output.bits(), self.control.bits(), self.local.bits()];
        let head = words.iter().flat_map(|word| word.to_le_bytes());
        let all = head.chain([self.discipline]).chain(self.characters);
        for (slot, byte) in bytes.iter_mut().zip(all) {
            *slot = byte;
        }
        bytes
    }

    /// Lays the settings out as `struct termios2`, which also tells the speeds.
    #[must_use]
    pub fn to_bytes2(&self) -> [u8; Self::SIZE2] {
        let mut bytes = [0; Self::SIZE2];
        let speeds = [self.input_speed, self.output_speed];
        let all = self.to_bytes().into_iter().chain(speeds.into_iter().flat_map(u32::to_le_bytes));
        for (slot, byte) in bytes.iter_mut().zip(all) {
            *slot = byte;
        }
        bytes
    }

    /// Reads `struct termios`; the speeds follow from `CBAUD`, or stay `old`'s.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; Self::SIZE], old: &Self) -> Self {
        let word = |at: usize| {
            let mut word = [0; 4];
            for (slot, byte) in word.iter_mut().zip(bytes.iter().skip(at)) {
                *slot = *byte;
            }
            u32::from_le_bytes(word)
        };
        let mut characters = [0; CONTROL_CHARACTERS];
        for (slot, byte) in characters.iter_mut().zip(bytes.iter().skip(17)) {
            *slot = *byte;
        }
        let control = ControlFlags::from_bits_retain(word(8));
        let speed = speed_of(control).unwrap_or(old.output_speed);
        Self {
            input: InputFlags::from_bits_retain(word(0)),
            output: OutputFlags::from_bits_retain(word(4)),
            control,
            local: LocalFlags::from_bits_retain(word(12)),
            discipline: bytes[16],
            characters,
            input_speed: speed,
            output_speed: speed,
        }
    }

    /// Reads `struct termios2`: with `BOTHER` the speed is the number in it.
    #[must_use]
    pub fn from_bytes2(bytes: &[u8; Self::SIZE2], old: &Self) -> Self {
        let mut head = [0; Self::SIZE];
        for (slot, byte) in head.iter_mut().zip(bytes) {
            *slot = *byte;
        }
        let mut new = Self::from_bytes(&head, old);
        if speed_of(new.control).is_none() {
            let speed = u32::from_le_bytes([bytes[40], bytes[41], bytes[42], bytes[43]]);
            new.input_speed = speed;
            new.output_speed = speed;
        }
        new
    }
}

impl Default for Termios {
    /// What Linux gives a fresh terminal (`tty_std_termios`): 38,400 baud, 8 bits, cooked.
    fn default() -> Self {
        let mut characters = [0; CONTROL_CHARACTERS];
        let defaults = [
            (Id::Interrupt, 3),
            (Id::Quit, 28),
            (Id::Erase, 127),
            (Id::Kill, 21),
            (Id::EndOfFile, 4),
            (Id::Minimum, 1),
            (Id::Start, 17),
            (Id::Stop, 19),
            (Id::Suspend, 26),
            (Id::Reprint, 18),
            (Id::WordErase, 23),
            (Id::LiteralNext, 22),
        ];
        for (id, byte) in defaults {
            if let Some(slot) = characters.get_mut(id.index()) {
                *slot = byte;
            }
        }
        Self {
            input: InputFlags::ICRNL | InputFlags::IXON,
            output: OutputFlags::OPOST | OutputFlags::ONLCR,
            control: ControlFlags::from_bits_retain(linux::B38400 | linux::CS8)
                | ControlFlags::CREAD
                | ControlFlags::HUPCL,
            local: LocalFlags::ISIG
                | LocalFlags::ICANON
                | LocalFlags::ECHO
                | LocalFlags::ECHOE
                | LocalFlags::ECHOK
                | LocalFlags::ECHOCTL
                | LocalFlags::ECHOKE
                | LocalFlags::IEXTEN,
            discipline: 0,
            characters,
            input_speed: 38_400,
            output_speed: 38_400,
        }
    }
}

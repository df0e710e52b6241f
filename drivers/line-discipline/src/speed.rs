//! Speeds and their names in `c_cflag`.

use linux_raw_sys::general as linux;

use crate::ControlFlags;

/// The speeds that `CBAUD` can name, in bits per second.
const SPEEDS: [(u32, u32); 31] = [
    (linux::B0, 0),
    (linux::B50, 50),
    (linux::B75, 75),
    (linux::B110, 110),
    (linux::B134, 134),
    (linux::B150, 150),
    (linux::B200, 200),
    (linux::B300, 300),
    (linux::B600, 600),
    (linux::B1200, 1_200),
    (linux::B1800, 1_800),
    (linux::B2400, 2_400),
    (linux::B4800, 4_800),
    (linux::B9600, 9_600),
    (linux::B19200, 19_200),
    (linux::B38400, 38_400),
    (linux::B57600, 57_600),
    (linux::B115200, 115_200),
    (linux::B230400, 230_400),
    (linux::B460800, 460_800),
    (linux::B500000, 500_000),
    (linux::B576000, 576_000),
    (linux::B921600, 921_600),
    (linux::B1000000, 1_000_000),
    (linux::B1152000, 1_152_000),
    (linux::B1500000, 1_500_000),
    (linux::B2000000, 2_000_000),
    (linux::B2500000, 2_500_000),
    (linux::B3000000, 3_000_000),
    (linux::B3500000, 3_500_000),
    (linux::B4000000, 4_000_000),
];

/// Gives the speed that `CBAUD` names; `BOTHER` names none.
pub(crate) fn speed_of(control: ControlFlags) -> Option<u32> {
    let code = (control & ControlFlags::CBAUD).bits();
    SPEEDS.iter().find(|(known, _)| *known == code).map(|(_, speed)| *speed)
}

impl ControlFlags {
    /// Sets the speed to `speed` bits per second, by name where it has one.
    #[must_use]
    pub fn with_speed(self, speed: u32) -> Self {
        let code = SPEEDS.iter().find(|(_, known)| *known == speed).map(|(code, _)| *code);
        (self - Self::CBAUD) | Self::from_bits_retain(code.unwrap_or(linux::BOTHER))
    }
}

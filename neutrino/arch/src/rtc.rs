//! Wall-clock time at boot, out of the PC's real-time clock (UTC).

use x86_64::instructions::port::Port;

const INDEX: u16 = 0x70;
const DATA: u16 = 0x71;
const STATUS_A: u8 = 0x0a;
const STATUS_B: u8 = 0x0b;
const UPDATE_IN_PROGRESS: u8 = 0x80;
const IS_BINARY: u8 = 4;
const IS_24_HOURS: u8 = 2;
/// Polls before a clock that never settles is given up.
const PATIENCE: u32 = 100_000;

fn register(index: u8) -> u8 {
    // SAFETY: selects a CMOS register, with NMIs left on.
    unsafe { Port::<u8>::new(INDEX).write(index) };
    // SAFETY: reading the registers that this module names has no effect.
    unsafe { Port::<u8>::new(DATA).read() }
}

fn raw() -> [u8; 6] {
    // Bound: PATIENCE.
    for _ in 0..PATIENCE {
        if register(STATUS_A) & UPDATE_IN_PROGRESS == 0 {
            break;
        }
    }
    [0, 2, 4, 7, 8, 9].map(register)
}

/// Seconds since 1970.
pub(crate) fn read() -> i64 {
    let mut fields = raw();
    // Bound: two updates of the clock do not follow at once.
    for _ in 0..4 {
        let again = raw();
        if core::mem::replace(&mut fields, again) == again {
            break;
        }
    }
    let mode = register(STATUS_B);
    let number = |raw: u8| {
        let raw = i64::from(raw);
        if mode & IS_BINARY == 0 { raw / 16 * 10 + raw % 16 } else { raw }
    };
    let [second, minute, hour, day, month, year] = fields;
    let is_afternoon = mode & IS_24_HOURS == 0 && hour & 0x80 != 0;
    let hour = number(hour & 0x7f);
    let hour = if mode & IS_24_HOURS == 0 { hour % 12 } else { hour };
    let hour = if is_afternoon { hour + 12 } else { hour };
    let days = days(2000 + number(year), number(month), number(day));
    ((days * 24 + hour) * 60 + number(minute)) * 60 + number(second)
}

/// Days from 1970-01-01 to a date.
fn days(year: i64, month: i64, day: i64) -> i64 {
    // A year that begins in March has its leap day at the end.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 719_469
}

#[cfg(test)]
mod tests {
    use super::days;

    #[test]
    fn days_count_from_1970() {
        assert_eq!(days(1970, 1, 1), 0);
        assert_eq!(days(2000, 2, 29), 11_016);
        assert_eq!(days(2000, 3, 1), 11_017);
        assert_eq!(days(2024, 1, 1), 19_723);
    }
}

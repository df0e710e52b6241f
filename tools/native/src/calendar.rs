//! From what an MC146818 real-time clock shows to seconds since 1970.

/// Its registers, as read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Second.
    pub second: u8,
    /// Minute.
    pub minute: u8,
    /// Hour; bit 7 is "afternoon" in 12-hour mode.
    pub hour: u8,
    /// Day of the month, from 1.
    pub day: u8,
    /// Month, from 1.
    pub month: u8,
    /// Year of the century; before 70 it is of the 2000s.
    pub year: u8,
    /// Status register B: bit 1 is 24-hour mode, bit 2 is binary.
    pub status_b: u8,
}

const HOURS_24: u8 = 0x02;
const BINARY: u8 = 0x04;
const AFTERNOON: u8 = 0x80;

/// Seconds since 1970; `None` if the registers show no date.
#[must_use]
pub fn seconds(reading: &Reading) -> Option<u64> {
    let plain = |value: u8| {
        let (tens, ones) = (value >> 4, value & 15);
        let decimal = if reading.status_b & BINARY != 0 { value } else { tens * 10 + ones };
        u64::from(decimal)
    };
    let mut hour = plain(reading.hour & !AFTERNOON);
    if reading.status_b & HOURS_24 == 0 {
        hour = hour % 12 + if reading.hour & AFTERNOON != 0 { 12 } else { 0 };
    }
    let (day, month) = (plain(reading.day), plain(reading.month));
    let year = plain(reading.year);
    let year = if year < 70 { 2000 + year } else { 1900 + year };
    let is_date = (1..=31).contains(&day) && (1..=12).contains(&month) && hour < 24;
    let days = days_before(year, month) + day.checked_sub(1)?;
    let time = hour * 3600 + plain(reading.minute) * 60 + plain(reading.second);
    is_date.then_some(days * 86_400 + time)
}

/// Days from 1970 to the first of a month (Gregorian calendar).
fn days_before(year: u64, month: u64) -> u64 {
    const BEFORE: [u64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let past = year - 1;
    let leap_days = past / 4 - past / 100 + past / 400 - (1969 / 4 - 1969 / 100 + 1969 / 400);
    let is_leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    let index = usize::try_from(month).unwrap_or(1).saturating_sub(1);
    let in_year = BEFORE.get(index).copied().unwrap_or(0);
    (year - 1970) * 365 + leap_days + in_year + u64::from(is_leap && month > 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_in_decimal_digits_is_a_time() {
        let reading = Reading {
            second: 0x09,
            minute: 0x46,
            hour: 0x01,
            day: 0x09,
            month: 0x09,
            year: 0x01,
            status_b: HOURS_24,
        };
        assert_eq!(seconds(&reading), Some(999_999_969 + 1_000_000_000 - 999_999_969 - 31));
    }

    #[test]
    fn leap_years_have_their_day() {
        let at = |year, month, day| {
            let status_b = HOURS_24 | BINARY;
            seconds(&Reading { day, month, year, status_b, ..Reading::default() })
        };
        assert_eq!(at(24, 3, 1), Some(1_709_251_200));
        assert_eq!(at(0, 3, 1), Some(951_868_800));
        assert_eq!(at(70, 1, 1), Some(0));
    }

    #[test]
    fn noon_in_12_hour_mode_is_12() {
        let reading = Reading { hour: 0x92, day: 1, month: 1, year: 0x70, ..Reading::default() };
        assert_eq!(seconds(&reading), Some(12 * 3600));
    }

    #[test]
    fn registers_that_show_no_date_are_refused() {
        assert_eq!(seconds(&Reading { status_b: BINARY, ..Reading::default() }), None);
    }
}

//! Times as people write and read them.

/// Nanoseconds of a time like `2ms`, `1.5ms`, `100us`, `250ns`.
///
/// # Errors
/// A sentence that says what would be right.
pub fn time(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let number: Option<f64> = text[..text.len() - unit.len()].parse().ok();
    let factor = match unit.trim() {
        "ns" => Some(1.0),
        "us" => Some(1e3),
        "ms" => Some(1e6),
        "s" => Some(1e9),
        _ => None,
    };
    match (number, factor) {
        (Some(number), Some(factor)) => Ok((number * factor).round() as u64),
        (None, _) | (_, None) => {
            Err(format!("`{text}` is no time; write a number and ns, us, ms or s, as in 2ms"))
        }
    }
}

/// A sum of times, each perhaps with a factor: `2ms + 3 * 100us`.
///
/// # Errors
/// As [`time`].
pub fn sum(text: &str) -> Result<u64, String> {
    let mut sum = 0;
    for part in text.split('+') {
        sum += match part.split_once('*') {
            None => time(part)?,
            Some((factor, rest)) => {
                let factor: u64 = factor.trim().parse().map_err(|_| {
                    format!("`{}` is no factor; write a whole number, as in 3 * 2ms", factor.trim())
                })?;
                factor * time(rest)?
            }
        };
    }
    Ok(sum)
}

/// A time for people: instructions, since one takes a nanosecond.
#[must_use]
pub fn instructions(ns: u64) -> String {
    let digits = ns.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units_and_sums_have_factors() {
        assert_eq!(time("1.5ms"), Ok(1_500_000));
        assert_eq!(sum("2ms + 3 * 100us"), Ok(2_300_000));
        assert!(time("2").unwrap_err().contains("as in 2ms"));
        assert!(time("ms").is_err());
        assert!(sum("x * 2ms").is_err());
    }

    #[test]
    fn instructions_are_grouped_by_three() {
        assert_eq!(instructions(1_234_567), "1,234,567");
        assert_eq!(instructions(12), "12");
    }
}

//! Times as subtitle files write them.

use tempograph_core::MediaTime;

/// `[H…:]M:S` with a fraction after `.` or `,`; hours may be left out when `hours` does not ask
/// for them. Digits need no padding, minutes and seconds stay below 60, the fraction is decimal.
pub(super) fn parse(text: &str, hours: bool) -> Option<MediaTime> {
    let (whole, fraction) = text.split_once(['.', ','])?;
    let mut parts = whole.rsplit(':');
    let seconds = number(parts.next()?, 2).filter(|s| *s < 60)?;
    let minutes = number(parts.next()?, 2).filter(|m| *m < 60)?;
    let hour = match parts.next() {
        Some(h) => number(h, 6)?,
        None if hours => return None,
        None => 0,
    };
    if parts.next().is_some() {
        return None;
    }
    let fraction_nanos = number(fraction, 9)? * 10_i64.pow(9 - fraction.len() as u32);
    Some(MediaTime::from_nanos(((hour * 60 + minutes) * 60 + seconds) * 1_000_000_000 + fraction_nanos))
}

fn number(digits: &str, most: usize) -> Option<i64> {
    let sound = (1..=most).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    sound.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_one_time() {
        let time = Some(MediaTime::from_millis(3_723_040));
        for text in ["01:02:03,040", "1:2:3.04", "001:02:03.040000"] {
            assert_eq!(parse(text, true), time, "{text}");
        }
        assert_eq!(parse("02:03.040", false), Some(MediaTime::from_millis(123_040)));
        for text in [
            "02:03.040",
            "00:00:11:890",
            "00:00:1d.890",
            "00:00:01",
            "00:60:00,000",
            "-1:00:00,0",
            "",
            ":::,",
            "9999999:00:00,0",
        ] {
            assert_eq!(parse(text, true), None, "{text}");
        }
    }
}

//! Quantities as people write them: `45s`, `512 MiB`, `80%`, `5 per minute`, `2027-03-31`.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use crate::at::At;
use crate::report::Report;

/// Splits `30m` or `512 MiB` into a number above zero and a unit.
fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let number = text.get(..end)?.parse().ok().filter(|n| *n > 0)?;
    Some((number, text.get(end..)?.trim_start()))
}

/// `500ms`, `45s`, `30m`, `2h`, `7d`, in milliseconds.
pub(crate) fn length_ms(text: &str) -> Option<u64> {
    let (number, unit) = number_and_unit(text)?;
    let each = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(each)
}

/// `512 MiB`, in bytes.
pub(crate) fn bytes(text: &str) -> Option<u64> {
    let (number, unit) = number_and_unit(text)?;
    let shift = match unit {
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        _ => return None,
    };
    number.checked_mul(1 << shift)
}

/// `80%`, between 1 and 100.
pub(crate) fn percent(text: &str) -> Option<u64> {
    number_and_unit(text).filter(|(number, unit)| *number <= 100 && *unit == "%").map(|(number, _)| number)
}

/// `5 per minute`.
pub(crate) fn per_minute(text: &str) -> Option<u32> {
    let (number, unit) = number_and_unit(text)?;
    u32::try_from(number).ok().filter(|_| unit == "per minute")
}

/// A moment with its offset, or a date: the beginning of that day in the tenant's time zone.
pub(crate) fn moment(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Some(moment);
    }
    // Jiff reads a date out of a longer text too; only a bare date is meant here.
    let date: Date = text.parse().ok().filter(|date: &Date| date.to_string() == text)?;
    date.to_zoned(zone.clone()).ok().map(|day: Zoned| day.timestamp())
}

impl Report<'_> {
    /// Reads a length of time, in milliseconds.
    pub fn length_ms(&mut self, at: &At<String>) -> Option<u64> {
        let help = "write a whole number and a unit: `500ms`, `45s`, `30m`, `2h`, `7d`";
        self.read(at, length_ms, "a length of time", help)
    }

    /// Reads a length of time in whole seconds.
    pub fn length_secs(&mut self, at: &At<String>) -> Option<u64> {
        let whole = |text: &str| length_ms(text).filter(|ms| ms.is_multiple_of(1_000)).map(|ms| ms / 1_000);
        let help = "write a whole number and a unit: `45s`, `30m`, `2h`, `7d`";
        self.read(at, whole, "a length of time in whole seconds", help)
    }

    /// Reads a moment or the beginning of a day.
    pub fn moment(&mut self, at: &At<String>, zone: &TimeZone) -> Option<Timestamp> {
        self.read(at, |text| moment(text, zone), "a date or time", "write `2027-03-31` or `2027-03-31T18:00:00Z`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_read_like_words() {
        assert_eq!(length_ms("30m"), Some(1_800_000));
        assert_eq!(length_ms("7 d"), Some(604_800_000));
        assert_eq!(bytes("512 MiB"), Some(536_870_912));
        assert_eq!(percent("80%"), Some(80));
        assert_eq!(per_minute("5 per minute"), Some(5));
        for bad in ["", "30", "m", "0s", "-1s", "1.5h", "30 minutes", "99999999999999999999d", "9999999999999999d"] {
            assert_eq!(length_ms(bad), None, "{bad}");
        }
        assert_eq!((percent("101%"), bytes("1 MB"), per_minute("5 per hour")), (None, None, None));
    }

    #[test]
    fn a_date_is_where_its_day_begins() {
        let zone = TimeZone::get("Europe/Berlin").expect("zone");
        let at = |text| moment(text, &zone).map(|moment| moment.to_string());
        assert_eq!(at("2027-03-31").as_deref(), Some("2027-03-30T22:00:00Z"));
        assert_eq!(at("2027-03-31T12:00:00Z").as_deref(), Some("2027-03-31T12:00:00Z"));
        for bad in ["2027-02-30", "2027-03-31T12:00:00", "31.3.2027", "20270331", "tomorrow"] {
            assert_eq!(at(bad), None, "{bad}");
        }
    }
}

//! Times as records state them: RFC 3339 in UTC with milliseconds, one spelling for each. Knows no clock.

const DAY_MS: i64 = 86_400_000;

/// Reads `2026-11-21T10:00:00.000Z` and nothing else: milliseconds since 1970.
pub(crate) fn parse(text: &str) -> Option<i64> {
    let shape = text.len() == 24
        && text.bytes().zip("0000-00-00T00:00:00.000Z".bytes()).all(|(byte, form)| match form {
            b'0' => byte.is_ascii_digit(),
            _ => byte == form,
        });
    let part = |from: usize, to: usize| text.get(from..to).filter(|_| shape)?.parse::<i64>().ok();
    let (year, month, day) = (part(0, 4)?, part(5, 7)?, part(8, 10)?);
    let (hour, minute, second, ms) = (part(11, 13)?, part(14, 16)?, part(17, 19)?, part(20, 23)?);
    let at = days(year, month, day) * DAY_MS + ((hour * 60 + minute) * 60 + second) * 1000 + ms;
    // A day that does not exist, or a second 60, comes back as another text.
    (print(at) == text).then_some(at)
}

/// Writes a time, given in milliseconds since 1970.
pub(crate) fn print(ms: i64) -> String {
    let (days, rest) = (ms.div_euclid(DAY_MS), ms.rem_euclid(DAY_MS));
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", rest % 1000)
}

/// Days from 1970-01-01 in the Gregorian calendar; years begin in March, so that leap days come last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let of_era = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * of_era + of_era / 4 - of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_one_spelling() {
        for (text, at) in [
            ("1970-01-01T00:00:00.000Z", 0),
            ("2000-02-29T23:59:59.999Z", 951_868_799_999),
            ("2026-11-21T10:00:00.000Z", 1_795_255_200_000),
        ] {
            assert_eq!((parse(text), print(at)), (Some(at), text.to_owned()));
        }
        for text in [
            "2026-02-29T00:00:00.000Z",
            "2026-11-21T10:00:60.000Z",
            "2026-11-21T24:00:00.000Z",
            "2026-00-01T00:00:00.000Z",
            "2026-11-21T10:00:00Z",
            "2026-11-21t10:00:00.000Z",
            "2026-11-21T10:00:00.000+00:00",
            "",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}

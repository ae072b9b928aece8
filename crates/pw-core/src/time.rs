//! Times as reports carry them: RFC 3339 in UTC beside whole seconds.

use jiff::{SignedDuration, Timestamp};

/// Seconds since 1970, as git keeps them; worker clocks can be wrong, so any value is possible.
pub type Seconds = i64;

/// Returns `2026-01-31T12:00:00Z`; the nearest time there is when `at` is out of all range.
pub fn rfc3339(at: Seconds) -> String {
    let nearest = if at < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_second(at).unwrap_or(nearest).to_string()
}

/// Reads a time such as `2026-01-31T12:00:00.250Z`.
pub fn parse_rfc3339(text: &str) -> Option<Seconds> {
    text.parse::<Timestamp>().ok().map(Timestamp::as_second)
}

/// Returns a duration for people, `1h 5m`.
pub fn human(seconds: Seconds) -> String {
    let rounded = if seconds >= 3600 { seconds - seconds % 60 } else { seconds };
    format!("{:#}", SignedDuration::from_secs(rounded))
}

/// Returns a duration to compare with others: whole minutes from ten minutes on.
pub fn about(seconds: Seconds) -> String {
    human(if seconds >= 600 { (seconds + 30) / 60 * 60 } else { seconds })
}

/// Reads a duration as people write it, `90s`, `30m`, `1h 5m`; it must not be negative.
pub fn parse_human(text: &str) -> Result<Seconds, String> {
    let duration = text.parse::<SignedDuration>().ok().filter(|duration| !duration.is_negative());
    duration.map(|d| d.as_secs()).ok_or_else(|| "write a duration like 90s, 30m or 1h".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_commit_date_is_shown() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(4_985_000_000), "2127-12-20T18:13:20Z");
        assert!(rfc3339(i64::MAX).starts_with("9999"));
        assert_eq!(human(3_905), "1h 5m");
        assert_eq!((about(1_798), about(599)), ("30m".to_owned(), "9m 59s".to_owned()));
        assert_eq!(parse_rfc3339("2127-12-20T18:13:20.9Z"), Some(4_985_000_000));
        assert_eq!(parse_rfc3339("yesterday"), None);
    }

    #[test]
    fn durations_are_read_as_they_are_shown() {
        for seconds in [0, 45, 1_800, 3_900, 90_000] {
            assert_eq!(parse_human(&human(seconds)), Ok(seconds));
        }
        for bad in ["", "5", "-5m", "soon"] {
            assert!(parse_human(bad).is_err(), "{bad}");
        }
    }
}

//! Dates: what an object of PHP's `DateTime` family says, as RFC 3339.
//!
//! Owns which objects are dates and what their zones mean. Never guesses: a zone that is not known, or an
//! offset or year that RFC 3339 cannot write, leaves the object as it is. Counterpart in PHP:
//! `DateTimeInterface::format('Y-m-d\TH:i:s.uP')`.

use chrono::{
    DateTime, Datelike, FixedOffset, MappedLocalTime, NaiveDateTime, Offset, SecondsFormat, TimeZone,
};
use chrono_tz::Tz;

use super::object::Object;
use super::value::Value;

/// Classes whose objects are dates even where they carry more than the three properties, by their last name.
const CLASSES: [&str; 4] = ["DateTime", "DateTimeImmutable", "Carbon", "CarbonImmutable"];

/// The abbreviations that mean one offset wherever mail is read (RFC 2822), and to PHP.
const ABBREVIATIONS: [(&str, i32); 11] = [
    ("UTC", 0),
    ("GMT", 0),
    ("Z", 0),
    ("EST", -5),
    ("EDT", -4),
    ("CST", -6),
    ("CDT", -5),
    ("MST", -7),
    ("MDT", -6),
    ("PST", -8),
    ("PDT", -7),
];

/// `2026-11-20T10:00:00.000000+01:00`; `None` where the object is no date, or none that can be told.
///
/// Of a local time that a change of the clocks makes come twice PHP takes the second east of Greenwich and the
/// first west of it, and so does this.
pub(super) fn rfc3339(object: &Object) -> Option<String> {
    let class = String::from_utf8_lossy(object.class());
    let last = class.rsplit('\\').next().unwrap_or_default();
    if object.properties().len() != 3 && !CLASSES.iter().any(|known| known.eq_ignore_ascii_case(last)) {
        return None;
    }
    let text = |name| object.get(name).and_then(Value::as_str);
    let (date, zone) = (text("date")?, text("timezone")?);
    let local = NaiveDateTime::parse_from_str(date, "%Y-%m-%d %H:%M:%S%.f").ok()?;
    if local.format("%Y-%m-%d %H:%M:%S%.6f").to_string() != date {
        return None;
    }
    let date = match object.get("timezone_type").and_then(Value::as_int)? {
        1 => at(zone.parse::<FixedOffset>().ok()?, &local)?,
        2 => {
            let (_, hours) = ABBREVIATIONS.iter().find(|(name, _)| name.eq_ignore_ascii_case(zone))?;
            at(FixedOffset::east_opt(hours * 3600)?, &local)?
        }
        3 => at(zone.parse::<Tz>().ok()?, &local)?,
        _ => return None,
    };
    let can_be_written = (0..=9999).contains(&date.year()) && date.offset().local_minus_utc() % 60 == 0;
    can_be_written.then(|| date.to_rfc3339_opts(SecondsFormat::Micros, false))
}

fn at<Z: TimeZone>(zone: Z, local: &NaiveDateTime) -> Option<DateTime<FixedOffset>> {
    let offset = match zone.offset_from_local_datetime(local) {
        MappedLocalTime::Single(offset) => offset,
        MappedLocalTime::Ambiguous(..) => zone.offset_from_utc_datetime(local),
        MappedLocalTime::None => return None,
    };
    offset.fix().from_local_datetime(local).single()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::php::Array;

    fn shown(class: &str, date: &str, kind: i64, zone: &str) -> Option<String> {
        let mut properties = Array::new();
        properties.push("date", date);
        properties.push("timezone_type", kind);
        properties.push("timezone", zone);
        rfc3339(&Object::new(class, properties))
    }

    #[test]
    fn dates_are_told_with_the_offset_their_zone_has_then() {
        // Each by (new DateTime(...))->format('Y-m-d\TH:i:s.uP') on PHP 8.2.
        for (date, kind, zone, expected) in [
            ("2026-11-20 10:00:00.000000", 3, "UTC", "2026-11-20T10:00:00.000000+00:00"),
            ("2026-07-20 10:00:00.000001", 3, "Europe/Berlin", "2026-07-20T10:00:00.000001+02:00"),
            ("2026-10-25 02:30:00.000000", 3, "Europe/Berlin", "2026-10-25T02:30:00.000000+01:00"),
            ("2026-11-01 01:30:00.000000", 3, "America/New_York", "2026-11-01T01:30:00.000000-04:00"),
            ("2026-04-05 01:45:00.000000", 3, "Australia/Lord_Howe", "2026-04-05T01:45:00.000000+10:30"),
            ("2026-07-20 10:00:00.000000", 1, "-03:30", "2026-07-20T10:00:00.000000-03:30"),
            ("2026-07-20 10:00:00.000000", 2, "EDT", "2026-07-20T10:00:00.000000-04:00"),
            ("0001-01-01 00:00:00.000000", 3, "UTC", "0001-01-01T00:00:00.000000+00:00"),
        ] {
            assert_eq!(shown("Carbon\\Carbon", date, kind, zone).as_deref(), Some(expected), "{date} {zone}");
        }
        assert!(shown("App\\OwnDate", "2026-07-20 10:00:00.000000", 3, "UTC").is_some());
    }

    #[test]
    fn what_cannot_be_told_is_no_date() {
        for (date, kind, zone) in [
            ("2026-07-20 10:00:00.000000", 3, "Mars/Olympus"),
            ("2026-07-20 10:00:00.000000", 2, "XYZ"),
            ("2026-07-20 10:00:00.000000", 4, "UTC"),
            ("2026-07-20 10:00:00", 3, "UTC"),
            ("-0001-11-30 00:00:00.000000", 3, "UTC"),
            ("12026-11-30 00:00:00.000000", 3, "UTC"),
            ("1890-01-01 00:00:00.000000", 3, "Europe/Berlin"),
            ("soon", 3, "UTC"),
        ] {
            assert_eq!(shown("DateTime", date, kind, zone), None, "{date} {zone}");
        }
        let mut more = Array::new();
        for name in ["date", "timezone_type", "timezone", "title"] {
            more.push(name, "2026-07-20 10:00:00.000000");
        }
        assert_eq!(rfc3339(&Object::new("App\\Concert", more)), None);
    }
}

//! The time zone of a free/busy request, which is defined by its offset rules and not by a name.

use chrono::{DateTime, Datelike as _, Duration, NaiveDate, NaiveDateTime, NaiveTime, Utc, Weekday};
use domain::Timestamp;

use super::{
    failure::Failure,
    xml::{Element, TYPES},
};

/// A time zone: the minutes to add to a local time to get UTC, and when they change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneBias {
    minutes: i64,
    standard: Rule,
    daylight: Rule,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    /// Minutes added to the time zone's base offset while this rule applies.
    minutes: i64,
    time: NaiveTime,
    /// Which occurrence of the weekday in the month, 1 to 4; 5 means the last one.
    order: u32,
    month: u32,
    day: Weekday,
}

impl ZoneBias {
    /// Parses `t:TimeZone`.
    pub fn parse(zone: &Element) -> Result<Self, Failure> {
        let bad = || Failure::new("ErrorInvalidTimeZone", "The time zone of the request cannot be used.");
        let minutes = |of: &Element| of.child_text("Bias").and_then(|text| text.parse().ok());
        let rule = |name: &str| {
            let rule = zone.child(TYPES, name)?;
            Some(Rule {
                minutes: minutes(rule)?,
                time: rule.child_text("Time")?.parse().ok()?,
                order: rule.child_text("DayOrder")?.parse().ok().filter(|order| (1..=5).contains(order))?,
                month: rule.child_text("Month")?.parse().ok().filter(|month| (1..=12).contains(month))?,
                day: rule.child_text("DayOfWeek")?.parse().ok()?,
            })
        };
        let whole = || {
            Some(Self {
                minutes: minutes(zone)?,
                standard: rule("StandardTime")?,
                daylight: rule("DaylightTime")?,
            })
        };
        whole().ok_or_else(bad)
    }

    /// Parses a time with an offset or, without one, in this zone.
    pub fn parse_instant(&self, text: &str) -> Option<Timestamp> {
        if let Ok(at) = DateTime::parse_from_rfc3339(text) {
            return Some(at.with_timezone(&Utc));
        }
        let local: NaiveDateTime = text.parse().ok()?;
        Some((local + Duration::minutes(self.minutes_at(local))).and_utc())
    }

    /// Formats a local time without an offset.
    pub fn format_local(&self, at: Timestamp) -> String {
        let utc = at.naive_utc();
        // The rules are told in local time: standard time is tried first.
        let guess = utc - Duration::minutes(self.minutes + self.standard.minutes);
        let local = utc - Duration::minutes(self.minutes_at(guess));
        local.format("%Y-%m-%dT%H:%M:%S").to_string()
    }

    fn minutes_at(&self, local: NaiveDateTime) -> i64 {
        let (standard, daylight) = (self.standard.at(local.year()), self.daylight.at(local.year()));
        let is_daylight = match (standard, daylight) {
            (Some(standard), Some(daylight)) if daylight < standard => local >= daylight && local < standard,
            (Some(standard), Some(daylight)) => local >= daylight || local < standard,
            _ => false,
        };
        self.minutes + if is_daylight { self.daylight.minutes } else { self.standard.minutes }
    }
}

impl Rule {
    fn at(&self, year: i32) -> Option<NaiveDateTime> {
        let nth = |n| NaiveDate::from_weekday_of_month_opt(year, self.month, self.day, n);
        let day = if self.order == 5 { nth(5).or_else(|| nth(4)) } else { nth(self.order as u8) };
        day.map(|day| day.and_time(self.time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summer_time_begins_and_ends_by_the_rules_of_the_request() {
        let rule = |minutes: i64, hour: &str, month: u32| {
            format!(
                "<Bias>{minutes}</Bias><Time>{hour}:00:00</Time><DayOrder>5</DayOrder><Month>{month}</Month><DayOfWeek>Sunday</DayOfWeek>"
            )
        };
        let text = format!(
            r#"<TimeZone xmlns="{TYPES}"><Bias>-60</Bias><StandardTime>{}</StandardTime><DaylightTime>{}</DaylightTime></TimeZone>"#,
            rule(0, "03", 10),
            rule(-60, "02", 3)
        );
        let berlin = ZoneBias::parse(&Element::parse(text.as_bytes()).unwrap()).unwrap();
        for (local, utc) in [
            ("2026-12-01T10:00:00", "2026-12-01T09:00:00+00:00"),
            ("2026-07-01T10:00:00", "2026-07-01T08:00:00+00:00"),
            ("2026-10-25T10:00:00", "2026-10-25T09:00:00+00:00"),
        ] {
            let at = berlin.parse_instant(local).unwrap();
            assert_eq!(at.to_rfc3339(), utc);
            assert_eq!(berlin.format_local(at), local);
        }
        assert!(ZoneBias::parse(&Element::default()).is_err());
    }
}

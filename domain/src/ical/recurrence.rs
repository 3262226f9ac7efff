//! Recurrence rules, bounded.
//!
//! The `rrule` crate makes the occurrences. It is always handed times on the wall as if they were UTC, so that
//! daylight-saving switches are decided in one place (`zone`) and all kinds of times are treated alike. `UNTIL` is
//! taken out of the rule and kept by the caller, because servers and programs disagree about its form.

use chrono::{DateTime, Datelike, Duration, NaiveDateTime, NaiveTime, Utc};
use rrule::{RRule, RRuleSet, Unvalidated};

use super::moment::{self, Moment};
use crate::Zone;

/// The longest rule that is read, in bytes.
const LENGTH: usize = 2048;
/// How many times of one day a rule may name: every quarter of an hour.
const TIMES_A_DAY: usize = 96;
/// The last year of occurrences of a described zone.
const LAST_YEAR: i32 = 2100;

/// When a rule ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Never,
    Count,
    Utc(NaiveDateTime),
    Wall(NaiveDateTime),
}

/// What a rule text turned out to be.
#[derive(Debug)]
pub(super) enum Rule {
    /// Can be followed.
    Usable(Box<Usable>),
    /// Names more times than any calendar needs, or counts in another calendar; it must not be followed.
    Hostile,
    /// Not a rule; there is the first occurrence only.
    Unreadable,
}

/// A rule that can be followed.
#[derive(Debug)]
pub(super) struct Usable {
    set: RRuleSet,
    end: End,
}

impl Rule {
    /// Reads a rule of a series that begins at `start`, a time on the wall.
    pub(super) fn read(text: &str, start: NaiveDateTime) -> Self {
        if text.len() > LENGTH {
            return Self::Hostile;
        }
        let (mut kept, mut end, mut times) = (Vec::new(), End::Never, 1_usize);
        for part in text.trim().split(';').filter(|part| !part.is_empty()) {
            let Some((name, value)) = part.split_once('=') else {
                return Self::Unreadable;
            };
            let name = name.trim().to_ascii_uppercase();
            match name.as_str() {
                "UNTIL" => match until(value.trim()) {
                    Some(until) => end = until,
                    None => return Self::Unreadable,
                },
                "BYHOUR" | "BYMINUTE" | "BYSECOND" => times *= value.split(',').count(),
                "COUNT" => end = End::Count,
                // Another calendar's years and months (RFC 7529) cannot be counted here.
                "RSCALE" if !value.trim().eq_ignore_ascii_case("GREGORIAN") => return Self::Hostile,
                "FREQ" | "INTERVAL" | "BYDAY" | "BYMONTHDAY" | "BYYEARDAY" | "BYWEEKNO" | "BYMONTH"
                | "BYSETPOS" | "WKST" => {}
                _ => continue,
            }
            if name != "UNTIL" {
                kept.push(format!("{name}={}", value.trim()));
            }
        }
        if times > TIMES_A_DAY {
            return Self::Hostile;
        }
        let start = DateTime::<Utc>::from_naive_utc_and_offset(start, Utc).with_timezone(&rrule::Tz::UTC);
        let built = kept.join(";").parse::<RRule<Unvalidated>>().and_then(|rule| rule.build(start));
        built.map_or(Self::Unreadable, |set| Self::Usable(Box::new(Usable { set: set.limit(), end })))
    }
}

impl Usable {
    /// The times on the wall, in order. Ends by itself only where the rule ends; see [`Self::is_endless`].
    pub(super) fn occurrences(&self, like: &Moment, owner: &Zone) -> impl Iterator<Item = NaiveDateTime> {
        self.set.into_iter().map(|at| at.naive_utc()).take_while(move |at| match self.end {
            End::Never | End::Count => true,
            End::Wall(last) => *at <= last,
            End::Utc(last) => like.moved_to(*at).instant(owner).is_some_and(|at| at.naive_utc() <= last),
        })
    }

    /// Whether the rule has no end: then an iterator that ends gave up.
    pub(super) const fn is_endless(&self) -> bool {
        matches!(self.end, End::Never)
    }
}

/// A DATE means the whole of that day.
fn until(text: &str) -> Option<End> {
    if let Some(day) = moment::date(text) {
        return Some(End::Wall(day.and_time(NaiveTime::MIN) + Duration::days(1) - Duration::seconds(1)));
    }
    let at = moment::local(text)?;
    Some(if text.ends_with(['Z', 'z']) { End::Utc(at) } else { End::Wall(at) })
}

/// When an observance of a described zone begins, on the wall of the offset before.
pub(super) fn onsets(rule: &str, start: NaiveDateTime, from: Duration) -> Vec<NaiveDateTime> {
    let Rule::Usable(rule) = Rule::read(rule, start) else {
        return vec![start];
    };
    let last = match rule.end {
        End::Utc(last) => last + from,
        End::Wall(last) => last,
        End::Never | End::Count => NaiveDateTime::MAX,
    };
    let within = |at: &NaiveDateTime| at.year() <= LAST_YEAR && *at <= last;
    rule.set.into_iter().map(|at| at.naive_utc()).take(400).take_while(within).collect()
}

//! One VEVENT, understood.

use super::{
    line::Property,
    moment::{Moment, says_date},
    span::Span,
    tree::Component,
    zone::Zones,
};
use crate::{Zone, state::Answer, time::Timestamp};

/// How many of its starts, ends and lengths are read; the standard allows one.
const SAID: usize = 8;

/// Whether an event takes place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Status {
    /// It does; what is meant when nothing is said.
    #[default]
    Confirmed,
    /// Perhaps.
    Tentative,
    /// No longer.
    Cancelled,
}

/// What Outlook says about how the time is taken (`X-MICROSOFT-CDO-BUSYSTATUS`), in the order in which it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum BusyStatus {
    /// Not at all.
    Free,
    /// Perhaps.
    Tentative,
    /// Taken.
    Busy,
    /// Out of the office.
    Away,
}

/// Who may read the details.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Class {
    /// Everybody who may read the calendar.
    #[default]
    Public,
    /// The owner; others see times only. CONFIDENTIAL is the same to us.
    Private,
}

/// A name and a mail address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Party {
    /// The name; empty when there is none.
    pub name: String,
    /// The address, without `mailto:`.
    pub address: String,
}

/// Somebody invited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attendee {
    /// Who.
    pub party: Party,
    /// ROLE=OPT-PARTICIPANT.
    pub optional: bool,
    /// CUTYPE=ROOM or RESOURCE.
    pub room: bool,
    /// PARTSTAT.
    pub answer: Answer,
    /// RSVP=TRUE.
    pub asked: bool,
}

/// An event: a single one, the master of a series, or an override of one occurrence.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The same for all parts of a series.
    pub uid: String,
    /// Which occurrence is overridden, by its original start.
    pub recurrence_id: Option<Moment>,
    /// Whether the override also holds for all occurrences after it.
    pub and_future: bool,
    /// When it begins.
    pub start: Moment,
    /// How long it lasts.
    pub span: Span,
    /// RRULE, as texts.
    pub rules: Vec<String>,
    /// Occurrences that do not take place.
    pub except: Vec<Moment>,
    /// Additional occurrences, some with a length of their own.
    pub also: Vec<(Moment, Option<Span>)>,
    /// STATUS.
    pub status: Status,
    /// TRANSP:TRANSPARENT.
    pub transparent: bool,
    /// X-MICROSOFT-CDO-BUSYSTATUS.
    pub busy_status: Option<BusyStatus>,
    /// CLASS.
    pub class: Class,
    /// SUMMARY.
    pub summary: Option<String>,
    /// DESCRIPTION.
    pub description: Option<String>,
    /// LOCATION.
    pub location: Option<String>,
    /// ORGANIZER.
    pub organiser: Option<Party>,
    /// ATTENDEE.
    pub attendees: Vec<Attendee>,
    /// SEQUENCE.
    pub sequence: i64,
    /// DTSTAMP.
    pub stamp: Option<Timestamp>,
    /// X- properties, names in capitals, values as TEXT.
    pub extras: Vec<(String, String)>,
    /// Whether it says how long it lasts.
    pub(super) has_length: bool,
    /// What of it cannot be read.
    pub(super) defects: Vec<Defect>,
}

/// A part of an event that is there and cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Defect {
    /// DTSTART, or there is none: [`Event::start`] stands for nothing.
    Start,
    /// DTEND or DURATION.
    End,
    /// The TZID of a time: it is read in the owner's zone.
    Zone,
    /// RECURRENCE-ID: which occurrence is overridden is not known.
    Occurrence,
    /// An additional occurrence.
    Additional,
    /// The occurrences before an override that holds for them too (RFC 2445) are not moved.
    Prior,
}

impl Event {
    /// Understands a VEVENT.
    pub(super) fn of(event: &Component, zones: &Zones) -> Self {
        let mut defects = Vec::new();
        let status = status(event);
        let recurrence = event.get("RECURRENCE-ID");
        let recurrence_id = recurrence.and_then(|property| Moment::read(property, zones));
        if recurrence.is_some() && recurrence_id.is_none() {
            defects.push(Defect::Occurrence);
        }
        let range =
            recurrence.and_then(|property| property.param_value("RANGE")).map(str::to_ascii_uppercase);
        if range.as_deref() == Some("THISANDPRIOR") {
            defects.push(Defect::Prior);
        }
        let mut starts = starts(event, zones, &mut defects).into_iter();
        // Nothing but which one it is has to be known of an occurrence that is cancelled.
        let is_gone = status == Status::Cancelled && event.get("DTSTART").is_none();
        let start = starts.next().or_else(|| recurrence_id.clone().filter(|_| is_gone));
        if start.is_none() {
            defects.push(Defect::Start);
        }
        let span = match &start {
            Some(start) => span(event, start, zones, &mut defects),
            // The end alone may still say something.
            None => match event.get("DTEND").and_then(|property| Moment::read(property, zones)) {
                Some(Moment::Date(day)) => Span::Until(Moment::Date(day.succ_opt().unwrap_or(day))),
                Some(end) => Span::Until(end),
                None => Span::Length { days: 0, seconds: 0 },
            },
        };
        let start = start.unwrap_or(Moment::Date(chrono::NaiveDate::MIN));
        let text = |name: &str| event.get(name).map(Property::as_text).filter(|text| !text.is_empty());
        let also: Vec<_> = list(event, "RDATE", zones).collect();
        if also.iter().any(Option::is_none) {
            defects.push(Defect::Additional);
        }
        let also: Vec<_> = starts.map(|start| (start, None)).chain(also.into_iter().flatten()).collect();
        let ends = |span: &Span| matches!(span, Span::Until(end) if end.is_doubtful());
        if start.is_doubtful() || ends(&span) || also.iter().any(|(at, _)| at.is_doubtful()) {
            defects.push(Defect::Zone);
        }
        Self {
            uid: text("UID").unwrap_or_default(),
            recurrence_id,
            and_future: range.as_deref() == Some("THISANDFUTURE"),
            has_length: span_is_said(event),
            span,
            start,
            rules: event.all("RRULE").map(|property| property.value.clone()).collect(),
            // An exception that cannot be read leaves the occurrence where it is.
            except: list(event, "EXDATE", zones).flatten().map(|(at, _)| at).collect(),
            also,
            defects,
            status,
            transparent: all_are(event, "TRANSP", &["TRANSPARENT"]),
            busy_status: event
                .all("X-MICROSOFT-CDO-BUSYSTATUS")
                .filter_map(|property| busy_status(&property.value))
                .max(),
            class: match words(event, "CLASS").next().as_deref() {
                None | Some("PUBLIC") => Class::Public,
                // Names that are not known must be treated as private (RFC 5545 section 3.8.1.3).
                Some(_) => Class::Private,
            },
            summary: text("SUMMARY"),
            description: text("DESCRIPTION"),
            location: text("LOCATION"),
            organiser: event.get("ORGANIZER").map(party),
            attendees: event.all("ATTENDEE").map(attendee).collect(),
            sequence: event.value("SEQUENCE").and_then(|value| value.trim().parse().ok()).unwrap_or_default(),
            stamp: event.get("DTSTAMP").and_then(|at| Moment::read(at, zones)?.instant(&Zone::UTC)),
            extras: event
                .properties
                .iter()
                .filter(|property| property.name.starts_with("X-"))
                .map(|property| (property.name.clone(), property.as_text()))
                .collect(),
        }
    }

    /// Whether it has this defect.
    pub(super) fn has(&self, defect: Defect) -> bool {
        self.defects.contains(&defect)
    }

    /// Whether it leaves the time free for everybody, whatever its times are.
    pub(super) fn is_free(&self) -> bool {
        self.status == Status::Cancelled || self.transparent || self.busy_status == Some(BusyStatus::Free)
    }

    /// The value of an X- property.
    pub fn extra(&self, name: &str) -> Option<&str> {
        self.extras.iter().find(|(extra, _)| extra == name).map(|(_, value)| value.as_str())
    }

    /// Start and end of the event itself, without any recurrence; `None` when it takes no time.
    pub fn range(&self, owner: &Zone) -> Option<crate::TimeRange> {
        let end = self.span.end(&self.start, &self.start, owner)?;
        crate::TimeRange::new(self.start.instant(owner)?, end)
    }
}

/// The values of a list, each with its own span; `None` for those that cannot be read.
fn list<'a>(
    event: &'a Component,
    name: &'a str,
    zones: &'a Zones,
) -> impl Iterator<Item = Option<(Moment, Option<Span>)>> + 'a {
    event.all(name).flat_map(|property| Moment::read_list(property, zones))
}

/// The values of a property that is one of several words, in capitals.
fn words<'a>(event: &'a Component, name: &'a str) -> impl Iterator<Item = String> + 'a {
    event.all(name).map(|property| property.value.trim().to_ascii_uppercase())
}

/// Whether a property says one of these words. One that also says something else says nothing.
fn all_are(event: &Component, name: &str, wanted: &[&str]) -> bool {
    event.get(name).is_some() && words(event, name).all(|word| wanted.contains(&word.as_str()))
}

fn status(event: &Component) -> Status {
    if all_are(event, "STATUS", &["CANCELLED", "CANCELED"]) {
        Status::Cancelled
    } else if all_are(event, "STATUS", &["TENTATIVE"]) {
        Status::Tentative
    } else {
        Status::Confirmed
    }
}

/// The start. Where several are written that differ, each of the others is an additional occurrence; what follows from it
/// in a series is not known.
fn starts(event: &Component, zones: &Zones, defects: &mut Vec<Defect>) -> Vec<Moment> {
    let mut read: Vec<Moment> = Vec::new();
    let mut is_torn = false;
    for (number, property) in event.all("DTSTART").enumerate() {
        match Moment::read(property, zones).map(|at| if says_date(property) { at.whole_day() } else { at }) {
            Some(at) if !read.contains(&at) => read.push(at),
            Some(_) => {}
            None => is_torn |= !property.value.trim().is_empty(),
        }
        is_torn |= number >= SAID;
        if is_torn && !read.is_empty() {
            break;
        }
    }
    if !read.is_empty() && (is_torn || (read.len() > 1 && event.get("RRULE").is_some())) {
        defects.push(Defect::Additional);
    }
    read
}

fn span_is_said(event: &Component) -> bool {
    event.get("DTEND").or(event.get("DURATION")).is_some()
}

/// The longest of DTEND and DURATION, else a day for a DATE and nothing for a time.
fn span(event: &Component, start: &Moment, zones: &Zones, defects: &mut Vec<Defect>) -> Span {
    let ends = event.all("DTEND").take(SAID).filter_map(|property| Moment::read(property, zones));
    let ends: Vec<Moment> = ends.map(|end| whole_days(end, start)).collect();
    let lengths = event.all("DURATION").take(SAID).filter_map(|property| Span::read(&property.value));
    let lengths: Vec<Span> = lengths.collect();
    if span_is_said(event) && ends.is_empty() && lengths.is_empty() {
        defects.push(Defect::End);
    }
    // Several programs end a whole day on the day it begins.
    let ends = ends.into_iter().filter(|end| !start.is_date() || end.wall() > start.wall()).map(Span::Until);
    let lengths = lengths.into_iter().map(|length| if start.is_date() { length.in_days() } else { length });
    // A time that is said to be a day is one, wherever it begins.
    let is_day = start.is_date() || event.get("DTSTART").is_some_and(says_date);
    let day = is_day.then_some(Span::Length { days: 1, seconds: 0 });
    let longest = ends.chain(lengths).chain(day).max_by_key(|span| span.end(start, start, &Zone::UTC));
    longest.unwrap_or(Span::Length { days: 0, seconds: 0 })
}

/// An end in another form than the start: a day that ends at a time is taken whole, and a time that ends with a day takes
/// that day.
fn whole_days(end: Moment, start: &Moment) -> Moment {
    let next = |day: chrono::NaiveDate| day.succ_opt().unwrap_or(day);
    match (&end, start.is_date()) {
        (Moment::Date(day), false) => start.moved_to(next(*day).and_time(chrono::NaiveTime::MIN)),
        (Moment::Date(_), true) | (_, false) => end,
        (at, true) if at.wall().time() == chrono::NaiveTime::MIN => Moment::Date(at.wall().date()),
        (at, true) => Moment::Date(next(at.wall().date())),
    }
}

fn busy_status(value: &str) -> Option<BusyStatus> {
    Some(match value.trim().to_ascii_uppercase().as_str() {
        // Who works elsewhere can be met, as Graph and Exchange have it.
        "FREE" | "WORKINGELSEWHERE" => BusyStatus::Free,
        "TENTATIVE" => BusyStatus::Tentative,
        "BUSY" => BusyStatus::Busy,
        "OOF" => BusyStatus::Away,
        _ => return None,
    })
}

fn party(property: &Property) -> Party {
    let value = property.value.trim();
    let mail = value.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("mailto:"));
    // Some programs put a principal's address into the value and the mail address into EMAIL.
    let address =
        property.param_value("EMAIL").filter(|_| !mail).unwrap_or(if mail { &value[7..] } else { value });
    Party { name: property.param_value("CN").unwrap_or_default().to_owned(), address: address.to_owned() }
}

fn attendee(property: &Property) -> Attendee {
    let is = |param: &str, value: &str| {
        property.param_value(param).is_some_and(|is| is.eq_ignore_ascii_case(value))
    };
    let mut answers = property.param_values("PARTSTAT").map(str::to_ascii_uppercase);
    // Who is said to have answered in two ways has not answered.
    let answer = match answers.next().filter(|answer| answers.all(|other| other == *answer)).as_deref() {
        Some("ACCEPTED") => Answer::Accepted,
        Some("TENTATIVE") => Answer::Tentative,
        Some("DECLINED") => Answer::Declined,
        _ => Answer::None,
    };
    Attendee {
        party: party(property),
        optional: is("ROLE", "OPT-PARTICIPANT"),
        room: is("CUTYPE", "ROOM") || is("CUTYPE", "RESOURCE"),
        answer,
        asked: is("RSVP", "TRUE"),
    }
}

//! One VEVENT, understood.

use super::{
    line::Property,
    moment::{Moment, Span},
    tree::Component,
    zone::Zones,
};
use crate::{Zone, state::Answer, time::Timestamp};

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

/// What Outlook says about how the time is taken (`X-MICROSOFT-CDO-BUSYSTATUS`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
}

impl Event {
    /// Understands a VEVENT.
    pub(super) fn of(event: &Component, zones: &Zones) -> Self {
        let mut defects = Vec::new();
        let start = event.get("DTSTART").and_then(|property| Moment::read(property, zones));
        if start.is_none() {
            defects.push(Defect::Start);
        }
        let start = start.unwrap_or(Moment::Date(chrono::NaiveDate::MIN));
        let span = span(event, &start, zones, &mut defects);
        let text = |name: &str| event.get(name).map(Property::as_text).filter(|text| !text.is_empty());
        let recurrence = event.get("RECURRENCE-ID");
        let recurrence_id = recurrence.and_then(|property| Moment::read(property, zones));
        if recurrence.is_some() && recurrence_id.is_none() {
            defects.push(Defect::Occurrence);
        }
        let also: Vec<_> = list(event, "RDATE", zones).collect();
        if also.iter().any(Option::is_none) {
            defects.push(Defect::Additional);
        }
        if start.is_doubtful() || matches!(&span, Span::Until(end) if end.is_doubtful()) {
            defects.push(Defect::Zone);
        }
        Self {
            uid: text("UID").unwrap_or_default(),
            recurrence_id,
            and_future: recurrence.and_then(|property| property.param_value("RANGE"))
                == Some("THISANDFUTURE"),
            span,
            start,
            rules: event.all("RRULE").map(|property| property.value.clone()).collect(),
            // An exception that cannot be read leaves the occurrence where it is.
            except: list(event, "EXDATE", zones).flatten().map(|(at, _)| at).collect(),
            also: also.into_iter().flatten().collect(),
            defects,
            status: match word(event, "STATUS").as_deref() {
                Some("CANCELLED" | "CANCELED") => Status::Cancelled,
                Some("TENTATIVE") => Status::Tentative,
                _ => Status::Confirmed,
            },
            transparent: word(event, "TRANSP").as_deref() == Some("TRANSPARENT"),
            busy_status: event.value("X-MICROSOFT-CDO-BUSYSTATUS").and_then(busy_status),
            class: match word(event, "CLASS").as_deref() {
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

/// A property that is one of several words, in capitals.
fn word(event: &Component, name: &str) -> Option<String> {
    event.value(name).map(|value| value.trim().to_ascii_uppercase())
}

/// DTEND, else DURATION, else a day for a DATE and nothing for a time.
fn span(event: &Component, start: &Moment, zones: &Zones, defects: &mut Vec<Defect>) -> Span {
    let (end, length) = (event.get("DTEND"), event.get("DURATION"));
    let read_end = end.and_then(|property| Moment::read(property, zones)).map(|end| whole_days(end, start));
    let read_length = length.and_then(|property| Span::read(&property.value));
    if (end.is_some() || length.is_some()) && read_end.is_none() && read_length.is_none() {
        defects.push(Defect::End);
    }
    // Several programs end a whole day on the day it begins.
    let read_end = read_end.filter(|end| !start.is_date() || end.wall() > start.wall()).map(Span::Until);
    read_end.or(read_length).unwrap_or(Span::Length { days: i64::from(start.is_date()), seconds: 0 })
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
    let answer = match property.param_value("PARTSTAT").map(str::to_ascii_uppercase).as_deref() {
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

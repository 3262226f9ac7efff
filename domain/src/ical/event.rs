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
}

impl Event {
    /// Understands a VEVENT; `None` without a usable start.
    pub(super) fn of(event: &Component, zones: &Zones) -> Option<Self> {
        let start = Moment::read(event.get("DTSTART")?, zones)?;
        let text = |name: &str| event.get(name).map(Property::as_text).filter(|text| !text.is_empty());
        let recurrence = event.get("RECURRENCE-ID");
        let list = |name| event.all(name).flat_map(|property| Moment::read_list(property, zones));
        Some(Self {
            uid: text("UID").unwrap_or_default(),
            recurrence_id: recurrence.and_then(|property| Moment::read(property, zones)),
            and_future: recurrence.and_then(|property| property.param_value("RANGE"))
                == Some("THISANDFUTURE"),
            span: span(event, &start, zones),
            start,
            rules: event.all("RRULE").map(|property| property.value.clone()).collect(),
            except: list("EXDATE").map(|(at, _)| at).collect(),
            also: list("RDATE").collect(),
            status: match event.value("STATUS").map(str::to_ascii_uppercase).as_deref() {
                Some("CANCELLED") => Status::Cancelled,
                Some("TENTATIVE") => Status::Tentative,
                _ => Status::Confirmed,
            },
            transparent: event.value("TRANSP").is_some_and(|value| value.eq_ignore_ascii_case("TRANSPARENT")),
            busy_status: event.value("X-MICROSOFT-CDO-BUSYSTATUS").and_then(busy_status),
            class: match event.value("CLASS").map(str::to_ascii_uppercase).as_deref() {
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
        })
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

/// DTEND, else DURATION, else a day for a DATE and nothing for a time.
fn span(event: &Component, start: &Moment, zones: &Zones) -> Span {
    let end = event.get("DTEND").and_then(|property| Moment::read(property, zones));
    // Several programs end a whole day on the day it begins.
    let end = end.filter(|end| !start.is_date() || end.wall() > start.wall()).map(Span::Until);
    let length = || event.value("DURATION").and_then(Span::read);
    end.or_else(length).unwrap_or(Span::Length { days: i64::from(start.is_date()), seconds: 0 })
}

fn busy_status(value: &str) -> Option<BusyStatus> {
    Some(match value.trim().to_ascii_uppercase().as_str() {
        "FREE" => BusyStatus::Free,
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

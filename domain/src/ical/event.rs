//! A parsed VEVENT component.

use super::{
    line::Property,
    moment::{Moment, has_date_values},
    span::EventLength,
    tree::Component,
    zone::Zones,
};
use crate::{Zone, state::Answer, time::Timestamp};

/// Maximum number of DTSTARTs, DTENDs and DURATIONs read per event; the standard allows one of each.
const SAID: usize = 8;

/// The STATUS of an event: whether it takes place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Status {
    /// The event takes place; the default.
    #[default]
    Confirmed,
    /// The event may take place.
    Tentative,
    /// The event does not take place.
    Cancelled,
}

/// How Outlook shows the time of an event (`X-MICROSOFT-CDO-BUSYSTATUS`), in ascending order of precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum BusyStatus {
    /// The time stays free.
    Free,
    /// The time is tentatively busy.
    Tentative,
    /// The time is taken.
    Busy,
    /// The owner is out of the office.
    Away,
}

/// The CLASS property of an event: who may read its details.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Classification {
    /// Everybody who may read the calendar sees the details.
    #[default]
    Public,
    /// Only the calendar's owner sees the details; everybody else sees only the times. Also used for CONFIDENTIAL.
    Private,
}

/// The display name and email address of a calendar user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CalendarUser {
    /// The display name (CN parameter); empty when there is none.
    pub name: String,
    /// The email address, without `mailto:`.
    pub address: String,
}

/// An ATTENDEE of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attendee {
    /// The name and address of the invited person or room.
    pub party: CalendarUser,
    /// Whether attendance is optional (ROLE=OPT-PARTICIPANT).
    pub optional: bool,
    /// Whether the attendee is a room or a resource (CUTYPE=ROOM or RESOURCE).
    pub room: bool,
    /// The response to the invitation (PARTSTAT).
    pub answer: Answer,
    /// Whether the organiser requests a response (RSVP=TRUE).
    pub asked: bool,
}

/// An event: a single one, the master of a series, or the override of one occurrence.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The UID, the same for a series and its overrides.
    pub uid: String,
    /// The original start of the overridden occurrence (RECURRENCE-ID); `None` unless this event is an override.
    pub recurrence_id: Option<Moment>,
    /// Whether the override also applies to all later occurrences (RANGE=THISANDFUTURE).
    pub and_future: bool,
    /// The start (DTSTART).
    pub start: Moment,
    /// The length, from DTEND or DURATION.
    pub span: EventLength,
    /// The recurrence rules (RRULE), unparsed.
    pub rules: Vec<String>,
    /// Starts of occurrences excluded from the series (EXDATE).
    pub except: Vec<Moment>,
    /// Additional occurrences (RDATE), with their length if they specify one.
    pub also: Vec<(Moment, Option<EventLength>)>,
    /// Whether the event takes place (STATUS); `Confirmed` when STATUS is absent.
    pub status: Status,
    /// Whether the time of the event stays free (TRANSP:TRANSPARENT).
    pub transparent: bool,
    /// How Outlook shows the time of the event (X-MICROSOFT-CDO-BUSYSTATUS); `None` when absent or unknown.
    pub busy_status: Option<BusyStatus>,
    /// Who may read the details (CLASS).
    pub class: Classification,
    /// The title (SUMMARY).
    pub summary: Option<String>,
    /// The body text (DESCRIPTION).
    pub description: Option<String>,
    /// The location, as free text (LOCATION).
    pub location: Option<String>,
    /// The person or resource that organises the event (ORGANIZER).
    pub organiser: Option<CalendarUser>,
    /// The invited people and rooms, one per ATTENDEE property.
    pub attendees: Vec<Attendee>,
    /// The revision number of the event (SEQUENCE), incremented by the organiser; 0 when absent.
    pub sequence: i64,
    /// When this version of the event was written (DTSTAMP).
    pub stamp: Option<Timestamp>,
    /// Extension properties (X-): names in upper case, values parsed as TEXT.
    pub extras: Vec<(String, String)>,
    /// Whether the event has a DTEND or a DURATION.
    pub(super) has_length: bool,
    /// The properties of the event that cannot be parsed.
    pub(super) defects: Vec<Defect>,
}

/// A property of an event that is present but cannot be parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Defect {
    /// DTSTART is missing or unreadable; [`Event::start`] is a placeholder.
    Start,
    /// DTEND or DURATION is unreadable, so the end is unknown.
    End,
    /// The TZID of a time is unknown; the time is interpreted in the calendar owner's time zone.
    Zone,
    /// RECURRENCE-ID is unreadable, so it is unknown which occurrence the event overrides.
    Occurrence,
    /// An additional occurrence (RDATE) is unreadable.
    Additional,
    /// The override also applies to earlier occurrences (RANGE=THISANDPRIOR, RFC 2445); the earlier occurrences are not
    /// moved.
    Prior,
}

impl Event {
    /// Parses a VEVENT.
    pub(super) fn from_component(event: &Component, zones: &Zones) -> Self {
        let mut defects = Vec::new();
        let status = status(event);
        let recurrence = event.get("RECURRENCE-ID");
        let recurrence_id = recurrence.and_then(|property| Moment::parse(property, zones));
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
            None => match event.get("DTEND").and_then(|property| Moment::parse(property, zones)) {
                Some(Moment::Date(day)) => EventLength::Until(Moment::Date(day.succ_opt().unwrap_or(day))),
                Some(end) => EventLength::Until(end),
                None => EventLength::Length { days: 0, seconds: 0 },
            },
        };
        let start = start.unwrap_or(Moment::Date(chrono::NaiveDate::MIN));
        let text = |name: &str| event.get(name).map(Property::as_text).filter(|text| !text.is_empty());
        let also: Vec<_> = list(event, "RDATE", zones).collect();
        if also.iter().any(Option::is_none) {
            defects.push(Defect::Additional);
        }
        let also: Vec<_> = starts.map(|start| (start, None)).chain(also.into_iter().flatten()).collect();
        let ends = |span: &EventLength| matches!(span, EventLength::Until(end) if end.has_uncertain_zone());
        if start.has_uncertain_zone() || ends(&span) || also.iter().any(|(at, _)| at.has_uncertain_zone()) {
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
                None | Some("PUBLIC") => Classification::Public,
                // Names that are not known must be treated as private (RFC 5545 section 3.8.1.3).
                Some(_) => Classification::Private,
            },
            summary: text("SUMMARY"),
            description: text("DESCRIPTION"),
            location: text("LOCATION"),
            organiser: event.get("ORGANIZER").map(party),
            attendees: event.all("ATTENDEE").map(attendee).collect(),
            sequence: event.value("SEQUENCE").and_then(|value| value.trim().parse().ok()).unwrap_or_default(),
            stamp: event.get("DTSTAMP").and_then(|at| Moment::parse(at, zones)?.instant(&Zone::UTC)),
            extras: event
                .properties
                .iter()
                .filter(|property| property.name.starts_with("X-"))
                .map(|property| (property.name.clone(), property.as_text()))
                .collect(),
        }
    }

    /// Whether the event has this defect.
    pub(super) fn has_defect(&self, defect: Defect) -> bool {
        self.defects.contains(&defect)
    }

    /// Whether the event leaves the time free for every participant, whatever its times.
    pub(super) fn is_free(&self) -> bool {
        self.status == Status::Cancelled || self.transparent || self.busy_status == Some(BusyStatus::Free)
    }

    /// The value of an extension (X-) property; `None` when absent.
    pub fn extension_property(&self, name: &str) -> Option<&str> {
        self.extras.iter().find(|(extra, _)| extra == name).map(|(_, value)| value.as_str())
    }

    /// The start and end of the event itself, ignoring recurrence; `None` when its duration is zero.
    pub fn range(&self, owner: &Zone) -> Option<crate::TimeRange> {
        let end = self.span.end(&self.start, &self.start, owner)?;
        crate::TimeRange::new(self.start.instant(owner)?, end)
    }
}

/// The values of a list property, each with its duration if it has one; `None` for an unreadable value.
fn list<'a>(
    event: &'a Component,
    name: &'a str,
    zones: &'a Zones,
) -> impl Iterator<Item = Option<(Moment, Option<EventLength>)>> + 'a {
    event.all(name).flat_map(|property| Moment::parse_list(property, zones))
}

/// The keywords in a property's value, in upper case.
fn words<'a>(event: &'a Component, name: &'a str) -> impl Iterator<Item = String> + 'a {
    event.all(name).map(|property| property.value.trim().to_ascii_uppercase())
}

/// Whether every value of a property is one of the `wanted` keywords.
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

/// All starts of the event. If several DTSTART properties differ, each further one counts as an additional occurrence;
/// RFC 5545 does not define this for a series.
fn starts(event: &Component, zones: &Zones, defects: &mut Vec<Defect>) -> Vec<Moment> {
    let mut read: Vec<Moment> = Vec::new();
    let mut is_torn = false;
    for (number, property) in event.all("DTSTART").enumerate() {
        match Moment::parse(property, zones)
            .map(|at| if has_date_values(property) { at.into_whole_day() } else { at })
        {
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

/// The duration of the event: the longer of DTEND and DURATION. Without either, one day for a DATE and zero for a
/// DATE-TIME.
fn span(event: &Component, start: &Moment, zones: &Zones, defects: &mut Vec<Defect>) -> EventLength {
    let ends = event.all("DTEND").take(SAID).filter_map(|property| Moment::parse(property, zones));
    let ends: Vec<Moment> = ends.map(|end| whole_days(end, start)).collect();
    let lengths = event.all("DURATION").take(SAID).filter_map(|property| EventLength::parse(&property.value));
    let lengths: Vec<EventLength> = lengths.collect();
    if span_is_said(event) && ends.is_empty() && lengths.is_empty() {
        defects.push(Defect::End);
    }
    // Several programs end a whole day on the day it begins.
    let ends = ends
        .into_iter()
        .filter(|end| !start.is_date() || end.wall_time() > start.wall_time())
        .map(EventLength::Until);
    let lengths =
        lengths.into_iter().map(|length| if start.is_date() { length.into_whole_days() } else { length });
    // A time that is said to be a day is one, wherever it begins.
    let is_day = start.is_date() || event.get("DTSTART").is_some_and(has_date_values);
    let day = is_day.then_some(EventLength::Length { days: 1, seconds: 0 });
    let longest = ends.chain(lengths).chain(day).max_by_key(|span| span.end(start, start, &Zone::UTC));
    longest.unwrap_or(EventLength::Length { days: 0, seconds: 0 })
}

/// Converts an end to the value type of its start: for a DATE start, the day of the end counts in full; for a DATE-TIME
/// start, a DATE end includes that day.
fn whole_days(end: Moment, start: &Moment) -> Moment {
    let next = |day: chrono::NaiveDate| day.succ_opt().unwrap_or(day);
    match (&end, start.is_date()) {
        (Moment::Date(day), false) => start.with_wall_time(next(*day).and_time(chrono::NaiveTime::MIN)),
        (Moment::Date(_), true) | (_, false) => end,
        (at, true) if at.wall_time().time() == chrono::NaiveTime::MIN => Moment::Date(at.wall_time().date()),
        (at, true) => Moment::Date(next(at.wall_time().date())),
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

fn party(property: &Property) -> CalendarUser {
    let value = property.value.trim();
    let mail = value.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("mailto:"));
    // Some programs put a principal's address into the value and the mail address into EMAIL.
    let address =
        property.param_value("EMAIL").filter(|_| !mail).unwrap_or(if mail { &value[7..] } else { value });
    CalendarUser {
        name: property.param_value("CN").unwrap_or_default().to_owned(),
        address: address.to_owned(),
    }
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

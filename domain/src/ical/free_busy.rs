//! VFREEBUSY: published busy times without details (RFC 5545 section 3.6.4).

use super::{
    line::Property,
    moment::Moment,
    span::EventLength,
    tree::{Component, Error},
    zone::Zones,
};
use crate::{
    ParseBudget, Zone,
    time::{BusyKind, BusyTime, TimeRange, Timestamp},
};

/// Busy times parsed from a VFREEBUSY component.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PublishedBusy {
    /// The busy times in the order of the iCalendar text; they may overlap.
    pub busy: Vec<BusyTime>,
    /// Number of busy periods that cannot be parsed.
    pub unreadable: usize,
}

/// Parses the published busy times in an iCalendar text.
///
/// Accepts the periods of FREEBUSY lines and, as some servers write them, components that are themselves one period
/// each, with FBTYPE as a property.
pub fn parse_free_busy(text: &[u8]) -> Result<PublishedBusy, Error> {
    let mut budget = ParseBudget::for_provider_response();
    let calendar = Component::parse(text, &mut budget)?;
    let zones = Zones::from_calendar(&calendar, &mut budget);
    let mut told = PublishedBusy::default();
    for component in calendar.named("VFREEBUSY") {
        for line in component.all("FREEBUSY") {
            let Some(kind) = kind(line.param_value("FBTYPE")) else { continue };
            for read in Moment::parse_list(line, &zones) {
                match read.and_then(|(start, span)| Some((start, span?))) {
                    Some((start, span)) => {
                        told.busy.extend(period(&start, &span).map(|range| BusyTime { range, kind }));
                    }
                    None => told.unreadable += 1,
                }
            }
        }
        if let Some(own) = component.get("FBTYPE") {
            let Some(kind) = kind(Some(&own.value)) else { continue };
            match whole(component, &zones) {
                Some((start, span)) => {
                    told.busy.extend(period(&start, &span).map(|range| BusyTime { range, kind }));
                }
                None => told.unreadable += 1,
            }
        }
    }
    Ok(told)
}

/// The kind of busy time for an FBTYPE value. Defaults to BUSY, also for unknown types (RFC 5545 section 3.2.9).
fn kind(name: Option<&str>) -> Option<BusyKind> {
    match name.map(|name| name.trim().to_ascii_uppercase()).as_deref() {
        Some("FREE") => None,
        Some("BUSY-TENTATIVE") => Some(BusyKind::Tentative),
        _ => Some(BusyKind::Busy),
    }
}

fn whole(component: &Component, zones: &Zones) -> Option<(Moment, EventLength)> {
    let at = |name| component.get(name).and_then(|line: &Property| Moment::parse(line, zones));
    let start = at("DTSTART")?;
    let span = at("DTEND")
        .map(EventLength::Until)
        .or_else(|| component.value("DURATION").and_then(EventLength::parse))?;
    Some((start, span))
}

fn period(start: &Moment, span: &EventLength) -> Option<TimeRange> {
    // All times are in UTC by the standard; a local one without a zone is read as such.
    let from: Timestamp = start.instant(&Zone::UTC)?;
    TimeRange::new(from, span.end(start, start, &Zone::UTC)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(body: &str) -> Vec<String> {
        let text = format!("BEGIN:VCALENDAR\n{body}\nEND:VCALENDAR\n");
        let show = |busy: BusyTime| {
            let at = |at: Timestamp| at.format("%dT%H:%M").to_string();
            format!("{}/{} {:?}", at(busy.range.start), at(busy.range.end), busy.kind)
        };
        parse_free_busy(text.as_bytes()).unwrap().busy.into_iter().map(show).collect()
    }

    #[test]
    fn periods_are_read_in_every_form_and_free_ones_left_out() {
        let body = "BEGIN:VFREEBUSY\nDTSTART:20261201T000000Z\nDTEND:20261208T000000Z\n\
                    FREEBUSY;FBTYPE=BUSY-TENTATIVE:20261201T150000Z/PT1H\n\
                    FREEBUSY:20261201T190000Z/20261201T200000Z,20261202T080000Z/PT30M\n\
                    FREEBUSY;FBTYPE=FREE:20261203T080000Z/PT8H\n\
                    FREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20261204T000000Z/P1D\n\
                    FREEBUSY;FBTYPE=X-LUNCH:20261205T110000Z/PT1H\n\
                    FREEBUSY:20261206T110000Z/20261206T100000Z,rubbish,20261206T120000Z\nEND:VFREEBUSY";
        assert_eq!(
            told(body),
            [
                "01T15:00/01T16:00 Tentative",
                "01T19:00/01T20:00 Busy",
                "02T08:00/02T08:30 Busy",
                "04T00:00/05T00:00 Busy",
                "05T11:00/05T12:00 Busy"
            ]
        );
    }

    #[test]
    fn a_week_without_appointments_is_not_one_long_appointment() {
        let body = "BEGIN:VFREEBUSY\nDTSTART:20261201T000000Z\nDTEND:20261208T000000Z\nEND:VFREEBUSY";
        assert!(told(body).is_empty());
        assert!(told("").is_empty());
    }

    #[test]
    fn one_component_for_each_appointment_is_read_too() {
        let one = |kind: &str, start: &str, end: &str| {
            format!(
                "BEGIN:VFREEBUSY\nDTSTAMP:20261120T090000Z\nDTSTART:{start}\nDTEND:{end}\nFBTYPE:{kind}\nEND:VFREEBUSY\n"
            )
        };
        let body = one("BUSY", "20261201T090000Z", "20261201T100000Z")
            + &one("FREE", "20261202T090000Z", "20261202T100000Z")
            + &one("BUSY-TENTATIVE", "20261203T090000Z", "20261203T100000Z");
        assert_eq!(told(&body), ["01T09:00/01T10:00 Busy", "03T09:00/03T10:00 Tentative"]);
    }
}

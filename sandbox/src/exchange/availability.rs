//! GetUserAvailability: busy times of up to a hundred mailboxes, as visible to every colleague.

use chrono::Duration;
use domain::{TimeRange, Timestamp};

use super::{
    account::CallContext,
    bias::ZoneBias,
    failure::Failure,
    xml::{Element, TYPES, text_element},
};
use crate::{
    model::{Event, Hosting, Organisation, ShowAs},
    store::State,
};

const MAILBOXES_MOST: usize = 100;
const DAYS_MOST: i64 = 42;
const ENTRIES_MOST: usize = 1000;

struct Asked<'e> {
    zone: ZoneBias,
    mailboxes: &'e [Element],
    window: TimeRange,
    interval: Duration,
    view: &'e str,
}

/// Handles GetUserAvailability: one result per mailbox, in the requested order, without addresses.
pub fn get_user_availability(call: &CallContext<'_>, operation: &Element) -> Result<String, Failure> {
    let asked = read(operation)?;
    let store = call.app.store();
    let state = store.state();
    let organisation = call.organisation(state)?;
    let verdicts: String = asked
        .mailboxes
        .iter()
        .map(|data| {
            let address = data.child(TYPES, "Email").and_then(|email| email.child_text("Address"));
            let verdict = match one(state, organisation, address.unwrap_or_default(), &asked) {
                Ok(view) => format!(
                    r#"<m:ResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode></m:ResponseMessage>{view}"#
                ),
                Err(failure) => failure.to_message("m:ResponseMessage"),
            };
            format!("<m:FreeBusyResponse>{verdict}</m:FreeBusyResponse>")
        })
        .collect::<Vec<_>>().concat();
    Ok(format!(
        "<m:GetUserAvailabilityResponse><m:FreeBusyResponseArray>{verdicts}</m:FreeBusyResponseArray></m:GetUserAvailabilityResponse>"
    ))
}

fn read(operation: &Element) -> Result<Asked<'_>, Failure> {
    let zone = operation
        .child(TYPES, "TimeZone")
        .ok_or_else(|| Failure::new("ErrorTimeZone", "The request must have the element TimeZone."))?;
    let zone = ZoneBias::parse(zone)?;
    let mailboxes = operation.children_of("MailboxDataArray");
    if mailboxes.is_empty() || mailboxes.len() > MAILBOXES_MOST {
        let message = format!("The number of mailboxes must be between 1 and {MAILBOXES_MOST}.");
        return Err(Failure::new("ErrorMailboxDataArrayTooBig", message));
    }
    let missing =
        || Failure::new("ErrorInvalidFreeBusyViewType", "The free/busy view is not asked for properly.");
    let options = operation.child(TYPES, "FreeBusyViewOptions").ok_or_else(missing)?;
    let times = options.child(TYPES, "TimeWindow").ok_or_else(missing)?;
    let at = |name: &str| times.child_text(name).and_then(|text| zone.parse_instant(text));
    let window = at("StartTime").zip(at("EndTime")).and_then(|(start, end)| TimeRange::new(start, end));
    let window = window.ok_or_else(|| {
        Failure::new("ErrorInvalidTimeInterval", "The end of the time window must be after its start.")
    })?;
    if window.duration() > Duration::days(DAYS_MOST) {
        let message = format!("The time window is longer than {DAYS_MOST} days.");
        return Err(Failure::new("ErrorTimeIntervalTooBig", message));
    }
    let minutes =
        options.child_text("MergedFreeBusyIntervalInMinutes").map_or(Some(30), |text| text.parse().ok());
    let minutes = minutes.filter(|minutes| (5..=1440).contains(minutes)).ok_or_else(|| {
        Failure::new("ErrorInvalidMergedFreeBusyInterval", "The interval must be between 5 and 1440 minutes.")
    })?;
    let view = options.child_text("RequestedView").unwrap_or("FreeBusy");
    Ok(Asked { zone, mailboxes, window, interval: Duration::minutes(minutes), view })
}

fn one(
    state: &State,
    organisation: &Organisation,
    address: &str,
    asked: &Asked<'_>,
) -> Result<String, Failure> {
    let found = organisation.find(address).filter(|mailbox| mailbox.hosting != Hosting::None);
    let mailbox = found.ok_or_else(|| {
        let message = format!("Unable to resolve e-mail address {address} to an Active Directory object.");
        Failure::new("ErrorMailRecipientNotFound", message)
    })?;
    let owner = (organisation.id, mailbox.id.clone());
    let mut events: Vec<&Event> =
        state.calendar_events(&owner).filter(|event| event.range.overlaps(&asked.window)).collect();
    if events.len() > ENTRIES_MOST {
        let message = format!("The result set contains more than {ENTRIES_MOST} entries.");
        return Err(Failure::new("ErrorResultSetTooBig", message));
    }
    events.sort_by_key(|event| (event.range.start, &event.id));
    let details = asked.view.starts_with("Detailed");
    let merged = match asked.view.ends_with("Merged") || asked.view == "MergedOnly" {
        true => text_element("t:MergedFreeBusy", &digits(&events, asked)),
        false => String::new(),
    };
    let entries: String = match asked.view {
        "MergedOnly" => String::new(),
        _ => events.iter().map(|event| entry(event, asked, details)).collect(),
    };
    let entries = match entries.is_empty() {
        true => entries,
        false => format!("<t:CalendarEventArray>{entries}</t:CalendarEventArray>"),
    };
    Ok(format!(
        "<m:FreeBusyView><t:FreeBusyViewType>{}</t:FreeBusyViewType>{merged}{entries}</m:FreeBusyView>",
        asked.view
    ))
}

fn entry(event: &Event, asked: &Asked<'_>, details: bool) -> String {
    let private = matches!(event.sensitivity.as_str(), "private" | "confidential");
    let details = match details && !private {
        true => format!(
            "<t:CalendarEventDetails>{}<t:IsMeeting>{}</t:IsMeeting><t:IsRecurring>false</t:IsRecurring><t:IsException>false</t:IsException><t:IsReminderSet>false</t:IsReminderSet><t:IsPrivate>false</t:IsPrivate></t:CalendarEventDetails>",
            text_element("t:Subject", &event.subject),
            !event.attendees.is_empty(),
        ),
        false => String::new(),
    };
    format!(
        "<t:CalendarEvent>{}{}{}{details}</t:CalendarEvent>",
        text_element("t:StartTime", &asked.zone.format_local(event.range.start)),
        text_element("t:EndTime", &asked.zone.format_local(event.range.end)),
        text_element("t:BusyType", status_name(event.show_as)),
    )
}

/// Exchange's name of a free/busy status.
pub fn status_name(show_as: ShowAs) -> &'static str {
    match show_as {
        ShowAs::Free => "Free",
        ShowAs::Tentative => "Tentative",
        ShowAs::Busy => "Busy",
        ShowAs::Oof => "OOF",
        ShowAs::WorkingElsewhere => "WorkingElsewhere",
        ShowAs::Unknown => "NoData",
    }
}

fn digits(events: &[&Event], asked: &Asked<'_>) -> String {
    let mut view = String::new();
    let mut start: Timestamp = asked.window.start;
    while start < asked.window.end {
        let slot = TimeRange { start, end: (start + asked.interval).min(asked.window.end) };
        let held = events.iter().filter(|event| event.range.overlaps(&slot));
        let digit = held.map(|event| match event.show_as {
            ShowAs::Free => 0,
            ShowAs::Tentative => 1,
            ShowAs::Busy => 2,
            ShowAs::Oof => 3,
            ShowAs::WorkingElsewhere | ShowAs::Unknown => 4,
        });
        view.push(char::from(b'0' + digit.max().unwrap_or(0)));
        start += asked.interval;
    }
    view
}

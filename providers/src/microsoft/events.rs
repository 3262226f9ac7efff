//! Events: read, written with an effect key, found by it, changed, called off.

use chrono::SecondsFormat;
use domain::{TimeRange, state::Answer};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{
    Microsoft, PROPERTY_SET,
    calendars::busy_kind,
    directory::endless,
    online,
    request::{Call, MAX_PAGES, with_query},
    wire, zones,
};
use crate::{
    Attendee, AttendeeRole, Error, ErrorKind, Event, EventChange, EventPage, NewEvent, Party, Remedy, Result,
    Session,
};

const FIELDS: &str = "id,iCalUId,changeKey,subject,start,end,isAllDay,isCancelled,showAs,sensitivity,organizer,attendees,type,seriesMasterId";

/// The id of the extended property that carries the effect key.
fn property() -> String {
    format!("String {{{}}} Name effectKey", PROPERTY_SET.hyphenated())
}

fn expand() -> String {
    format!("singleValueExtendedProperties($filter=id eq '{}')", property())
}

impl Microsoft {
    pub(super) async fn list_events(
        &self,
        session: &Session,
        mailbox: &str,
        window: TimeRange,
        after: Option<&str>,
    ) -> Result<EventPage> {
        let url = match after {
            Some(link) => self.follow(link)?,
            None => with_query(
                self.mailbox_url(mailbox, &["calendar", "calendarView"])?,
                &[
                    ("startDateTime", &window.start.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
                    ("endDateTime", &window.end.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
                    ("$top", "200"),
                    ("$select", FIELDS),
                    ("$expand", &expand()),
                ],
            ),
        };
        let list: wire::List<wire::Event> = self.call_list(session, &Call::get(url).of(mailbox)).await?;
        let mut items = Vec::with_capacity(list.value.len());
        for raw in list.value {
            items.extend(event(raw)?);
        }
        Ok(EventPage { items, unreadable: Vec::new(), next: list.next })
    }

    pub(super) async fn post_event(&self, session: &Session, mailbox: &str, new: &NewEvent) -> Result<Event> {
        check_key(&new.effect_key)?;
        let may_meet = self.may_meet(session, mailbox, new).await?;
        let mut body = body(new);
        if may_meet {
            online::ask(&mut body);
        }
        let url = self.mailbox_url(mailbox, &["calendar", "events"])?;
        let written = match self.call_json(session, &Call::post(url, body).of(mailbox)).await {
            Ok(raw) => {
                let written = event(raw).and_then(|event| event.ok_or_else(not_understood));
                let written = written.map_err(Error::unknown)?;
                Event { effect_key: Some(new.effect_key.clone()), ..written }
            }
            Err(error) if error.code.eq_ignore_ascii_case("ErrorDuplicateTransactionId") => {
                self.search_event(session, mailbox, &new.effect_key).await?.ok_or_else(|| Error {
                    kind: ErrorKind::Gone,
                    remedy: Remedy::Never,
                    message: "This appointment was written once and has been removed since.".to_owned(),
                    ..error
                })?
            }
            Err(error) => return Err(error),
        };
        Ok(online::answered(new, may_meet, written))
    }

    pub(super) async fn search_event(
        &self,
        session: &Session,
        mailbox: &str,
        effect_key: &str,
    ) -> Result<Option<Event>> {
        check_key(effect_key)?;
        let wanted = format!(
            "singleValueExtendedProperties/Any(ep: ep/id eq '{}' and ep/value eq '{effect_key}')",
            property()
        );
        let query = [("$filter", wanted.as_str()), ("$expand", &expand())];
        let mut next = Some(with_query(self.mailbox_url(mailbox, &["calendar", "events"])?, &query));
        for _ in 0..MAX_PAGES {
            let Some(url) = next else { return Ok(None) };
            let list: wire::List<wire::Event> = self.call_list(session, &Call::get(url).of(mailbox)).await?;
            for raw in list.value.into_iter().filter(|raw| !raw.is_cancelled) {
                if let Some(found) =
                    event(raw)?.filter(|event| event.effect_key.as_deref() == Some(effect_key))
                {
                    return Ok(Some(found));
                }
            }
            next = list.next.map(|link| self.follow(&link)).transpose()?;
        }
        Err(endless())
    }

    pub(super) async fn read_event(
        &self,
        session: &Session,
        mailbox: &str,
        id: &str,
    ) -> Result<Option<Event>> {
        let url = with_query(self.mailbox_url(mailbox, &["events", id])?, &[("$expand", &expand())]);
        match self.call_json(session, &Call::get(url).of(mailbox).item()).await {
            Err(error) if error.kind == ErrorKind::Gone => Ok(None),
            Err(error) => Err(error),
            Ok(raw) => event(raw),
        }
    }

    /// A conflict certainly changed nothing, and the change says what must be true and not how to get there: so
    /// it is sent once more, if the event still stands.
    pub(super) async fn patch_event(
        &self,
        session: &Session,
        mailbox: &str,
        id: &str,
        change: &EventChange,
    ) -> Result<Event> {
        let mut body = changed(change);
        if let Some(text) = &change.text {
            body["body"] = self.text_beside_meeting(session, mailbox, id, text).await?;
        }
        if body.as_object().is_some_and(Map::is_empty) {
            return self.read_event(session, mailbox, id).await?.ok_or_else(gone);
        }
        let call = Call::patch(self.mailbox_url(mailbox, &["events", id])?, body).of(mailbox).item();
        let raw = match self.call_json(session, &call).await {
            Err(error) if error.kind == ErrorKind::Conflict && !error.unknown => {
                self.read_event(session, mailbox, id).await?.ok_or_else(gone)?;
                self.call_json(session, &call).await?
            }
            answer => answer?,
        };
        event(raw).and_then(|event| event.ok_or_else(not_understood)).map_err(Error::unknown)
    }

    /// Only the organiser's copy of a meeting can be cancelled with a message; whatever else it is, is deleted.
    pub(super) async fn call_off_event(
        &self,
        session: &Session,
        mailbox: &str,
        id: &str,
        message: &str,
    ) -> Result<()> {
        let url = self.mailbox_url(mailbox, &["events", id, "cancel"])?;
        let call = Call::post(url, json!({ "comment": message })).of(mailbox).item();
        match self.call(session, &call).await {
            Err(error) if error.kind == ErrorKind::Invalid => self.remove_event(session, mailbox, id).await,
            Err(error) if error.kind != ErrorKind::Gone => Err(error),
            _ => Ok(()),
        }
    }

    pub(super) async fn remove_event(&self, session: &Session, mailbox: &str, id: &str) -> Result<()> {
        let call = Call::delete(self.mailbox_url(mailbox, &["events", id])?).of(mailbox).item();
        match self.call(session, &call).await {
            Err(error) if error.kind != ErrorKind::Gone => Err(error),
            _ => Ok(()),
        }
    }
}

/// Keys stand inside a filter, so their letters are checked although they are ours.
fn check_key(key: &str) -> Result<()> {
    let fits = (1..=64).contains(&key.len()) && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    fits.then_some(()).ok_or_else(|| {
        Error::new(ErrorKind::Invalid, Remedy::Never, "EFFECT_KEY", "The key of this change is malformed.")
    })
}

pub(super) fn not_understood() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        Remedy::RetryAfter(std::time::Duration::from_secs(5)),
        "EVENT_UNREADABLE",
        "Microsoft 365 describes an appointment in a way that cannot be understood.",
    )
}

fn gone() -> Error {
    Error::new(ErrorKind::Gone, Remedy::Never, "ErrorItemNotFound", "This appointment no longer exists.")
}

/// The same key always gives the same id, so that a repeated write is recognised.
fn transaction_id(effect_key: &str) -> Uuid {
    Uuid::new_v5(&PROPERTY_SET, effect_key.as_bytes())
}

fn body(new: &NewEvent) -> Value {
    let (start, end) = zones::written(new.range, &new.zone);
    let show_as = match new.busy {
        Some(domain::BusyKind::Busy) => "busy",
        Some(domain::BusyKind::Tentative) => "tentative",
        None => "free",
    };
    let mut body = json!({
        "subject": new.title,
        "body": online::plain(&new.text),
        "start": start,
        "end": end,
        "attendees": attendees(&new.attendees),
        "showAs": show_as,
        "allowNewTimeProposals": false,
        "transactionId": transaction_id(&new.effect_key),
        "singleValueExtendedProperties": [{ "id": property(), "value": new.effect_key }],
    });
    if let Some(place) = &new.location {
        body["location"] = json!({ "displayName": place });
    }
    body
}

fn changed(change: &EventChange) -> Value {
    let mut body = Map::new();
    if let Some(range) = change.range {
        let (start, end) = zones::written(range, change.zone.as_deref().unwrap_or("UTC"));
        body.insert("start".to_owned(), json!(start));
        body.insert("end".to_owned(), json!(end));
    }
    if let Some(title) = &change.title {
        body.insert("subject".to_owned(), json!(title));
    }
    if let Some(list) = &change.attendees {
        body.insert("attendees".to_owned(), attendees(list));
    }
    if let Some(place) = &change.location {
        body.insert("location".to_owned(), json!({ "displayName": place }));
    }
    Value::Object(body)
}

fn attendees(list: &[Attendee]) -> Value {
    let kind = |role| match role {
        AttendeeRole::Required => "required",
        AttendeeRole::Optional => "optional",
        AttendeeRole::Room => "resource",
    };
    let one = |attendee: &Attendee| {
        let Party { name, address } = &attendee.party;
        json!({ "type": kind(attendee.role), "emailAddress": { "name": name, "address": address } })
    };
    list.iter().map(one).collect()
}

/// `None` for an event without any length: it takes no time from anybody.
pub(super) fn event(raw: wire::Event) -> Result<Option<Event>> {
    let (Some(start), Some(end)) = (raw.start.instant(), raw.end.instant()) else {
        return Err(not_understood());
    };
    let Some(range) = TimeRange::new(start, end) else {
        return Ok(None);
    };
    let online_meeting = online::told(&raw);
    let effect_key = raw.single_value_extended_properties.into_iter().flatten();
    let effect_key = effect_key.filter(|p| p.id.eq_ignore_ascii_case(&property())).map(|p| p.value).next();
    let sensitivity = raw.sensitivity.unwrap_or_default().to_ascii_lowercase();
    Ok(Some(Event {
        uid: raw.ical_uid.unwrap_or_default(),
        version: raw.change_key.or(raw.etag).unwrap_or_default(),
        id: raw.id,
        series: raw.series_master_id,
        effect_key,
        title: raw.subject,
        range,
        all_day: raw.is_all_day,
        busy: busy_kind(raw.show_as.as_deref()).filter(|_| !raw.is_cancelled),
        private: matches!(sensitivity.as_str(), "private" | "confidential"),
        organiser: raw.organizer.and_then(|organiser| party(organiser.email_address)),
        attendees: raw.attendees.into_iter().flatten().filter_map(attendee).collect(),
        online_meeting,
    }))
}

fn party(mail: wire::EmailAddress) -> Option<Party> {
    let address = mail.address.filter(|address| !address.is_empty())?;
    Some(Party { name: mail.name.unwrap_or_else(|| address.clone()), address })
}

fn attendee(raw: wire::Attendee) -> Option<Attendee> {
    let response = raw.status.and_then(|status| status.response).unwrap_or_default().to_ascii_lowercase();
    Some(Attendee {
        party: party(raw.email_address)?,
        role: match raw.kind.unwrap_or_default().to_ascii_lowercase().as_str() {
            "resource" => AttendeeRole::Room,
            "optional" => AttendeeRole::Optional,
            _ => AttendeeRole::Required,
        },
        answer: match response.as_str() {
            "accepted" | "organizer" => Answer::Accepted,
            "tentativelyaccepted" => Answer::Tentative,
            "declined" => Answer::Declined,
            _ => Answer::None,
        },
    })
}

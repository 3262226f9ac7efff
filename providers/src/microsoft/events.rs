//! Reads, creates, finds, changes and cancels events. New events carry an effect key, by which they are found.

use chrono::SecondsFormat;
use domain::{TimeRange, UnreadableReason, Zone};
use futures::future::BoxFuture;
use serde_json::{Map, Value, json};
use url::Url;
use uuid::Uuid;

use super::{
    EXTENDED_PROPERTY_SET, Microsoft, event, online,
    request::{Call, too_many_pages, with_query},
    wire, zones,
};
use crate::{
    Attendee, AttendeeRole, Error, ErrorKind, Event, EventChange, EventPage, NamedAddress, NewEvent, Remedy,
    Result, Session,
    json::LenientList,
    messages,
    moment::ParsedItem,
    parts,
    rest::{MAX_PAGES, RestApi},
};

const FIELDS: &str = "id,iCalUId,changeKey,subject,start,end,isAllDay,isCancelled,showAs,sensitivity,organizer,attendees,type,seriesMasterId";

/// Id of the extended property that contains the effect key.
pub(super) fn effect_key_property() -> String {
    format!("String {{{}}} Name effectKey", EXTENDED_PROPERTY_SET.hyphenated())
}

fn expand() -> String {
    format!("singleValueExtendedProperties($filter=id eq '{}')", effect_key_property())
}

impl Microsoft {
    pub(super) async fn list_events(
        &self,
        session: &Session,
        mailbox: &str,
        window: TimeRange,
        after: Option<&str>,
    ) -> Result<EventPage> {
        self.list_view(session, mailbox, &["calendar", "calendarView"], window, after).await
    }

    /// One page of a calendar view; `path` locates the calendar in the mailbox. If the page cannot be read, the
    /// view is read in parts from its start and returned as one page, so events of earlier pages are repeated.
    pub(super) async fn list_view(
        &self,
        session: &Session,
        mailbox: &str,
        path: &[&str],
        window: TimeRange,
        after: Option<&str>,
    ) -> Result<EventPage> {
        let url = match after {
            Some(link) => self.next_page_url(link)?,
            None => self.view_url(mailbox, path, window)?,
        };
        match self.page(session, mailbox, url, window).await {
            Err(error) if parts::can_be_split(&error) => {
                let ask =
                    |part| -> BoxFuture<'_, _> { Box::pin(self.whole_view(session, mailbox, path, part)) };
                Ok(parts::read_in_parts(window, error, ask).await?.into_page())
            }
            page => page,
        }
    }

    fn view_url(&self, mailbox: &str, path: &[&str], window: TimeRange) -> Result<Url> {
        let text = |at: domain::Timestamp| at.to_rfc3339_opts(SecondsFormat::AutoSi, true);
        let query = [
            ("startDateTime", &*text(window.start)),
            ("endDateTime", &*text(window.end)),
            ("$top", "200"),
            ("$select", FIELDS),
            ("$expand", &expand()),
        ];
        Ok(with_query(self.mailbox_url(mailbox, path)?, &query))
    }

    async fn whole_view(
        &self,
        session: &Session,
        mailbox: &str,
        path: &[&str],
        window: TimeRange,
    ) -> Result<EventPage> {
        let mut whole = EventPage::default();
        let mut next = Some(self.view_url(mailbox, path, window)?);
        for _ in 0..MAX_PAGES {
            let Some(url) = next else { return Ok(whole) };
            let page = self.page(session, mailbox, url, window).await?;
            whole.items.extend(page.items);
            whole.unreadable.extend(page.unreadable);
            next = page.next.map(|link| self.next_page_url(&link)).transpose()?;
        }
        Err(too_many_pages())
    }

    async fn page(&self, session: &Session, mailbox: &str, url: Url, window: TimeRange) -> Result<EventPage> {
        let list: wire::List<wire::Event> =
            self.call_json(session, &Call::get(url).for_mailbox(mailbox)).await?;
        let mut page = self.read_items(session, mailbox, list.value, window).await?;
        page.next = list.next;
        Ok(page)
    }

    /// Reads several items, each with a separate request.
    pub(super) async fn read_items(
        &self,
        session: &Session,
        mailbox: &str,
        list: LenientList<wire::Event>,
        window: TimeRange,
    ) -> Result<EventPage> {
        let zone = match list.0.iter().flatten().any(event::may_be_all_day) {
            true => self.all_day_zone(session, mailbox).await?,
            false => Zone::UTC,
        };
        let mut page = EventPage::default();
        for raw in list.0 {
            page.add_parsed_item(match raw {
                Some(raw) => event::parse_item(raw, &zone, Some(window)),
                None => ParsedItem::unknown_times(None, None, UnreadableReason::Malformed),
            });
        }
        Ok(page)
    }

    /// The time zone of all-day events: the mailbox's, otherwise the session's, otherwise UTC.
    pub(super) async fn all_day_zone(&self, session: &Session, mailbox: &str) -> Result<Zone> {
        let call = Call::get(self.mailbox_url(mailbox, &["mailboxSettings"])?).for_mailbox(mailbox);
        let told = match self.call_json::<wire::MailboxSettings>(session, &call).await {
            Err(error) if error.kind == ErrorKind::Throttled || error.remedy == Remedy::Reconnect => {
                return Err(error);
            }
            told => told.ok().and_then(|settings| zones::iana_name(settings.time_zone.as_deref()?)),
        };
        let told = told.and_then(|name| Zone::from_name(&name));
        Ok(told.or_else(|| session.zone.clone()).unwrap_or(Zone::UTC))
    }

    /// Converts a single event; `None` if it takes no time.
    async fn single(&self, session: &Session, mailbox: &str, raw: wire::Event) -> Result<Option<Event>> {
        let zone = match event::may_be_all_day(&raw) {
            true => self.all_day_zone(session, mailbox).await?,
            false => Zone::UTC,
        };
        match event::parse_item(raw, &zone, None) {
            ParsedItem::Event(event) => Ok(Some(*event)),
            ParsedItem::Nothing => Ok(None),
            ParsedItem::Blocked(..) | ParsedItem::Unknown(_) => Err(unexpected_response()),
        }
    }

    pub(super) async fn post_event(&self, session: &Session, mailbox: &str, new: &NewEvent) -> Result<Event> {
        check_key(&new.effect_key)?;
        let may_meet = self.may_request_meeting(session, mailbox, new).await?;
        let mut body = body(new);
        if may_meet {
            online::request_meeting(&mut body);
        }
        let url = self.mailbox_url(mailbox, &["calendar", "events"])?;
        let written = match self.call_json(session, &Call::post(url, body).for_mailbox(mailbox)).await {
            Ok(raw) => {
                let written = self.single(session, mailbox, raw).await;
                let written = written.and_then(|event| event.ok_or_else(unexpected_response));
                let written = written.map_err(Error::with_unknown_outcome)?;
                Event { effect_key: Some(new.effect_key.clone()), ..written }
            }
            Err(error) if error.code.eq_ignore_ascii_case("ErrorDuplicateTransactionId") => {
                self.search_event(session, mailbox, &new.effect_key).await?.ok_or_else(|| Error {
                    kind: ErrorKind::Gone,
                    remedy: Remedy::Never,
                    message: messages::appointment_removed_since(),
                    ..error
                })?
            }
            Err(error) => return Err(error),
        };
        Ok(online::with_meeting_outcome(new, may_meet, written))
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
            effect_key_property()
        );
        let query = [("$filter", wanted.as_str()), ("$expand", &expand())];
        let mut next = Some(with_query(self.mailbox_url(mailbox, &["calendar", "events"])?, &query));
        for _ in 0..MAX_PAGES {
            let Some(url) = next else { return Ok(None) };
            let list: wire::List<wire::Event> =
                self.call_json(session, &Call::get(url).for_mailbox(mailbox)).await?;
            let ours = |raw: &wire::Event| {
                let mut properties = raw.single_value_extended_properties.iter();
                properties
                    .any(|one| one.id.eq_ignore_ascii_case(&effect_key_property()) && one.value == effect_key)
            };
            let all = list.value.0.into_iter().flatten();
            let live = all.filter(|raw| raw.is_cancelled != Some(true) && ours(raw));
            for raw in live {
                if let Some(found) = self.single(session, mailbox, raw).await? {
                    return Ok(Some(found));
                }
            }
            next = list.next.map(|link| self.next_page_url(&link)).transpose()?;
        }
        Err(too_many_pages())
    }

    pub(super) async fn read_event(
        &self,
        session: &Session,
        mailbox: &str,
        id: &str,
    ) -> Result<Option<Event>> {
        let url = with_query(self.mailbox_url(mailbox, &["events", id])?, &[("$expand", &expand())]);
        match self.call_json(session, &Call::get(url).for_mailbox(mailbox).about_object()).await {
            Err(error) if error.kind == ErrorKind::Gone => Ok(None),
            Err(error) => Err(error),
            Ok(raw) => self.single(session, mailbox, raw).await,
        }
    }

    /// Applies a change. A version conflict changes nothing, so the change is then sent once more if the event
    /// still exists.
    pub(super) async fn patch_event(
        &self,
        session: &Session,
        mailbox: &str,
        id: &str,
        change: &EventChange,
    ) -> Result<Event> {
        let mut body = changed(change);
        if let Some(text) = &change.text {
            body["body"] = self.body_with_meeting(session, mailbox, id, text).await?;
        }
        if body.as_object().is_some_and(Map::is_empty) {
            return self.read_event(session, mailbox, id).await?.ok_or_else(gone);
        }
        let call = Call::patch(self.mailbox_url(mailbox, &["events", id])?, body)
            .for_mailbox(mailbox)
            .about_object();
        let raw = match self.call_json(session, &call).await {
            Err(error) if error.kind == ErrorKind::Conflict && !error.unknown => {
                self.read_event(session, mailbox, id).await?.ok_or_else(gone)?;
                self.call_json(session, &call).await?
            }
            answer => answer?,
        };
        let written = self.single(session, mailbox, raw).await;
        written.and_then(|event| event.ok_or_else(unexpected_response)).map_err(Error::with_unknown_outcome)
    }

    /// Cancels an event with a message. This works only for the organiser's copy of a meeting; any other event is
    /// deleted.
    pub(super) async fn cancel_meeting(
        &self,
        session: &Session,
        mailbox: &str,
        id: &str,
        message: &str,
    ) -> Result<()> {
        let url = self.mailbox_url(mailbox, &["events", id, "cancel"])?;
        let call = Call::post(url, json!({ "comment": message })).for_mailbox(mailbox).about_object();
        match self.call(session, &call).await {
            Err(error) if error.kind == ErrorKind::Invalid => self.remove_event(session, mailbox, id).await,
            Err(error) if error.kind != ErrorKind::Gone => Err(error),
            _ => Ok(()),
        }
    }

    pub(super) async fn remove_event(&self, session: &Session, mailbox: &str, id: &str) -> Result<()> {
        let call =
            Call::delete(self.mailbox_url(mailbox, &["events", id])?).for_mailbox(mailbox).about_object();
        match self.call(session, &call).await {
            Err(error) if error.kind != ErrorKind::Gone => Err(error),
            _ => Ok(()),
        }
    }
}

/// Checks the characters of an effect key, because it becomes part of a filter expression.
fn check_key(key: &str) -> Result<()> {
    let fits = (1..=64).contains(&key.len()) && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    fits.then_some(()).ok_or_else(|| {
        Error::new(ErrorKind::Invalid, Remedy::Never, "EFFECT_KEY", messages::key_of_change_malformed())
    })
}

pub(super) fn unexpected_response() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        Remedy::RetryAfter(std::time::Duration::from_secs(5)),
        "EVENT_UNREADABLE",
        messages::microsoft_appointment_not_understood(),
    )
}

fn gone() -> Error {
    Error::new(ErrorKind::Gone, Remedy::Never, "ErrorItemNotFound", messages::appointment_gone())
}

/// The transaction id of an event. The same key always produces the same id, so that a repeated write is recognised.
fn transaction_id(effect_key: &str) -> Uuid {
    Uuid::new_v5(&EXTENDED_PROPERTY_SET, effect_key.as_bytes())
}

fn body(new: &NewEvent) -> Value {
    let (start, end) = zones::format_range(new.range, &new.zone);
    let show_as = match new.busy {
        Some(domain::BusyKind::Busy) => "busy",
        Some(domain::BusyKind::Tentative) => "tentative",
        None => "free",
    };
    let mut body = json!({
        "subject": new.title,
        "body": online::plain_text_body(&new.text),
        "start": start,
        "end": end,
        "attendees": attendees(&new.attendees),
        "showAs": show_as,
        "allowNewTimeProposals": false,
        "transactionId": transaction_id(&new.effect_key),
        "singleValueExtendedProperties": [{ "id": effect_key_property(), "value": new.effect_key }],
    });
    if let Some(place) = &new.location {
        body["location"] = json!({ "displayName": place });
    }
    body
}

fn changed(change: &EventChange) -> Value {
    let mut body = Map::new();
    if let Some(range) = change.range {
        let (start, end) = zones::format_range(range, change.zone.as_deref().unwrap_or("UTC"));
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
        let NamedAddress { name, address } = &attendee.party;
        json!({ "type": kind(attendee.role), "emailAddress": { "name": name, "address": address } })
    };
    list.iter().map(one).collect()
}

//! Writes events so that every write can be repeated.
//!
//! The organiser's event is written first and names its rooms; the room copies follow. If a write is interrupted in
//! between, the event shows which copies are missing: [`find_and_complete`], called by the engine after an unknown
//! outcome, completes it. If a room refuses permanently, [`create_event`] removes what it wrote.

use domain::{
    Timestamp,
    ical::{Calendar, Component, Property, format_utc},
    state::Answer,
};
use http::StatusCode;
use url::Url;

use super::{
    CalDav, calendar_view,
    collection::Collection,
    event::{self, to_event},
    failure::{self, RequestSubject},
    href,
    locate::LocatedMailbox,
    read::{self, EventResource},
    rooms,
    transport::{DavClient, DavRequest},
};
use crate::{Attendee, Error, ErrorKind, Event, EventChange, NewEvent, Remedy, Result, messages};

/// Writes a new event, or returns the existing one.
pub(super) async fn create_event(
    caldav: &CalDav,
    dav: &DavClient<'_>,
    place: &LocatedMailbox,
    mailbox: &str,
    event: &NewEvent,
) -> Result<Event> {
    let draft = event::build_event(event, caldav.clock.now());
    let rooms = rooms::current_rooms(&Calendar::from_tree(draft.clone()));
    rooms::check_rooms_reachable(caldav, dav, &rooms).await?;
    let stored = match find(dav, place, &event.effect_key).await? {
        Some(there) => usable(there)?,
        None => put_new(dav, place, &event.effect_key, &draft).await?,
    };
    if let Err(error) = rooms::update_room_copies(caldav, dav, &stored).await {
        return Err(take_back(caldav, dav, &stored, error).await);
    }
    answer(dav, &stored, place, mailbox)
}

/// Handles an event whose room copies could not be written: after a permanent error it is removed; after a temporary
/// one it is kept, to be completed later.
async fn take_back(caldav: &CalDav, dav: &DavClient<'_>, stored: &EventResource, error: Error) -> Error {
    if matches!(error.remedy, Remedy::RetryAfter(_) | Remedy::RefreshToken) {
        return error.with_unknown_outcome();
    }
    let removed = match rooms::remove_room_copies(caldav, dav, &stored.calendar).await {
        Ok(()) => remove_resource(dav, &stored.url).await.map(drop),
        failed => failed,
    };
    if removed.is_ok() { Error { unknown: false, ..error } } else { error.with_unknown_outcome() }
}

async fn put_new(
    dav: &DavClient<'_>,
    place: &LocatedMailbox,
    key: &str,
    draft: &Component,
) -> Result<EventResource> {
    let url = href::child_url(&place.booking_calendar().url, &event::file_name(key));
    match put_resource(dav, &url, draft, None).await {
        Ok(stored) => Ok(stored),
        Err(error) if error.kind == ErrorKind::Conflict => {
            // The event exists already; with our key, only Muster can have written it.
            find(dav, place, key).await?.map_or(Err(error), usable)
        }
        Err(error) => Err(error),
    }
}

/// Returns an error for an event that was cancelled without being deleted, because it cannot be written again under
/// the same key.
fn usable(stored: EventResource) -> Result<EventResource> {
    if !read::is_cancelled(&stored) {
        return Ok(stored);
    }
    let message = messages::caldav_event_cancelled();
    Err(Error::new(ErrorKind::Conflict, Remedy::Never, "CANCELLED", message))
}

/// Writes a resource and returns its state afterwards.
pub(super) async fn put_resource(
    dav: &DavClient<'_>,
    url: &Url,
    tree: &Component,
    replaces: Option<&str>,
) -> Result<EventResource> {
    let answer = dav.send(DavRequest::put(url, tree.to_text(), replaces)).await?;
    if !answer.status.is_success() {
        return Err(failure::error_from_response(&answer, RequestSubject::Object, true));
    }
    // With an entity tag the server kept what we sent (RFC 4791 section 5.3.4); without one it is read again.
    if let Some(etag) = answer.etag() {
        return Ok(EventResource { url: url.clone(), etag, calendar: Calendar::from_tree(tree.clone()) });
    }
    let back = read::read_resource(dav, url).await.map_err(Error::with_unknown_outcome)?;
    back.ok_or_else(|| failure::unreadable_response().with_unknown_outcome())
}

/// The event with this effect key: at its URL, otherwise by its UID, in case the server or its owner moved it.
/// Searches all calendars, because the default one may have changed since.
async fn find(dav: &DavClient<'_>, place: &LocatedMailbox, key: &str) -> Result<Option<EventResource>> {
    for calendar in place.calendars.iter().filter(|one| !one.is_free_busy_only()) {
        let is_default = href::is_same_resource(&calendar.url, &place.booking_calendar().url);
        let found = match find_in(dav, calendar, key).await {
            // An inaccessible calendar is skipped unless it is the default one.
            Err(error) if !is_default && error.remedy == Remedy::SkipMailbox => None,
            found => found?,
        };
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

async fn find_in(dav: &DavClient<'_>, calendar: &Collection, key: &str) -> Result<Option<EventResource>> {
    let url = href::child_url(&calendar.url, &event::file_name(key));
    if let Some(stored) = read::read_resource(dav, &url).await? {
        return Ok(Some(stored));
    }
    Ok(read::find_by_uid(dav, calendar, &event::event_uid(key)).await?.into_iter().next())
}

/// The event with this effect key, unless it was cancelled, after writing missing room copies.
pub(super) async fn find_and_complete(
    caldav: &CalDav,
    dav: &DavClient<'_>,
    place: &LocatedMailbox,
    mailbox: &str,
    key: &str,
) -> Result<Option<Event>> {
    let Some(stored) = find(dav, place, key).await?.filter(|stored| !read::is_cancelled(stored)) else {
        return Ok(None);
    };
    match rooms::update_room_copies(caldav, dav, &stored).await {
        Ok(()) => answer(dav, &stored, place, mailbox).map(Some),
        Err(error) if error.remedy == Remedy::Never => {
            // The event can never be completed, so it is removed and reported as missing.
            rooms::remove_room_copies(caldav, dav, &stored.calendar).await?;
            remove_resource(dav, &stored.url).await?;
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Applies a change to an event.
pub(super) async fn update_event(
    caldav: &CalDav,
    dav: &DavClient<'_>,
    place: &LocatedMailbox,
    mailbox: &str,
    id: &str,
    change: &EventChange,
) -> Result<Event> {
    let url = dav.event_url(place, whole(id)?)?;
    let mut conflict = None;
    // Twice: after a conflict the event is read once more.
    for _ in 0..2 {
        let Some(there) = read::read_resource(dav, &url).await? else {
            let message = messages::caldav_event_deleted();
            return Err(Error::new(ErrorKind::Gone, Remedy::Never, "404", message));
        };
        let changed = changed(&there, change, caldav.clock.now());
        let new = rooms::current_rooms(&Calendar::from_tree(changed.clone()));
        rooms::check_rooms_reachable(caldav, dav, &new).await?;
        let is_done = event::has_same_content(&Calendar::from_tree(changed.clone()), &there.calendar);
        let stored =
            if is_done { Ok(there) } else { put_resource(dav, &url, &changed, Some(&there.etag)).await };
        match stored {
            Ok(stored) => {
                rooms::update_room_copies(caldav, dav, &stored).await.map_err(Error::with_unknown_outcome)?;
                return answer(dav, &stored, place, mailbox);
            }
            Err(error) if error.kind == ErrorKind::Conflict => conflict = Some(error),
            Err(error) => return Err(error),
        }
    }
    Err(conflict.unwrap_or_else(failure::unreadable_response))
}

/// The resource after the change; properties that the change does not set are kept, including unknown ones.
fn changed(there: &EventResource, change: &EventChange, now: Timestamp) -> Component {
    let mut tree = there.calendar.tree.clone();
    let sequence = there.calendar.main_event().map_or(0, |event| event.sequence) + 1;
    let organiser = there.calendar.main_event().and_then(|event| event.organiser.clone()).unwrap_or_default();
    let known = rooms::all_rooms(&there.calendar);
    if let Some(zone) = &change.zone {
        tree.replace("X-WR-TIMEZONE", [Property::text("X-WR-TIMEZONE", zone)]);
    }
    let Some(event) = tree.components.iter_mut().find(|part| part.name == "VEVENT") else {
        return tree;
    };
    if let Some(range) = change.range {
        event.replace("DTSTART", [Property::new("DTSTART", format_utc(range.start))]);
        event.replace("DTEND", [Property::new("DTEND", format_utc(range.end))]);
        event.replace("DURATION", []);
        // The room copies move with it, so the rooms have accepted the new time as well.
        let rooms = event.properties.iter_mut().filter(|line| {
            let is_room =
                |kind: &str| kind.eq_ignore_ascii_case("ROOM") || kind.eq_ignore_ascii_case("RESOURCE");
            line.name == "ATTENDEE" && line.param_value("CUTYPE").is_some_and(is_room)
        });
        for line in rooms.filter(|line| known.contains(&event::attendee_address(line))) {
            line.params.retain(|(name, _)| name != "PARTSTAT");
            *line = std::mem::replace(line, Property::new("", "")).param("PARTSTAT", "ACCEPTED");
        }
    }
    let texts = [("SUMMARY", &change.title), ("DESCRIPTION", &change.text), ("LOCATION", &change.location)];
    for (name, text) in texts {
        if let Some(text) = text {
            event.replace(name, (!text.is_empty()).then(|| Property::text(name, text)));
        }
    }
    if let Some(attendees) = &change.attendees {
        let attendees = with_answers(attendees, there, change.range.is_some());
        let lines: Vec<Property> = event::attendee_properties(&attendees, &organiser.address).collect();
        event.replace("ATTENDEE", lines);
        let new = event::room_properties(
            attendees.iter().filter(|one| !known.contains(&one.party.address.to_ascii_lowercase())),
        );
        event.properties.extend(new);
    }
    event.replace("SEQUENCE", [Property::new("SEQUENCE", sequence.to_string())]);
    event.replace("DTSTAMP", [Property::new("DTSTAMP", format_utc(now))]);
    event.replace("LAST-MODIFIED", [Property::new("LAST-MODIFIED", format_utc(now))]);
    tree
}

/// Keeps the responses of attendees unless the event is moved, which requests new responses from all attendees.
fn with_answers(new: &[Attendee], there: &EventResource, moves: bool) -> Vec<Attendee> {
    let known = there.calendar.main_event().map_or(&[][..], |event| &event.attendees);
    let answered = |one: &Attendee| {
        known
            .iter()
            .find(|old| old.party.address.eq_ignore_ascii_case(&one.party.address))
            .map(|old| old.answer)
    };
    let kept = |one: &Attendee| match one.answer {
        Answer::None if !moves => answered(one).unwrap_or(Answer::None),
        answer => answer,
    };
    new.iter().map(|one| Attendee { answer: kept(one), ..one.clone() }).collect()
}

/// Removes an event and its room copies; the copies first, because the event names them.
pub(super) async fn delete_event(
    caldav: &CalDav,
    dav: &DavClient<'_>,
    place: &LocatedMailbox,
    id: &str,
) -> Result<()> {
    let url = dav.event_url(place, whole(id)?)?;
    let Some(there) = read::read_resource(dav, &url).await? else {
        return Ok(());
    };
    rooms::remove_room_copies(caldav, dav, &there.calendar).await?;
    remove_resource(dav, &url).await.map(drop)
}

/// Removes a resource regardless of its version. Succeeds, with `false`, if it no longer exists.
pub(super) async fn remove_resource(dav: &DavClient<'_>, url: &Url) -> Result<bool> {
    let mut failed = None;
    for _ in 0..2 {
        let Some(there) = read::read_resource(dav, url).await? else {
            return Ok(false);
        };
        let answer = dav.send(DavRequest::delete(url, &there.etag)).await?;
        match answer.status {
            status if status.is_success() => return Ok(true),
            StatusCode::NOT_FOUND | StatusCode::GONE => return Ok(false),
            StatusCode::PRECONDITION_FAILED => {
                failed = Some(failure::error_from_response(&answer, RequestSubject::Object, true));
            }
            _ => return Err(failure::error_from_response(&answer, RequestSubject::Object, true)),
        }
    }
    Err(failed.unwrap_or_else(failure::unreadable_response))
}

/// Returns an error for ids of single occurrences, which Muster reads but never writes.
fn whole(id: &str) -> Result<&str> {
    if id.contains('#') {
        let message = messages::caldav_occurrence_fixed();
        return Err(Error::new(ErrorKind::Unsupported, Remedy::Never, "OCCURRENCE", message));
    }
    Ok(id)
}

fn answer(
    dav: &DavClient<'_>,
    stored: &EventResource,
    place: &LocatedMailbox,
    mailbox: &str,
) -> Result<Event> {
    let calendar = place.calendar_containing(&stored.url).unwrap_or_else(|| place.booking_calendar());
    let reader = calendar_view::calendar_owner(dav, place, mailbox, calendar);
    let event = stored.calendar.main_event().ok_or_else(failure::unreadable_response)?;
    let range = event.range(&reader.zone).ok_or_else(failure::unreadable_response)?;
    Ok(to_event(stored, event, range, None, &reader.addresses))
}

//! Room copies of an event: every room has a copy in its own calendar, because the server does not invite rooms.
//!
//! The organiser's event lists its rooms ([`super::event::ROOM_PROPERTY`]), including removed ones, so that
//! updating the copies can be repeated after any interruption and never misses one.

use std::collections::BTreeSet;

use domain::ical::{Calendar, Component, Property};

use super::{
    CalDav,
    event::{self, ROOM_PROPERTY},
    failure, href,
    locate::LocatedMailbox,
    read,
    read::EventResource,
    transport::DavClient,
    write,
};
use crate::{Error, ErrorKind, Remedy, Result, messages};

/// Checks that the calendars of these rooms are accessible, before anything is written.
pub(super) async fn check_rooms_reachable(
    caldav: &CalDav,
    dav: &DavClient<'_>,
    rooms: &BTreeSet<String>,
) -> Result<()> {
    for room in rooms {
        caldav.place(&dav.for_mailbox(room), room).await.map_err(unreachable)?;
    }
    Ok(())
}

/// Converts an error about a room so that it does not cause the organiser's mailbox to be skipped.
fn unreachable(error: Error) -> Error {
    if error.remedy != Remedy::SkipMailbox {
        return error;
    }
    let message = messages::caldav_room_unreachable();
    Error::new(ErrorKind::Invalid, Remedy::Never, "ROOM_UNREACHABLE", message)
}

/// The current rooms of an event.
pub(super) fn current_rooms(calendar: &Calendar) -> BTreeSet<String> {
    let attendees = calendar.main_event().into_iter().flat_map(|event| &event.attendees);
    attendees.filter(|attendee| attendee.room).map(|room| room.party.address.to_ascii_lowercase()).collect()
}

/// All rooms that may have a copy of an event, including removed ones.
pub(super) fn all_rooms(calendar: &Calendar) -> BTreeSet<String> {
    let extras = calendar.main_event().into_iter().flat_map(|event| &event.extras);
    extras.filter(|(name, _)| name == ROOM_PROPERTY).map(|(_, room)| room.to_ascii_lowercase()).collect()
}

/// Updates the room copies to match the organiser's event. Does nothing for events that Muster did not write.
pub(super) async fn update_room_copies(
    caldav: &CalDav,
    dav: &DavClient<'_>,
    organised: &EventResource,
) -> Result<()> {
    let Some(key) = organised
        .calendar
        .main_event()
        .and_then(|main| main.extension_property(event::EFFECT_KEY_PROPERTY))
        .map(str::to_owned)
    else {
        return Ok(());
    };
    let current = current_rooms(&organised.calendar);
    for room in &all_rooms(&organised.calendar) {
        let dav = dav.for_mailbox(room);
        if current.contains(room) {
            let place = caldav.place(&dav, room).await.map_err(unreachable)?;
            let written = put(&dav, &place, &key, &organised.calendar.tree).await;
            caldav.check(&dav, room, written).await.map_err(unreachable)?;
        } else {
            remove_one(caldav, &dav, room, &key).await?;
        }
    }
    Ok(())
}

async fn put(dav: &DavClient<'_>, room: &LocatedMailbox, key: &str, organised: &Component) -> Result<()> {
    let copy = copy(organised);
    let url = href::child_url(&room.booking_calendar().url, &event::file_name(key));
    let wanted = Calendar::from_tree(copy.clone());
    // Twice: somebody may change the copy between reading and writing.
    for last in [false, true] {
        let there = read::read_resource(dav, &url).await?;
        if there.as_ref().is_some_and(|there| event::has_same_content(&there.calendar, &wanted)) {
            return Ok(());
        }
        let replaces = there.as_ref().map(|there| there.etag.as_str());
        match write::put_resource(dav, &url, &copy, replaces).await {
            // A server that schedules lets nobody but the organiser change what an attendee has; but an attendee may
            // throw it away, and then it is new.
            Err(error) if failure::is_organiser_only(&error) && there.is_some() => {
                write::remove_resource(dav, &url).await?;
                return write::put_resource(dav, &url, &copy, None).await.map(drop);
            }
            Err(error) if error.kind == ErrorKind::Conflict && !last => {}
            done => return done.map(drop),
        }
    }
    Ok(())
}

/// Builds the room's copy: without the list of rooms, and without anything that makes a server send mail.
fn copy(organised: &Component) -> Component {
    let mut copy = organised.clone();
    for part in copy.components.iter_mut().filter(|part| part.name == "VEVENT") {
        part.replace(ROOM_PROPERTY, []);
        for line in
            part.properties.iter_mut().filter(|line| matches!(line.name.as_str(), "ATTENDEE" | "ORGANIZER"))
        {
            line.params.retain(|(name, _)| name != "SCHEDULE-AGENT" && name != "SCHEDULE-STATUS");
            *line = std::mem::replace(line, Property::new("", "")).param("SCHEDULE-AGENT", "CLIENT");
        }
    }
    copy
}

/// Removes every copy of an event.
pub(super) async fn remove_room_copies(
    caldav: &CalDav,
    dav: &DavClient<'_>,
    organised: &Calendar,
) -> Result<()> {
    let Some(key) =
        organised.main_event().and_then(|main| main.extension_property(event::EFFECT_KEY_PROPERTY))
    else {
        return Ok(());
    };
    for room in &all_rooms(organised) {
        remove_one(caldav, &dav.for_mailbox(room), room, key).await?;
    }
    Ok(())
}

/// Removes the room copies of an event of which only the effect key and rooms are known.
pub(super) async fn remove_copies_by_key(
    caldav: &CalDav,
    dav: &DavClient<'_>,
    rooms: &[String],
    key: &str,
) -> Result<()> {
    for room in rooms {
        remove_one(caldav, &dav.for_mailbox(room), room, key).await?;
    }
    Ok(())
}

async fn remove_one(caldav: &CalDav, dav: &DavClient<'_>, room: &str, key: &str) -> Result<()> {
    let removed = match caldav.place(dav, room).await {
        Ok(place) => remove_from(dav, &place, key).await,
        Err(error) => Err(error),
    };
    match caldav.check(dav, room, removed).await {
        // A room that is no longer accessible keeps its copy, which must not block the event itself.
        Err(error) if error.remedy == Remedy::SkipMailbox => {
            tracing::warn!(
                code = error.code,
                "a room cannot be reached any more; its copy of an event stays"
            );
            Ok(())
        }
        done => done,
    }
}

/// Removes the copy from whichever calendar of the room contains it, because the default calendar may have changed
/// since. If the server has moved the copy to another URL, it is found by its UID.
async fn remove_from(dav: &DavClient<'_>, room: &LocatedMailbox, key: &str) -> Result<()> {
    for calendar in room.calendars.iter().filter(|one| !one.is_read_only()) {
        let url = href::child_url(&calendar.url, &event::file_name(key));
        if write::remove_resource(dav, &url).await? {
            return Ok(());
        }
    }
    for stored in read::find_by_uid(dav, room.booking_calendar(), &event::event_uid(key)).await? {
        write::remove_resource(dav, &stored.url).await?;
    }
    Ok(())
}

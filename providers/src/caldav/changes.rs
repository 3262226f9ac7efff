//! What has changed in a calendar since a cursor.
//!
//! The first page reads the window; later ones ask the server what changed and read only that. A resource that
//! changed is told as gone and anew, because nobody but the caller knows what was in it before: one event may have
//! become a series, a series may have lost occurrences, an event may have left the window.
//!
//! Whatever a server says that cannot be believed ends in [`Remedy::Resync`]: reading everything again costs time,
//! a copy that is silently wrong costs an appointment. For the same reason no cursor is followed for longer than
//! [`TRUST`], so even a loss that no sign betrays is healed.

use chrono::Duration;
use domain::{TimeRange, Timestamp};
use url::Url;

use super::{
    CalDav,
    cursor::{Cursor, Position},
    directory::Located,
    free_busy, href, multiget, read,
    seen::Seen,
    sync,
    transport::Dav,
};
use crate::{Changes, Error, ErrorKind, Event, Remedy, Result};

/// How long changes are followed before everything is read again.
const TRUST: Duration = Duration::days(14);
/// The same for calendars that show no more than busy times: they may have been opened meanwhile.
const TRUST_CLOSED: Duration = Duration::days(1);

/// One page of changes.
pub(super) async fn page(
    caldav: &CalDav,
    dav: &Dav<'_>,
    place: &Located,
    mailbox: &str,
    window: TimeRange,
    cursor: Option<&str>,
) -> Result<Changes> {
    let now = caldav.clock.now();
    let Some(text) = cursor else {
        return begin(caldav, dav, place, mailbox, window, now).await;
    };
    let cursor = Cursor::read(text)
        .filter(|cursor| cursor.calendar == href::id(&place.calendar.url))
        .filter(|cursor| now - cursor.begun < trust(&cursor.position))
        .ok_or_else(forgotten)?;
    let Some(step) = follow(dav, place, mailbox, &cursor).await? else {
        let cursor = text.to_owned();
        return Ok(Changes {
            gone: Vec::new(),
            changed: Vec::new(),
            unreadable: Vec::new(),
            cursor,
            more: false,
        });
    };
    let Step { gone, changed, position, more } = step;
    Ok(Changes { gone, changed, unreadable: Vec::new(), cursor: Cursor { position, ..cursor }.write(), more })
}

const fn trust(position: &Position) -> Duration {
    match position {
        Position::Token { .. } | Position::Members { .. } => TRUST,
        Position::Busy(_) => TRUST_CLOSED,
    }
}

/// The cursor cannot be followed.
fn forgotten() -> Error {
    let message = "The calendar server no longer knows what has changed since then.";
    Error::new(ErrorKind::Gone, Remedy::Resync, "SYNC_TOKEN", message)
}

async fn begin(
    caldav: &CalDav,
    dav: &Dav<'_>,
    place: &Located,
    mailbox: &str,
    window: TimeRange,
    now: Timestamp,
) -> Result<Changes> {
    // The position comes first: what changes while the window is read is told once more later.
    let position = position(dav, place).await;
    let seen = caldav.look(dav, place, mailbox, window).await?;
    let position = match &seen {
        Seen::Busy(busy) => Position::Busy(free_busy::digest(busy)),
        Seen::Stored(_) => position?,
    };
    let changed = seen.events(place, mailbox, window);
    let cursor = Cursor { calendar: href::id(&place.calendar.url), window, begun: now, position };
    Ok(Changes { gone: Vec::new(), changed, unreadable: Vec::new(), cursor: cursor.write(), more: false })
}

async fn position(dav: &Dav<'_>, place: &Located) -> Result<Position> {
    let state = sync::state(dav, &place.calendar).await?;
    if let Some(token) = sync::begin(dav, &place.calendar, &state).await? {
        return Ok(Position::Token { token, ctag: state.ctag });
    }
    let members = sync::members(dav, &place.calendar).await?;
    Ok(Position::Members { ctag: state.ctag, members })
}

struct Step {
    gone: Vec<String>,
    changed: Vec<Event>,
    position: Position,
    more: bool,
}

/// The next step; `None` when nothing has changed.
async fn follow(dav: &Dav<'_>, place: &Located, mailbox: &str, cursor: &Cursor) -> Result<Option<Step>> {
    match &cursor.position {
        Position::Token { token, ctag } => {
            follow_token(dav, place, mailbox, cursor.window, (token, ctag.as_deref())).await
        }
        Position::Members { ctag, members } => {
            let state = sync::state(dav, &place.calendar).await?;
            if state.ctag.is_some() && state.ctag == *ctag {
                return Ok(None);
            }
            let now = sync::members(dav, &place.calendar).await?;
            let urls = |path: &String| href::resolve(&place.calendar.url, path);
            let gone = members.keys().filter(|path| !now.contains_key(*path)).filter_map(urls).collect();
            let differs = |(path, mark): &(&String, &String)| members.get(*path) != Some(*mark);
            let changed = now.iter().filter(differs).filter_map(|(path, _)| urls(path)).collect();
            let position = Position::Members { ctag: state.ctag, members: now };
            step(dav, place, mailbox, cursor.window, (gone, changed), position).await.map(Some)
        }
        Position::Busy(before) => {
            let busy = free_busy::query(dav, &place.calendar, cursor.window).await?;
            let digest = free_busy::digest(&busy);
            if digest == *before {
                return Ok(None);
            }
            let changed = Seen::Busy(busy).events(place, mailbox, cursor.window);
            let gone = vec![href::id(&place.calendar.url)];
            Ok(Some(Step { gone, changed, position: Position::Busy(digest), more: false }))
        }
    }
}

async fn follow_token(
    dav: &Dav<'_>,
    place: &Located,
    mailbox: &str,
    window: TimeRange,
    (token, ctag): (&str, Option<&str>),
) -> Result<Option<Step>> {
    let calendar = &place.calendar;
    let told = sync::report(dav, calendar, token).await?.ok_or_else(forgotten)?;
    if told.is_empty() && told.token == token {
        return Ok(None);
    }
    if (told.more && told.token == token) || sync::is_replay(dav, calendar, &told).await? {
        return Err(forgotten());
    }
    // Asked for after the report: the tag is never older than the token.
    let unknown = told.more || (told.is_empty() && ctag.is_none());
    let now = if unknown { None } else { sync::state(dav, calendar).await?.ctag };
    if told.is_empty() && ctag.is_some() && now.as_deref() != ctag {
        // Something has changed, and the server tells nothing: it did not know the token.
        return Err(forgotten());
    }
    let position = Position::Token { token: told.token, ctag: now };
    let found = (told.gone, told.changed);
    let step = step(dav, place, mailbox, window, found, position).await?;
    Ok(Some(Step { more: told.more, ..step }))
}

async fn step(
    dav: &Dav<'_>,
    place: &Located,
    mailbox: &str,
    window: TimeRange,
    (gone, changed): (Vec<Url>, Vec<Url>),
    position: Position,
) -> Result<Step> {
    let stored = multiget::read_all(dav, &place.calendar, &changed).await?;
    let gone = gone.iter().chain(&changed).map(href::id).collect();
    let changed = read::events(&stored, place, mailbox, window);
    Ok(Step { gone, changed, position, more: false })
}

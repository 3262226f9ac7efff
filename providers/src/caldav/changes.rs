//! Changes in the calendars of a mailbox since a cursor.
//!
//! The first page reads the events in the time range; later pages request the changes from the server and read only
//! changed events. A changed resource is reported as both deleted and new, because only the caller has its previous
//! content: a single event may have become a series, a series may have lost occurrences, an event may have left the
//! time range.
//!
//! A response that cannot be trusted ends in [`Remedy::Resync`]: reading everything again costs time, but a stored
//! calendar that is silently wrong can cost somebody an appointment. For the same reason no cursor is used for longer
//! than [`TRUST`], which repairs even undetected losses, and an added or removed calendar restarts from the beginning.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::Duration;
use domain::{TimeRange, UnreadableItem};
use url::Url;

use super::{
    CalDav,
    calendar_view::{self, CalendarView},
    collection::Collection,
    cursor::{CalendarPosition, Cursor, is_digest},
    free_busy, href,
    locate::LocatedMailbox,
    multiget, repair, sync,
    transport::DavClient,
    watermark,
};
use crate::{ChangeCheck, ChangeFeed, Changes, Error, ErrorKind, Event, Remedy, Result, Session, messages};

/// How long a cursor is used before everything is read again.
const TRUST: Duration = Duration::days(14);
/// How long a cursor is used for calendars that show only busy times, whose details may have been shared since.
const TRUST_CLOSED: Duration = Duration::days(1);

/// Reads the changes of one mailbox.
#[derive(Debug, Clone, Copy)]
struct ChangeReader<'a> {
    pub caldav: &'a CalDav,
    pub dav: &'a DavClient<'a>,
    pub place: &'a LocatedMailbox,
    pub mailbox: &'a str,
}

#[async_trait]
impl ChangeFeed for CalDav {
    async fn changes(
        &self,
        session: &Session,
        mailbox: &str,
        window: TimeRange,
        cursor: Option<&str>,
    ) -> Result<Changes> {
        let dav = self.dav(session, Some(mailbox))?;
        let place = self.place(&dav, mailbox).await?;
        let follower = ChangeReader { caldav: self, dav: &dav, place: &place, mailbox };
        let page = page(follower, window, cursor).await;
        self.check(&dav, mailbox, page).await
    }

    async fn poll_changes(
        &self,
        session: &Session,
        mailbox: &str,
        _window: TimeRange,
        watermark: Option<&str>,
    ) -> Result<ChangeCheck> {
        let dav = self.dav(session, Some(mailbox))?;
        let place = self.place(&dav, mailbox).await?;
        self.check(&dav, mailbox, watermark::check_for_changes(&dav, &place, watermark).await).await
    }
}

/// One page of changes.
async fn page(follower: ChangeReader<'_>, window: TimeRange, cursor: Option<&str>) -> Result<Changes> {
    let Some(text) = cursor else {
        return begin(follower, window).await;
    };
    let now = follower.caldav.clock.now();
    let counted: Vec<String> = paths(follower.place);
    let mut cursor = Cursor::parse(text)
        .filter(|cursor| cursor.positions.keys().eq(&counted))
        .filter(|cursor| cursor.positions.values().all(|position| now - cursor.begun < trust(position)))
        .ok_or_else(forgotten)?;
    let mut changes = Changes {
        gone: Vec::new(),
        changed: Vec::new(),
        unreadable: Vec::new(),
        cursor: String::new(),
        more: false,
    };
    for calendar in follower.place.busy_calendars() {
        let Some(position) = cursor.positions.get(&href::resource_id(&calendar.url)) else { continue };
        let Some(step) = follow(follower, calendar, cursor.window, position).await? else { continue };
        changes.gone.extend(step.gone);
        changes.changed.extend(step.changed);
        changes.unreadable.extend(step.unreadable);
        changes.more |= step.more;
        cursor.positions.insert(href::resource_id(&calendar.url), step.position);
    }
    changes.cursor = cursor.serialise();
    Ok(changes)
}

/// The paths of the calendars whose changes are read, in order.
fn paths(place: &LocatedMailbox) -> Vec<String> {
    let mut paths: Vec<String> =
        place.busy_calendars().map(|calendar| href::resource_id(&calendar.url)).collect();
    paths.sort_unstable();
    paths
}

const fn trust(position: &CalendarPosition) -> Duration {
    match position {
        CalendarPosition::Token { .. } | CalendarPosition::Members { .. } => TRUST,
        CalendarPosition::Busy(_) | CalendarPosition::Nothing => TRUST_CLOSED,
    }
}

/// The error for a cursor that is no longer valid.
fn forgotten() -> Error {
    let message = messages::caldav_changes_forgotten();
    Error::new(ErrorKind::Gone, Remedy::Resync, "SYNC_TOKEN", message)
}

async fn begin(follower: ChangeReader<'_>, window: TimeRange) -> Result<Changes> {
    let ChangeReader { caldav, dav, place, mailbox } = follower;
    let (mut positions, mut all) = (BTreeMap::new(), Vec::new());
    for calendar in place.busy_calendars() {
        // The position comes first: what changes while the time range is read is told once more later.
        let position = position(dav, calendar).await;
        let seen = caldav.look(dav, place, mailbox, calendar, window).await?;
        let position = match &seen {
            CalendarView::Busy(busy) => CalendarPosition::Busy(free_busy::busy_digest(busy)),
            CalendarView::Events(_) => position?,
            CalendarView::Nothing => CalendarPosition::Nothing,
        };
        positions.insert(href::resource_id(&calendar.url), position);
        all.push((calendar.clone(), seen));
    }
    let page = calendar_view::read_events(dav, place, mailbox, window, all).await?;
    let cursor = Cursor { window, begun: caldav.clock.now(), positions };
    Ok(Changes {
        gone: Vec::new(),
        changed: page.items,
        unreadable: page.unreadable,
        cursor: cursor.serialise(),
        more: false,
    })
}

async fn position(dav: &DavClient<'_>, calendar: &Collection) -> Result<CalendarPosition> {
    let state = sync::read_state(dav, calendar).await?;
    if let Some(token) = sync::obtain_token(dav, calendar, &state).await? {
        return Ok(CalendarPosition::Token { token, ctag: state.ctag, before: None });
    }
    let members = sync::member_digests(dav, calendar).await?;
    let again = state.ctag.as_deref().is_some_and(|tag| !is_digest(tag));
    Ok(CalendarPosition::Members { ctag: state.ctag, members, again })
}

/// The changes in one calendar found by one request.
struct Step {
    gone: Vec<String>,
    changed: Vec<Event>,
    unreadable: Vec<UnreadableItem>,
    position: CalendarPosition,
    more: bool,
}

impl Step {
    /// Result for a calendar without changes.
    const fn at(position: CalendarPosition) -> Self {
        Self { gone: Vec::new(), changed: Vec::new(), unreadable: Vec::new(), position, more: false }
    }
}

/// Reads the next changes of one calendar; `None` if there are none.
async fn follow(
    follower: ChangeReader<'_>,
    calendar: &Collection,
    window: TimeRange,
    position: &CalendarPosition,
) -> Result<Option<Step>> {
    match position {
        CalendarPosition::Token { token, ctag, before: None } => {
            let told = sync::read_changes(follower.dav, calendar, token).await?.ok_or_else(forgotten)?;
            follow_token(follower, calendar, window, (token, ctag.as_deref()), told).await
        }
        CalendarPosition::Token { token, ctag, before: Some((before, digest)) } => {
            let told = sync::read_changes(follower.dav, calendar, before).await?.ok_or_else(forgotten)?;
            if told.token == *token && told.digest == *digest {
                // No change was missed.
                let position =
                    CalendarPosition::Token { token: token.clone(), ctag: ctag.clone(), before: None };
                return Ok(Some(Step::at(position)));
            }
            follow_token(follower, calendar, window, (before, None), told).await
        }
        CalendarPosition::Members { ctag, members, again } => {
            let is_same = |now: &Option<String>| now.is_some() && now == ctag && !again;
            follow_members(follower, calendar, window, members, is_same).await
        }
        CalendarPosition::Busy(before) => follow_busy(follower, calendar, window, before).await,
        CalendarPosition::Nothing => Ok(None),
    }
}

async fn follow_members(
    follower: ChangeReader<'_>,
    calendar: &Collection,
    window: TimeRange,
    members: &BTreeMap<String, String>,
    is_same: impl Fn(&Option<String>) -> bool,
) -> Result<Option<Step>> {
    let state = sync::read_state(follower.dav, calendar).await?;
    if is_same(&state.ctag) {
        return Ok(None);
    }
    let now = sync::member_digests(follower.dav, calendar).await?;
    let urls = |path: &String| href::resolve(&calendar.url, path);
    let gone = members.keys().filter(|path| !now.contains_key(*path)).filter_map(urls).collect();
    let differs = |(path, mark): &(&String, &String)| mark.is_empty() || members.get(*path) != Some(*mark);
    let changed: Vec<Url> = now.iter().filter(differs).filter_map(|(path, _)| urls(path)).collect();
    // The tag was read before the list; it stands for a moment in which more may have happened than is listed.
    let has_changed = now != *members;
    let again = has_changed && state.ctag.as_deref().is_some_and(|tag| !is_digest(tag));
    let position = CalendarPosition::Members { ctag: state.ctag, members: now, again };
    step(follower, calendar, window, (gone, changed), position).await.map(Some)
}

async fn follow_busy(
    follower: ChangeReader<'_>,
    calendar: &Collection,
    window: TimeRange,
    before: &str,
) -> Result<Option<Step>> {
    let busy = free_busy::query_busy_times(follower.dav, calendar, window).await?;
    let digest = free_busy::busy_digest(&busy);
    if digest == before {
        return Ok(None);
    }
    let changed = busy.iter().map(|busy| free_busy::busy_event(&calendar.url, busy)).collect();
    let gone = vec![href::resource_id(&calendar.url)];
    let position = CalendarPosition::Busy(digest);
    Ok(Some(Step { gone, changed, unreadable: Vec::new(), position, more: false }))
}

async fn follow_token(
    follower: ChangeReader<'_>,
    calendar: &Collection,
    window: TimeRange,
    (token, ctag): (&str, Option<&str>),
    told: sync::SyncResponse,
) -> Result<Option<Step>> {
    let dav = follower.dav;
    if told.is_empty() && told.token == token {
        return Ok(None);
    }
    if (told.more && told.token == token) || sync::is_replay(dav, calendar, &told).await? {
        return Err(forgotten());
    }
    // Asked for after the report: the tag is never older than the token.
    let unknown = told.more || (told.is_empty() && ctag.is_none());
    let now = if unknown { None } else { sync::read_state(dav, calendar).await?.ctag };
    if told.is_empty() && ctag.is_some() && now.as_deref() != ctag {
        // Something has changed, and the server tells nothing: it did not know the token.
        return Err(forgotten());
    }
    let is_settled = told.more || told.is_empty();
    let before = (!is_settled && !is_digest(&told.token)).then(|| (token.to_owned(), told.digest));
    let position = CalendarPosition::Token { token: told.token, ctag: now, before };
    let found = (told.gone, told.changed);
    let step = step(follower, calendar, window, found, position).await?;
    Ok(Some(Step { more: told.more, ..step }))
}

async fn step(
    follower: ChangeReader<'_>,
    calendar: &Collection,
    window: TimeRange,
    (gone, changed): (Vec<Url>, Vec<Url>),
    position: CalendarPosition,
) -> Result<Step> {
    let ChangeReader { dav, place, mailbox, .. } = follower;
    let found = multiget::fetch_resources(dav, calendar, &changed).await?.parse_calendar_texts().await?;
    let found = repair::determine_times(dav, calendar, window, found).await?;
    let gone = gone.iter().chain(&changed).map(href::resource_id).collect();
    let page = calendar_view::read_events(
        dav,
        place,
        mailbox,
        window,
        vec![(calendar.clone(), CalendarView::Events(found))],
    )
    .await?;
    Ok(Step { gone, changed: page.items, unreadable: page.unreadable, position, more: false })
}

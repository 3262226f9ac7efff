//! Event resources of a calendar that queries over a time range do not list.
//!
//! Some servers leave other people's private events out of every query and reveal them only in change reports. Their
//! times are unknown, but their existence is reported. Other servers interpret a rule or date differently from the
//! event's author and so find the event in no window: Radicale treats a series with `COUNT=0`, which some programs
//! write for "for ever", as having no occurrences. Such an event is read and expanded here. Comparing the lists takes
//! four requests, so it is done only occasionally for each calendar, and its result is cached.

use std::{collections::BTreeSet, sync::Arc};

use chrono::{NaiveDate, NaiveTime};
use domain::TimeRange;
use futures::FutureExt;
use url::Url;

use super::{collection::Collection, href, read, sync, transport::DavClient};
use crate::{ErrorKind, Remedy, Result};

/// Maximum number of unlisted resources of each kind that are examined.
const MAX: usize = 50;
/// The years that every server can search: the range of a signed 32-bit timestamp.
const YEARS: (i32, i32) = (1902, 2038);

/// Finds the resources of a calendar that no query over a time range lists. They are not necessarily events.
pub(super) async fn find_hidden_members(dav: &DavClient<'_>, calendar: &Collection) -> Result<Arc<Vec<Url>>> {
    let key = dav.cache_key(&format!("hidden\n{}", href::resource_id(&calendar.url)));
    let load = async { compare(dav, calendar).await.map(Arc::new) };
    match super::remembered(&dav.caldav.hidden, key, load.boxed()).await {
        Err(error) if error.remedy == Remedy::Reconnect || error.kind == ErrorKind::Throttled => Err(error),
        // A calendar whose lists cannot be compared is read nevertheless.
        found => Ok(found.unwrap_or_default()),
    }
}

async fn compare(dav: &DavClient<'_>, calendar: &Collection) -> Result<Vec<Url>> {
    let Some(queried) = read::list_event_urls(dav, calendar).await? else { return Ok(Vec::new()) };
    let ids: BTreeSet<String> = queried.iter().map(href::resource_id).collect();
    let listed = match sync::read_changes(dav, calendar, "").await? {
        Some(told) if !told.more => told.changed,
        _ => {
            let members = sync::member_digests(dav, calendar).await?.into_keys();
            members.filter_map(|path| href::resolve(&calendar.url, &path)).collect()
        }
    };
    let left_out = listed.into_iter().filter(|url| !ids.contains(&href::resource_id(url)));
    let mut hidden: Vec<Url> = left_out.take(MAX).collect();
    // If a server does not search windows of this length, nothing can be concluded about its events.
    if let Ok(Some(placed)) = read::find_overlapping_urls(dav, calendar, ever()).await {
        let placed: BTreeSet<String> = placed.iter().map(href::resource_id).collect();
        let nowhere = queried.into_iter().filter(|url| !placed.contains(&href::resource_id(url)));
        hidden.extend(nowhere.take(MAX));
    }
    Ok(hidden)
}

fn ever() -> TimeRange {
    let first_of =
        |year| NaiveDate::from_ymd_opt(year, 1, 1).unwrap_or_default().and_time(NaiveTime::MIN).and_utc();
    TimeRange { start: first_of(YEARS.0), end: first_of(YEARS.1) }
}

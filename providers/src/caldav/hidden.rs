//! Members that a calendar has and no query lists.
//!
//! Some servers leave private events of others out of every query, and name them only where they tell what has changed.
//! Nobody can say when such an event is, but that it is there is worth a mark. Comparing the lists costs two requests,
//! so it is done once in a while for each calendar, and no more than that is remembered of it.

use std::{collections::BTreeSet, sync::Arc};

use futures::FutureExt;
use url::Url;

use super::{collection::Collection, href, read, sync, transport::Dav};
use crate::{ErrorKind, Remedy, Result};

/// How many are looked after.
const MOST: usize = 50;

/// The members that no query lists. They may be no events at all.
pub(super) async fn members(dav: &Dav<'_>, calendar: &Collection) -> Result<Arc<Vec<Url>>> {
    let key = dav.key(&format!("hidden\n{}", href::id(&calendar.url)));
    let load = async { compare(dav, calendar).await.map(Arc::new) };
    match super::remembered(&dav.caldav.hidden, key, load.boxed()).await {
        Err(error) if error.remedy == Remedy::Reconnect || error.kind == ErrorKind::Throttled => Err(error),
        // A calendar that cannot be compared is read all the same.
        found => Ok(found.unwrap_or_default()),
    }
}

async fn compare(dav: &Dav<'_>, calendar: &Collection) -> Result<Vec<Url>> {
    let Some(queried) = read::all_events(dav, calendar).await? else { return Ok(Vec::new()) };
    let queried: BTreeSet<String> = queried.iter().map(href::id).collect();
    let listed = match sync::report(dav, calendar, "").await? {
        Some(told) if !told.more => told.changed,
        _ => {
            let members = sync::members(dav, calendar).await?.into_keys();
            members.filter_map(|path| href::resolve(&calendar.url, &path)).collect()
        }
    };
    let left_out = listed.into_iter().filter(|url| !queried.contains(&href::id(url)));
    Ok(left_out.take(MOST).collect())
}

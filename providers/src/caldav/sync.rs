//! Changes since a token: `sync-collection` (RFC 6578), and the list of entity tags if the server does not support
//! it or cannot be trusted.
//!
//! Servers react differently to a token that they have forgotten: 403, 409 and 412 are common, 400 and 500 occur, and
//! some respond with 207 as if the token were valid. [`read_changes`] returns `None` for every ambiguous response, and
//! [`is_replay`] detects a server that reports everything as new and omits deletions.

use std::collections::{BTreeMap, BTreeSet};

use http::StatusCode;
use quick_xml::escape::escape;
use url::Url;

use super::{
    collection::Collection,
    cursor::short_digest,
    failure::{self, RequestSubject},
    href, multistatus,
    transport::{DavClient, DavRequest, DavResponse},
    xml::{CALDAV, CALENDARSERVER, DAV},
};
use crate::{Error, ErrorKind, Remedy, Result, messages};

const STATE: &str = r#"<D:propfind xmlns:D="DAV:" xmlns:CS="http://calendarserver.org/ns/"><D:prop><D:sync-token/><CS:getctag/><D:supported-report-set/></D:prop></D:propfind>"#;
const ETAGS: &str =
    r#"<D:propfind xmlns:D="DAV:"><D:prop><D:getetag/><D:resourcetype/></D:prop></D:propfind>"#;
/// Maximum number of pages read to reach the token at the end of an initial sync.
const PAGES: usize = 1_000;

/// The state of a calendar according to its properties.
#[derive(Debug, Default)]
pub(super) struct SyncState {
    /// The current sync token.
    pub token: Option<String>,
    /// The tag (`getctag`) that changes with every change.
    pub ctag: Option<String>,
    /// Whether the calendar supports `sync-collection`.
    pub offers_sync: bool,
}

/// A response to `sync-collection`.
#[derive(Debug)]
pub(super) struct SyncResponse {
    /// URLs of new and changed event resources.
    pub changed: Vec<Url>,
    /// URLs of deleted event resources.
    pub gone: Vec<Url>,
    /// The token with which to continue.
    pub token: String,
    /// Whether more changes are available already.
    pub more: bool,
    /// A digest of the reported resources and entity tags ([`short_digest`]).
    pub digest: String,
}

impl SyncResponse {
    /// Whether the response reports no changes.
    pub(super) const fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.gone.is_empty() && !self.more
    }
}

/// Reads the state of a calendar.
pub(super) async fn read_state(dav: &DavClient<'_>, calendar: &Collection) -> Result<SyncState> {
    let found = dav.propfind(&calendar.url, "0", STATE, RequestSubject::Mailbox).await?;
    let Some(own) = found.iter().find(|one| href::is_same_resource(&one.url, &calendar.url)) else {
        return Ok(SyncState::default());
    };
    let reports = own.property(DAV, "supported-report-set").into_iter();
    let reports = reports.flat_map(|set| set.all(DAV, "supported-report"));
    let mut reports = reports.filter_map(|one| one.child(DAV, "report"));
    Ok(SyncState {
        token: own.text(DAV, "sync-token").map(str::to_owned),
        ctag: own.text(CALENDARSERVER, "getctag").map(str::to_owned),
        offers_sync: reports.any(|report| report.child(DAV, "sync-collection").is_some()),
    })
}

/// Changes since a token; with an empty token, all resources. `None` if the server rejects the token, does not support
/// the report, or returns a response that cannot be trusted.
pub(super) async fn read_changes(
    dav: &DavClient<'_>,
    calendar: &Collection,
    token: &str,
) -> Result<Option<SyncResponse>> {
    let token = escape(token);
    let body = format!(
        r#"<D:sync-collection xmlns:D="DAV:"><D:sync-token>{token}</D:sync-token><D:sync-level>1</D:sync-level><D:prop><D:getetag/></D:prop></D:sync-collection>"#
    );
    let mut answer = dav.send(DavRequest::xml(b"REPORT", &calendar.url, "0", body.clone())).await?;
    if answer.status == StatusCode::BAD_REQUEST {
        // Before RFC 6578 was finished the depth of this report was one.
        answer = dav.send(DavRequest::xml(b"REPORT", &calendar.url, "1", body)).await?;
    }
    match answer.status.as_u16() {
        207 => Ok(told(calendar, &answer)),
        404 | 423 | 429 | 502..=504 => {
            Err(failure::error_from_response(&answer, RequestSubject::Mailbox, false))
        }
        403 if failure::failed_precondition(&answer.body).as_deref() == Some("need-privileges") => {
            Err(failure::error_from_response(&answer, RequestSubject::Mailbox, false))
        }
        _ => Ok(None),
    }
}

fn told(calendar: &Collection, answer: &DavResponse) -> Option<SyncResponse> {
    let (resources, token) = multistatus::parse_with_sync_token(&answer.url, &answer.body)?;
    let mut told = SyncResponse {
        changed: Vec::new(),
        gone: Vec::new(),
        token: token?,
        more: false,
        digest: String::new(),
    };
    let mut digest = String::new();
    for one in resources {
        if href::is_same_resource(&one.url, &calendar.url) {
            // The calendar itself: 507 says that the answer was cut (RFC 6578 section 3.6).
            told.more |= one.status == Some(507);
            continue;
        }
        if !href::is_below(&calendar.url, &one.url) || one.url.path().ends_with('/') {
            continue;
        }
        let etag = one.text(DAV, "getetag").unwrap_or_default();
        digest.extend([one.url.path(), " ", etag, "\n"]);
        match one.status {
            Some(404 | 410) => told.gone.push(one.url),
            // A member reported without an entity tag is read nevertheless.
            _ => told.changed.push(one.url),
        }
    }
    told.digest = short_digest(&digest);
    Some(told)
}

/// Obtains a sync token, and tests that the server reports changes since it reliably; `None` if there is none.
pub(super) async fn obtain_token(
    dav: &DavClient<'_>,
    calendar: &Collection,
    state: &SyncState,
) -> Result<Option<String>> {
    let token = match &state.token {
        Some(token) => Some(token.clone()),
        None if state.offers_sync => last_token(dav, calendar).await?,
        None => None,
    };
    let Some(token) = token else { return Ok(None) };
    let tried = match read_changes(dav, calendar, &token).await {
        // If the report is refused or not supported, the list of tags may still be readable.
        Err(error) if error.remedy == Remedy::SkipMailbox => return Ok(None),
        tried => tried?,
    };
    // Nothing can have changed since a moment ago: a server that tells something does not look at the token. Where
    // somebody really was that fast, the list of tags does as well.
    Ok(tried.filter(SyncResponse::is_empty).map(|told| told.token))
}

async fn last_token(dav: &DavClient<'_>, calendar: &Collection) -> Result<Option<String>> {
    let mut token = String::new();
    for _ in 0..PAGES {
        match read_changes(dav, calendar, &token).await? {
            Some(told) if told.more && told.token != token => token = told.token,
            Some(told) if !told.more => return Ok(Some(told.token)),
            _ => break,
        }
    }
    Ok(None)
}

/// Whether a response reports every resource as changed and none as deleted. A server that treats an unknown token as
/// no token does so; deletions are then unknown.
pub(super) async fn is_replay(
    dav: &DavClient<'_>,
    calendar: &Collection,
    told: &SyncResponse,
) -> Result<bool> {
    if told.changed.len() < 2 || !told.gone.is_empty() || told.more {
        return Ok(false);
    }
    let changed: BTreeSet<String> = told.changed.iter().map(href::resource_id).collect();
    let members = member_digests(dav, calendar).await?;
    Ok(members.keys().all(|member| changed.contains(member)))
}

/// Digests of the entity tags of a calendar's resources, by path.
pub(super) async fn member_digests(
    dav: &DavClient<'_>,
    calendar: &Collection,
) -> Result<BTreeMap<String, String>> {
    let found = match dav.propfind(&calendar.url, "1", ETAGS, RequestSubject::Mailbox).await {
        // Some servers respond with just a 507 if a calendar is too large to be listed.
        Err(error) if error.kind == ErrorKind::Invalid => {
            let message = messages::caldav_too_many_events();
            return Err(Error::new(ErrorKind::NotServed, Remedy::SkipMailbox, error.code, message));
        }
        found => found?,
    };
    let members = found.into_iter().filter_map(|one| {
        let is_member = href::is_below(&calendar.url, &one.url)
            && !one.has_resource_type(DAV, "collection")
            && !one.has_resource_type(CALDAV, "calendar");
        let is_there = is_member && !matches!(one.status, Some(404 | 410));
        // A member without a tag cannot be compared: it counts as changed each time.
        let etag = one.text(DAV, "getetag").map(short_digest).unwrap_or_default();
        is_there.then(|| (href::resource_id(&one.url), etag))
    });
    Ok(members.collect())
}

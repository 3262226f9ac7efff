//! Reads event resources by URL, many per request (`calendar-multiget`, RFC 4791 section 7.9). If a response cannot be
//! read, the resources are requested in ever smaller groups; if the server does not support the report or omits
//! resources, one at a time.

use std::fmt::Write;

use domain::{TimeRange, UnreadableReason, ical::format_utc};
use http::StatusCode;
use quick_xml::escape::escape;
use url::Url;

use super::{
    collection::Collection,
    failure::{self, RequestSubject},
    href,
    read::{self, ReadResources, ReportResponse, ReportedResource, UnreadableResource},
    transport::{DavClient, DavRequest},
};
use crate::{Remedy, Result};

/// Maximum number of resources per request.
const AT_ONCE: usize = 50;

/// Fetches the resources at these URLs, not parsed yet. Deleted ones are left out.
pub(super) async fn fetch_resources(
    dav: &DavClient<'_>,
    calendar: &Collection,
    urls: &[Url],
) -> Result<ReadResources> {
    let mut found = ReadResources::default();
    let mut groups: Vec<Vec<Url>> = urls.chunks(AT_ONCE).map(<[Url]>::to_vec).rev().collect();
    while let Some(mut group) = groups.pop() {
        match query(dav, calendar, &group, None).await? {
            Some(ReportResponse::Members(members)) => {
                for member in members {
                    let ReportedResource { url, etag, refusal, text } = member;
                    let text = text.filter(|text| !text.trim().is_empty());
                    if text.is_some() || matches!(refusal, Some(404 | 410)) {
                        group.retain(|asked| !href::is_same_resource(asked, &url));
                    }
                    if let Some(text) = text {
                        found.add_calendar_text(url, etag, text);
                    }
                }
                for url in &group {
                    single(dav, url, &mut found).await?;
                }
            }
            Some(_) if group.len() > 1 => {
                let rest = group.split_off(group.len() / 2);
                groups.extend([rest, group]);
            }
            Some(_) => single(dav, &group[0], &mut found).await?,
            // If the server does not support the report, the resources are requested one by one.
            None => {
                for url in &group {
                    single(dav, url, &mut found).await?;
                }
            }
        }
    }
    Ok(found)
}

/// Fetches the resources expanded by the server within a time range. Resources missing in the response are left out.
pub(super) async fn fetch_expanded(
    dav: &DavClient<'_>,
    calendar: &Collection,
    urls: &[Url],
    window: TimeRange,
) -> Result<ReadResources> {
    let mut found = ReadResources::default();
    if let Some(ReportResponse::Members(members)) = query(dav, calendar, urls, Some(window)).await? {
        for member in members {
            if let Some(text) = member.text.filter(|text| !text.trim().is_empty()) {
                found.add_calendar_text(member.url, member.etag, text);
            }
        }
    }
    found.parse_calendar_texts().await
}

/// Fetches a single resource.
async fn single(dav: &DavClient<'_>, url: &Url, found: &mut ReadResources) -> Result<()> {
    let answer = match dav.send(DavRequest::get(url)).await {
        Err(error) if failure::is_too_large(&error) => {
            found.lost.push(UnreadableResource::new(url.clone(), UnreadableReason::TooLarge));
            return Ok(());
        }
        answer => answer?,
    };
    match answer.status {
        StatusCode::OK => {
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            found.add_calendar_text(url.clone(), answer.etag(), text);
        }
        StatusCode::NOT_FOUND | StatusCode::GONE => {}
        status => match failure::error_from_response(&answer, RequestSubject::Object, false) {
            // A permanent error concerns only this resource; a temporary one concerns the server.
            error if matches!(error.remedy, Remedy::RetryAfter(_)) && status.as_u16() != 500 => {
                return Err(error);
            }
            _ => found.lost.push(UnreadableResource::new(url.clone(), UnreadableReason::NotDelivered)),
        },
    }
    Ok(())
}

/// Sends the report; `None` if the server does not support it.
async fn query(
    dav: &DavClient<'_>,
    calendar: &Collection,
    urls: &[Url],
    expand: Option<TimeRange>,
) -> Result<Option<ReportResponse>> {
    let mut hrefs = String::new();
    for url in urls {
        // Writing to a String cannot fail.
        let _ = write!(hrefs, "<D:href>{}</D:href>", escape(url.path()));
    }
    let data = expand.map_or_else(
        || "<C:calendar-data/>".to_owned(),
        |window| {
            let (start, end) = (format_utc(window.start), format_utc(window.end));
            format!(r#"<C:calendar-data><C:expand start="{start}" end="{end}"/></C:calendar-data>"#)
        },
    );
    let body = format!(
        r#"<C:calendar-multiget xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><D:getetag/>{data}</D:prop>{hrefs}</C:calendar-multiget>"#
    );
    let answer = match dav.send(DavRequest::xml(b"REPORT", &calendar.url, "1", body)).await {
        Err(error) if failure::is_too_large(&error) => return Ok(Some(ReportResponse::Unclear)),
        answer => answer?,
    };
    match answer.status {
        StatusCode::MULTI_STATUS => Ok(Some(read::parse_report(calendar, &answer))),
        StatusCode::BAD_REQUEST | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => Ok(None),
        StatusCode::INTERNAL_SERVER_ERROR | StatusCode::INSUFFICIENT_STORAGE => {
            Ok(Some(ReportResponse::Unclear))
        }
        status if status.is_success() => Err(failure::unreadable_response()),
        _ => Err(failure::error_from_response(&answer, RequestSubject::Mailbox, false)),
    }
}

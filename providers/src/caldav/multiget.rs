//! Reading named resources, many at a time (`calendar-multiget`, RFC 4791 section 7.9).

use std::fmt::Write;

use http::StatusCode;
use quick_xml::escape::escape;
use url::Url;

use super::{
    directory::Collection,
    failure::{self, About},
    href, multistatus,
    read::{self, Stored},
    transport::{Call, Dav},
    xml::{CALDAV, DAV},
};
use crate::Result;

/// How many resources are asked for at once.
const AT_ONCE: usize = 50;

/// The resources at these addresses, in the order asked. Those that are gone or cannot be read are left out.
pub(super) async fn read_all(dav: &Dav<'_>, calendar: &Collection, urls: &[Url]) -> Result<Vec<Stored>> {
    let mut all = Vec::with_capacity(urls.len());
    for some in urls.chunks(AT_ONCE) {
        let mut left: Vec<&Url> = some.iter().collect();
        for found in query(dav, calendar, some).await? {
            left.retain(|url| !href::same(url, &found.url));
            if let Found { url, content: Some((etag, text)) } = found {
                all.extend(read::parsed(url, etag, text.as_bytes()));
            }
        }
        // A server that does not know the report, or leaves some out, is asked for them one by one.
        for url in left {
            all.extend(read::object(dav, url).await?);
        }
    }
    Ok(all)
}

struct Found {
    url: Url,
    /// Entity tag and text; absent when it is gone.
    content: Option<(String, String)>,
}

async fn query(dav: &Dav<'_>, calendar: &Collection, urls: &[Url]) -> Result<Vec<Found>> {
    let mut hrefs = String::new();
    for url in urls {
        // Writing to a String cannot fail.
        let _ = write!(hrefs, "<D:href>{}</D:href>", escape(url.path()));
    }
    let body = format!(
        r#"<C:calendar-multiget xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><D:getetag/><C:calendar-data/></D:prop>{hrefs}</C:calendar-multiget>"#
    );
    let answer = dav.send(Call::xml(b"REPORT", &calendar.url, "1", body)).await?;
    match answer.status {
        StatusCode::MULTI_STATUS => {}
        StatusCode::BAD_REQUEST | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => {
            return Ok(Vec::new());
        }
        _ => return Err(failure::error(&answer, About::Mailbox, false)),
    }
    let resources = multistatus::read(&answer.url, &answer.body).ok_or_else(failure::nonsense)?;
    let found = resources.into_iter().filter_map(|one| {
        if matches!(one.status, Some(404 | 410)) {
            return Some(Found { url: one.url, content: None });
        }
        let etag = one.text(DAV, "getetag")?.to_owned();
        let text = one.prop(CALDAV, "calendar-data")?.text.clone();
        Some(Found { url: one.url, content: Some((etag, text)) })
    });
    Ok(found.collect())
}

//! Reads a request body with a size limit and a time-out.
//!
//! Does not use actix's extractors, because a body that is too large must be refused before its bytes are stored,
//! independently of `Content-Length`.

use std::{convert::Infallible, time::Duration};

use actix_web::{HttpMessage as _, HttpRequest, body::SizedStream, error::PayloadError, http::header};
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt as _, stream};

use crate::{
    error::{Error, RETRY_AFTER_SECONDS},
    open_requests::IncomingBody,
};

/// Rejects any content type other than JSON in UTF-8. Browsers send forms and plain text without a preflight: this
/// defends against cross-site request forgery.
pub fn check_content_type(request: &HttpRequest) -> Result<(), Error> {
    let mut values = request.headers().get_all(header::CONTENT_TYPE);
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(Error::UnsupportedMediaType);
    };
    let mut parts = value.to_str().map_err(|_| Error::UnsupportedMediaType)?.split(';').map(str::trim);
    let is_json = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("application/json"));
    let is_utf8 = parts.filter_map(|part| part.split_once('=')).all(|(key, value)| {
        !key.trim().eq_ignore_ascii_case("charset")
            || value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
    });
    let is_plain = !request.headers().contains_key(header::CONTENT_ENCODING);
    if is_json && is_utf8 && is_plain { Ok(()) } else { Err(Error::UnsupportedMediaType) }
}

/// Reads the whole body within its size and time limits, unless the request is closed in favour of another one.
pub async fn read_body(
    request: &HttpRequest,
    body: &mut (impl Stream<Item = Result<Bytes, PayloadError>> + Unpin),
    limit: usize,
    timeout: Duration,
) -> Result<Bytes, Error> {
    let declared =
        crate::request::header(request, "content-length").and_then(|value| value.parse::<u64>().ok());
    if let Some(found) = declared.filter(|length| *length > limit as u64) {
        return Err(Error::BodyTooLarge { limit, found });
    }
    let read = tokio::time::timeout(timeout, collect(body, limit));
    let arriving = request.extensions().get::<IncomingBody>().cloned();
    let read = match arriving {
        Some(arriving) => {
            arriving.read(read).await.ok_or(Error::Overloaded { after: RETRY_AFTER_SECONDS })?
        }
        None => read.await,
    };
    read.map_err(|_| Error::BodyTimeout)?
}

async fn collect(
    body: &mut (impl Stream<Item = Result<Bytes, PayloadError>> + Unpin),
    limit: usize,
) -> Result<Bytes, Error> {
    let mut bytes = BytesMut::new();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|_| Error::BodyUnreadable)?;
        let found = bytes.len() + chunk.len();
        if found > limit {
            return Err(Error::BodyTooLarge { limit, found: found as u64 });
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
}

/// Reads a body to its end and discards it; `false` if it is too large, too slow or broken.
pub async fn discard_body(
    request: &HttpRequest,
    body: &mut (impl Stream<Item = Result<Bytes, PayloadError>> + Unpin),
    limit: usize,
    timeout: Duration,
) -> bool {
    let declared = crate::request::header(request, "content-length").map(str::parse::<usize>);
    if !matches!(declared, Some(Ok(length)) if length <= limit) {
        return false;
    }
    let all = async {
        while let Some(chunk) = body.next().await {
            if chunk.is_err() {
                return false;
            }
        }
        true
    };
    tokio::time::timeout(timeout, all).await.unwrap_or(false)
}

/// A response that keeps the unread request body. If the body were dropped, the server would read it to its end,
/// which may never come; while the body is kept, the connection is closed after the response.
pub fn with_unread_body<T: 'static>(
    answer: Bytes,
    unread: T,
) -> SizedStream<impl Stream<Item = Result<Bytes, Infallible>>> {
    let length = answer.len() as u64;
    let once = stream::iter([Ok(answer)]).inspect(move |_| {
        let _ = &unread;
    });
    SizedStream::new(length, once)
}

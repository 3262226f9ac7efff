//! Reads a body with a limit and a time-out.
//!
//! Not actix's extractors: this must refuse before the bytes are kept, whatever `Content-Length` says.

use std::time::Duration;

use actix_web::{HttpRequest, http::header, web};
use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;

use crate::error::Error;

/// Refuses anything but JSON in UTF-8. Forms and plain text need no preflight in a browser: this is the
/// defence against requests that another site makes its visitors send.
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

/// The whole body, if it is small enough and quick enough.
pub async fn read(
    request: &HttpRequest,
    body: &mut web::Payload,
    limit: usize,
    timeout: Duration,
) -> Result<Bytes, Error> {
    let declared =
        crate::request::header(request, "content-length").and_then(|value| value.parse::<u64>().ok());
    if declared.is_some_and(|length| length > limit as u64) {
        return Err(Error::BodyTooLarge { limit });
    }
    tokio::time::timeout(timeout, collect(body, limit)).await.map_err(|_| Error::BodyTimeout)?
}

async fn collect(body: &mut web::Payload, limit: usize) -> Result<Bytes, Error> {
    let mut bytes = BytesMut::new();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|_| Error::BodyUnreadable)?;
        if bytes.len() + chunk.len() > limit {
            return Err(Error::BodyTooLarge { limit });
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
}

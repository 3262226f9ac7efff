//! Negotiates the media type of a response: `Accept` by q-value (RFC 9110, section 12.5.1).

use std::cmp::Reverse;

use actix_web::http::header::HeaderMap;

/// Media types that the server can produce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaType {
    /// `application/json`: the status only reports whether the HTTP request was valid.
    Json,
    /// `application/graphql-response+json`: the status reflects the GraphQL result.
    GraphQl,
}

impl MediaType {
    /// The value of `Content-Type`.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json; charset=utf-8",
            Self::GraphQl => "application/graphql-response+json; charset=utf-8",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::GraphQl => "application/graphql-response+json",
        }
    }
}

/// One entry of an `Accept` header.
struct Range {
    name: String,
    thousandths: u16,
    charset_fits: bool,
}

/// The media type that the client prefers; `None` if it accepts none that the server can produce.
///
/// A missing header and wildcards select `application/json`, for compatibility with old clients.
pub fn negotiate(headers: &HeaderMap) -> Option<MediaType> {
    let ranges: Vec<Range> = headers
        .get_all("accept")
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
        .map(parse)
        .collect();
    if ranges.is_empty() {
        return Some(MediaType::Json);
    }
    // Of equals the last one wins: what only wildcards ask for is JSON.
    [MediaType::GraphQl, MediaType::Json]
        .into_iter()
        .filter_map(|media| rate(media, &ranges).map(|rating| (rating, media)))
        .max_by_key(|(rating, _)| *rating)
        .map(|(_, media)| media)
}

fn parse(entry: &str) -> Range {
    let mut parts = entry.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default().to_ascii_lowercase();
    let mut range = Range { name, thousandths: 1_000, charset_fits: true };
    for (key, value) in parts.filter_map(|part| part.split_once('=')) {
        let value = value.trim().trim_matches('"');
        match key.trim().to_ascii_lowercase().as_str() {
            "q" => range.thousandths = thousandths(value),
            "charset" => range.charset_fits = value.eq_ignore_ascii_case("utf-8"),
            _ => {}
        }
    }
    range
}

/// A q-value in thousandths; an invalid one counts as 0, so that a broken entry is never preferred.
fn thousandths(value: &str) -> u16 {
    match value.parse::<f32>() {
        Ok(q) if (0.0..=1.0).contains(&q) => (q * 1_000.0).round() as u16,
        _ => 0,
    }
}

/// Sort key for a media type: its q-value by the most specific entry, then whether it is named explicitly, then its
/// position in the header.
fn rate(media: MediaType, ranges: &[Range]) -> Option<(u16, bool, Reverse<usize>)> {
    let (specificity, Reverse(place), range) = ranges
        .iter()
        .enumerate()
        .filter(|(_, range)| range.charset_fits)
        .filter_map(|(place, range)| specificity(media, &range.name).map(|how| (how, Reverse(place), range)))
        .max_by_key(|(how, place, _)| (*how, *place))?;
    (range.thousandths > 0).then_some((range.thousandths, specificity == 2, Reverse(place)))
}

fn specificity(media: MediaType, range: &str) -> Option<u8> {
    match range {
        "*/*" => Some(0),
        "application/*" => Some(1),
        name if name == media.name() => Some(2),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn of(accept: &str) -> Option<MediaType> {
        negotiate(TestRequest::default().insert_header(("accept", accept)).to_http_request().headers())
    }

    #[test]
    fn the_q_value_decides_then_the_order() {
        assert_eq!(of("application/graphql-response+json, application/json"), Some(MediaType::GraphQl));
        assert_eq!(of("application/json, application/graphql-response+json"), Some(MediaType::Json));
        assert_eq!(
            of("application/json;q=0.5, application/graphql-response+json;q=0.9"),
            Some(MediaType::GraphQl)
        );
        assert_eq!(of("application/graphql-response+json;q=0.2, */*;q=0.8"), Some(MediaType::Json));
        assert_eq!(of("application/graphql-response+json; charset=utf-8, */*"), Some(MediaType::GraphQl));
    }

    #[test]
    fn wildcards_and_silence_mean_json() {
        assert_eq!(negotiate(TestRequest::default().to_http_request().headers()), Some(MediaType::Json));
        assert_eq!(of("*/*"), Some(MediaType::Json));
        assert_eq!(of("application/*"), Some(MediaType::Json));
        assert_eq!(of("text/html, */*;q=0.1"), Some(MediaType::Json));
        assert_eq!(of("application/json;q=0, */*"), Some(MediaType::GraphQl));
    }

    #[test]
    fn what_cannot_be_produced_is_refused() {
        assert_eq!(of("text/html"), None);
        assert_eq!(of("application/json;q=0"), None);
        assert_eq!(of("application/json; charset=iso-8859-1"), None);
        assert_eq!(of("application/json;q=nonsense"), None);
    }
}

//! Entry points to the response parsers, for the fuzz targets and the benchmark of hostile inputs. Not part of the
//! public interface.
//!
//! Each function returns whether the response as a whole could be read; single items in it may still be unreadable.

use domain::TimeRange;

/// A time range of two months, as long as those that Muster reads.
pub(crate) fn fuzz_window() -> TimeRange {
    let at = |text: &str| text.parse().unwrap_or_default();
    TimeRange { start: at("2026-12-01T00:00:00Z"), end: at("2027-01-30T00:00:00Z") }
}

/// Parses a response of Microsoft Graph.
pub fn parse_graph(body: &[u8]) -> bool {
    crate::microsoft::fuzz::parse_response(body)
}

/// Parses a response of Google's APIs.
pub fn parse_google(body: &[u8]) -> bool {
    crate::google::fuzz::parse_response(body)
}

/// Parses a response of Exchange Web Services.
pub fn parse_soap(body: &[u8]) -> bool {
    crate::exchange::fuzz::parse_response(body)
}

/// Parses a CalDAV server's response to PROPFIND and REPORT.
pub fn parse_multistatus(body: &[u8]) -> bool {
    crate::caldav::can_parse_multistatus(body)
}

//! Doors to the readers of answers, for the fuzz targets and the benchmark of hostile inputs. No part of the interface.
//!
//! Each says whether the answer as a whole was read; single members of it may have been marked all the same.

use domain::TimeRange;

/// Two months, as a calendar is read.
pub(crate) fn window() -> TimeRange {
    let at = |text: &str| text.parse().unwrap_or_default();
    TimeRange { start: at("2026-12-01T00:00:00Z"), end: at("2027-01-30T00:00:00Z") }
}

/// An answer of Microsoft Graph.
pub fn graph(body: &[u8]) -> bool {
    crate::microsoft::fuzz::read(body)
}

/// An answer of Google's APIs.
pub fn google(body: &[u8]) -> bool {
    crate::google::fuzz::read(body)
}

/// An answer of Exchange Web Services.
pub fn soap(body: &[u8]) -> bool {
    crate::exchange::fuzz::read(body)
}

/// An answer of a CalDAV server to PROPFIND and REPORT.
pub fn multistatus(body: &[u8]) -> bool {
    crate::caldav::read_multistatus(body)
}

//! Microsoft: the identity platform and Graph.

pub mod graph;
pub mod identity;

use std::sync::Arc;

use crate::{
    Error,
    app::App,
    wire::{Body, JournalDetails, Request, WireResponse},
};

/// Handles a request to the identity platform or Graph.
pub async fn route(
    app: &Arc<App>,
    request: &Request,
    note: &mut JournalDetails,
) -> Result<WireResponse, Error> {
    if request.segments.first().is_some_and(|first| first == "v1.0") {
        graph::route(app, request, note).await
    } else {
        identity::route(app, request, note)
    }
}

/// Sends the responses of rooms that are due.
pub fn respond_to_invitations(app: &App) -> Result<(), Error> {
    graph::rooms::respond_to_invitations(app)
}

/// The response to a throttled request.
pub fn throttle_response(app: &App, request: &Request, retry_after: Option<u32>) -> WireResponse {
    let answer = graph::failure::Failure::throttled().to_response(app, request);
    match retry_after {
        Some(seconds) => answer.with_header("retry-after", seconds.to_string()),
        None => answer,
    }
}

/// An error response in Graph's format.
pub fn error_response(app: &App, request: &Request, status: u16, code: &str) -> WireResponse {
    let failure = graph::failure::Failure::unavailable();
    let mut answer = graph::failure::Failure { status, ..failure }.to_response(app, request);
    if let Body::Json(value) = &mut answer.body {
        value["error"]["code"] = code.into();
    }
    answer
}

/// The response to every request during an outage.
pub fn outage_response(app: &App, request: &Request) -> WireResponse {
    graph::failure::Failure::unavailable().to_response(app, request)
}

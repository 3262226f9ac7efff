//! Microsoft: the identity platform and Graph.

pub mod graph;
pub mod identity;

use std::sync::Arc;

use crate::{
    Error,
    app::App,
    wire::{Answer, Body, Note, Request},
};

/// Handles a request to the identity platform or Graph.
pub async fn route(app: &Arc<App>, request: &Request, note: &mut Note) -> Result<Answer, Error> {
    if request.segments.first().is_some_and(|first| first == "v1.0") {
        graph::route(app, request, note).await
    } else {
        identity::route(app, request, note)
    }
}

/// Sends the responses of rooms that are due.
pub fn answer_invitations(app: &App) -> Result<(), Error> {
    graph::rooms::answer_invitations(app)
}

/// The response to a throttled request.
pub fn throttled(app: &App, request: &Request, retry_after: Option<u32>) -> Answer {
    let answer = graph::failure::Failure::throttled().answer(app, request);
    match retry_after {
        Some(seconds) => answer.with("retry-after", seconds.to_string()),
        None => answer,
    }
}

/// An error response in Graph's format.
pub fn refused(app: &App, request: &Request, status: u16, code: &str) -> Answer {
    let failure = graph::failure::Failure::unavailable();
    let mut answer = graph::failure::Failure { status, ..failure }.answer(app, request);
    if let Body::Json(value) = &mut answer.body {
        value["error"]["code"] = code.into();
    }
    answer
}

/// The response to every request during an outage.
pub fn outage(app: &App, request: &Request) -> Answer {
    graph::failure::Failure::unavailable().answer(app, request)
}

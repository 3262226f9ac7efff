//! Microsoft: the identity platform and Graph.

pub mod graph;
pub mod identity;

use std::sync::Arc;

use crate::{
    Error,
    app::App,
    wire::{Answer, Body, Note, Request},
};

/// Handles a request of either.
pub async fn route(app: &Arc<App>, request: &Request, note: &mut Note) -> Result<Answer, Error> {
    if request.segments.first().is_some_and(|first| first == "v1.0") {
        graph::route(app, request, note).await
    } else {
        identity::route(app, request, note)
    }
}

/// Lets rooms answer whose time has come.
pub fn answer_invitations(app: &App) -> Result<(), Error> {
    graph::rooms::answer_invitations(app)
}

/// What a throttled request is told.
pub fn throttled(app: &App, request: &Request, retry_after: Option<u32>) -> Answer {
    let answer = graph::failure::Failure::throttled().answer(app, request);
    match retry_after {
        Some(seconds) => answer.with("retry-after", seconds.to_string()),
        None => answer,
    }
}

/// A refusal in Graph's form.
pub fn refused(app: &App, request: &Request, status: u16, code: &str) -> Answer {
    let failure = graph::failure::Failure::unavailable();
    let mut answer = graph::failure::Failure { status, ..failure }.answer(app, request);
    if let Body::Json(value) = &mut answer.body {
        value["error"]["code"] = code.into();
    }
    answer
}

/// What every request is told while the service is away.
pub fn outage(app: &App, request: &Request) -> Answer {
    graph::failure::Failure::unavailable().answer(app, request)
}

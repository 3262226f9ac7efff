//! Determines which provider a request is for. Each has paths of its own; all other paths belong to Microsoft.

use std::sync::Arc;

use crate::{
    Error,
    app::App,
    exchange, google, microsoft,
    wire::{Answer, Note, Request},
};

/// One of the calendar systems whose protocols the sandbox speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImitatedProvider {
    /// The identity platform and Graph.
    Microsoft,
    /// Sign-in, Directory and Calendar.
    Google,
    /// Exchange on-premises.
    Exchange,
}

impl ImitatedProvider {
    /// Determines the provider by the path.
    pub fn of(request: &Request) -> Self {
        if google::serves(request) {
            Self::Google
        } else if exchange::is_asked(request) {
            Self::Exchange
        } else {
            Self::Microsoft
        }
    }

    /// Handles a request to this provider.
    pub async fn route(self, app: &Arc<App>, request: &Request, note: &mut Note) -> Result<Answer, Error> {
        match self {
            Self::Microsoft => microsoft::route(app, request, note).await,
            Self::Google => google::route(app, request, note),
            Self::Exchange => exchange::route(app, request, note),
        }
    }

    /// The response to a throttled request.
    pub fn throttled(self, app: &App, request: &Request, retry_after: Option<u32>) -> Answer {
        match self {
            Self::Microsoft => microsoft::throttled(app, request, retry_after),
            Self::Google => google::throttled(retry_after),
            Self::Exchange => exchange::throttled(retry_after),
        }
    }

    /// The response to every request during an outage.
    pub fn outage(self, app: &App, request: &Request) -> Answer {
        match self {
            Self::Microsoft => microsoft::outage(app, request),
            Self::Google => google::outage(),
            Self::Exchange => exchange::outage(),
        }
    }

    /// The response to a request that a planted fault refuses, in the provider's error format.
    pub fn refused(self, app: &App, request: &Request, status: u16, reason: &str) -> Answer {
        match self {
            Self::Microsoft => microsoft::refused(app, request, status, reason),
            Self::Google => google::refused(status, reason),
            Self::Exchange => exchange::refused(reason),
        }
    }
}

//! Which provider a request is for. Each has paths of its own; what is nobody else's is Microsoft's.

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
    /// Whose request it is.
    pub fn of(request: &Request) -> Self {
        if google::serves(request) {
            Self::Google
        } else if exchange::is_asked(request) {
            Self::Exchange
        } else {
            Self::Microsoft
        }
    }

    /// Answers it.
    pub async fn route(self, app: &Arc<App>, request: &Request, note: &mut Note) -> Result<Answer, Error> {
        match self {
            Self::Microsoft => microsoft::route(app, request, note).await,
            Self::Google => google::route(app, request, note),
            Self::Exchange => exchange::route(app, request, note),
        }
    }

    /// What a throttled request is told.
    pub fn throttled(self, app: &App, request: &Request, retry_after: Option<u32>) -> Answer {
        match self {
            Self::Microsoft => microsoft::throttled(app, request, retry_after),
            Self::Google => google::throttled(retry_after),
            Self::Exchange => exchange::throttled(retry_after),
        }
    }

    /// What every request is told while the service is away.
    pub fn outage(self, app: &App, request: &Request) -> Answer {
        match self {
            Self::Microsoft => microsoft::outage(app, request),
            Self::Google => google::outage(),
            Self::Exchange => exchange::outage(),
        }
    }

    /// A refusal in the provider's own words.
    pub fn refused(self, app: &App, request: &Request, status: u16, reason: &str) -> Answer {
        match self {
            Self::Microsoft => microsoft::refused(app, request, status, reason),
            Self::Google => google::refused(status, reason),
            Self::Exchange => exchange::refused(reason),
        }
    }
}

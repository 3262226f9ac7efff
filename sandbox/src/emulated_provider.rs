//! Routes requests to the emulated providers. Each provider has its own paths; all other paths belong to Microsoft.

use std::sync::Arc;

use crate::{
    Error,
    app::App,
    exchange, google, microsoft,
    wire::{JournalDetails, Request, WireResponse},
};

/// A calendar system that the sandbox emulates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmulatedProvider {
    /// Microsoft 365: the identity platform and Microsoft Graph.
    Microsoft,
    /// Google Workspace: sign-in, Directory API and Calendar API.
    Google,
    /// Exchange on-premises.
    Exchange,
}

impl EmulatedProvider {
    /// Determines the provider by the path.
    pub fn from_request(request: &Request) -> Self {
        if google::is_google_request(request) {
            Self::Google
        } else if exchange::is_exchange_request(request) {
            Self::Exchange
        } else {
            Self::Microsoft
        }
    }

    /// Handles a request to this provider.
    pub async fn route(
        self,
        app: &Arc<App>,
        request: &Request,
        note: &mut JournalDetails,
    ) -> Result<WireResponse, Error> {
        match self {
            Self::Microsoft => microsoft::route(app, request, note).await,
            Self::Google => google::route(app, request, note),
            Self::Exchange => exchange::route(app, request, note),
        }
    }

    /// The response to a throttled request.
    pub fn throttle_response(self, app: &App, request: &Request, retry_after: Option<u32>) -> WireResponse {
        match self {
            Self::Microsoft => microsoft::throttle_response(app, request, retry_after),
            Self::Google => google::throttle_response(retry_after),
            Self::Exchange => exchange::throttle_response(retry_after),
        }
    }

    /// The response to every request during an outage.
    pub fn outage_response(self, app: &App, request: &Request) -> WireResponse {
        match self {
            Self::Microsoft => microsoft::outage_response(app, request),
            Self::Google => google::outage_response(),
            Self::Exchange => exchange::outage_response(),
        }
    }

    /// The response to a request that an injected fault refuses, in the provider's error format.
    pub fn error_response(self, app: &App, request: &Request, status: u16, reason: &str) -> WireResponse {
        match self {
            Self::Microsoft => microsoft::error_response(app, request, status, reason),
            Self::Google => google::error_response(status, reason),
            Self::Exchange => exchange::error_response(reason),
        }
    }
}

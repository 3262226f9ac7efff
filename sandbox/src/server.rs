//! The HTTP server: reads a request, applies injected faults, passes the request to the emulated provider, and writes
//! the journal.

use std::{sync::Arc, time::Duration};

use actix_web::{
    App as Site, HttpRequest, HttpResponse, HttpServer,
    http::{StatusCode, header, uri::Authority},
    web::{self, Bytes, Data, PayloadConfig},
};
use domain::hosts::{self, HostRefusal};
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use url::Url;

use crate::{
    Config, Error, RunningSandbox, Tls,
    app::App,
    control,
    emulated_provider::EmulatedProvider,
    fault::FaultAction,
    journal::{Entry, Journal},
    microsoft, notifications,
    store::Store,
    wire::{JournalDetails, Request, WireResponse},
};

const BODY_LIMIT: usize = 4 << 20;
const SETTLE_EVERY: Duration = Duration::from_millis(50);

pub(crate) fn start(config: Config, tls: Option<&Tls>) -> Result<RunningSandbox, Error> {
    let store = Store::open(config.data.as_deref())?;
    let journal = Journal::open(config.journal.as_deref())?;
    let (sender, receiver) = mpsc::unbounded_channel();
    let app = App::new(store, journal, config.clock, config.ids, sender)?;

    let shared = Data::from(Arc::clone(&app));
    // Whoever has it listen to a network names it as they like.
    let names = Names { are_limited: config.listen.ip().is_loopback() };
    let site = move || {
        Site::new()
            .app_data(shared.clone())
            .app_data(names)
            .app_data(PayloadConfig::new(BODY_LIMIT))
            .default_service(web::to(serve))
    };
    let http = HttpServer::new(site).workers(2).disable_signals().shutdown_timeout(0);
    let (http, scheme) = match tls {
        None => (http.bind(config.listen)?, "http"),
        Some(tls) => (http.bind_rustls_0_23(config.listen, tls.server_config()?)?, "https"),
    };
    let address = http.addrs().first().copied().unwrap_or(config.listen);
    let server = http.run();

    let (stopping, work) = (CancellationToken::new(), TaskTracker::new());
    let handle = server.handle();
    work.spawn(async move {
        if let Err(cause) = server.await {
            tracing::error!(%cause, "the sandbox's server failed");
        }
    });
    work.spawn(
        stopping.clone().run_until_cancelled_owned(notifications::deliver(Arc::clone(&app), receiver)),
    );
    work.spawn(stopping.clone().run_until_cancelled_owned(respond_to_invitations(app)));
    let url = Url::parse(&format!("{scheme}://{address}/")).map_err(std::io::Error::other)?;
    Ok(RunningSandbox { url, server: handle, stopping, work })
}

/// Sends due responses of rooms, even if no request arrives.
async fn respond_to_invitations(app: Arc<App>) {
    let mut ticks = tokio::time::interval(SETTLE_EVERY);
    loop {
        ticks.tick().await;
        if let Err(cause) = microsoft::respond_to_invitations(&app) {
            tracing::error!(%cause, "the sandbox's rooms could not answer");
        }
    }
}

/// The host names under which the sandbox responds.
#[derive(Debug, Clone, Copy)]
struct Names {
    /// Whether only loopback host names are accepted.
    are_limited: bool,
}

impl Names {
    /// Refuses cross-site requests of browsers on this machine, because the control interface requires no credentials.
    fn refuse(self, request: &HttpRequest) -> Option<HttpResponse> {
        if !self.are_limited {
            return None;
        }
        let named = |value: &header::HeaderValue| value.to_str().map(str::to_owned).ok();
        let host = request.headers().get(header::HOST).and_then(named);
        let authority = request.uri().authority().map(Authority::as_str);
        let host = authority.or(host.as_deref());
        // Other servers of this machine have pages too, which may be anybody's.
        let own = host.map(|host| format!("http://{host}"));
        let mut origins = request.headers().get_all(header::ORIGIN).map(|origin| origin.to_str().ok());
        let is_foreign = origins.any(|origin| origin != own.as_deref());
        let refusal = match hosts::check_hosts(host, std::iter::empty(), &[], &[]) {
            Ok(()) if is_foreign => Err(HostRefusal::Origin),
            checked => checked,
        };
        let (status, message) = match refusal.err()? {
            HostRefusal::Host => {
                (StatusCode::MISDIRECTED_REQUEST, "The sandbox does not answer under this name.")
            }
            HostRefusal::Origin => {
                (StatusCode::FORBIDDEN, "The sandbox does not respond to pages of this origin.")
            }
        };
        Some(HttpResponse::build(status).body(message))
    }
}

async fn serve(app: Data<App>, http: HttpRequest, body: Bytes) -> HttpResponse {
    if let Some(refused) = http.app_data::<Names>().and_then(|names| names.refuse(&http)) {
        return refused;
    }
    let app = app.into_inner();
    let request = Request::from_actix(&http, body);
    if request.segments.first().is_some_and(|first| first == "control") {
        return control::route(&app, &request).await.into_http();
    }
    match handle_provider_request(&app, &request).await {
        Ok(Some(answer)) => answer.into_http(),
        Ok(None) => cut(),
        Err(cause) => {
            tracing::error!(%cause, "the sandbox could not keep what it did");
            HttpResponse::InternalServerError().finish()
        }
    }
}

/// Handles a provider request; `None` cuts the connection.
pub(crate) async fn handle_provider_request(
    app: &Arc<App>,
    request: &Request,
) -> Result<Option<WireResponse>, Error> {
    microsoft::respond_to_invitations(app)?;
    let house = EmulatedProvider::from_request(request);
    let fault = app.faults.take_for_request(&request.method, &request.segments.join("/"), &request.body);
    let mut note = JournalDetails::default();
    let answer = match &fault {
        Some(FaultAction::Throttle { retry_after }) => {
            note.outcome = Some("throttled");
            Some(house.throttle_response(app, request, *retry_after))
        }
        Some(FaultAction::Outage) => {
            note.outcome = Some("outage");
            Some(house.outage_response(app, request))
        }
        Some(FaultAction::TimeoutBefore { .. }) => {
            note.outcome = Some("timed out");
            None
        }
        Some(FaultAction::Refuse { status, reason }) => {
            note.outcome = Some("refused");
            Some(house.error_response(app, request, *status, reason))
        }
        Some(
            FaultAction::DropAfter
            | FaultAction::Slow { .. }
            | FaultAction::LoseNotice
            | FaultAction::DuplicateNotice
            | FaultAction::ReorderNotice
            | FaultAction::ForgeNotice,
        )
        | None => Some(house.route(app, request, &mut note).await?),
    };
    app.journal.append(entry(app, request, answer.as_ref(), &note, fault.as_ref()))?;
    match fault {
        Some(FaultAction::Slow { ms } | FaultAction::TimeoutBefore { ms }) => {
            tokio::time::sleep(Duration::from_millis(ms)).await;
        }
        Some(FaultAction::DropAfter) => return Ok(None),
        _ => {}
    }
    Ok(answer)
}

fn entry(
    app: &App,
    request: &Request,
    answer: Option<&WireResponse>,
    note: &JournalDetails,
    fault: Option<&FaultAction>,
) -> Entry {
    let status = answer.filter(|_| fault != Some(&FaultAction::DropAfter)).map_or(0, |answer| answer.status);
    let refused = answer.is_some_and(|answer| answer.status >= 400);
    let fallback = if refused { "refused" } else { "read" };
    Entry {
        n: 0,
        at: app.now(),
        app: note.app.clone(),
        method: request.method.clone(),
        path: request.path.clone(),
        mailbox: note.mailbox.clone(),
        key: note.key.clone(),
        outcome: note.outcome.unwrap_or(fallback).to_owned(),
        status,
        event_id: note.event_id.clone(),
    }
}

/// A body that fails at its first byte: the connection ends before any part of the response is sent.
fn cut() -> HttpResponse {
    let failure = futures::stream::once(async { Err::<Bytes, _>(std::io::Error::other("cut by a fault")) });
    HttpResponse::Ok().streaming(failure)
}

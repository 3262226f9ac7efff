//! `/health` reports that the process is alive, `/ready` whether it should receive requests.
//!
//! Load balancers use `/ready`. Supervisors that restart hung processes use `/health`, which depends on nothing that
//! can fail, so that a database outage does not restart every node.

use actix_web::{HttpResponse, web};
use async_trait::async_trait;
use serde::Serialize;

use crate::state::State;

/// Checks the dependencies of the node.
#[async_trait]
pub trait Readiness: Send + Sync + 'static {
    /// One check for each dependency of the node, such as the store and the lane.
    async fn check(&self) -> Vec<DependencyCheck>;
}

/// The result of checking one dependency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DependencyCheck {
    /// Name of the dependency: `store` or `lane`.
    pub name: &'static str,
    /// Whether the dependency responds.
    pub ok: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Health {
    status: &'static str,
    version: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    checks: Vec<DependencyCheck>,
}

impl Health {
    fn new(status: &'static str, checks: Vec<DependencyCheck>) -> Self {
        Self { status, version: env!("CARGO_PKG_VERSION"), checks }
    }
}

/// Responds with 200 as long as the process can respond at all.
pub async fn live() -> HttpResponse {
    HttpResponse::Ok().insert_header(("cache-control", "no-store")).json(Health::new("ok", Vec::new()))
}

/// Responds with 200 if every check passes, and with 503 if one fails or the server is shutting down.
pub async fn ready(state: web::Data<State>) -> HttpResponse {
    let checks = state.readiness.check().await;
    let status = match (state.closing.is_cancelled(), checks.iter().all(|check| check.ok)) {
        (true, _) => "stopping",
        (false, true) => "ready",
        (false, false) => "unready",
    };
    let mut answer = if status == "ready" { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    answer.insert_header(("cache-control", "no-store")).json(Health::new(status, checks))
}

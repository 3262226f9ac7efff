//! `/health` says that the process lives, `/ready` whether it should be sent requests.
//!
//! A load balancer asks `/ready`; whoever restarts hung processes asks `/health`, which touches nothing that
//! can fail, so that a database that is down does not get every node restarted.

use actix_web::{HttpResponse, web};
use async_trait::async_trait;
use serde::Serialize;

use crate::state::State;

/// Says whether what the node needs is there.
#[async_trait]
pub trait Readiness: Send + Sync + 'static {
    /// One entry for each thing that the node needs: the store, the lane.
    async fn check(&self) -> Vec<Check>;
}

/// One thing that a node needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What it is: `store`, `lane`.
    pub name: &'static str,
    /// Whether it answers.
    pub ok: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Health {
    status: &'static str,
    version: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    checks: Vec<Check>,
}

impl Health {
    fn new(status: &'static str, checks: Vec<Check>) -> Self {
        Self { status, version: env!("CARGO_PKG_VERSION"), checks }
    }
}

/// Answers 200 as long as the process can answer at all.
pub async fn live() -> HttpResponse {
    HttpResponse::Ok().insert_header(("cache-control", "no-store")).json(Health::new("ok", Vec::new()))
}

/// Answers 200 when every check passes, 503 when one fails or the server is about to stop.
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

//! A node with an HTTP interface, as a process of its own: the server that the load generator calls.
//!
//! `POST /three` responds when a run of three steps has ended. `POST /bell` signals a waiting run and returns the
//! number of microseconds until its step began. `POST /timed` does the same for a new run.

use domain::{Id, ids};
use std::time::Instant;

use actix_web::{App, HttpResponse, HttpServer, web};
use sea_orm::{ConnectionTrait, DatabaseBackend, Statement};
use tokio::sync::Mutex;

use crate::{Result, bench_workflows, node::Node};

/// The runs that are waiting for the signal `bell`, with their tenants.
type Waiting = Mutex<Vec<(Id<ids::Run>, Id<ids::Tenant>)>>;

/// Serves HTTP requests until the process is terminated.
pub async fn serve(node: Node, port: u16, max_concurrent_steps: usize) -> Result<()> {
    let waiting = web::Data::new(Waiting::default());
    node.start(max_concurrent_steps);
    let node = web::Data::new(node);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(node.clone())
            .app_data(waiting.clone())
            .route("/three", web::post().to(three))
            .route("/bell", web::post().to(ring))
            .route("/timed", web::post().to(timed))
    })
    .workers(2)
    // Connections that press slowly lie still for a while.
    .keep_alive(std::time::Duration::from_mins(1))
    .bind(("127.0.0.1", port))?
    .run();
    println!("ready");
    Ok(server.await?)
}

async fn read_waiting(node: &Node) -> Result<Vec<(Id<ids::Run>, Id<ids::Tenant>)>> {
    let sql = "SELECT id, tenant_id FROM run WHERE status = 'WAITING' AND wait_signal = 'bell' LIMIT 20000";
    let statement = Statement::from_string(DatabaseBackend::Postgres, sql);
    let rows = node.services.store.engine_connection().query_all_raw(statement).await?;
    let mut runs = Vec::new();
    for row in rows {
        runs.push((row.try_get("", "id")?, row.try_get("", "tenant_id")?));
    }
    Ok(runs)
}

async fn three(node: web::Data<Node>) -> HttpResponse {
    answer(node.run("three").await.map(|()| String::new()))
}

async fn timed(node: web::Data<Node>) -> HttpResponse {
    let run = node.new_run("timed");
    let (id, began) = (run.id, Instant::now());
    let ordered = node.enqueue(run).await;
    answer(match ordered {
        Ok(()) => until_step(id, began).await,
        Err(error) => Err(error),
    })
}

async fn ring(node: web::Data<Node>, waiting: web::Data<Waiting>) -> HttpResponse {
    let next = async {
        let mut waiting = waiting.lock().await;
        if waiting.is_empty() {
            *waiting = read_waiting(&node).await?;
        }
        Ok::<_, crate::Error>(waiting.pop().ok_or("nobody waits any more")?)
    };
    let (run, tenant) = match next.await {
        Ok(next) => next,
        Err(error) => return answer(Err(error)),
    };
    let began = Instant::now();
    let signalled = async {
        let mut tx = node.services.begin(tenant).await?;
        let reached = tx.signal(run, "bell", ()).await?;
        tx.commit().await?;
        if reached { Ok(()) } else { Err("the run is over".into()) }
    };
    answer(match signalled.await {
        Ok(()) => until_step(run, began).await,
        Err(error) => Err(error),
    })
}

/// The microseconds from `began` until the last step of a run began.
async fn until_step(run: Id<ids::Run>, began: Instant) -> Result<String> {
    let at = bench_workflows::wait_for_last_step(run).await?;
    Ok(at.saturating_duration_since(began).as_micros().to_string())
}

fn answer(outcome: Result<String>) -> HttpResponse {
    match outcome {
        Ok(text) => HttpResponse::Ok().body(text),
        Err(error) => HttpResponse::InternalServerError().body(error.to_string()),
    }
}

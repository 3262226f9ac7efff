//! Output of a panic in Muster while it handles secrets: of the process, in the log and in the response.

use std::{net::TcpListener, sync::Arc};

use actix_web::{HttpRequest, web};
use api::{Engine, State, service_adapter::ServiceAdapter};
use async_graphql::{Request, Response};
use domain::{Id, Ids, SystemClock};
use engine::{StepInput, StepOutput, Table, Workflow};
use futures::stream::BoxStream;
use serde_json::json;
use services::Change;
use uuid::Uuid;
use workflows::{StepContext, engine_with, verify_integration::VerifyIntegration};

use super::needles::Needles;
use crate::harness::{ANSWERS, Org, TestApp};

/// The real schema with resolvers that all panic.
struct Breaks(String);

#[async_trait::async_trait]
impl Engine for Breaks {
    fn sdl(&self) -> String {
        self.0.clone()
    }

    async fn execute(&self, request: Request) -> Response {
        panic!("a resolver broke with {} variables", request.variables.len())
    }

    fn subscribe(&self, _request: Request) -> BoxStream<'static, Response> {
        panic!("a subscription broke")
    }
}

async fn breaks(request: HttpRequest, body: web::Bytes) -> String {
    panic!("a page broke with {} headers and {} bytes", request.headers().len(), body.len())
}

/// The verification of an integration, which panics with everything in hand: the stored row, the session and the
/// credential for the provider.
struct BreaksInStep;

#[async_trait::async_trait]
impl Workflow<StepContext> for BreaksInStep {
    fn table(&self) -> &'static Table {
        &VerifyIntegration::TABLE
    }

    async fn step(&self, context: &StepContext, input: StepInput<'_>) -> StepOutput<Change> {
        let tenant = input.row.tenant_id;
        let id: Uuid = serde_json::from_value(input.row.memory["integration"].clone()).unwrap();
        let rows = context
            .services
            .integrations()
            .by_ids(context.services.tenant_scope(tenant), &[Id::from_uuid(id)])
            .await
            .unwrap();
        let (_, session) =
            context.services.grants().open_session(&context.services, &rows[0], None).await.unwrap();
        let credential = session.credentials.current().await.unwrap();
        panic!("a step broke with {credential:?}, {session:?}, {:?} and {input:?}", rows[0])
    }

    async fn undo(&self, _context: &StepContext, input: StepInput<'_>) -> StepOutput<Change> {
        panic!("an undo broke with {input:?}")
    }
}

/// Verifies an integration with a step that panics.
pub async fn in_step(app: &TestApp, org: &Org) {
    let integration = app.integration(org).await["id"].clone();
    let input = json!({ "id": integration });
    app.vendor_for(&org.tenant).mutate("verifyIntegration", "run { id }", input).await;
    let engine = engine_with(&app.node.services, "breaks", vec![Box::new(BreaksInStep)]);
    assert!(engine.run_until_idle().await.unwrap() > 0, "a step panicked");
}

/// Sends every secret, as a credential, as a value and in the URL, to code that panics; returns the number of requests.
pub async fn each(app: &TestApp, needles: &Needles) -> usize {
    let callers = Arc::new(ServiceAdapter(app.node.services.services().clone()));
    let ids = Ids::random(Arc::new(SystemClock));
    let engine = Arc::new(Breaks(api::graphql::sdl()));
    let config = api::Config { introspection: api::Introspection::Everyone, ..api::Config::default() };
    let state = web::Data::new(State::new(config, engine, callers.clone(), callers, ids).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let page = |routes: &mut web::ServiceConfig| {
        routes.service(web::resource("/breaks").to(breaks));
    };
    let server = api::serve(listener, state, 1, page).unwrap();
    let handle = server.handle();
    let mut serving = tokio::task::JoinSet::new();
    serving.spawn(server);
    let client = demo::browser::local_client().unwrap();
    let query = "query($id: ID!) { user(id: $id) { id } }";
    let mut count = 0;
    for secret in needles.values() {
        // A longer id is refused before execution.
        let id: String = secret.chars().take(256).collect();
        let body = json!({ "query": query, "variables": { "id": id } }).to_string();
        let path = format!("{base}/breaks?code={}", super::urlencoded(secret));
        for (url, bearer) in [(format!("{base}/graphql"), app.vendor_key.as_str()), (path, secret)] {
            let request = http::Request::new(http::Method::POST, url.parse().unwrap());
            let request = request.authorization(&format!("Bearer {bearer}"));
            count += 1;
            // A closed connection yields no response to search.
            if let Ok(answer) = client.send(request.body("application/json", body.clone())).await {
                ANSWERS.lock().unwrap().push_str(&String::from_utf8_lossy(&answer.body));
            }
        }
    }
    handle.stop(false).await;
    serving.join_next().await.unwrap().unwrap().unwrap();
    count
}

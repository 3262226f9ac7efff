//! A pool of a single connection: a request that keeps it while it waits for something else locks everybody out.

use std::sync::{
    Arc, Condvar, Mutex,
    atomic::{AtomicBool, Ordering},
};

use muster::config::Config;
use serde_json::{Value, json};
use tokio::sync::Notify;
use url::Url;

use crate::harness::{
    Asker, Setting, Stack, TestApp,
    proxy::{self, Direction},
};

/// Stands between the server and the sandbox, and holds requests back while it is closed.
#[derive(Debug, Clone, Default)]
struct Gate(Arc<GateState>);

#[derive(Debug, Default)]
struct GateState {
    is_closed: Mutex<bool>,
    opened: Condvar,
    /// Notified when a request is held back.
    held: Notify,
}

impl Gate {
    fn before(&self, server: &Url) -> Url {
        let gate = Arc::clone(&self.0);
        let at = proxy::start(server.socket_addrs(|| None).unwrap()[0], move |direction| {
            let gate = Arc::clone(&gate);
            Box::new(move |_| {
                if direction == Direction::ToServer {
                    gate.pass();
                }
            })
        });
        format!("http://{at}/").parse().unwrap()
    }

    fn set(&self, is_closed: bool) {
        *self.0.is_closed.lock().unwrap() = is_closed;
        self.0.opened.notify_all();
    }
}

impl GateState {
    fn pass(&self) {
        let is_closed = self.is_closed.lock().unwrap();
        if *is_closed {
            self.held.notify_one();
        }
        drop(self.opened.wait_while(is_closed, |is_closed| *is_closed).unwrap());
    }
}

async fn app(gate: &Gate) -> TestApp {
    let setting = Setting {
        sandbox: Box::new(|sandbox| gate.before(&sandbox)),
        config: Box::new(|config| Config { connections: 1, ..config }),
    };
    TestApp::set(Stack::Servers, setting).await
}

/// Sends a request that has to wait for the sandbox, and answers somebody else's meanwhile. Returns the response to the
/// first.
async fn answered_meanwhile(gate: &Gate, asker: &Asker, query: &str, variables: Value) -> Value {
    gate.set(true);
    let is_over = AtomicBool::new(false);
    let waiting = async {
        let answer = asker.ask(query, variables).await;
        is_over.store(true, Ordering::SeqCst);
        answer
    };
    let other = async {
        gate.0.held.notified().await;
        asker.query("{ users(first: 1) { nodes { name } } }", json!({})).await;
        assert!(
            !is_over.load(Ordering::SeqCst),
            "the other request was answered only after this one had given up"
        );
        gate.set(false);
    };
    tokio::join!(waiting, other).0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_that_waits_for_a_calendar_system_keeps_no_connection() {
    let gate = Gate::default();
    let app = app(&gate).await;
    let org = app.with_tenant("Patient", 3, 1).await;
    app.with_users(&org, 3).await;
    app.connect(&org).await;
    let integration = app.integration(&org).await["id"].clone();
    let query = "query($id: ID!) { users(first: 3) { nodes { roles { name } } } \
        directory(integrationId: $id) { people { name } } rooms(first: 1) { nodes { name } } }";
    let asker = app.vendor_for(&org.tenant);
    let answer = answered_meanwhile(&gate, &asker, query, json!({ "id": integration })).await;
    assert!(!answer["data"]["directory"]["people"].as_array().unwrap().is_empty(), "{answer}");
    assert_eq!(answer["data"]["users"]["nodes"].as_array().unwrap().len(), 3, "{answer}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mutation_that_waits_for_an_issuer_keeps_no_connection() {
    let gate = Gate::default();
    let app = app(&gate).await;
    let org = app.with_tenant("Patient", 2, 1).await;
    let users = app.with_users(&org, 2).await;
    let query = "mutation($user: UpdateUserInput!, $issuer: CreateOpenIdIssuerInput!) { \
        updateUser(input: $user) { user { name roles { name } } } \
        createOpenIdIssuer(input: $issuer) { openIdIssuer { id } userErrors { code } } }";
    let issuer = app.sandbox.join("/none").unwrap();
    let variables = json!({ "user": { "id": users[0], "name": "Ada" },
        "issuer": { "name": "Sign-in", "issuer": issuer, "clientId": "muster" } });
    let answer = answered_meanwhile(&gate, &app.vendor_for(&org.tenant), query, variables).await;
    assert_eq!(answer["data"]["updateUser"]["user"]["name"], "Ada", "{answer}");
    assert_eq!(answer["data"]["createOpenIdIssuer"]["userErrors"][0]["code"], "ISSUER_UNUSABLE", "{answer}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mutation_keeps_no_connection_while_its_caller_is_authenticated_again() {
    let app = app(&Gate::default()).await;
    let org = app.with_tenant("Patient", 2, 1).await;
    let users = app.with_users(&org, 2).await;
    app.give_role(&org, &users[0], "Administrator").await;
    let role = app.role(&org, "Human Resources").await;
    let field = "assignRoles(input: $input) { user { roles { name } } userErrors { code } }";
    let query = format!("mutation($input: AssignRolesInput!) {{ a: {field} b: {field} c: {field} }}");
    let input = json!({ "userId": users[1], "roleIds": [role] });
    let answer = app.user(&org.tenant, &users[0]).await.query(&query, json!({ "input": input })).await;
    for field in ["a", "b", "c"] {
        assert_eq!(answer[field]["user"]["roles"][0]["name"], "Human Resources", "{answer}");
    }
    app.finish().await;
}

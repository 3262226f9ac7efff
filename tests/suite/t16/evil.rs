//! An issuer that answers whatever it is told to, and counts what it is asked.

use std::{
    collections::BTreeMap,
    net::TcpListener,
    sync::{Arc, Mutex},
};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    dev::ServerHandle,
    http::{StatusCode, header},
    web,
};
use futures::future;
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;

/// What it answers at a path.
#[derive(Debug, Clone)]
pub enum Answer {
    Json(Value),
    Text(String),
    Redirect(String),
    Status(u16),
    /// More than anybody should read.
    Huge,
    /// Nothing, for as long as the caller waits.
    Never,
}

#[derive(Debug, Default)]
struct Plan {
    answers: BTreeMap<String, Answer>,
    asked: BTreeMap<String, usize>,
}

/// A running server.
pub struct MaliciousIssuer {
    pub issuer: String,
    plan: Arc<Mutex<Plan>>,
    server: ServerHandle,
    tasks: TaskTracker,
}

const DISCOVERY: &str = "/.well-known/openid-configuration";

impl MaliciousIssuer {
    /// Starts one that is a decent issuer with these keys.
    pub fn start(keys: &[&Value]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let plan: Arc<Mutex<Plan>> = Arc::default();
        let shared = web::Data::from(Arc::clone(&plan));
        let server =
            HttpServer::new(move || App::new().app_data(shared.clone()).default_service(web::to(answered)));
        let server = server.workers(1).disable_signals().listen(listener).unwrap().run();
        let (handle, tasks) = (server.handle(), TaskTracker::new());
        tasks.spawn(server);
        let evil = Self { issuer, plan, server: handle, tasks };
        evil.behave(keys);
        evil
    }

    /// Makes it a decent issuer again.
    pub fn behave(&self, keys: &[&Value]) {
        self.plan.lock().unwrap().answers.clear();
        self.answer(DISCOVERY, Answer::Json(self.document()));
        self.answer("/jwks", Answer::Json(json!({ "keys": keys })));
    }

    /// What a decent issuer says of itself.
    pub fn document(&self) -> Value {
        let at = |path: &str| format!("{}{path}", self.issuer);
        json!({
            "issuer": self.issuer, "authorization_endpoint": at("/auth"), "token_endpoint": at("/token"),
            "userinfo_endpoint": at("/me"), "jwks_uri": at("/jwks"),
            "id_token_signing_alg_values_supported": ["ES256", "EdDSA", "RS256"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": true,
        })
    }

    /// Changes members of its document.
    pub fn say(&self, members: &Value) {
        let mut document = self.document();
        document.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        self.answer(DISCOVERY, Answer::Json(document));
    }

    /// Answers this at a path from now on.
    pub fn answer(&self, path: &str, answer: Answer) {
        self.plan.lock().unwrap().answers.insert(path.to_owned(), answer);
    }

    /// Answers this in place of its document from now on.
    pub fn discovery(&self, answer: Answer) {
        self.answer(DISCOVERY, answer);
    }

    /// How often a path was asked for.
    pub fn asked(&self, path: &str) -> usize {
        self.plan.lock().unwrap().asked.get(path).copied().unwrap_or_default()
    }

    /// How often anything was asked for.
    pub fn asked_in_all(&self) -> usize {
        self.plan.lock().unwrap().asked.values().sum()
    }

    pub async fn stop(self) {
        self.server.stop(false).await;
        self.tasks.close();
        self.tasks.wait().await;
    }
}

async fn answered(request: HttpRequest, plan: web::Data<Mutex<Plan>>) -> HttpResponse {
    let answer = {
        let mut plan = plan.lock().unwrap();
        *plan.asked.entry(request.path().to_owned()).or_default() += 1;
        plan.answers.get(request.path()).cloned().unwrap_or(Answer::Status(404))
    };
    match answer {
        Answer::Json(value) => HttpResponse::Ok().json(value),
        Answer::Text(text) => HttpResponse::Ok().content_type("application/json").body(text),
        Answer::Redirect(to) => HttpResponse::Found().insert_header((header::LOCATION, to)).finish(),
        Answer::Status(status) => HttpResponse::build(StatusCode::from_u16(status).unwrap()).finish(),
        Answer::Huge => HttpResponse::Ok().body(format!("{{\"x\":\"{}\"}}", "a".repeat(4 * 1024 * 1024))),
        Answer::Never => future::pending().await,
    }
}

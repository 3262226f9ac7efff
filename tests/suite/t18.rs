//! One refresh of a person's consent serves all nodes, even after a crash or a dropped caller (T18).
//!
//! Each node has its own services, connections and memory. Like separate processes, the nodes share only the database;
//! a crash loses only the memory of one node. The sandbox's journal records each refresh of a consent. As at Microsoft,
//! a refresh token remains valid after it is replaced.

use domain::{Id, ids};
use std::{
    pin::pin,
    sync::{Arc, Mutex},
    task::Poll::{Pending, Ready},
};

use chrono::Duration;
use demo::browser::Location;
use muster::{
    app::{self, Node},
    config::Config,
};
use providers::{Credential, Credentials, Error, Remedy};
use sea_orm::{ColumnTrait, ConnectionTrait, QueryFilter};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::{Stack, TestApp, steps::at};

/// Load of the tests: small in the suite, as required by the specification at full size.
struct Size {
    nodes: usize,
    callers: usize,
    cycles: usize,
}

fn size() -> Size {
    if std::env::var_os("MUSTER_TEST_ATTACKS_FULL").is_some() {
        Size { nodes: 4, callers: 50, cycles: 1_000 }
    } else {
        Size { nodes: 4, callers: 10, cycles: 6 }
    }
}

/// Nodes that share a person's consent.
struct Scene {
    app: TestApp,
    address: String,
    tenant: Id<ids::Tenant>,
    user: Id<ids::User>,
    nodes: Vec<Node>,
    credentials: Vec<Arc<dyn Credentials>>,
    /// Number of lines of the sandbox's journal already consumed.
    read: usize,
}

type Answers = Vec<Result<Credential, Error>>;

fn token(credential: &Credential) -> &str {
    let Credential::Bearer(token) = credential else { panic!("a person's consent yields a bearer token") };
    token.expose_secret()
}

impl Scene {
    async fn new(nodes: usize) -> Self {
        let app = TestApp::new(Stack::Servers).await;
        let org = app.with_tenant("Raced", 4, 1).await;
        let users = app.with_users(&org, 4).await;
        app.connect(&org).await;
        let person = app.user(&org.tenant, &users[org.outsider()]).await;
        let begun = person.query("mutation { connectOwnCalendar(input: {}) { url } }", json!({})).await;
        let mut browser = app.browser(&org);
        let page = app
            .walk_to(&mut browser, begun["connectOwnCalendar"]["url"].as_str().unwrap(), at::sign_in)
            .await;
        let address = org.people()[org.outsider()].to_owned();
        let mut place = app.send(&mut browser, &page, &[("address", &address)]).await;
        while let Location::Page(page) = &place
            && at::sign_in(page)
        {
            place = app.send(&mut browser, page, &[]).await;
        }
        app.run_jobs().await;
        let user: domain::Id<domain::ids::User> = users[org.outsider()].parse().unwrap();
        let mut scene = Self {
            app,
            address,
            tenant: org.id(),
            user,
            nodes: Vec::new(),
            credentials: Vec::new(),
            read: 0,
        };
        for _ in 0..nodes {
            scene.join().await;
        }
        scene.refreshes().await;
        scene
    }

    /// Starts another node on the same database.
    async fn join(&mut self) {
        let config = Config { roles: Vec::new(), connections: 4, ..self.app.config.clone() };
        let node = app::start(&config, Arc::new(self.app.clock.clone()), None, None).await.unwrap();
        let grant = self.grant().await;
        let txn = node.services.store.read(self.tenant).await.unwrap();
        let integration = entity::integration::by_id(self.tenant, grant.integration_id).one(&txn).await;
        drop(txn);
        let integration = integration.unwrap().unwrap();
        let session = node
            .services
            .grants()
            .open_session(&node.services, &integration, Some(self.user))
            .await
            .unwrap()
            .1;
        self.credentials.push(session.credentials);
        self.nodes.push(node);
    }

    async fn grant(&self) -> entity::consent_grant::Model {
        let txn = self.app.node.services.store.read(self.tenant).await.unwrap();
        let of_user = entity::consent_grant::of(self.tenant)
            .filter(entity::consent_grant::Column::UserId.eq(self.user))
            .one(&txn);
        of_user.await.unwrap().expect("the consent exists")
    }

    /// Number of refreshes of the consent since the previous call.
    async fn refreshes(&mut self) -> usize {
        let since = self.app.journal(self.read).await;
        self.read += since.len();
        let of_person = |entry: &&Value| entry["mailbox"] == self.address.as_str();
        let tokens = since.iter().filter(|entry| entry["path"].as_str().unwrap().ends_with("/token"));
        tokens.filter(of_person).count()
    }

    /// Requests a token from `callers` concurrent callers on every node; if a token was refused, requests its
    /// replacement.
    async fn ask(&self, callers: usize, refused: Option<&Credential>) -> Answers {
        let mut asking = JoinSet::new();
        for credentials in self.credentials.iter().flat_map(|one| std::iter::repeat_n(one, callers)) {
            let (credentials, refused) = (Arc::clone(credentials), refused.cloned());
            asking.spawn(async move {
                match refused {
                    Some(refused) => credentials.renewed(&refused, None).await,
                    None => credentials.current().await,
                }
            });
        }
        asking.join_all().await
    }

    /// Returns the token that all callers received; fails unless there is only one and the provider accepts it.
    async fn agreed(&self, answers: Answers) -> Credential {
        let mut answers = answers.into_iter().map(|answer| answer.expect("no caller loses the connection"));
        let first = answers.next().unwrap();
        assert!(answers.all(|other| token(&other) == token(&first)), "all callers receive the same token");
        let me = http::Request::new(http::Method::GET, self.app.sandbox.join("/v1.0/me").unwrap())
            .authorization(&format!("Bearer {}", token(&first)));
        let answer = demo::browser::local_client().unwrap().send(me).await.unwrap();
        assert_eq!(answer.status, http::StatusCode::OK, "{}", answer.text());
        first
    }

    /// Installs a trigger that runs `does` before every update of a consent.
    async fn on_update(&self, does: &str) {
        let sql = format!(
            "CREATE OR REPLACE FUNCTION planted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {does} RETURN NEW; END $$;
             CREATE OR REPLACE TRIGGER planted BEFORE UPDATE ON consent_grant FOR EACH ROW EXECUTE FUNCTION planted()"
        );
        self.owner(&sql).await;
    }

    async fn owner(&self, sql: &str) {
        let url = self.app.config.migration_url.as_deref().unwrap();
        entity::Store::connect_as_owner(url).await.unwrap().execute_unprepared(sql).await.unwrap();
    }

    async fn finish(self) {
        for node in self.nodes {
            node.stop().await;
        }
        self.app.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t18_a_consent_is_refreshed_once_for_all_nodes() {
    let size = size();
    let mut scene = Box::pin(Scene::new(size.nodes)).await;
    for cycle in 0..size.cycles {
        scene.app.clock.advance(Duration::hours(2));
        let live = scene.agreed(scene.ask(size.callers, None).await).await;
        assert_eq!(
            scene.refreshes().await,
            1,
            "refreshes for {} callers in cycle {cycle}",
            size.nodes * size.callers
        );
        if cycle % 3 == 2 {
            let other = scene.agreed(scene.ask(size.callers, Some(&live)).await).await;
            assert_ne!(token(&other), token(&live), "the refused token is replaced");
            assert_eq!(
                scene.refreshes().await,
                1,
                "refreshes after all callers were refused in cycle {cycle}"
            );
        }
    }
    scene.join().await;
    scene.agreed(scene.ask(1, None).await).await;
    assert_eq!(scene.refreshes().await, 0, "a node that starts later uses the shared token");
    scene.finish().await;
}

/// The planted trigger removes the shared access token, as if nodes did not share it; the count must show the
/// difference.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t18_the_count_shows_nodes_that_refresh_for_themselves() {
    let mut scene = Box::pin(Scene::new(4)).await;
    scene.on_update("NEW.access_token := NULL;").await;
    scene.app.clock.advance(Duration::hours(2));
    let answers = scene.ask(5, None).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(scene.refreshes().await, 4, "one refresh by each node");
    scene.finish().await;
}

/// The provider has replaced the refresh token, but no node has stored the new one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t18_a_crash_between_rotation_and_storing_loses_no_connection() {
    let mut scene = Box::pin(Scene::new(4)).await;
    for round in 0..size().cycles.min(50) {
        scene.app.clock.advance(Duration::hours(2));
        let before = scene.grant().await;
        scene.on_update("RAISE EXCEPTION 'the node dies here';").await;
        for answer in scene.ask(1, None).await {
            let error = answer.expect_err("a token that was not stored is not used");
            assert!(matches!(error.remedy, Remedy::RetryAfter(_)), "round {round}: {error:?}");
        }
        assert_eq!(scene.refreshes().await, 4, "the provider rotates the token each time");
        assert_eq!(scene.grant().await.secret, before.secret);
        scene.owner("DROP TRIGGER planted ON consent_grant").await;
        scene.agreed(scene.ask(3, None).await).await;
        assert_eq!(scene.refreshes().await, 1);
        scene.app.clock.advance(Duration::hours(2));
        let fault = json!({ "match": { "path_contains": "/token" }, "action": "drop_after", "times": 1 });
        scene.app.fault(fault).await;
        let answers = scene.ask(3, None).await;
        let lost = |answer: &Result<Credential, Error>| {
            answer.as_ref().is_err_and(|error| !matches!(error.remedy, Remedy::RetryAfter(_)))
        };
        assert!(!answers.iter().any(lost), "a lost response is not a refusal: {answers:?}");
        scene.refreshes().await;
        scene.agreed(scene.ask(3, None).await).await;
    }
    scene.finish().await;
}

/// Polls a future at most `polls` times, then drops it; returns its output, or `None` if it did not complete.
async fn dropped_after<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let (mut future, mut left) = (pin!(future), polls);
    std::future::poll_fn(|context| {
        if left == 0 {
            return Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(context) {
            Ready(output) => Ready(Some(output)),
            Pending => Pending,
        }
    })
    .await
}

/// Drops a caller while it waits: at the first await point, at the second, and so on until the caller completes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t18_a_caller_that_goes_away_at_any_moment_loses_no_connection() {
    let mut scene = Box::pin(Scene::new(2)).await;
    let (mut moments, mut wasted) = (0, 0);
    // The number of await points depends on the speed of the other tasks, so sweeps repeat until a caller was dropped
    // after the provider had rotated the token.
    for round in 0.. {
        assert!(round < 50, "no caller was dropped after a rotation");
        let (dropped, unused) = sweep(&mut scene).await;
        (moments, wasted) = (moments + dropped, wasted + unused);
        if moments >= 10 && wasted >= 1 {
            break;
        }
    }
    scene.finish().await;
}

/// Drops a caller at each await point in turn until the caller completes; returns the number of await points, and the
/// number of dropped callers whose refresh had to be repeated.
async fn sweep(scene: &mut Scene) -> (usize, usize) {
    let (mut moments, mut wasted) = (0, 0);
    loop {
        scene.app.clock.advance(Duration::hours(2));
        let ended = dropped_after(moments, scene.credentials[0].current()).await.is_some();
        scene.agreed(scene.ask(2, None).await).await;
        let refreshes = scene.refreshes().await;
        assert!((1..=2).contains(&refreshes), "{refreshes} refreshes after a drop at await point {moments}");
        wasted += usize::from(refreshes == 2);
        if ended {
            return (moments, wasted);
        }
        moments += 1;
    }
}

/// Stores a consent for every user, all with the same refresh token; returns the number of users.
async fn many_consents(scene: &mut Scene) -> usize {
    let grant = scene.grant().await;
    let services = &scene.nodes[0].services;
    let place = services::vault::Column::ConsentGrantSecret.at(scene.tenant, grant.id);
    let secret = services.open(place, &grant.secret).await.unwrap();
    let secret: services::grants::Secret = serde_json::from_slice(&secret).unwrap();
    let txn = services.store.read(scene.tenant).await.unwrap();
    let users = entity::tenant_user::of(scene.tenant).all(&txn).await.unwrap();
    let integration = entity::integration::by_id(scene.tenant, grant.integration_id).one(&txn).await.unwrap();
    drop(txn);
    let integration = integration.unwrap();
    scene.credentials.clear();
    for user in &users {
        let tx = services.begin(scene.tenant).await.unwrap();
        let account = &scene.address;
        services.grants().store(&tx, integration.id, Some(user.id), account, &secret).await.unwrap();
        tx.commit().await.unwrap();
        let session = services.grants().open_session(services, &integration, Some(user.id)).await.unwrap().1;
        scene.credentials.push(session.credentials);
    }
    users.len()
}

/// The access tokens of many consents expire at once while the provider is slow; other transactions continue.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t18_refreshing_leaves_half_of_the_connections_to_everybody_else() {
    let mut scene = Box::pin(Scene::new(1)).await;
    let consents = many_consents(&mut scene).await;
    assert!(consents >= 4, "at least as many consents as the node has connections");
    let slow = json!({ "match": { "path_contains": "/token" }, "action": "slow", "ms": 1_500, "times": 100 });
    scene.app.fault(slow).await;
    let order = Mutex::new(Vec::new());
    let others = async {
        while scene.app.observe("/control/faults").await[0]["times"].as_u64() == Some(100) {}
        for _ in 0..20 {
            let txn =
                scene.nodes[0].services.store.write(scene.tenant).await.expect("a connection is available");
            assert_eq!(entity::tenant_user::of(scene.tenant).all(&txn).await.unwrap().len(), consents);
        }
        order.lock().unwrap().push("others");
    };
    let refreshed = async {
        let answers = scene.ask(5, None).await;
        order.lock().unwrap().push("refreshed");
        answers
    };
    let (answers, ()) = tokio::join!(refreshed, others);
    assert!(answers.iter().all(Result::is_ok));
    let order = order.into_inner().unwrap();
    assert_eq!(
        order,
        ["others", "refreshed"],
        "transactions that need no token do not wait for the provider"
    );
    scene.app.clear_faults().await;
    scene.finish().await;
}

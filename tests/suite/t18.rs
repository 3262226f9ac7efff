//! A person's consent is refreshed once for all nodes, whatever happens in between (T18).
//!
//! The nodes are whole ones with services, connections and memory of their own. They share the database and nothing
//! else, as processes do; what is lost with a process is what each of them keeps in memory. The sandbox's journal says
//! how often a consent was refreshed. As at Microsoft, a refresh token that was replaced goes on working.

use std::{
    pin::pin,
    sync::{Arc, Mutex},
    task::Poll::{Pending, Ready},
};

use chrono::Duration;
use muster::{
    app::{self, Node},
    config::Config,
    demo::browser::Location,
};
use providers::{Credential, Credentials, Error, Remedy};
use sea_orm::{ColumnTrait, ConnectionTrait, QueryFilter};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::harness::{Stack, TestApp, steps::at};

/// How much is asked for: in the suite little, at full size what the requirement says.
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
    tenant: Uuid,
    user: Uuid,
    nodes: Vec<Node>,
    credentials: Vec<Arc<dyn Credentials>>,
    /// How many lines of the sandbox's journal were read.
    read: usize,
}

type Answers = Vec<Result<Credential, Error>>;

fn token(credential: &Credential) -> &str {
    let Credential::Bearer(token) = credential else { panic!("no token of a person's consent") };
    token.expose_secret()
}

impl Scene {
    async fn new(nodes: usize) -> Self {
        let app = TestApp::new(Stack::Servers).await;
        let org = app.with_tenant("Raced", 4, 1).await;
        let users = app.with_users(&org, 4).await;
        app.connect(&org).await;
        let person = app.user(&org.tenant, &users[org.outsider()]).await;
        let begun = person.query("mutation { connectOwnCalendar { url } }", json!({})).await;
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
            user: user.uuid(),
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

    /// One more node on the same database.
    async fn join(&mut self) {
        let config = Config { roles: Vec::new(), connections: 4, ..self.app.config.clone() };
        let node = app::start(&config, Arc::new(self.app.clock.clone()), None, None).await.unwrap();
        let grant = self.grant().await;
        let txn = node.services.store.read(self.tenant).await.unwrap();
        let integration = entity::integration::one(self.tenant, grant.integration_id).one(&txn).await;
        drop(txn);
        let integration = integration.unwrap().unwrap();
        let session = node.services.grants().session(&integration, Some(self.user)).await.unwrap().1;
        self.credentials.push(session.credentials);
        self.nodes.push(node);
    }

    async fn grant(&self) -> entity::consent_grant::Model {
        let txn = self.app.node.services.store.read(self.tenant).await.unwrap();
        let of_user = entity::consent_grant::of(self.tenant)
            .filter(entity::consent_grant::Column::UserId.eq(self.user))
            .one(&txn);
        of_user.await.unwrap().expect("the consent is there")
    }

    /// How often the consent was refreshed since this was asked last.
    async fn refreshes(&mut self) -> usize {
        let since = self.app.journal(self.read).await;
        self.read += since.len();
        let of_person = |entry: &&Value| entry["mailbox"] == self.address.as_str();
        let tokens = since.iter().filter(|entry| entry["path"].as_str().unwrap().ends_with("/token"));
        tokens.filter(of_person).count()
    }

    /// Lets so many callers of every node ask at once, for a token or for another one than this.
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

    /// The one token that everybody was answered, which the provider accepts.
    async fn agreed(&self, answers: Answers) -> Credential {
        let mut answers = answers.into_iter().map(|answer| answer.expect("nobody loses the connection"));
        let first = answers.next().unwrap();
        assert!(answers.all(|other| token(&other) == token(&first)), "all have the same token");
        let me = http::Request::new(http::Method::GET, self.app.sandbox.join("/v1.0/me").unwrap())
            .authorization(&format!("Bearer {}", token(&first)));
        let answer = muster::demo::browser::client().unwrap().send(me).await.unwrap();
        assert_eq!(answer.status, http::StatusCode::OK, "{}", answer.text());
        first
    }

    /// Something that the database does from now on whenever a consent is changed.
    async fn on_update(&self, does: &str) {
        let sql = format!(
            "CREATE OR REPLACE FUNCTION planted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {does} RETURN NEW; END $$;
             CREATE OR REPLACE TRIGGER planted BEFORE UPDATE ON consent_grant FOR EACH ROW EXECUTE FUNCTION planted()"
        );
        self.owner(&sql).await;
    }

    async fn owner(&self, sql: &str) {
        let url = self.app.config.migration_url.as_deref().unwrap();
        entity::Store::owner(url).await.unwrap().execute_unprepared(sql).await.unwrap();
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
        assert_eq!(scene.refreshes().await, 1, "of {} callers in cycle {cycle}", size.nodes * size.callers);
        if cycle % 3 == 2 {
            let other = scene.agreed(scene.ask(size.callers, Some(&live)).await).await;
            assert_ne!(token(&other), token(&live), "not the one that was refused");
            assert_eq!(scene.refreshes().await, 1, "of all who were refused in cycle {cycle}");
        }
    }
    scene.join().await;
    scene.agreed(scene.ask(1, None).await).await;
    assert_eq!(scene.refreshes().await, 0, "a node that comes later finds what the others have");
    scene.finish().await;
}

/// What is planted here is what there would be without the shared token; the count must show it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t18_the_count_shows_nodes_that_refresh_for_themselves() {
    let mut scene = Box::pin(Scene::new(4)).await;
    scene.on_update("NEW.access_token := NULL;").await;
    scene.app.clock.advance(Duration::hours(2));
    let answers = scene.ask(5, None).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(scene.refreshes().await, 4, "each node once");
    scene.finish().await;
}

/// The provider has replaced the refresh token and nobody has stored the new one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t18_a_crash_between_rotation_and_storing_loses_no_connection() {
    let mut scene = Box::pin(Scene::new(4)).await;
    for round in 0..size().cycles.min(50) {
        scene.app.clock.advance(Duration::hours(2));
        let before = scene.grant().await;
        scene.on_update("RAISE EXCEPTION 'the node dies here';").await;
        for answer in scene.ask(1, None).await {
            let error = answer.expect_err("what was not stored is not used");
            assert!(matches!(error.remedy, Remedy::RetryAfter(_)), "round {round}: {error:?}");
        }
        assert_eq!(scene.refreshes().await, 4, "the provider has rotated each time");
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
        assert!(!answers.iter().any(lost), "an answer that was cut is no refusal: {answers:?}");
        scene.refreshes().await;
        scene.agreed(scene.ask(3, None).await).await;
    }
    scene.finish().await;
}

/// Lets a future be polled so many times, then drops it; answers what it answered, if it got there.
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

/// Whoever asks goes away: at the first thing that is waited for, at the second, and so on to the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t18_a_caller_that_goes_away_at_any_moment_loses_no_connection() {
    let mut scene = Box::pin(Scene::new(2)).await;
    let (mut moments, mut wasted) = (0, 0);
    // How often a caller waits depends on how fast everybody else is. So it is tried until it went away while the provider
    // had rotated already.
    for round in 0.. {
        assert!(round < 50, "the danger was not met");
        let (dropped, unused) = sweep(&mut scene).await;
        (moments, wasted) = (moments + dropped, wasted + unused);
        if moments >= 10 && wasted >= 1 {
            break;
        }
    }
    scene.finish().await;
}

/// Drops a caller at each moment in turn, from the first to the end; returns how many there were, and after how many of them
/// the provider had rotated for nothing.
async fn sweep(scene: &mut Scene) -> (usize, usize) {
    let (mut moments, mut wasted) = (0, 0);
    loop {
        scene.app.clock.advance(Duration::hours(2));
        let ended = dropped_after(moments, scene.credentials[0].current()).await.is_some();
        scene.agreed(scene.ask(2, None).await).await;
        let refreshes = scene.refreshes().await;
        assert!((1..=2).contains(&refreshes), "{refreshes} after {moments} moments");
        wasted += usize::from(refreshes == 2);
        if ended {
            return (moments, wasted);
        }
        moments += 1;
    }
}

/// As many consents as there are users, each with the same refresh token; answers how many there are.
async fn many_consents(scene: &mut Scene) -> usize {
    let grant = scene.grant().await;
    let services = &scene.nodes[0].services;
    let place = services::vault::Column::ConsentGrantSecret.at(scene.tenant, grant.id);
    let secret = services.secrets().open(place, &grant.secret).await.unwrap();
    let secret: services::grants::Secret = serde_json::from_slice(&secret).unwrap();
    let txn = services.store.read(scene.tenant).await.unwrap();
    let users = entity::tenant_user::of(scene.tenant).all(&txn).await.unwrap();
    let integration = entity::integration::one(scene.tenant, grant.integration_id).one(&txn).await.unwrap();
    drop(txn);
    let integration = integration.unwrap();
    scene.credentials.clear();
    for user in &users {
        let tx = services.begin(scene.tenant).await.unwrap();
        let account = &scene.address;
        services.grants().store(&tx, integration.id, Some(user.id), account, &secret).await.unwrap();
        tx.commit().await.unwrap();
        let session = services.grants().session(&integration, Some(user.id)).await.unwrap().1;
        scene.credentials.push(session.credentials);
    }
    users.len()
}

/// Many consents end at the same moment while the provider is slow: others go on reading and writing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t18_refreshing_leaves_half_of_the_connections_to_everybody_else() {
    let mut scene = Box::pin(Scene::new(1)).await;
    let consents = many_consents(&mut scene).await;
    assert!(consents >= 4, "as many consents as the node has connections");
    let slow = json!({ "match": { "path_contains": "/token" }, "action": "slow", "ms": 1_500, "times": 100 });
    scene.app.fault(slow).await;
    let order = Mutex::new(Vec::new());
    let others = async {
        while scene.app.observe("/control/faults").await[0]["times"].as_u64() == Some(100) {}
        for _ in 0..20 {
            let txn = scene.nodes[0].services.store.write(scene.tenant).await.expect("there is a connection");
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
    assert_eq!(order, ["others", "refreshed"], "whoever needs no token does not wait for the provider");
    scene.app.clear_faults().await;
    scene.finish().await;
}

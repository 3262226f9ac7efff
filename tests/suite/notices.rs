//! What providers push, through the routes that they push to: a notice wakes the reading of one mailbox, one that is
//! forged changes nothing, a doubled one does no more than one, and one that was lost is made good by the periodic
//! reading.

use domain::ProviderKind;
use http::{HeaderName, Method, Request, Response, StatusCode};
use providers::{google::PUSH_PATH as GOOGLE_PUSH_PATH, microsoft::PUSH_PATH as MICROSOFT_PUSH_PATH};
use sea_orm::{ColumnTrait, PaginatorTrait, QueryFilter};
use serde_json::{Value, json};
use workflows::reconcile::Reconciler;

use crate::{
    google,
    harness::{Org, Stack, TestApp},
};

/// How long the sandbox may take to deliver, at most.
const WAIT_MS: u64 = 30_000;

/// An organisation whose mailboxes are watched, and one of them.
struct Watched {
    app: TestApp,
    org: Org,
    provider: ProviderKind,
    address: String,
    /// The name of its channel at the provider.
    channel: String,
    /// How many deliveries have been looked at.
    seen: u64,
}

impl Watched {
    async fn new(stack: Stack, provider: ProviderKind) -> Self {
        let app = TestApp::new(stack).await;
        let org = match provider {
            ProviderKind::GoogleWorkspace => {
                let (org, _) = google::organisation(&app).await;
                google::connect(&app, &org, None, 0).await;
                org
            }
            _ => {
                let org = app.with_tenant("Pushed", 4, 1).await;
                app.with_users(&org, 4).await;
                app.connect(&org).await;
                org
            }
        };
        app.reconcile(Reconciler::Channels).await;
        let address = org.people()[org.insider()].to_owned();
        let journal = app.journal(0).await;
        let opened = journal
            .iter()
            .find(|entry| entry["outcome"] == "subscribed" && entry["mailbox"] == address.as_str());
        let channel = opened.expect("the mailbox has a channel")["key"].as_str().unwrap().to_owned();
        Self { app, org, provider, address, channel, seen: 0 }
    }

    /// Somebody writes into the mailbox's calendar behind our back.
    async fn written(&self, title: &str, hour: u32) {
        let at = |hour: u32| format!("2026-12-16T{hour:02}:00:00Z");
        let event =
            json!({ "mailbox": self.address, "subject": title, "start": at(hour), "end": at(hour + 1) });
        let path = format!("/control/organisations/{}/events", self.org.sandbox["id"].as_str().unwrap());
        self.app.control(&path, event).await;
    }

    /// What happens to the next notice about the mailbox.
    async fn fault(&self, action: &str) {
        let fault = json!({ "match": { "path_contains": self.address }, "action": action });
        self.app.fault(fault).await;
    }

    /// The next `count` deliveries about changes in the mailbox, each as whether it was forged and how it was answered.
    async fn delivered(&mut self, count: usize) -> Vec<(bool, Option<u64>)> {
        let mut found = Vec::new();
        while found.len() < count {
            let path = format!("/control/notices?after={}&wait_ms={WAIT_MS}", self.seen);
            let next = self.app.observe(&path).await;
            let next = next.as_array().unwrap();
            assert!(!next.is_empty(), "only {found:?} came");
            self.seen += next.len() as u64;
            let ours = |one: &&Value| one["mailbox"] == self.address.as_str() && one["change"] != "sync";
            let ours = next.iter().filter(ours);
            found.extend(ours.map(|one| (one["forged"] == true, one["status"].as_u64())));
        }
        found
    }

    /// Works off what was ordered; returns how often the provider was asked about the mailbox. About others it is not.
    async fn readings(&self) -> usize {
        let before = self.app.journal(0).await.len();
        self.app.run_jobs().await;
        let since = self.app.journal(before).await;
        let about: Vec<&Value> = since.iter().filter(|entry| entry["path"] != "/google/token").collect();
        let others =
            |entry: &&&Value| entry["mailbox"].as_str().is_some_and(|mailbox| mailbox != self.address);
        assert_eq!(about.iter().find(others), None, "{about:#?}");
        about.len()
    }

    /// Whether the copy of the calendar has an event of this title.
    async fn knows(&self, title: &str) -> bool {
        use entity::calendar_event::{Column, of};
        let txn = self.app.node.services.store.read(self.org.id()).await.unwrap();
        of(self.org.id()).filter(Column::Title.eq(title)).count(&txn).await.unwrap() > 0
    }

    /// Pushes something to our route, as anybody can.
    async fn push(&self, channel: &str, secret: &str) -> Response {
        let request = match self.provider {
            ProviderKind::GoogleWorkspace => {
                let name = HeaderName::from_static;
                Request::new(Method::POST, self.app.base.join(GOOGLE_PUSH_PATH).unwrap())
                    .header(name("x-goog-resource-state"), "exists")
                    .header(name("x-goog-channel-id"), channel)
                    .header(name("x-goog-channel-token"), secret)
            }
            _ => {
                let item =
                    json!({ "subscriptionId": channel, "clientState": secret, "changeType": "updated" });
                Request::new(Method::POST, self.app.base.join(MICROSOFT_PUSH_PATH).unwrap())
                    .body("application/json", json!({ "value": [item] }).to_string())
            }
        };
        demo::browser::local_client().unwrap().send(request).await.unwrap()
    }
}

const TRUE: (bool, Option<u64>) = (false, Some(202));
const FORGED: (bool, Option<u64>) = (true, Some(202));
const LOST: (bool, Option<u64>) = (false, None);

async fn a_change_is_read_once_it_is_told(stack: Stack, provider: ProviderKind) {
    let mut watched = Watched::new(stack, provider).await;
    assert_eq!(watched.readings().await, 0, "nothing is left from connecting");
    watched.written("First", 9).await;
    assert_eq!(watched.delivered(1).await, [TRUE]);
    assert!(!watched.knows("First").await, "nobody has read it yet");
    let once = watched.readings().await;
    assert!(once > 0 && watched.knows("First").await);

    watched.fault("duplicate_notice").await;
    watched.written("Second", 10).await;
    assert_eq!(watched.delivered(2).await, [TRUE, TRUE]);
    assert_eq!(watched.readings().await, once, "two notices are one reading");
    assert!(watched.knows("Second").await);

    watched.fault("lose_notice").await;
    watched.written("Third", 11).await;
    assert_eq!(watched.delivered(1).await, [LOST]);
    assert_eq!(watched.readings().await, 0);
    watched.app.reconcile(Reconciler::Calendars).await;
    assert!(!watched.knows("Third").await, "the copy is not old yet");
    let old = watched.app.node.services.settings.reread_after + std::time::Duration::from_secs(1);
    watched.app.clock.advance(chrono::Duration::from_std(old).unwrap());
    watched.app.reconcile(Reconciler::Calendars).await;
    assert!(watched.knows("Third").await, "what was lost is made good");
    watched.app.finish().await;
}

async fn a_forged_notice_changes_nothing(stack: Stack, provider: ProviderKind) {
    let mut watched = Watched::new(stack, provider).await;
    let unknown = watched.app.node.services.ids.uuid().to_string();
    let secret = watched.app.node.services.ids.random_secret();
    for (channel, secret) in [
        (watched.channel.as_str(), "guessed"),
        (watched.channel.as_str(), ""),
        (watched.channel.as_str(), secret.as_str()),
        (unknown.as_str(), secret.as_str()),
        ("", secret.as_str()),
    ] {
        let answer = watched.push(channel, secret).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "nobody learns which channels there are");
        assert_eq!(watched.readings().await, 0, "{channel}");
    }
    watched.fault("forge_notice").await;
    watched.written("First", 9).await;
    assert_eq!(watched.delivered(2).await, [FORGED, TRUE], "a forged one, and the true one after it");
    let forged = watched.readings().await;
    assert!(watched.knows("First").await);
    watched.written("Second", 10).await;
    assert_eq!(watched.delivered(1).await, [TRUE]);
    assert_eq!(watched.readings().await, forged, "as much as without the forged one");
    watched.app.finish().await;
}

async fn the_handshake(stack: Stack) {
    let app = TestApp::new(stack).await;
    let ask = async |token: &str| {
        let mut url = app.base.join(MICROSOFT_PUSH_PATH).unwrap();
        url.query_pairs_mut().append_pair("validationToken", token);
        demo::browser::local_client().unwrap().send(Request::new(Method::POST, url)).await.unwrap()
    };
    let answer = ask("Validation: <b>&+ 1").await;
    assert_eq!((answer.status, answer.text().as_str()), (StatusCode::OK, "Validation: <b>&+ 1"));
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    for token in ["a\nb", &"x".repeat(1_025)] {
        assert_eq!(ask(token).await.status, StatusCode::BAD_REQUEST);
    }
    app.finish().await;
}

macro_rules! on {
    ($module:ident, $stack:expr) => {
        mod $module {
            use crate::harness::Stack;
            use domain::ProviderKind::{GoogleWorkspace, Microsoft365};

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn a_change_at_microsoft_is_read_when_told_once_when_told_twice_and_later_when_not_told() {
                super::a_change_is_read_once_it_is_told($stack, Microsoft365).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn a_change_at_google_is_read_when_told_once_when_told_twice_and_later_when_not_told() {
                super::a_change_is_read_once_it_is_told($stack, GoogleWorkspace).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn a_forged_notice_of_microsofts_changes_nothing() {
                super::a_forged_notice_changes_nothing($stack, Microsoft365).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn a_forged_notice_of_googles_changes_nothing() {
                super::a_forged_notice_changes_nothing($stack, GoogleWorkspace).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn the_handshake_with_microsoft_echoes_what_is_harmless_and_nothing_else() {
                super::the_handshake($stack).await;
            }
        }
    };
}
on!(sqlite, Stack::Embedded);
on!(postgres, Stack::Servers);

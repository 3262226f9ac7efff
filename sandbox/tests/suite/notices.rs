//! Notifications that get lost, come twice, in another order, or from somebody else.

use serde_json::{Value, json};

use crate::{
    setup::{Setup, meeting},
    subscriptions::{Listener, asked},
};

struct Ear {
    setup: Setup,
    token: String,
    listener: Listener,
}

impl Ear {
    /// A setup with a subscription to Ada's calendar.
    async fn new() -> Self {
        let setup = Setup::consented().await;
        let (token, listener) = (setup.application().await, Listener::new());
        let good = format!("{}/good", listener.base);
        let (status, made) = setup.post(&token, "subscriptions", asked(&good, 60)).await;
        assert_eq!(status, 201, "{made}");
        Self { setup, token, listener }
    }

    async fn plant(&self, fault: Value) {
        self.setup.control("faults", fault).await;
    }

    /// Makes an event in Ada's calendar; returns its id.
    async fn book(&self, key: &str, hour: u32) -> String {
        let event = self.setup.book(&self.token, "ada@acme.test", meeting(key, hour, hour + 1, &[])).await;
        event["id"].as_str().unwrap().to_owned()
    }

    /// The next thing that is heard: which event, and by which word.
    async fn hear(&mut self) -> (String, String) {
        let told = self.listener.told.recv().await.unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let item = &told["value"][0];
        (text(&item["resourceData"]["id"]), text(&item["clientState"]))
    }
}

const WORD: &str = "a secret word";

#[tokio::test]
async fn a_notification_that_is_lost_is_never_sent_and_the_next_one_is() {
    let mut ear = Ear::new().await;
    ear.plant(json!({"action": "lose_notice", "match": {"method": "created", "path_contains": "ada@"}}))
        .await;
    ear.book("one", 9).await;
    let second = ear.book("two", 10).await;
    assert_eq!(ear.hear().await, (second, WORD.to_owned()), "the first was lost");
    assert_eq!(ear.setup.ask("faults").await, json!([]), "it is used up");
    ear.listener.stop().await;
}

#[tokio::test]
async fn a_fault_of_notifications_leaves_requests_and_other_mailboxes_alone() {
    let mut ear = Ear::new().await;
    ear.plant(json!({"action": "lose_notice", "match": {"path_contains": "bob@"}})).await;
    ear.plant(json!({"action": "lose_notice", "match": {"method": "deleted"}})).await;
    let one = ear.book("one", 9).await;
    assert_eq!(ear.hear().await.0, one);
    assert_eq!(ear.setup.ask("faults").await.as_array().unwrap().len(), 2, "both still wait");
    ear.listener.stop().await;
}

#[tokio::test]
async fn a_notification_comes_twice_when_it_is_doubled() {
    let mut ear = Ear::new().await;
    ear.plant(json!({"action": "duplicate_notice"})).await;
    let one = ear.book("one", 9).await;
    assert_eq!([ear.hear().await, ear.hear().await].map(|heard| heard.0), [one.clone(), one]);
    let two = ear.book("two", 10).await;
    assert_eq!(ear.hear().await.0, two, "and then once again");
    ear.listener.stop().await;
}

#[tokio::test]
async fn a_notification_that_is_held_back_comes_after_the_next_one() {
    let mut ear = Ear::new().await;
    ear.plant(json!({"action": "reorder_notice"})).await;
    let (one, two) = (ear.book("one", 9).await, ear.book("two", 10).await);
    assert_eq!([ear.hear().await.0, ear.hear().await.0], [two, one]);
    ear.listener.stop().await;
}

#[tokio::test]
async fn a_forged_notification_does_not_know_the_word() {
    let mut ear = Ear::new().await;
    ear.plant(json!({"action": "forge_notice"})).await;
    let one = ear.book("one", 9).await;
    let forged = ear.hear().await;
    assert!(forged.0 != one && forged.1 != WORD, "{forged:?}");
    assert_eq!(ear.hear().await, (one, WORD.to_owned()), "the true one follows");
    ear.listener.stop().await;
}

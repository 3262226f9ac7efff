//! Tests the wrapper with a connector that returns forbidden characters in every string.

mod odd;

use std::{collections::BTreeSet, sync::Arc};

use domain::{message::Arg, text::LineMode};
use serde::Serialize;
use serde_json::Value;

use self::odd::{ID, Odd, event};
use super::{values::distinct_names, *};
use crate::{Credential, NamedAddress, StaticCredentials, UnlimitedGate};

fn session() -> Session {
    let password = Credential::Basic { user: String::new(), password: String::new().into() };
    Session {
        scope: "test".into(),
        rooms: None,
        credentials: Arc::new(StaticCredentials(password)),
        gate: Arc::new(UnlimitedGate),
        server: None,
        account: String::new(),
        own: false,
        zone: None,
    }
}

fn new_event() -> NewEvent {
    NewEvent {
        effect_key: "key".to_owned(),
        title: String::new(),
        text: String::new(),
        range: window(),
        zone: "UTC".to_owned(),
        location: None,
        organiser: NamedAddress { name: String::new(), address: String::new() },
        attendees: Vec::new(),
        busy: None,
        online_meeting: false,
    }
}

fn window() -> TimeRange {
    event().range
}

/// The observed results: strings and errors.
#[derive(Default)]
struct Seen {
    texts: Vec<String>,
    errors: Vec<Error>,
}

impl Seen {
    /// Records all strings of a result, or its error.
    fn take<T: Serialize>(&mut self, answer: Result<T>) {
        match answer {
            Ok(answer) => self.texts_of(&serde_json::to_value(answer).unwrap()),
            Err(error) => self.errors.push(error),
        }
    }

    /// Records a page and returns the cursor of the next one.
    fn page<T: Serialize>(&mut self, page: Result<Page<T>>) -> Option<String> {
        let next = page.as_ref().ok().and_then(|page| page.next.clone());
        self.take(page.map(|page| (page.items, page.next)));
        next
    }

    fn events(&mut self, page: Result<EventPage>) -> Option<String> {
        let next = page.as_ref().ok().and_then(|page| page.next.clone());
        self.take(page.map(|page| (page.items, page.unreadable, page.next)));
        next
    }

    fn texts_of(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.texts.push(text.clone()),
            Value::Array(items) => items.iter().for_each(|item| self.texts_of(item)),
            Value::Object(fields) => fields.values().for_each(|field| self.texts_of(field)),
            _ => {}
        }
    }
}

/// Calls every method once, and with each returned id and cursor every method that accepts one.
async fn ask_everything(provider: &SanitizedProvider) -> Seen {
    let mut seen = Seen::default();
    ask_directory(provider, &session(), &mut seen).await;
    read_calendars(provider, &session(), &mut seen).await;
    write_events(provider, &session(), &mut seen).await;
    seen
}

/// The returned token or, without one, the original id.
fn or_id(token: Option<String>) -> String {
    token.unwrap_or_else(|| text::escape_provider_token(ID.to_owned()))
}

async fn ask_directory(provider: &SanitizedProvider, s: &Session, seen: &mut Seen) {
    let m = "anna@acme.example";
    let brought = CodeExchange { code: "", verifier: &"".into(), redirect_uri: "", nonce: "" };
    let signed_in = provider.redeem(SignInPurpose::OwnConsent, &brought).await;
    seen.take(
        signed_in.map(|found| found.map(|who| (who.account, who.username, who.organisation, who.domain))),
    );
    seen.take(provider.organisation(s).await);
    let next = or_id(seen.page(provider.people(s, None).await));
    seen.page(provider.people(s, Some(&next)).await);
    let next = or_id(seen.page(provider.rooms(s, None).await));
    seen.page(provider.rooms(s, Some(&next)).await);
    seen.take(provider.mailbox(s, m).await);
    seen.take(provider.calendar(s, m).await);
}

async fn read_calendars(provider: &SanitizedProvider, s: &Session, seen: &mut Seen) {
    let (m, window) = ("anna@acme.example", window());
    for (_, verdict) in provider.busy(s, &[m.to_owned()], window).await.unwrap_or_default() {
        seen.take(verdict.map(|found| found.unreadable));
    }
    let next = or_id(seen.events(provider.events(s, m, window, None).await));
    seen.events(provider.events(s, m, window, Some(&next)).await);
    let calendars = provider.calendars(s, m).await;
    let calendar = or_id(calendars.as_ref().ok().map(|all| all[0].id.clone()));
    seen.take(calendars);
    seen.events(provider.events_of(s, m, &calendar, window, Some(&next)).await);
    let changes = provider.changes(s, m, window, None).await;
    let cursor = or_id(changes.as_ref().ok().map(|changes| changes.cursor.clone()));
    seen.take(changes.map(|changes| (changes.gone, changes.changed, changes.unreadable, changes.cursor)));
    let changes = provider.changes(s, m, window, Some(&cursor)).await;
    seen.take(changes.map(|changes| (changes.gone, changes.changed, changes.unreadable, changes.cursor)));
    let watermark =
        or_id(provider.poll_changes(s, m, window, None).await.ok().and_then(ChangeCheck::watermark));
    seen.take(provider.poll_changes(s, m, window, Some(&watermark)).await.map(ChangeCheck::watermark));
}

async fn write_events(provider: &SanitizedProvider, s: &Session, seen: &mut Seen) {
    let m = "anna@acme.example";
    let made = provider.create_event(s, m, &new_event()).await;
    let id = or_id(made.as_ref().ok().map(|event| event.id.clone()));
    seen.take(made);
    seen.take(provider.find_event(s, m, "key").await);
    seen.take(provider.event(s, m, &id).await);
    seen.take(provider.update_event(s, m, &id, &EventChange::default()).await);
    seen.take(provider.cancel_event(s, m, &id, "").await);
    seen.take(provider.delete_event(s, m, &id).await);
    let channel = provider.watch(s, m, "", "").await;
    let id = or_id(channel.as_ref().ok().map(|channel| channel.id.clone()));
    seen.take(channel);
    seen.take(provider.renew(s, &id).await);
    seen.take(provider.unwatch(s, &id).await);
}

#[tokio::test]
async fn no_answer_holds_a_text_that_a_store_refuses_and_every_id_goes_back_as_it_was() {
    let odd = Arc::new(Odd::default());
    let seen = ask_everything(&SanitizedProvider::new(odd.clone())).await;
    assert!(seen.texts.len() > 80, "only {} texts were looked at", seen.texts.len());
    for text in &seen.texts {
        assert_eq!(text::check(text, LineMode::Line, 10_000), Ok(()), "{text:?}");
    }
    assert_eq!(seen.errors.len(), 1, "one mailbox fails");
    seen.errors.into_iter().for_each(assert_fits);
    let given = odd.given.lock().unwrap();
    assert_eq!(*given, vec![ID; 13], "each was given back in the provider's own form");
    // An address never becomes another one; a name keeps its words.
    assert!(seen.texts.iter().filter(|text| text.contains("anna@")).all(|text| text != "anna@acme.example"));
    assert!(seen.texts.iter().any(|text| text == "name "));
}

#[tokio::test]
async fn no_error_holds_a_text_that_a_store_refuses() {
    let odd = Arc::new(Odd { fails: true, ..Odd::default() });
    let seen = ask_everything(&SanitizedProvider::new(odd)).await;
    assert!(seen.texts.is_empty(), "everything fails");
    assert_eq!(seen.errors.len(), 24);
    seen.errors.into_iter().for_each(assert_fits);
}

fn assert_fits(error: Error) {
    let said = error.message.args().map(|(_, arg)| match arg {
        Arg::Text(text) => text.clone(),
        other => panic!("{other:?}"),
    });
    let said: Vec<_> = said.collect();
    assert_eq!(said.len(), 1);
    for text in said.into_iter().chain([error.code, error.request_id.unwrap_or_default()]) {
        assert_eq!(text::check(&text, LineMode::Line, 10_000), Ok(()), "{text:?}");
    }
}

#[test]
fn a_piece_of_equipment_that_is_listed_twice_is_named_once() {
    let listed = ["Whiteboard", "Video bar", "", "video bar", "Screen", "Whiteboard"].map(str::to_owned);
    assert_eq!(distinct_names(listed.into_iter()), ["Whiteboard", "Video bar", "Screen"]);
}

/// A method that the wrapper lacks would run the trait's default body and never reach the connector.
#[test]
fn the_wrapper_has_every_method_of_the_traits() {
    let methods = |source: &str, from: &str| -> BTreeSet<String> {
        let block = source.split(from).nth(1).and_then(|rest| rest.split("\n}\n").next()).unwrap();
        let names = block.split("fn ").skip(1).filter_map(|rest| rest.split('(').next());
        names.map(str::to_owned).collect()
    };
    let traits = [
        ("Provider", include_str!("../lib.rs"), 3),
        ("Onboarding", include_str!("../onboarding.rs"), 11),
        ("Directory", include_str!("../directory.rs"), 5),
        ("Events", include_str!("../events.rs"), 12),
        ("ChangeFeed", include_str!("../changes.rs"), 2),
        ("Push", include_str!("../push.rs"), 5),
    ];
    for (name, source, least) in traits {
        let wanted = methods(source, &format!("pub trait {name}:"));
        assert!(wanted.len() >= least, "{name}: {wanted:?}");
        let wrapped = methods(include_str!("../sanitize.rs"), &format!("impl {name} for SanitizedProvider"));
        assert_eq!(wrapped, wanted, "{name}");
    }
}

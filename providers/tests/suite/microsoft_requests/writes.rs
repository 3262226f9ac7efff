//! Creating, changing, cancelling and deleting events: the requests, and responses that leave the outcome unclear.

use providers::{ErrorKind, EventChange, Events as _, Remedy};
use serde_json::json;

use super::{PROPERTY, bench, body_of, interview, refusal, written};

#[tokio::test]
async fn a_new_event_carries_its_key_twice() {
    let bench = bench().await;
    bench.server.tell(201, &written("bkg-1"));
    bench.server.tell(201, &written("bkg-1"));
    bench.connector.create_event(&bench.session, "ada@acme.test", &interview()).await.unwrap();
    let event = bench.connector.create_event(&bench.session, "ada@acme.test", &interview()).await.unwrap();
    let asked = bench.server.asked();
    assert_eq!(asked[0].line, "POST /v1.0/users/ada@acme.test/calendar/events");
    assert_eq!(asked[0].header("prefer"), Some(r#"IdType="ImmutableId", outlook.timezone="UTC""#));
    assert_eq!(asked[0].header("authorization"), Some("Bearer t1"));
    let mut body = body_of(&asked[0]);
    let transaction = body["transactionId"].take();
    let expected = json!({
        "subject": "Interview",
        "body": {"contentType": "text", "content": "Agenda"},
        "start": {"dateTime": "2026-12-01T10:00:00", "timeZone": "Europe/Berlin"},
        "end": {"dateTime": "2026-12-01T11:00:00", "timeZone": "Europe/Berlin"},
        "location": {"displayName": "Room 1"},
        "attendees": [
            {"type": "required", "emailAddress": {"name": "Bob", "address": "bob@acme.test"}},
            {"type": "resource", "emailAddress": {"name": "Room 1", "address": "room-1@acme.test"}},
        ],
        "showAs": "busy",
        "allowNewTimeProposals": false,
        "transactionId": null,
        "singleValueExtendedProperties": [{"id": PROPERTY, "value": "bkg-1"}],
    });
    assert_eq!(body, expected);
    assert_eq!(transaction, body_of(&asked[1])["transactionId"], "a repeat must be recognised");
    assert_ne!(asked[0].header("client-request-id"), asked[1].header("client-request-id"));
    assert_eq!((event.id.as_str(), event.effect_key.as_deref()), ("AAA/1+=", Some("bkg-1")));
    assert_eq!(event.range, interview().range);
}

#[tokio::test]
async fn a_write_that_was_done_already_is_read_back_by_its_key() {
    let bench = bench().await;
    bench.server.tell(409, &refusal("ErrorDuplicateTransactionId"));
    bench.server.tell(200, &json!({"value": [], "@odata.nextLink": bench.server.url("/v1.0/next?$skip=1")}));
    bench.server.tell(200, &json!({"value": [written("bkg-1")]}));
    let event = bench.connector.create_event(&bench.session, "ada@acme.test", &interview()).await.unwrap();
    assert_eq!(event.effect_key.as_deref(), Some("bkg-1"));
    let lines: Vec<String> = bench.server.asked().into_iter().map(|asked| asked.line).collect();
    assert_eq!(
        lines[1],
        "GET /v1.0/users/ada@acme.test/calendar/events\
         ?$filter=singleValueExtendedProperties%2FAny%28ep%3A%20ep%2Fid%20eq%20%27String%20%7B5b0f6e2c-93c4-4b7e-8d15-6a1de0a7c94f%7D%20Name%20effectKey%27%20and%20ep%2Fvalue%20eq%20%27bkg-1%27%29\
         &$expand=singleValueExtendedProperties%28%24filter%3Did%20eq%20%27String%20%7B5b0f6e2c-93c4-4b7e-8d15-6a1de0a7c94f%7D%20Name%20effectKey%27%29"
    );
    assert_eq!(lines[2], "GET /v1.0/next?$skip=1");
}

#[tokio::test]
async fn a_write_that_was_done_and_removed_is_gone_and_not_written_again() {
    let bench = bench().await;
    bench.server.tell(400, &refusal("ErrorDuplicateTransactionId"));
    let mut cancelled = written("bkg-1");
    cancelled["isCancelled"] = json!(true);
    bench.server.tell(200, &json!({"value": [cancelled]}));
    let error =
        bench.connector.create_event(&bench.session, "ada@acme.test", &interview()).await.unwrap_err();
    assert_eq!((error.kind, error.remedy, error.unknown), (ErrorKind::Gone, Remedy::Never, false));
}

#[tokio::test]
async fn a_write_without_a_clear_answer_is_unknown_and_a_read_never_is() {
    let bench = bench().await;
    for status in [0, 500, 502, 503, 504] {
        bench.server.tell(status, &json!({}));
        let error =
            bench.connector.create_event(&bench.session, "ada@acme.test", &interview()).await.unwrap_err();
        assert!(error.unknown, "a write answered by {status} is unknown");
        assert_eq!(error.kind, ErrorKind::Unavailable);
        bench.server.tell(status, &json!({}));
        let error = bench.connector.calendar(&bench.session, "ada@acme.test").await.unwrap_err();
        assert!(!error.unknown, "a read answered by {status} is not");
    }
    bench.server.tell(201, &json!({"id": "half an answer"}));
    let error =
        bench.connector.create_event(&bench.session, "ada@acme.test", &interview()).await.unwrap_err();
    assert!(error.unknown, "a success that cannot be read is unknown");
    assert_eq!(bench.server.asked().len(), 11, "nothing is repeated by the connector");
}

#[tokio::test]
async fn a_change_is_sent_once_more_after_a_conflict_if_the_event_stands() {
    let bench = bench().await;
    bench.server.tell(412, &refusal("ErrorIrresolvableConflict"));
    bench.server.tell(200, &written("bkg-1"));
    bench.server.tell(200, &written("bkg-1"));
    let change = EventChange { title: Some("Second interview".to_owned()), ..EventChange::default() };
    bench.connector.update_event(&bench.session, "ada@acme.test", "e1", &change).await.unwrap();
    let asked = bench.server.asked();
    assert_eq!(asked[0].line, "PATCH /v1.0/users/ada@acme.test/events/e1");
    assert_eq!(body_of(&asked[2]), json!({"subject": "Second interview"}));
    bench.server.tell(412, &refusal("ErrorIrresolvableConflict"));
    bench.server.tell(404, &refusal("ErrorItemNotFound"));
    let error =
        bench.connector.update_event(&bench.session, "ada@acme.test", "e1", &change).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Gone);
}

#[tokio::test]
async fn calling_off_falls_back_on_deletion_and_gone_is_done() {
    let bench = bench().await;
    let cancel = || bench.connector.cancel_event(&bench.session, "ada@acme.test", "e1", "Sorry");
    bench.server.tell(202, &json!(null));
    cancel().await.unwrap();
    assert_eq!(body_of(&bench.server.asked()[0]), json!({"comment": "Sorry"}));
    bench.server.tell(404, &refusal("ErrorItemNotFound"));
    cancel().await.unwrap();
    bench.server.asked();
    bench.server.tell(400, &refusal("ErrorInvalidRequest"));
    bench.server.tell(404, &refusal("ErrorItemNotFound"));
    cancel().await.unwrap();
    let lines: Vec<String> = bench.server.asked().into_iter().map(|asked| asked.line).collect();
    let event = "/v1.0/users/ada@acme.test/events/e1";
    assert_eq!(lines, [format!("POST {event}/cancel"), format!("DELETE {event}")]);
    bench.server.tell(404, &refusal("MailboxNotEnabledForRESTAPI"));
    assert_eq!(cancel().await.unwrap_err().kind, ErrorKind::NotServed, "a lost mailbox is not a success");
}

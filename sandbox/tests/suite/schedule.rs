//! getSchedule and calendarView.

use reqwest::Method;
use serde_json::{Value, json};

use crate::setup::{Setup, answer, meeting, text, with};

fn asked(schedules: &[&str], start: &str, end: &str) -> Value {
    json!({
        "schedules": schedules,
        "startTime": {"dateTime": start, "timeZone": "UTC"},
        "endTime": {"dateTime": end, "timeZone": "UTC"},
        "availabilityViewInterval": 60
    })
}

#[tokio::test]
async fn a_schedule_answers_item_by_item_and_an_unknown_one_does_not_spoil_the_rest() {
    let setup = Setup::consented().await;
    let token = setup.application().await;
    setup.book(&token, "ada@acme.test", meeting("k", 10, 11, &[])).await;
    let mut private = meeting("p", 12, 13, &[]);
    private["sensitivity"] = "private".into();
    private["showAs"] = "oof".into();
    setup.book(&token, "ada@acme.test", private).await;
    let body = asked(
        &["ada@acme.test", "ghost@acme.test", "eve@acme.test"],
        "2026-11-17T09:00:00",
        "2026-11-17T14:00:00",
    );
    let (status, answer) = setup.post(&token, "users/bob@acme.test/calendar/getSchedule", body).await;
    assert_eq!(status, 200, "{answer}");
    let ada = &answer["value"][0];
    assert_eq!(ada["availabilityView"], "02030");
    assert_eq!(ada["scheduleItems"][0]["subject"], "Interview");
    assert_eq!(
        ada["scheduleItems"][0]["start"],
        json!({"dateTime": "2026-11-17T10:00:00.0000000", "timeZone": "UTC"})
    );
    assert_eq!(ada["scheduleItems"][1]["isPrivate"], true);
    assert!(ada["scheduleItems"][1].get("subject").is_none());
    assert_eq!(ada["workingHours"]["timeZone"]["name"], "W. Europe Standard Time");
    let ghost = &answer["value"][1];
    assert_eq!(ghost["error"]["responseCode"], "ErrorMailRecipientNotFound");
    assert_eq!((&ghost["availabilityView"], &ghost["scheduleItems"]), (&json!(""), &json!([])));
    assert!(answer["value"][2].get("error").is_none());
}

#[tokio::test]
async fn limits_of_a_schedule_fail_the_whole_request() {
    let setup = Setup::consented().await;
    let token = setup.application().await;
    let path = "users/bob@acme.test/calendar/getSchedule";
    let many = ["ada@acme.test"; 21];
    let day = ("2026-11-17T00:00:00", "2026-11-18T00:00:00");
    let (status, refused) = setup.post(&token, path, asked(&many, day.0, day.1)).await;
    assert_eq!((status, &refused["error"]["code"]), (400, &json!("ErrorInvalidRequest")));
    assert_eq!(setup.post(&token, path, asked(&many[..20], day.0, day.1)).await.0, 200);
    let (status, refused) = setup.post(&token, path, asked(&many[..1], day.0, "2027-01-19T00:00:00")).await;
    assert_eq!((status, &refused["error"]["code"]), (400, &json!("ErrorTimeIntervalTooBig")));
    assert!(
        text(&refused["error"]["message"])
            .ends_with("The allowed limit = 62 days; the actual limit = 63 days.")
    );
    let mut narrow = asked(&many[..1], day.0, day.1);
    narrow["availabilityViewInterval"] = 4.into();
    assert_eq!(setup.post(&token, path, narrow).await.0, 400);
}

#[tokio::test]
async fn a_view_has_pages_of_ten_and_speaks_the_zone_that_is_preferred() {
    let setup = Setup::consented().await;
    let token = setup.application().await;
    for number in 0..12 {
        setup
            .book(&token, "ada@acme.test", meeting(&format!("k{number}"), number + 8, number + 9, &[]))
            .await;
    }
    let path = "users/ada@acme.test/calendarView?startDateTime=2026-11-17T00:00:00Z&endDateTime=2026-11-18T00:00:00Z";
    let request = setup
        .graph(&token, Method::GET, &with(path, &[("$select", "subject,start")]))
        .header("prefer", "outlook.timezone=\"Europe/Berlin\", IdType=\"ImmutableId\"");
    let sent = request.send().await.unwrap();
    assert_eq!(sent.headers()["preference-applied"], "outlook.timezone=\"Europe/Berlin\"");
    let first: Value = sent.json().await.unwrap();
    assert_eq!(first["value"].as_array().unwrap().len(), 10);
    assert_eq!(
        first["value"][0]["start"],
        json!({"dateTime": "2026-11-17T09:00:00.0000000", "timeZone": "Europe/Berlin"})
    );
    assert!(first["value"][0].get("body").is_none());
    let (_, second) = setup.get(&token, &text(&first["@odata.nextLink"])).await;
    assert_eq!(second["value"].as_array().unwrap().len(), 2);
    assert!(second.get("@odata.nextLink").is_none());
    let touching = "users/ada@acme.test/calendar/calendarView?startDateTime=2026-11-17T20:00:00Z&endDateTime=2026-11-18T00:00:00Z&$top=1000";
    assert_eq!(setup.get(&token, touching).await.1["value"], json!([]), "the window is half open");
    for bad in ["&$top=0", "&$top=1001", "&startDateTime=soon"] {
        let path = format!("users/ada@acme.test/calendarView?endDateTime=2026-11-18T00:00:00Z{bad}");
        assert_eq!(answer(setup.graph(&token, Method::GET, &path)).await.0, 400, "{bad}");
    }
}

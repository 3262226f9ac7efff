use domain::{Reason, Timestamp, Zone};
use serde_json::{Value, json};

use super::*;

fn reason(stored: Value) -> Reason {
    serde_json::from_value(stored).unwrap()
}

fn shown(stored: Value) -> Explanation {
    render(&reason(stored), Language::English, None)
}

#[test]
fn a_stored_reason_is_a_sentence_when_it_is_shown() {
    let shown = shown(json!({
        "code": "ROOM_DECLINED",
        "message": { "id": "room-declined", "args": { "room": "Room 4" } },
        "nextAction": { "id": "move-or-book-another-room" },
    }));
    let expected = Explanation {
        code: "ROOM_DECLINED".to_owned(),
        message: "Room 4 has declined the booking.".to_owned(),
        next_action: Some("Move the booking to another time, or book another room.".to_owned()),
    };
    assert_eq!(shown, expected);
}

#[test]
fn a_sentence_of_an_older_version_is_shown_as_it_is() {
    let shown = shown(json!({ "code": "X", "message": "It { $failed }.", "nextAction": "Try again." }));
    assert_eq!(
        (shown.message.as_str(), shown.next_action.as_deref()),
        ("It { $failed }.", Some("Try again."))
    );
}

#[test]
fn a_message_of_a_newer_version_is_shown_by_its_code() {
    let general = "Only a newer version of Muster can explain the code NEWER.";
    for message in [
        json!({ "id": "newer" }),
        json!({ "id": "room-declined" }),
        json!({ "id": "room-declined", "args": { "room": { "money": 3 } } }),
        json!({ "id": "room-declined", "args": { "room": { "message": { "id": "newer" } } } }),
    ] {
        let shown = shown(json!({ "code": "NEWER", "message": message, "nextAction": message }));
        assert_eq!((shown.message.as_str(), shown.next_action), (general, None), "{message}");
        let alone = render_message(&serde_json::from_value(message).unwrap(), Language::English, None);
        assert_eq!(alone, "Only a newer version of Muster can show this message.");
    }
}

#[test]
fn a_number_has_its_own_form_of_the_sentence() {
    let listed = |count: i64| {
        let message = json!({ "id": "people-listed", "args": { "count": count } });
        render_message(&serde_json::from_value(message).unwrap(), Language::English, None)
    };
    assert_eq!([1, 2_000].map(listed), ["One person is listed.", "2000 people are listed."]);
}

#[test]
fn the_words_of_others_are_no_syntax_of_the_catalogue() {
    let words = "{ $code } { room-silent } -term";
    let shown =
        shown(json!({ "code": "X", "message": { "id": "room-declined", "args": { "room": words } } }));
    assert_eq!(shown.message, format!("{words} has declined the booking."));
}

#[test]
fn a_time_is_the_readers_or_named_utc() {
    let at = Timestamp::from_timestamp(1_800_000_000, 0).unwrap();
    let berlin = Zone::from_name("Europe/Berlin").unwrap();
    assert_eq!(moment(at, Language::English, Some(&berlin)), "2027-01-15 09:00");
    assert_eq!(moment(at, Language::English, None), "2027-01-15 08:00 UTC");
    assert_eq!(moment(at, Language::German, Some(&berlin)), "15.01.2027 09:00");
}

#[test]
fn a_reader_gets_the_preferred_language_that_there_is() {
    for (header, language) in [
        ("", Language::English),
        ("de", Language::German),
        ("de-AT, en;q=0.8", Language::German),
        ("en-GB, de;q=0.9", Language::English),
        ("fr, de;q=0.5, en;q=0.4", Language::German),
        ("fr;q=1.0, *;q=0.1", Language::English),
        ("de;q=0, en", Language::English),
        ("de;q=x", Language::English),
        ("deutsch", Language::English),
    ] {
        assert_eq!(Language::preferred(header), language, "{header}");
    }
}

#[test]
fn a_sentence_is_shown_in_german() {
    let stored = json!({ "code": "X", "message": { "id": "room-declined", "args": { "room": "Raum 4" } } });
    let shown = render(&reason(stored), Language::German, None);
    assert_eq!(shown.message, "Raum 4 hat die Buchung abgelehnt.");
}

//! Online meetings: asked for with the event, or refused before anything is written.

use providers::{ErrorKind, EventChange, NewEvent, OnlineMeeting, Remedy};

use super::Fixture;

/// The address stays the same whatever else of the event changes; a repeated write asks for no second meeting.
pub async fn an_online_meeting_is_joined_at_an_address_or_refused_plainly(f: &Fixture) {
    let mailbox = f.organiser.address.as_str();
    let offers = f.provider.features().online_meetings;
    let measured = f.provider.calendar(&f.session, mailbox).await.unwrap().capabilities;
    assert_eq!(measured.online_meetings, offers);
    let wanted = NewEvent { online_meeting: true, ..f.meeting("online", f.hours(9, 10)) };
    if !offers {
        let error = f.provider.create_event(&f.session, mailbox, &wanted).await.unwrap_err();
        assert_eq!((error.kind, error.remedy, error.unknown), (ErrorKind::Unsupported, Remedy::Never, false));
        assert_eq!(f.find("online").await, None, "nothing is written");
        return;
    }
    let created = f.create(&wanted).await;
    (f.settle)();
    let read = async || f.provider.event(&f.session, mailbox, &created.id).await.unwrap().unwrap();
    let Some(OnlineMeeting::Ready(url)) = read().await.online_meeting else {
        panic!("the meeting is there by now: {:?}", read().await)
    };
    assert!(url.starts_with("https://"), "{url}");
    let repeated = f.create(&wanted).await;
    let same = Some(OnlineMeeting::Ready(url));
    assert_eq!((&repeated.id, &repeated.online_meeting), (&created.id, &same));
    let change = EventChange {
        range: Some(f.hours(14, 15)),
        zone: Some("Europe/Berlin".to_owned()),
        text: Some("Another agenda".to_owned()),
        ..EventChange::default()
    };
    f.provider.update_event(&f.session, mailbox, &created.id, &change).await.unwrap();
    assert_eq!(read().await.online_meeting, same, "a new time and a new text leave it as it is");
    let plain = f.create(&f.meeting("plain", f.hours(11, 12))).await;
    assert_eq!(plain.online_meeting, None, "who asks for none gets none");
}

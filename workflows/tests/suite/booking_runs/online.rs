//! Online meetings of bookings: at once, a moment later, never, and not at all.

use chrono::Duration;
use domain::{Id, ids, provider::Capabilities};
use providers::{OnlineMeeting, memory::Method};
use services::{Change, bookings::NewBooking, change::ConnectionChange};

use crate::{
    booking_runs::{App, Apps},
    calendar::{calls, out_of_scope},
    setup::{at, booking},
};

const URL: &str = "https://meet.test/1";

fn ready() -> OnlineMeeting {
    OnlineMeeting::Ready(URL.to_owned())
}

/// Books an online meeting of one person; returns the booking's id.
async fn book(app: &App) -> Id<ids::Booking> {
    let organiser = app.setup.person(&[]).await;
    let new = NewBooking { online_meeting: true, ..booking(organiser, at(10, 0), at(11, 0)) };
    app.book(new).await.booking.id
}

/// What became of the meeting, and where it is joined.
async fn meeting(app: &App, id: Id<ids::Booking>) -> (String, String, Option<String>) {
    let row = app.booking(id).await;
    let meeting = row.online_meeting.map(|state| state.to_string());
    (row.state.to_string(), meeting.unwrap_or_default(), row.online_meeting_url)
}

fn is(state: &str, meeting: &str, url: Option<&str>) -> (String, String, Option<String>) {
    (state.to_owned(), meeting.to_owned(), url.map(str::to_owned))
}

pub async fn an_address_that_comes_with_the_event_is_there_at_once(apps: Apps) {
    let app = apps.make().await;
    app.calendars.enable_online_meetings(ready());
    let id = book(&app).await;
    assert_eq!(meeting(&app, id).await, is("HELD", "PENDING", None));
    app.work().await;
    assert_eq!(meeting(&app, id).await, is("CONFIRMED", "READY", Some(URL)));
    assert_eq!(calls(&app.calendars, Method::Read), 0, "there is nothing left to look for");
    app.cancel(id).await;
    app.work_through(id).await;
    assert_eq!(
        meeting(&app, id).await,
        is("CANCELLED", "UNAVAILABLE", None),
        "nobody is sent there any more"
    );
}

pub async fn an_address_that_comes_later_is_waited_for_over_a_move(apps: Apps) {
    let app = apps.make().await;
    app.calendars.enable_online_meetings(OnlineMeeting::Pending);
    let id = book(&app).await;
    app.work().await;
    assert_eq!(meeting(&app, id).await, is("CONFIRMED", "PENDING", None), "the booking does not wait for it");
    app.move_to(id, 12, 13, "move").await;
    for _ in 0..5 {
        app.work().await;
        app.setup.clock.advance(Duration::seconds(1));
    }
    assert_eq!(app.booking(id).await.start_at, at(12, 0));
    assert_eq!(meeting(&app, id).await, is("CONFIRMED", "PENDING", None));
    app.calendars.enable_online_meetings(ready());
    app.work_through(id).await;
    assert_eq!(meeting(&app, id).await, is("CONFIRMED", "READY", Some(URL)));
}

pub async fn a_booking_outlives_an_online_meeting_that_does_not_come(apps: Apps) {
    let app = apps.make().await;
    app.calendars.enable_online_meetings(OnlineMeeting::Pending);
    let late = book(&app).await;
    app.work_through(late).await;
    assert_eq!(meeting(&app, late).await, is("CONFIRMED", "UNAVAILABLE", None), "patience is over");
    app.calendars.enable_online_meetings(OnlineMeeting::Failed);
    let organiser = app.setup.person(&[]).await;
    let new = NewBooking { online_meeting: true, ..booking(organiser, at(14, 0), at(15, 0)) };
    let receipt = app
        .setup
        .services
        .bookings()
        .create(&app.setup.admin().allow().unwrap(), new, "second")
        .await
        .unwrap();
    app.work().await;
    assert_eq!(meeting(&app, receipt.booking.id).await, is("CONFIRMED", "UNAVAILABLE", None));
    let organiser = app.setup.person(&[]).await;
    let new = NewBooking { online_meeting: true, ..booking(organiser, at(16, 0), at(17, 0)) };
    let receipt = app
        .setup
        .services
        .bookings()
        .create(&app.setup.admin().allow().unwrap(), new, "third")
        .await
        .unwrap();
    app.calendars.disable_online_meetings();
    app.work().await;
    assert_eq!(meeting(&app, receipt.booking.id).await, is("CONFIRMED", "UNAVAILABLE", None));
}

pub async fn a_booking_that_fails_has_no_meeting(apps: Apps) {
    let app = apps.make().await;
    app.calendars.enable_online_meetings(ready());
    let organiser = app.setup.person(&[]).await;
    let new = NewBooking { online_meeting: true, ..booking(organiser, at(10, 0), at(11, 0)) };
    app.calendars.refuse_requests(None, &app.mailbox_of(organiser).await.address, out_of_scope());
    let id = app.book(new).await.booking.id;
    app.work_through(id).await;
    assert_eq!(meeting(&app, id).await, is("FAILED", "UNAVAILABLE", None));
}

pub async fn a_calendar_that_permits_no_meetings_refuses_before_anything_is_held(apps: Apps) {
    let app = apps.make().await;
    let (admin, bookings) = (app.setup.admin(), app.setup.services.bookings());
    let organiser = app.setup.person(&[]).await;
    let new = NewBooking { online_meeting: true, ..booking(organiser, at(10, 0), at(11, 0)) };
    let refused = bookings.create(&admin.allow().unwrap(), new.clone(), "key").await.unwrap_err();
    assert_eq!(refused.code(), "ONLINE_MEETING_UNAVAILABLE", "this calendar system has none");
    app.calendars.enable_online_meetings(ready());
    let mailbox = app.mailbox_of(organiser).await;
    let permit = async |online_meetings: bool| {
        let capabilities = Capabilities { online_meetings, ..services::connections::capabilities(&mailbox) };
        let change = ConnectionChange {
            id: mailbox.id,
            capabilities: Some(capabilities),
            ..ConnectionChange::default()
        };
        let tenant = app.setup.tenant;
        app.setup.services.write(tenant, "test", vec![Change::Connection(change)]).await.unwrap();
    };
    permit(false).await;
    let refused = bookings.create(&admin.allow().unwrap(), new.clone(), "key").await.unwrap_err();
    assert_eq!(refused.code(), "ONLINE_MEETING_UNAVAILABLE", "this calendar permits none");
    let by = admin.allow().unwrap();
    let page = bookings.list(&by, services::bookings::Filter::default(), services::PageArgs::default());
    assert!(page.await.unwrap().items.is_empty(), "nothing was booked");
    permit(true).await;
    bookings.create(&admin.allow().unwrap(), new, "key").await.unwrap();
}

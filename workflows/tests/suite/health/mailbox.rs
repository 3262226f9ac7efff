//! How one mailbox is read: the zone of its days, the calendars that count, and the items that cannot be read.

use chrono::Duration;
use domain::state::Verdict;
use providers::{CalendarKind, CalendarListing, Event};
use sea_orm::{ActiveValue::Set, QueryOrder};
use services::{Change, change::TenantLocale, connections, users::UserChange, verification::Check};

use crate::{health::Apps, setup::unreadable};

pub async fn the_verification_names_the_mailboxes_with_items_that_cannot_be_read(apps: Apps) {
    let app = apps.make(2).await;
    let [bad, clean] = &app.connections().await[..] else { panic!("there are two") };
    let items = [unreadable("a", false), unreadable("b", true), unreadable("c", true)];
    app.setup.read_with(bad.id, &[], &items).await;
    app.belong_to("acme").await;
    let (admin, integrations) = (app.setup.admin(), app.setup.services.integrations());
    integrations.verify(&admin.allow().unwrap(), app.setup.integration).await.unwrap();
    app.work().await;
    let txn = app.setup.services.store.read(app.tenant()).await.unwrap();
    let row = entity::verification::of(app.tenant()).one(&txn).await.unwrap().unwrap();
    let checks: Vec<Check> = serde_json::from_value(row.checks).unwrap();
    let marked: Vec<_> = checks.iter().filter(|check| check.name == "UNREADABLE").collect();
    let [check] = marked[..] else { panic!("{checks:?}") };
    assert_eq!((check.mailbox.as_ref(), check.verdict), (Some(&bad.address), Verdict::Warned));
    let said = |message| messages::render_message(message, messages::Language::English, None);
    let evidence = said(&check.evidence);
    assert!(evidence.contains(": 3.") && evidence.contains(" 1 "), "{evidence}");
    assert!(said(check.next_action.as_ref().unwrap()).contains("owner"));
    assert_ne!(check.mailbox.as_ref(), Some(&clean.address));
    drop(txn);
}

pub async fn days_stand_in_the_zone_of_the_mailbox_else_of_the_user_else_of_the_tenant(apps: Apps) {
    let app = apps.make(1).await;
    let row = app.connections().await[0].clone();
    let (vendor, users) = (app.vendor().await, app.setup.services.users());
    let user = row.user_id.unwrap();
    app.round(16).await;
    assert_eq!(app.zone(&row.address), None, "nobody has told one");
    app.set(&row, |row| row.watermark = Set(Some("read in no zone".to_owned()))).await;
    let told = TenantLocale { zone: Some("America/New_York".to_owned()), language: None };
    app.setup.change(vec![Change::Locale(told)]).await;
    assert_eq!(app.connections().await[0].watermark, None, "its copy is read anew");
    app.round(16).await;
    assert_eq!(app.zone(&row.address).as_deref(), Some("America/New_York"), "the tenant's");
    app.set(&row, |row| row.watermark = Set(Some("read in the tenant's".to_owned()))).await;
    let zone = |name: &str| UserChange { time_zone: Some(Some(name.to_owned())), ..UserChange::default() };
    users.update(&vendor.allow().unwrap(), user, zone("Asia/Tokyo"), None).await.unwrap();
    assert_eq!(app.connections().await[0].watermark, None, "its copy is read anew");
    app.round(16).await;
    assert_eq!(app.zone(&row.address).as_deref(), Some("Asia/Tokyo"));
    app.activate(row.id).await;
    assert_eq!(app.zone(&row.address).as_deref(), Some("Asia/Tokyo"), "when it is activated too");
    app.set(&row, |row| row.time_zone = Set(Some("Europe/Berlin".to_owned()))).await;
    app.round(16).await;
    assert_eq!(app.zone(&row.address).as_deref(), Some("Europe/Berlin"), "the mailbox has its own");
    let renamed = UserChange { name: Some("Ada".to_owned()), ..UserChange::default() };
    app.set(&row, |row| row.watermark = Set(Some("good".to_owned()))).await;
    users.update(&vendor.allow().unwrap(), user, renamed, None).await.unwrap();
    assert_eq!(app.connections().await[0].watermark.as_deref(), Some("good"), "a name is no zone");
}

pub async fn an_administrator_decides_which_calendars_of_a_mailbox_count(apps: Apps) {
    let app = apps.make(1).await;
    let listed =
        |id: &str, kind, counts| CalendarListing { id: id.to_owned(), name: id.to_owned(), kind, counts };
    let all = [
        listed("default", CalendarKind::Default, true),
        listed("team", CalendarKind::Secondary, false),
        listed("holidays", CalendarKind::Generated, false),
    ];
    app.calendars.set_calendars(&all);
    let soon = app.setup.services.now() + Duration::hours(1);
    let range = domain::TimeRange::new(soon, soon + Duration::hours(1)).unwrap();
    // One event of the same series in each calendar.
    let id = app.calendars.add_simple_event("planted@acme.example", None, "Planted", range);
    let planted = app.calendars.events().into_iter().find(|(_, event)| event.id == id).unwrap().1;
    for calendar in ["default", "team", "holidays"] {
        let event = Event { title: Some(calendar.to_owned()), ..planted.clone() };
        app.calendars.add_event(&app.connections().await[0].address, calendar, event);
    }
    let row = app.connections().await[0].clone();
    let (admin, id) = (app.setup.admin(), row.id);
    let connections = || app.setup.services.connections();
    let count = async |ids: Option<&[&str]>, version: Option<i64>| {
        let ids = ids.map(|ids| ids.iter().map(|id| (*id).to_owned()).collect());
        connections().set_counted_calendars(&admin.allow().unwrap(), id, ids, version).await
    };
    let refused = count(Some(&["team"]), None).await.unwrap_err();
    assert_eq!(refused.code(), "CALENDAR_ID_UNKNOWN", "they were never listed");
    app.activate(row.id).await;
    assert_eq!(connections::calendars(&app.connections().await[0]), all);

    for (ids, code) in [(&["team", "else"][..], "CALENDAR_ID_UNKNOWN"), (&[], "CALENDARS_MISSING")] {
        assert_eq!(count(Some(ids), None).await.unwrap_err().code(), code);
    }
    assert_eq!(count(Some(&["team"]), Some(1)).await.unwrap_err().code(), "VERSION_CONFLICT");
    app.set(&row, |row| row.watermark = Set(Some("of the default".to_owned()))).await;
    let after = count(Some(&["holidays", "default", "default"]), None).await.unwrap();
    assert_eq!(after.watermark, None);
    assert_eq!(connections::chosen_calendars(&after).unwrap(), ["default", "holidays"]);
    let counts: Vec<_> = connections::calendars(&after).iter().map(|one| one.counts).collect();
    assert_eq!(counts, [true, false, true]);
    app.read();
    app.work().await;
    let asked = [format!("{} default", row.address), format!("{} holidays", row.address)];
    assert_eq!(app.read(), asked, "it is read at once");
    assert_eq!(app.titles(row.id).await, ["default", "holidays"]);
    assert_eq!(app.round(16).await, asked, "and from then on");

    // One that was deleted takes nothing from the others, and is seen.
    app.calendars.set_calendars(&all[..1]);
    app.round(16).await;
    assert_eq!(app.titles(row.id).await, ["default"]);
    let marked = app.connections().await[0].clone();
    assert_eq!((marked.state.as_str(), marked.unknown_count), ("ACTIVE", 1));
    assert_eq!(connections::unreadable_examples(&marked)[0].uid, "holidays");

    count(None, Some(marked.version)).await.unwrap();
    app.work().await;
    assert_eq!(app.round(16).await, std::slice::from_ref(&row.address), "the calendar system decides again");
    assert_eq!(app.connections().await[0].unreadable_count, 0);
}

pub async fn b2_writing_is_proven_by_probes_that_are_gone_and_each_mailbox_is_measured(apps: Apps) {
    let app = apps.make(2).await;
    let [writable, read_only] = &app.connections().await[..] else { panic!("there are two") };
    app.calendars.make_read_only(&read_only.address);
    for row in [writable, read_only] {
        assert!(connections::capabilities(row).can_write(), "it is assumed so far");
        app.activate(row.id).await;
    }
    let [writable, read_only] = &app.connections().await[..] else { panic!("there are two") };
    let can = |row| {
        let can = connections::capabilities(row);
        (can.list && can.free_busy && can.read_details, can.create, can.update, can.delete)
    };
    assert_eq!((can(writable), writable.state.as_str()), ((true, true, true, true), "ACTIVE"));
    assert_eq!((can(read_only), read_only.state.as_str()), ((true, false, false, false), "FREE_BUSY_ONLY"));
    assert_eq!(read_only.reason.as_ref().unwrap()["code"], "READ_ONLY");

    app.setup.service_mailbox().await;
    app.belong_to("acme").await;
    let (admin, integrations) = (app.setup.admin(), app.setup.services.integrations());
    for (closed, verdict) in [(false, Verdict::Passed), (true, Verdict::Failed)] {
        if closed {
            app.calendars.make_read_only("service@acme.example");
        }
        integrations.verify(&admin.allow().unwrap(), app.setup.integration).await.unwrap();
        app.work().await;
        let txn = app.setup.services.store.read(app.tenant()).await.unwrap();
        let rows = entity::verification::of(app.tenant()).order_by_desc(entity::verification::Column::Id);
        let checks: Vec<Check> =
            serde_json::from_value(rows.one(&txn).await.unwrap().unwrap().checks).unwrap();
        let write = checks.iter().find(|check| check.name == "WRITE").unwrap();
        assert_eq!((write.mailbox.as_deref(), write.verdict), (Some("service@acme.example"), verdict));
        let probes = app.calendars.creation_counts();
        let probes = probes
            .keys()
            .filter(|(mailbox, key)| mailbox == "service@acme.example" && key.contains("-probe-"));
        assert_eq!(probes.count(), 2, "what is closed is not written to");
        assert_eq!(app.calendars.events(), [], "the probes are gone");
    }
}

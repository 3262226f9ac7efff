//! Reading item by item: what one resource is like takes down nothing but itself, and is never taken for free.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use domain::UnreadableReason;
use providers::{ChangeFeed as _, ErrorKind, EventPage, Events as _, Remedy, Result};

use crate::{
    caldav_script::{Reply, caldav, multistatus, plain, response, saturday},
    caldav_setup::{Ask, Nodes, Setup, calendar, event, member, nodes},
};

const ADA: &str = "ada@corp.test";
const WORK: &str = "/c/ada/office/";

/// Ada's calendar with a good event at eight and a bad one at ten.
fn two(bad: &str) -> Nodes {
    nodes([
        ("/c/ada/office/", calendar("")),
        ("/c/ada/office/good.ics", event("good", 8, "")),
        ("/c/ada/office/bad.ics", bad.to_owned()),
    ])
}

async fn read(setup: &Setup) -> Result<EventPage> {
    let (caldav, session) = (caldav(), setup.session());
    let page = caldav.events(&session, ADA, saturday(), None).await?;
    let busy = caldav.busy(&session, &[ADA.to_owned()], saturday()).await.unwrap().remove(0).1?;
    assert_eq!(busy.unreadable, page.unreadable, "both say the same");
    for event in &page.items {
        assert!(busy.busy.iter().any(|busy| busy.range.contains(&event.range)), "{event:?}");
    }
    Ok(page)
}

/// The hours that are taken.
fn hours(page: &EventPage) -> Vec<String> {
    let show = |event: &providers::Event| {
        format!("{}-{}", event.range.start.format("%H:%M"), event.range.end.format("%H:%M"))
    };
    page.items.iter().map(show).collect()
}

fn is_work(ask: &Ask) -> bool {
    ask.path == WORK
}

#[tokio::test]
async fn a_member_without_an_entity_tag_is_read() {
    for tag in ["", "<getetag/>", "<getetag> </getetag>"] {
        let setup = Setup::serve(two(&event("bad", 10, "")), move |ask| {
            let data = |name: &str, hour| {
                let text = event(name, hour, "");
                response(
                    &format!("{WORK}{name}.ics"),
                    &format!("{tag}<C:calendar-data>{text}</C:calendar-data>"),
                )
            };
            (is_work(ask) && ask.is_query()).then(|| multistatus(&(data("good", 8) + &data("bad", 10))))
        });
        let page = read(&setup).await.unwrap();
        assert_eq!(hours(&page), ["08:00-09:00", "10:00-11:00"], "{tag:?}");
        assert!(page.unreadable.is_empty());
    }
}

#[tokio::test]
async fn a_member_without_data_is_fetched_in_another_way() {
    // The server has it for a multiget; for a GET alone; for neither.
    for (name, multiget, get) in
        [("multiget", true, true), ("alone", false, true), ("in no way", false, false)]
    {
        for empty in ["", "<C:calendar-data/>", "<C:calendar-data> </C:calendar-data>"] {
            let setup = Setup::serve(two(&event("bad", 10, "")), move |ask| {
                let bare =
                    || response(&format!("{WORK}bad.ics"), &format!("<getetag>\"1\"</getetag>{empty}"));
                let good = member(&format!("{WORK}good.ics"), &event("good", 8, ""), true);
                match ask.method.as_str() {
                    "REPORT" if is_work(ask) && ask.is_query() => Some(multistatus(&(good + &bare()))),
                    "REPORT" if is_work(ask) && ask.body.contains("multiget") && !multiget => {
                        Some(multistatus(&bare()))
                    }
                    "REPORT" if is_work(ask) && ask.body.contains("19700102") => Some(multistatus("")),
                    "GET" if !get && ask.path.ends_with("bad.ics") => Some(plain(403)),
                    _ => None,
                }
            });
            let page = read(&setup).await.unwrap();
            if get {
                assert_eq!(hours(&page), ["08:00-09:00", "10:00-11:00"], "{name} {empty:?}");
                assert!(page.unreadable.is_empty(), "{name} {empty:?}");
            } else {
                assert_eq!(page.unreadable.len(), 1);
                assert_eq!(page.unreadable[0].reason, UnreadableReason::NotDelivered);
                assert_eq!(page.unreadable[0].uid, format!("{WORK}bad.ics"));
            }
        }
    }
}

#[tokio::test]
async fn members_that_a_sparing_query_left_out_are_read_too() {
    let setup = Setup::serve(two(&event("bad", 10, "")), move |ask| {
        let bare = response(&format!("{WORK}good.ics"), "<getetag>\"1\"</getetag>");
        (is_work(ask) && ask.is_query()).then(|| multistatus(&bare))
    });
    assert_eq!(hours(&read(&setup).await.unwrap()), ["08:00-09:00", "10:00-11:00"]);
}

/// A server that knows when its unreadable event is: from ten to eleven.
fn knowing(ask: &Ask) -> Option<Reply> {
    let from = |name: &str| {
        let rest = ask.body.split(&format!("{name}=\"")).nth(1)?;
        Some(rest.split('"').next()?.to_owned())
    };
    if !is_work(ask) || !ask.body.contains("calendar-query") || ask.is_query() {
        return None;
    }
    let (start, end) = (from("start")?, from("end")?);
    let within = *start < *"20261205T110000Z" && *end > *"20261205T100000Z";
    let bad = response(&format!("{WORK}bad.ics"), "<getetag>\"1\"</getetag>");
    Some(multistatus(if within { &bad } else { "" }))
}

const BROKEN: &str = "BEGIN:VCALENDAR_X\r\nthis is no calendar at all\r\n";

#[tokio::test]
async fn the_server_is_asked_when_an_unreadable_event_is() {
    let setup = Setup::serve(two(BROKEN), move |ask| {
        if ask.body.contains("<C:expand") {
            return Some(plain(501));
        }
        served(ask, BROKEN).or_else(|| knowing(ask))
    });
    let page = read(&setup).await.unwrap();
    assert_eq!(hours(&page), ["08:00-09:00", "10:00-11:00"]);
    let bad = page.items.iter().find(|event| event.title.is_none()).unwrap();
    assert!(bad.private && bad.busy.is_some() && bad.series.as_deref() == Some("/c/ada/office/bad.ics"));
    let marks: Vec<_> = page.unreadable.iter().map(|one| (one.reason, one.blocks)).collect();
    assert_eq!(marks, [(UnreadableReason::Malformed, true)]);
    let found = caldav().event(&setup.session(), ADA, &bad.id).await.unwrap().unwrap();
    assert_eq!(found.range, bad.range);
    assert!(setup.count(|_| true) < 120, "a bounded number of requests: {}", setup.count(|_| true));
}

/// The good event and a bad one, as texts that are no events to the world behind.
fn served(ask: &Ask, bad: &str) -> Option<Reply> {
    let text = bad.to_owned();
    if !is_work(ask) || !(ask.is_query() || ask.body.contains("multiget")) {
        return (ask.method == "GET" && ask.path.ends_with("bad.ics")).then(|| (200, Vec::new(), text));
    }
    let good = member(&format!("{WORK}good.ics"), &event("good", 8, ""), true);
    let bad = member(&format!("{WORK}bad.ics"), bad, true);
    Some(multistatus(&if ask.is_query() { good + &bad } else { bad }))
}

#[tokio::test]
async fn an_event_that_the_server_makes_readable_by_expanding_it_is_read() {
    let setup = Setup::serve(two(BROKEN), move |ask| {
        if ask.body.contains("<C:expand") {
            return Some(multistatus(&member(&format!("{WORK}bad.ics"), &event("bad", 10, ""), true)));
        }
        served(ask, BROKEN)
    });
    let page = read(&setup).await.unwrap();
    assert_eq!(hours(&page), ["08:00-09:00", "10:00-11:00"]);
    assert!(page.unreadable.is_empty() && page.items[1].title.as_deref() == Some("bad"));
    // One that leaves out what it cannot read says nothing.
    let empty = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n";
    let setup = Setup::serve(two(BROKEN), move |ask| {
        if ask.body.contains("<C:expand") {
            return Some(multistatus(&member(&format!("{WORK}bad.ics"), empty, true)));
        }
        served(ask, BROKEN).or_else(|| knowing(ask))
    });
    assert_eq!(hours(&read(&setup).await.unwrap()), ["08:00-09:00", "10:00-11:00"]);
}

#[tokio::test]
async fn a_server_that_lists_everything_for_every_time_is_not_believed_and_its_busy_times_are() {
    let always = |ask: &Ask| {
        let bad = response(&format!("{WORK}bad.ics"), "<getetag>\"1\"</getetag>");
        (is_work(ask) && ask.body.contains("calendar-query")).then(|| multistatus(&bad))
    };
    let told = "BEGIN:VCALENDAR\r\nBEGIN:VFREEBUSY\r\nFREEBUSY:20261205T080000Z/PT1H,20261205T083000Z/PT2H\r\nEND:VFREEBUSY\r\nEND:VCALENDAR\r\n";
    for (free_busy, expected, blocks) in [
        ((200, Vec::new(), told.to_owned()), vec!["08:00-09:00", "09:00-10:30"], true),
        (plain(501), vec!["08:00-09:00"], false),
    ] {
        let setup = Setup::serve(two(BROKEN), move |ask| {
            if ask.body.contains("free-busy-query") {
                return Some(free_busy.clone());
            }
            if ask.body.contains("<C:expand") {
                return Some(plain(501));
            }
            served(ask, BROKEN).or_else(|| always(ask))
        });
        let page = read(&setup).await.unwrap();
        assert_eq!(hours(&page), expected, "only what no readable event explains");
        assert_eq!(page.unreadable.iter().map(|one| one.blocks).collect::<Vec<_>>(), [blocks]);
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_taken_apart_until_the_bad_item_is_alone() {
    // The multistatus is broken whenever the bad one is in it.
    let garbled = |ask: &Ask| {
        let names_bad = ask.body.contains("multiget") && ask.body.contains("bad.ics");
        (is_work(ask) && (ask.is_query() || names_bad))
            .then(|| (207, Vec::new(), "<multistatus xmlns=\"DAV:\"><broken".to_owned()))
    };
    let setup = Setup::serve(two(&event("bad", 10, "")), garbled);
    let page = read(&setup).await.unwrap();
    assert_eq!(hours(&page), ["08:00-09:00", "10:00-11:00"], "alone it is no XML");
    assert!(page.unreadable.is_empty());
    // A server that stumbles over it.
    let setup = Setup::serve(two(&event("bad", 10, "")), |ask| {
        let names_bad = ask.body.contains("multiget") && ask.body.contains("bad.ics");
        let is_it = ask.method == "GET" && ask.path.ends_with("bad.ics");
        (is_it || is_work(ask) && (ask.is_query() || names_bad))
            .then(|| plain(500))
            .or_else(|| knowing(ask).filter(|_| ask.body.contains("T1") && !ask.body.contains("20261204")))
    });
    let page = read(&setup).await.unwrap();
    assert!(hours(&page).contains(&"08:00-09:00".to_owned()), "{:?}", hours(&page));
    assert_eq!(
        page.unreadable.iter().map(|one| one.reason).collect::<Vec<_>>(),
        [UnreadableReason::NotDelivered]
    );
}

#[tokio::test]
async fn large_events_are_read_in_smaller_groups() {
    let attachment = |kilobytes: usize| {
        format!("ATTACH;ENCODING=BASE64;VALUE=BINARY:{}\r\n", "QUJD".repeat(kilobytes * 256))
    };
    let mut all = nodes([("/c/ada/office/", calendar(""))]);
    for hour in 8..14 {
        all.insert(format!("{WORK}{hour}.ics"), event(&hour.to_string(), hour, &attachment(3_500)));
    }
    let setup = Setup::serve(all, |_| None);
    let page = read(&setup).await.unwrap();
    assert_eq!(page.items.len(), 6, "{:?}", page.unreadable);
    let mut all = nodes([("/c/ada/office/", calendar(""))]);
    all.insert(format!("{WORK}5.ics"), event("five", 5, &attachment(5 * 1024)));
    let page = read(&Setup::serve(all, |_| None)).await.unwrap();
    assert_eq!(hours(&page), ["05:00-06:00"], "{:?}", page.unreadable);
}

#[tokio::test]
async fn a_resource_that_is_larger_than_anything_that_is_read_blocks_its_times() {
    let huge = event("bad", 10, &format!("ATTACH:{}\r\n", "Q".repeat(17 * 1024 * 1024)));
    let setup = Setup::serve(two(&huge), |ask| {
        if ask.body.contains("19700102") {
            Some(multistatus(""))
        } else {
            knowing(ask).filter(|_| ask.body.contains("20261205T"))
        }
    });
    let page = caldav().events(&setup.session(), ADA, saturday(), None).await.unwrap();
    assert!(hours(&page).contains(&"10:00-11:00".to_owned()), "{:?} {:?}", hours(&page), page.unreadable);
    assert_eq!(
        page.unreadable.iter().map(|one| one.reason).collect::<Vec<_>>(),
        [UnreadableReason::TooLarge]
    );
}

#[tokio::test]
async fn members_that_are_all_refused_are_no_empty_calendar() {
    let refused = |name: &str| {
        format!(
            "<response><href>{WORK}{name}.ics</href><propstat><prop><getetag/><C:calendar-data/></prop><status>HTTP/1.1 403 Forbidden</status></propstat></response>"
        )
    };
    let setup = Setup::serve(two(&event("bad", 10, "")), move |ask| {
        (is_work(ask) && ask.method == "REPORT").then(|| match ask.is_query() {
            true => multistatus(&(refused("good") + &refused("bad"))),
            false => plain(403),
        })
    });
    let error = caldav().events(&setup.session(), ADA, saturday(), None).await.unwrap_err();
    assert_eq!((error.kind, error.remedy), (ErrorKind::OutOfScope, Remedy::SkipMailbox));
}

#[tokio::test]
async fn a_member_that_no_query_lists_is_marked_and_one_that_can_be_fetched_is_read() {
    let task = event("task", 9, "").replace("VEVENT", "VTODO");
    for (name, is_there) in [("fetched", true), ("refused", false)] {
        for by_sync in [true, false] {
            let mut all = two(&event("bad", 10, ""));
            all.insert(format!("{WORK}task.ics"), task.clone());
            let setup = Setup::serve(all, move |ask| {
                let at = |name: &str| response(&format!("{WORK}{name}.ics"), "<getetag>\"9\"</getetag>");
                if ask.path.ends_with("bad.ics") && !is_there {
                    return Some(plain(403));
                }
                if !is_work(ask) || ask.method != "REPORT" {
                    return None;
                }
                if ask.body.contains("sync-collection") && by_sync {
                    let all = at("good") + &at("bad") + &at("task") + "<sync-token>1</sync-token>";
                    return Some(multistatus(&all));
                }
                let hides =
                    ask.body.contains("calendar-query") || (ask.body.contains("multiget") && !is_there);
                let good = member(
                    &format!("{WORK}good.ics"),
                    &event("good", 8, ""),
                    ask.body.contains("calendar-data"),
                );
                hides.then(|| multistatus(if ask.body.contains("multiget") { "" } else { &good }))
            });
            let page = read(&setup).await.unwrap();
            let marks: Vec<_> = page.unreadable.iter().map(|one| (one.uid.as_str(), one.blocks)).collect();
            if is_there {
                assert_eq!(hours(&page), ["08:00-09:00", "10:00-11:00"], "{name} {by_sync}");
                assert_eq!(marks, [], "{name} {by_sync}");
            } else {
                assert_eq!(hours(&page), ["08:00-09:00"], "{name} {by_sync}");
                assert_eq!(marks, [("/c/ada/office/bad.ics", false)], "{name} {by_sync}");
            }
        }
    }
}

#[tokio::test]
async fn a_member_that_sync_lists_and_nobody_hands_out_is_marked_and_the_rest_is_told() {
    let moved = Arc::new(AtomicBool::new(false));
    let now = moved.clone();
    let setup = Setup::serve(two(&event("bad", 10, "")), move |ask| {
        let at = |name: &str| response(&format!("{WORK}{name}.ics"), "<getetag>\"9\"</getetag>");
        if ask.path.ends_with("bad.ics") {
            return Some(plain(403));
        }
        if !is_work(ask) {
            return None;
        }
        if ask.body.contains("sync-collection") {
            return Some(multistatus(&match now.load(Ordering::SeqCst) {
                true => format!("{}{}<sync-token>data:,6</sync-token>", at("good"), at("bad")),
                false => "<sync-token>data:,5</sync-token>".to_owned(),
            }));
        }
        if ask.method == "PROPFIND" {
            let all =
                response(WORK, "<sync-token>data:,5</sync-token>") + &at("good") + &at("bad") + &at("other");
            return Some(multistatus(&all));
        }
        let good =
            member(&format!("{WORK}good.ics"), &event("good", 8, ""), ask.body.contains("calendar-data"));
        (ask.method == "REPORT").then(|| multistatus(&good))
    });
    let (caldav, session) = (caldav(), setup.session());
    let first = caldav.changes(&session, ADA, saturday(), None).await.unwrap();
    assert_eq!((first.changed.len(), first.unreadable.len()), (1, 0));
    moved.store(true, Ordering::SeqCst);
    let next = caldav.changes(&session, ADA, saturday(), Some(&first.cursor)).await.unwrap();
    assert_eq!(next.changed.iter().map(|event| event.uid.as_str()).collect::<Vec<_>>(), ["good"]);
    let marks: Vec<_> =
        next.unreadable.iter().map(|one| (one.uid.as_str(), one.reason, one.blocks)).collect();
    assert_eq!(marks, [("/c/ada/office/bad.ics", UnreadableReason::NotDelivered, false)]);
}

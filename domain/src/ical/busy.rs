//! How an event affects the availability of a calendar's owner.

use super::event::{BusyStatus, Event, Status};
use crate::{state::Answer, time::BusyKind};

/// How `event` blocks the calendar of a person with any of these `addresses`; `None` if the time stays free.
///
/// The first rule that applies decides: a cancelled or transparent event, or one declined by the owner, leaves the
/// time free; Outlook's busy status counts; a tentative event, or one that the owner has not accepted, is
/// tentative; everything else is busy.
pub fn busy_kind(event: &Event, addresses: &[&str]) -> Option<BusyKind> {
    let own = event.attendees.iter().filter(|attendee| {
        addresses.iter().any(|address| attendee.party.address.trim().eq_ignore_ascii_case(address))
    });
    // Somebody invited under several addresses answers under one of them.
    let answer = own.map(|attendee| attendee.answer).max_by_key(|answer| match answer {
        Answer::Declined => 0,
        Answer::None => 1,
        Answer::Tentative => 2,
        Answer::Accepted => 3,
    });
    let free = event.status == Status::Cancelled || event.transparent || answer == Some(Answer::Declined);
    if free {
        return None;
    }
    match event.busy_status {
        Some(BusyStatus::Free) => return None,
        Some(BusyStatus::Tentative) => return Some(BusyKind::Tentative),
        Some(BusyStatus::Busy | BusyStatus::Away) => return Some(BusyKind::Busy),
        None => {}
    }
    let open = event.status == Status::Tentative || matches!(answer, Some(Answer::None | Answer::Tentative));
    Some(if open { BusyKind::Tentative } else { BusyKind::Busy })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ical::Calendar;

    fn kind(lines: &str) -> Option<BusyKind> {
        let text = format!(
            "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART:20261201T100000Z\n{lines}\nEND:VEVENT\nEND:VCALENDAR"
        );
        let calendar = Calendar::parse(text.as_bytes()).unwrap();
        busy_kind(calendar.main_event().unwrap(), &["ada@corp.test", "ada@old.test"])
    }

    #[test]
    fn every_property_counts_in_its_order() {
        let me = |answer: &str| format!("ATTENDEE;PARTSTAT={answer}:MAILTO:Ada@corp.test");
        assert_eq!(kind("SUMMARY:x"), Some(BusyKind::Busy));
        assert_eq!(kind("TRANSP:TRANSPARENT"), None);
        assert_eq!(kind("STATUS:CANCELLED"), None);
        assert_eq!(kind("STATUS:TENTATIVE"), Some(BusyKind::Tentative));
        assert_eq!(kind(&me("DECLINED")), None);
        assert_eq!(kind(&me("NEEDS-ACTION")), Some(BusyKind::Tentative));
        assert_eq!(kind(&me("ACCEPTED")), Some(BusyKind::Busy));
        for other in ["ATTENDEE;PARTSTAT=DECLINED:mailto:ada@old.test", &me("DECLINED")] {
            let twice = format!("{other}\n{}", me("ACCEPTED"));
            assert_eq!(kind(&twice), Some(BusyKind::Busy), "declined under one address alone: {twice}");
        }
        assert_eq!(kind(&me("DECLINED;PARTSTAT=ACCEPTED")), Some(BusyKind::Tentative), "which of them?");
        assert_eq!(kind("ATTENDEE;PARTSTAT=DECLINED:MAILTO:ADA@OLD.TEST"), None);
        assert_eq!(kind("STATUS:CANCELLED\nSTATUS:CONFIRMED"), Some(BusyKind::Busy));
        let twice = "X-MICROSOFT-CDO-BUSYSTATUS:FREE\nX-MICROSOFT-CDO-BUSYSTATUS:BUSY";
        assert_eq!(kind(twice), Some(BusyKind::Busy));
        assert_eq!(kind("ATTENDEE;PARTSTAT=DECLINED:mailto:bob@corp.test"), Some(BusyKind::Busy));
        assert_eq!(kind("X-MICROSOFT-CDO-BUSYSTATUS:FREE"), None);
        assert_eq!(kind("STATUS:TENTATIVE\nX-MICROSOFT-CDO-BUSYSTATUS:OOF"), Some(BusyKind::Busy));
        assert_eq!(kind("X-MICROSOFT-CDO-BUSYSTATUS:TENTATIVE"), Some(BusyKind::Tentative));
    }
}

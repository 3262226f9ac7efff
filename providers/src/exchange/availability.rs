//! Busy times of many mailboxes, as visible to every colleague: requested by the service account without
//! impersonation.

use chrono::Duration;
use domain::{BusyKind, BusyTime, TimeRange, UnreadableItem};
use futures::future::BoxFuture;

use super::{
    Exchange,
    failure::{self, RequestSubject},
    item,
    soap::{self, MESSAGES, TYPES},
    transport::{SoapRequest, SoapResponse},
};
use crate::{
    Error, FreeBusy, Result, Session,
    moment::{Span, span},
    parts,
    xml::Element,
};

/// Maximum number of mailboxes that Exchange accepts per request.
const BATCH: usize = 100;
/// Longest time range requested at once. Exchange refuses more than 42 days, counted as days of the time zone; two
/// days are kept as a margin.
const LONGEST_WINDOW: Duration = Duration::days(40);
/// Length of the slots of the merged view, which some servers return in place of entries, in minutes.
const SLOT_MINUTES: i64 = 15;

/// UTC as a time zone definition whose transitions do not change the offset, because Exchange refuses a zone without
/// transitions.
const UTC: &str = "<t:TimeZone><t:Bias>0</t:Bias><t:StandardTime><t:Bias>0</t:Bias><t:Time>02:00:00</t:Time><t:DayOrder>5</t:DayOrder><t:Month>10</t:Month><t:DayOfWeek>Sunday</t:DayOfWeek></t:StandardTime><t:DaylightTime><t:Bias>0</t:Bias><t:Time>02:00:00</t:Time><t:DayOrder>5</t:DayOrder><t:Month>3</t:Month><t:DayOfWeek>Sunday</t:DayOfWeek></t:DaylightTime></t:TimeZone>";

type BusyResults = Vec<Result<FreeBusy>>;

impl Exchange {
    pub(super) async fn read_busy(
        &self,
        session: &Session,
        mailboxes: &[String],
        window: TimeRange,
    ) -> Result<Vec<(String, Result<FreeBusy>)>> {
        let mut answers = Vec::with_capacity(mailboxes.len());
        for batch in mailboxes.chunks(BATCH) {
            let mut verdicts: BusyResults = batch.iter().map(|_| Ok(FreeBusy::default())).collect();
            for part in parts(window) {
                for (verdict, part) in
                    verdicts.iter_mut().zip(self.busy_of_batch(session, batch, part).await?)
                {
                    match (verdict.as_mut(), part) {
                        (Ok(all), Ok(part)) => {
                            all.busy.extend(part.busy);
                            all.unreadable.extend(part.unreadable);
                        }
                        (Ok(_), Err(error)) => *verdict = Err(error),
                        (Err(_), _) => {}
                    }
                }
            }
            answers.extend(
                batch.iter().cloned().zip(
                    verdicts
                        .into_iter()
                        .map(|verdict| verdict.map(|all| FreeBusy { busy: merge_adjacent(all.busy), ..all })),
                ),
            );
        }
        Ok(answers)
    }

    /// Results for up to [`BATCH`] mailboxes, in the requested order, because responses contain no addresses. A
    /// mailbox with too many or unreadable entries is requested alone and in parts, and so are all if the combined
    /// response cannot be read.
    async fn busy_of_batch(
        &self,
        session: &Session,
        batch: &[String],
        window: TimeRange,
    ) -> Result<BusyResults> {
        let verdicts = match self.busy_at_once(session, batch, window).await {
            Err(error) if parts::can_be_split(&error) => batch.iter().map(|_| Err(error.clone())).collect(),
            verdicts => verdicts?,
        };
        let mut all = Vec::with_capacity(batch.len());
        for (mailbox, verdict) in batch.iter().zip(verdicts) {
            all.push(match verdict {
                Err(error) if parts::can_be_split(&error) => {
                    self.busy_in_parts(session, mailbox, window, error, batch.len() > 1).await
                }
                verdict => verdict,
            });
        }
        Ok(all)
    }

    async fn busy_in_parts(
        &self,
        session: &Session,
        mailbox: &String,
        window: TimeRange,
        refusal: Error,
        is_one_of_many: bool,
    ) -> Result<FreeBusy> {
        let alone = |part| -> BoxFuture<'_, Result<FreeBusy>> {
            Box::pin(async move {
                let one = std::slice::from_ref(mailbox);
                let verdict = self.busy_at_once(session, one, part).await?.pop();
                verdict.unwrap_or_else(|| Err(failure::unexpected_response()))
            })
        };
        let refusal = match is_one_of_many {
            true => match alone(window).await {
                Err(error) if parts::can_be_split(&error) => error,
                told => return told,
            },
            false => refusal,
        };
        Ok(parts::read_in_parts(window, refusal, alone).await?.into_free_busy())
    }

    /// Requests the busy times of all these mailboxes at once.
    async fn busy_at_once(
        &self,
        session: &Session,
        batch: &[String],
        window: TimeRange,
    ) -> Result<BusyResults> {
        let answer = self.call(session, SoapRequest::new("GetUserAvailability", body(batch, window))).await?;
        let array = answer.response.child(MESSAGES, "FreeBusyResponseArray");
        let told: Vec<&Element> =
            array.into_iter().flat_map(|all| all.all(MESSAGES, "FreeBusyResponse")).collect();
        if told.len() != batch.len() {
            return Err(failure::unexpected_response());
        }
        let both = batch.iter().zip(told);
        Ok(both.map(|(mailbox, told)| verdict(&answer, told, mailbox, window)).collect())
    }
}

fn parts(window: TimeRange) -> Vec<TimeRange> {
    let mut parts = Vec::new();
    let mut start = window.start;
    while let Some(part) = TimeRange::new(start, window.end.min(start + LONGEST_WINDOW)) {
        parts.push(part);
        start = part.end;
    }
    parts
}

fn body(batch: &[String], window: TimeRange) -> String {
    let mailboxes: String = batch
        .iter()
        .map(|mailbox| {
            format!(
                "<t:MailboxData><t:Email>{}</t:Email><t:AttendeeType>Required</t:AttendeeType><t:ExcludeConflicts>false</t:ExcludeConflicts></t:MailboxData>",
                soap::element("t:Address", mailbox)
            )
        })
        .collect::<Vec<_>>().concat();
    // Seconds are the finest that is asked: the time range is widened to whole ones and cut again afterwards.
    let end = window.end + Duration::milliseconds(999);
    format!(
        "<m:GetUserAvailabilityRequest>{UTC}<m:MailboxDataArray>{mailboxes}</m:MailboxDataArray><t:FreeBusyViewOptions><t:TimeWindow>{}{}</t:TimeWindow><t:MergedFreeBusyIntervalInMinutes>{SLOT_MINUTES}</t:MergedFreeBusyIntervalInMinutes><t:RequestedView>FreeBusyMerged</t:RequestedView></t:FreeBusyViewOptions></m:GetUserAvailabilityRequest>",
        soap::element("t:StartTime", &soap::format_local(window.start)),
        soap::element("t:EndTime", &soap::format_local(end)),
    )
}

fn verdict(answer: &SoapResponse, told: &Element, mailbox: &str, window: TimeRange) -> Result<FreeBusy> {
    let message = told.child(MESSAGES, "ResponseMessage").ok_or_else(failure::unexpected_response)?;
    // The request is made as the service account, but each result in it is about one mailbox.
    answer.check_message_about(message, RequestSubject::Mailbox)?;
    let view = told.child(MESSAGES, "FreeBusyView").ok_or_else(failure::unexpected_response)?;
    let digits = view.child_text(TYPES, "MergedFreeBusy");
    let events = view.child(TYPES, "CalendarEventArray");
    match (view.child_text(TYPES, "FreeBusyViewType").unwrap_or("None"), events) {
        ("None", _) => Err(failure::no_access("ErrorNoFreeBusyAccess")),
        ("MergedOnly", None) => {
            let digits = digits.ok_or_else(failure::unexpected_response)?;
            Ok(merged(digits, window).into())
        }
        // Entries may be omitted if there are none; the digits show whether there are any.
        (_, None) => Ok(digits.map(|digits| merged(digits, window)).unwrap_or_default().into()),
        (_, Some(events)) => Ok(parse_entries(events, digits, mailbox, window)),
    }
}

/// Parses the busy times in a response. If an entry cannot be parsed, the merged view limits the times that it may
/// occupy.
pub(super) fn parse_entries(
    events: &Element,
    digits: Option<&str>,
    mailbox: &str,
    window: TimeRange,
) -> FreeBusy {
    let mut all = FreeBusy::default();
    let slots = digits.map_or(0, |digits| i32::try_from(digits.len()).unwrap_or(i32::MAX));
    let covered =
        Duration::minutes(SLOT_MINUTES).checked_mul(slots).is_some_and(|all| all >= window.duration());
    let digits = digits.filter(|_| covered);
    for event in &events.children {
        let Some(kind) = item::busy_kind(event.child_text(TYPES, "BusyType")) else { continue };
        let at = |name: &str| item::parse_time(event.child_text(TYPES, name));
        let mark = |reason, blocks| UnreadableItem { uid: mailbox.to_owned(), reason, blocks };
        match (span(at("StartTime"), at("EndTime"), Some(window)), digits) {
            (Span::Nothing, _) => {}
            (Span::Exact(range), _) => {
                all.busy.extend(range.intersect(&window).map(|range| BusyTime { range, kind }));
            }
            (Span::Widest(_, reason) | Span::Unknown(reason), Some(digits)) => {
                all.busy.extend(merged(digits, window));
                all.unreadable.push(mark(reason, true));
            }
            (Span::Widest(range, reason), None) => {
                all.busy.push(BusyTime { range, kind: BusyKind::Busy });
                all.unreadable.push(mark(reason, true));
            }
            (Span::Unknown(reason), None) => all.unreadable.push(mark(reason, false)),
        }
    }
    all
}

/// Decodes the merged view, one digit per slot: 0 is free, 1 tentative; all others, including "no data", count as
/// busy.
fn merged(digits: &str, window: TimeRange) -> Vec<BusyTime> {
    let slot = Duration::minutes(SLOT_MINUTES);
    let mut start = window.start;
    let mut all = Vec::new();
    for digit in digits.chars() {
        let status = match digit {
            '0' => "Free",
            '1' => "Tentative",
            _ => "Busy",
        };
        let range = TimeRange::new(start, start + slot).and_then(|range| range.intersect(&window));
        all.extend(range.zip(item::busy_kind(Some(status))).map(|(range, kind)| BusyTime { range, kind }));
        start += slot;
    }
    all
}

/// Sorts busy times and merges overlapping and adjacent ones of the same kind.
fn merge_adjacent(mut all: Vec<BusyTime>) -> Vec<BusyTime> {
    all.sort_by_key(|busy| (busy.kind, busy.range));
    let mut joined: Vec<BusyTime> = Vec::with_capacity(all.len());
    for busy in all {
        match joined.last_mut() {
            Some(last) if last.kind == busy.kind && busy.range.start <= last.range.end => {
                last.range.end = last.range.end.max(busy.range.end);
            }
            _ => joined.push(busy),
        }
    }
    joined.sort_by_key(|busy| (busy.range, busy.kind));
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(start: &str, end: &str) -> TimeRange {
        TimeRange::new(start.parse().unwrap(), end.parse().unwrap()).unwrap()
    }

    #[test]
    fn merged_digits_are_pieces_of_time_and_no_data_blocks() {
        let asked = window("2026-12-01T09:00:00Z", "2026-12-01T10:30:00Z");
        let found: Vec<_> =
            merge_adjacent(merged("012234", asked)).into_iter().map(|busy| (busy.range, busy.kind)).collect();
        let tentative = window("2026-12-01T09:15:00Z", "2026-12-01T09:30:00Z");
        let busy = window("2026-12-01T09:30:00Z", "2026-12-01T10:30:00Z");
        assert_eq!(found, [(tentative, BusyKind::Tentative), (busy, BusyKind::Busy)]);
    }

    #[test]
    fn long_windows_are_asked_in_parts_that_leave_nothing_out() {
        let whole = window("2026-01-01T00:00:00Z", "2026-04-11T00:00:00Z");
        let parts = parts(whole);
        assert_eq!(parts.len(), 3);
        assert_eq!((parts[0].start, parts[2].end), (whole.start, whole.end));
        assert!(parts.windows(2).all(|pair| pair[0].end == pair[1].start));
        assert!(parts.iter().all(|part| part.duration() <= LONGEST_WINDOW));
    }
}

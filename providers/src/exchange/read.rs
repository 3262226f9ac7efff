//! Reading events: the items of a window, single items, and the item that carries a key.
//!
//! A calendar view expands series and neither sorts nor pages. So a window that holds more than the server tells at
//! once is halved, the items are put into order here, and only the items of one page are read with their attendees,
//! which no list tells.

use std::collections::HashMap;

use chrono::Duration;
use domain::{TimeRange, Timestamp};

use super::{
    Exchange, PAGE, failure,
    item::{self, Handle, Place},
    soap::{self, CALENDAR, MESSAGES, TYPES},
    transport::Call,
};
use crate::{Attendee, Error, ErrorKind, Event, EventPage, Remedy, Result, Session, xml::Element};

/// What a calendar view tells at once.
const VIEW: usize = 1_000;
/// No shorter window is asked for.
const SHORTEST: Duration = Duration::minutes(15);
/// A calendar view may not span two years.
const LONGEST: Duration = Duration::days(700);
/// How many items are read at once.
const BATCH: usize = 50;

/// One item that was read.
#[derive(Debug)]
pub(super) struct Read {
    /// Where it is.
    pub handle: Handle,
    /// What it is to a series.
    pub place: Place,
    /// Who is invited.
    pub attendees: Vec<Attendee>,
    /// What it stands for; `None` when it takes no time at all.
    pub event: Option<Event>,
    /// The same in all occurrences.
    pub uid: String,
}

/// One item of a list.
#[derive(Debug)]
pub(super) struct Listed {
    /// Where it is.
    pub handle: Handle,
    /// When.
    pub range: TimeRange,
    /// What it is to a series.
    pub place: Place,
    /// The same in all occurrences.
    pub uid: String,
    /// What is known of it without reading it.
    outline: Option<Event>,
}

impl Exchange {
    /// One page of events, ordered by start and id.
    pub(super) async fn list_events(
        &self,
        session: &Session,
        mailbox: &str,
        window: TimeRange,
        after: Option<&str>,
    ) -> Result<EventPage> {
        let after = after.map(|after| cursor(after).ok_or_else(foreign_cursor)).transpose()?;
        // What begins before the last item of the former page has been told already.
        let from = after.as_ref().map_or(window.start, |(start, _)| (*start).max(window.start));
        let Some(rest) = TimeRange::new(from, window.end) else {
            return Ok(EventPage::default());
        };
        let mut listed = self.view(session, mailbox, rest).await?;
        let place = |one: &Listed| (one.range.start, one.handle.id.clone());
        listed.retain(|one| after.as_ref().is_none_or(|after| place(one) > *after));
        let next = listed
            .get(PAGE)
            .and(listed.get(PAGE - 1))
            .map(|last| format!("{} {}", last.range.start.timestamp_micros(), last.handle.id));
        listed.truncate(PAGE);
        let series = self.series_of(session, mailbox, &listed).await?;
        let items = self.events_of(session, mailbox, listed, &series).await?;
        Ok(EventPage { items, unreadable: Vec::new(), next })
    }

    /// Everything in a window, ordered, occurrences of series one by one.
    pub(super) async fn view(
        &self,
        session: &Session,
        mailbox: &str,
        window: TimeRange,
    ) -> Result<Vec<Listed>> {
        let mut parts = vec![window];
        let mut all: Vec<Listed> = Vec::new();
        while let Some(part) = parts.pop() {
            let told = match part.duration() > LONGEST {
                true => None,
                false => self.view_part(session, mailbox, part).await?,
            };
            match told {
                Some(found) => all.extend(found),
                None => {
                    let middle = part.start + Duration::seconds(part.duration().num_seconds() / 2);
                    let halves = [TimeRange::new(part.start, middle), TimeRange::new(middle, part.end)];
                    parts.extend(halves.into_iter().flatten());
                }
            }
        }
        // A view also tells what merely touches the window.
        all.retain(|one| one.range.overlaps(&window));
        all.sort_by(|a, b| (a.range.start, &a.handle.id).cmp(&(b.range.start, &b.handle.id)));
        all.dedup_by(|a, b| a.handle.id == b.handle.id);
        Ok(all)
    }

    /// `None` when there is more than the server tells at once.
    async fn view_part(
        &self,
        session: &Session,
        mailbox: &str,
        part: TimeRange,
    ) -> Result<Option<Vec<Listed>>> {
        let end = soap::instant(part.end + Duration::milliseconds(999));
        let view = format!(
            r#"<m:CalendarView MaxEntriesReturned="{VIEW}" StartDate="{}" EndDate="{end}"/>"#,
            soap::instant(part.start)
        );
        let found = self.find(session, mailbox, &soap::shape("ItemShape", item::LISTED, ""), &view).await?;
        let (items, whole) = found;
        if !whole && part.duration() >= SHORTEST {
            return Ok(None);
        }
        if !whole {
            let message = "This calendar holds more appointments at once than the Exchange server tells.";
            return Err(Error::new(ErrorKind::NotServed, Remedy::SkipMailbox, "TOO_MANY_EVENTS", message));
        }
        Ok(Some(items.iter().filter_map(listed).collect()))
    }

    /// FindItem in the calendar. Answers the items, and whether these are all.
    async fn find(
        &self,
        session: &Session,
        mailbox: &str,
        shape: &str,
        filter: &str,
    ) -> Result<(Vec<Element>, bool)> {
        let body = format!(
            r#"<m:FindItem Traversal="Shallow">{shape}{filter}<m:ParentFolderIds>{CALENDAR}</m:ParentFolderIds></m:FindItem>"#
        );
        let answer = self.call(session, Call::new("FindItem", body).of(mailbox)).await?;
        let root = answer.message()?.child(MESSAGES, "RootFolder").ok_or_else(failure::not_understood)?;
        let whole = root.attribute("IncludesLastItemInRange") != Some("false");
        let items = root.child(TYPES, "Items").map(|items| items.children.clone()).unwrap_or_default();
        Ok((items, whole))
    }

    /// The live event that carries a key. A server compares texts without regard to case, so the key is compared
    /// once more.
    pub(super) async fn search_event(
        &self,
        session: &Session,
        mailbox: &str,
        effect_key: &str,
    ) -> Result<Option<Event>> {
        let filter = format!(
            r#"<m:IndexedPageItemView MaxEntriesReturned="20" Offset="0" BasePoint="Beginning"/><m:Restriction><t:IsEqualTo>{}<t:FieldURIOrConstant><t:Constant Value="{}"/></t:FieldURIOrConstant></t:IsEqualTo></m:Restriction>"#,
            soap::effect_field(),
            soap::text(effect_key)
        );
        let shape = "<m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape>";
        let (found, _) = self.find(session, mailbox, shape, &filter).await?;
        let ids: Vec<String> = found.iter().filter_map(item::handle).map(|handle| handle.id).collect();
        let read = self.read_items(session, mailbox, &ids).await?;
        let events = read.into_iter().filter_map(|read| read.ok().flatten()?.event);
        let mut live = events.filter(|event| event.effect_key.as_deref() == Some(effect_key));
        Ok(live.next())
    }

    /// One item; `None` when it is gone.
    pub(super) async fn read_item(&self, session: &Session, mailbox: &str, id: &str) -> Result<Option<Read>> {
        self.read_items(session, mailbox, &[id.to_owned()])
            .await?
            .pop()
            .unwrap_or_else(|| Err(failure::not_understood()))
    }

    /// Items with all that is known of them, in the order asked; `None` for those that are gone.
    pub(super) async fn read_items(
        &self,
        session: &Session,
        mailbox: &str,
        ids: &[String],
    ) -> Result<Vec<Result<Option<Read>>>> {
        let mut all = Vec::with_capacity(ids.len());
        for batch in ids.chunks(BATCH) {
            let named: String = batch
                .iter()
                .map(|id| format!(r#"<t:ItemId Id="{}"/>"#, soap::text(id)))
                .collect::<Vec<_>>()
                .concat();
            let shape = soap::shape("ItemShape", item::FIELDS, &soap::effect_field());
            let read = self.get(session, mailbox, &shape, &named).await?;
            if read.len() != batch.len() {
                return Err(failure::not_understood());
            }
            all.extend(read.into_iter().map(|one| match one {
                Ok(item) => Ok(Some(whole(&item)?)),
                Err(error) if error.kind == ErrorKind::Gone => Ok(None),
                Err(error) => Err(error),
            }));
        }
        Ok(all)
    }

    /// GetItem: one result per id.
    async fn get(
        &self,
        session: &Session,
        mailbox: &str,
        shape: &str,
        ids: &str,
    ) -> Result<Vec<Result<Element>>> {
        let body = format!("<m:GetItem>{shape}<m:ItemIds>{ids}</m:ItemIds></m:GetItem>");
        let answer = self.call(session, Call::new("GetItem", body).of(mailbox).items()).await?;
        let first = |message: &Element| message.child(MESSAGES, "Items")?.children.first().cloned();
        Ok(answer
            .messages()
            .map(|message| message.and_then(|message| first(message).ok_or_else(failure::not_understood)))
            .collect())
    }

    /// The series that occurrences belong to: ids of series by UID, which occurrences share with their series.
    async fn series_of(
        &self,
        session: &Session,
        mailbox: &str,
        listed: &[Listed],
    ) -> Result<HashMap<String, String>> {
        let mut unknown: HashMap<&str, &str> = HashMap::new();
        for one in listed.iter().filter(|one| one.place == Place::Occurrence) {
            unknown.entry(&one.uid).or_insert(&one.handle.id);
        }
        let mut series = HashMap::new();
        let shape = "<m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape>";
        let unknown: Vec<(&str, &str)> = unknown.into_iter().collect();
        for batch in unknown.chunks(BATCH) {
            let ids: String = batch
                .iter()
                .map(|(_, id)| format!(r#"<t:RecurringMasterItemId OccurrenceId="{}"/>"#, soap::text(id)))
                .collect::<Vec<_>>()
                .concat();
            let masters = self.get(session, mailbox, shape, &ids).await?;
            for ((uid, _), master) in batch.iter().zip(masters) {
                if let Some(handle) = master.ok().as_ref().and_then(item::handle) {
                    series.insert((*uid).to_owned(), handle.id);
                }
            }
        }
        Ok(series)
    }

    /// The events of listed items. One that cannot be read still takes its time; one that has gone meanwhile does not.
    pub(super) async fn events_of(
        &self,
        session: &Session,
        mailbox: &str,
        listed: Vec<Listed>,
        series: &HashMap<String, String>,
    ) -> Result<Vec<Event>> {
        let ids: Vec<String> = listed.iter().map(|one| one.handle.id.clone()).collect();
        let read = self.read_items(session, mailbox, &ids).await?;
        let mut events = Vec::with_capacity(listed.len());
        for (listed, read) in listed.into_iter().zip(read) {
            let event = match read {
                Ok(read) => read.and_then(|read| read.event),
                Err(error) if matches!(error.remedy, Remedy::RetryAfter(_) | Remedy::Reconnect) => {
                    return Err(error);
                }
                Err(_) => listed.outline.map(|outline| Event { private: true, ..outline }),
            };
            let belongs = (listed.place == Place::Occurrence)
                .then(|| series.get(&listed.uid).cloned().unwrap_or_else(|| listed.uid.clone()));
            events.extend(event.map(|event| Event { series: belongs, ..event }));
        }
        Ok(events)
    }
}

fn listed(item: &Element) -> Option<Listed> {
    Some(Listed {
        handle: item::handle(item)?,
        range: item::range(item)?,
        place: item::place(item),
        uid: item::uid(item).to_owned(),
        outline: item::event(item, None),
    })
}

fn whole(item: &Element) -> Result<Read> {
    Ok(Read {
        handle: item::handle(item).ok_or_else(failure::not_understood)?,
        place: item::place(item),
        attendees: item::attendees(item),
        event: item::event(item, None),
        uid: item::uid(item).to_owned(),
    })
}

/// Where a page of events ended.
fn cursor(text: &str) -> Option<(Timestamp, String)> {
    let (start, id) = text.split_once(' ')?;
    Some((Timestamp::from_timestamp_micros(start.parse().ok()?)?, id.to_owned()))
}

fn foreign_cursor() -> Error {
    let message = "The place to read on from does not belong to this calendar.";
    Error::new(ErrorKind::Invalid, Remedy::Resync, "FOREIGN_CURSOR", message)
}

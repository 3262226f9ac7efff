//! Single items: read by their ids, and found by the key that they carry.

use std::collections::HashMap;

use domain::Zone;

use super::{
    Exchange, failure,
    item::{self, Handle, Place},
    soap::{self, CALENDAR, MESSAGES},
    transport::Call,
    view::Listed,
};
use crate::{Attendee, ErrorKind, Event, Result, Session, moment::Reading, parts, xml::Element};

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
    /// What it stands for; `None` when it takes no time at all, or when its times are not known.
    pub event: Option<Event>,
    /// The same in all occurrences.
    pub uid: String,
    /// The item itself.
    pub item: Element,
}

impl Exchange {
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
        let (found, _) = self.find(session, mailbox, CALENDAR, shape, &filter).await?;
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

    /// Items with all that is known of them, in the order asked; `None` for those that are gone. Where the answer about
    /// many cannot be read, each is asked for alone.
    pub(super) async fn read_items(
        &self,
        session: &Session,
        mailbox: &str,
        ids: &[String],
    ) -> Result<Vec<Result<Option<Read>>>> {
        let mut all = Vec::with_capacity(ids.len());
        for batch in ids.chunks(BATCH) {
            match self.read_batch(session, mailbox, batch).await {
                Err(error) if parts::splits(&error) => {
                    for one in batch.chunks(1) {
                        match self.read_batch(session, mailbox, one).await {
                            Err(error) if parts::splits(&error) => all.push(Err(error)),
                            read => all.extend(read?),
                        }
                    }
                }
                read => all.extend(read?),
            }
        }
        Ok(all)
    }

    async fn read_batch(
        &self,
        session: &Session,
        mailbox: &str,
        ids: &[String],
    ) -> Result<Vec<Result<Option<Read>>>> {
        let named = ids.iter().map(|id| format!(r#"<t:ItemId Id="{}"/>"#, soap::text(id)));
        let shape = soap::shape("ItemShape", item::FIELDS, &soap::effect_field());
        let read = self.get(session, mailbox, &shape, &named.collect::<Vec<_>>().concat()).await?;
        if read.len() != ids.len() {
            return Err(failure::not_understood());
        }
        let days = session.zone.clone().unwrap_or(Zone::UTC);
        let read = read.into_iter().map(|one| match one {
            Ok(item) => whole(item, &days).map(Some),
            Err(error) if error.kind == ErrorKind::Gone => Ok(None),
            Err(error) => Err(error),
        });
        Ok(read.collect())
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
        let first = |mut message: Element| message.take(MESSAGES, "Items")?.children.into_iter().next();
        let messages = answer.into_messages().into_iter();
        Ok(messages.map(|message| first(message?).ok_or_else(failure::not_understood)).collect())
    }

    /// The series that occurrences belong to: ids of series by UID, which occurrences share with their series.
    pub(super) async fn series_of(
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
            let masters = match self.get(session, mailbox, shape, &ids).await {
                // Without the series' id its UID stands for it.
                Err(error) if parts::splits(&error) => continue,
                masters => masters?,
            };
            for ((uid, _), master) in batch.iter().zip(masters) {
                if let Some(handle) = master.ok().as_ref().and_then(item::handle) {
                    series.insert((*uid).to_owned(), handle.id);
                }
            }
        }
        Ok(series)
    }
}

fn whole(item: Element, days: &Zone) -> Result<Read> {
    Ok(Read {
        handle: item::handle(&item).ok_or_else(failure::not_understood)?,
        place: item::place(&item),
        attendees: item::attendees(&item),
        event: match item::read(&item, days, None) {
            Reading::Event(event) => Some(*event),
            _ => None,
        },
        uid: item::uid(&item).to_owned(),
        item,
    })
}

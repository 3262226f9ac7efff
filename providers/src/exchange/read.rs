//! Single items, read by their ids or found by their effect key.

use std::collections::HashMap;

use domain::Zone;

use super::{
    Exchange, failure,
    item::{self, ItemId, SeriesRole},
    soap::{self, DEFAULT_CALENDAR, MESSAGES},
    transport::SoapRequest,
    view::ListedItem,
};
use crate::{Attendee, ErrorKind, Event, Result, Session, moment::ParsedItem, parts, xml::Element};

/// Maximum number of items read with one request.
const BATCH: usize = 50;

/// One item that was read.
#[derive(Debug)]
pub(super) struct ReadItem {
    /// The item's id and version.
    pub handle: ItemId,
    /// Whether the item is a series, an occurrence of one, or a single item.
    pub place: SeriesRole,
    /// The invited people and rooms.
    pub attendees: Vec<Attendee>,
    /// The item as an event; `None` when it takes no time, or when its times are unknown.
    pub event: Option<Event>,
    /// The UID, shared by all occurrences of a series.
    pub uid: String,
    /// The item's XML.
    pub item: Element,
}

impl Exchange {
    /// The event with this effect key. The server compares strings case-insensitively, so the key is compared again.
    pub(super) async fn search_event(
        &self,
        session: &Session,
        mailbox: &str,
        effect_key: &str,
    ) -> Result<Option<Event>> {
        let filter = format!(
            r#"<m:IndexedPageItemView MaxEntriesReturned="20" Offset="0" BasePoint="Beginning"/><m:Restriction><t:IsEqualTo>{}<t:FieldURIOrConstant><t:Constant Value="{}"/></t:FieldURIOrConstant></t:IsEqualTo></m:Restriction>"#,
            soap::effect_key_field(),
            soap::escape_text(effect_key)
        );
        let shape = "<m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape>";
        let (found, _) = self.find_items(session, mailbox, DEFAULT_CALENDAR, shape, &filter).await?;
        let ids: Vec<String> = found.iter().filter_map(item::item_id).map(|handle| handle.id).collect();
        let read = self.read_items(session, mailbox, &ids).await?;
        let events = read.into_iter().filter_map(|read| read.ok().flatten()?.event);
        let mut live = events.filter(|event| event.effect_key.as_deref() == Some(effect_key));
        Ok(live.next())
    }

    /// One item; `None` when it no longer exists.
    pub(super) async fn read_item(
        &self,
        session: &Session,
        mailbox: &str,
        id: &str,
    ) -> Result<Option<ReadItem>> {
        self.read_items(session, mailbox, &[id.to_owned()])
            .await?
            .pop()
            .unwrap_or_else(|| Err(failure::unexpected_response()))
    }

    /// Reads items with all their properties, in the order of the ids; `None` for those that no longer exist. If the
    /// response about several items cannot be parsed, each item is requested separately.
    pub(super) async fn read_items(
        &self,
        session: &Session,
        mailbox: &str,
        ids: &[String],
    ) -> Result<Vec<Result<Option<ReadItem>>>> {
        let mut all = Vec::with_capacity(ids.len());
        for batch in ids.chunks(BATCH) {
            match self.read_batch(session, mailbox, batch).await {
                Err(error) if parts::can_be_split(&error) => {
                    for one in batch.chunks(1) {
                        match self.read_batch(session, mailbox, one).await {
                            Err(error) if parts::can_be_split(&error) => all.push(Err(error)),
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
    ) -> Result<Vec<Result<Option<ReadItem>>>> {
        let named = ids.iter().map(|id| format!(r#"<t:ItemId Id="{}"/>"#, soap::escape_text(id)));
        let shape = soap::response_shape("ItemShape", item::ITEM_FIELDS, &soap::effect_key_field());
        let read = self.get(session, mailbox, &shape, &named.collect::<Vec<_>>().concat()).await?;
        if read.len() != ids.len() {
            return Err(failure::unexpected_response());
        }
        let days = session.zone.clone().unwrap_or(Zone::UTC);
        let read = ids.iter().zip(read).map(|(id, one)| match one {
            // If another item is returned instead, nothing is known about this one.
            Ok(item) if item::item_id(&item).is_some_and(|handle| handle.id != *id) => {
                Err(failure::unexpected_response())
            }
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
        let answer =
            self.call(session, SoapRequest::new("GetItem", body).in_mailbox(mailbox).about_items()).await?;
        let first = |mut message: Element| message.take_child(MESSAGES, "Items")?.children.into_iter().next();
        let messages = answer.into_messages().into_iter();
        Ok(messages.map(|message| first(message?).ok_or_else(failure::unexpected_response)).collect())
    }

    /// Finds the series to which occurrences belong: ids of series by UID, which occurrences share with their series.
    pub(super) async fn find_series_ids(
        &self,
        session: &Session,
        mailbox: &str,
        listed: &[ListedItem],
    ) -> Result<HashMap<String, String>> {
        let mut unknown: HashMap<&str, &str> = HashMap::new();
        for one in listed.iter().filter(|one| one.place == SeriesRole::Occurrence) {
            unknown.entry(&one.uid).or_insert(&one.handle.id);
        }
        let mut series = HashMap::new();
        let shape = "<m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape>";
        let unknown: Vec<(&str, &str)> = unknown.into_iter().collect();
        for batch in unknown.chunks(BATCH) {
            let ids: String = batch
                .iter()
                .map(|(_, id)| {
                    format!(r#"<t:RecurringMasterItemId OccurrenceId="{}"/>"#, soap::escape_text(id))
                })
                .collect::<Vec<_>>()
                .concat();
            let masters = match self.get(session, mailbox, shape, &ids).await {
                // If the id of a series cannot be read, its UID is used instead.
                Err(error) if parts::can_be_split(&error) => continue,
                masters => masters?,
            };
            for ((uid, _), master) in batch.iter().zip(masters) {
                if let Some(handle) = master.ok().as_ref().and_then(item::item_id) {
                    series.insert((*uid).to_owned(), handle.id);
                }
            }
        }
        Ok(series)
    }
}

fn whole(item: Element, days: &Zone) -> Result<ReadItem> {
    Ok(ReadItem {
        handle: item::item_id(&item).ok_or_else(failure::unexpected_response)?,
        place: item::series_role(&item),
        attendees: item::attendees(&item),
        event: match item::parse_item(&item, days, None) {
            ParsedItem::Event(event) => Some(*event),
            _ => None,
        },
        uid: item::uid(&item).to_owned(),
        item,
    })
}

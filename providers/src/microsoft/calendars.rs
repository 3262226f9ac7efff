//! The calendars of a mailbox, including the default one.

use domain::{TimeRange, provider::Capabilities};

use super::{
    Microsoft, online,
    request::{Call, too_many_pages, with_query},
    wire,
};
use crate::{
    CalendarInfo, CalendarKind, CalendarListing, EventPage, Result, Session,
    rest::{MAX_PAGES, RestApi},
};

impl Microsoft {
    /// Reads the default calendar and the session's capabilities in it.
    pub(super) async fn read_calendar(&self, session: &Session, mailbox: &str) -> Result<CalendarInfo> {
        let call = Call::get(self.mailbox_url(mailbox, &["calendar"])?).for_mailbox(mailbox);
        let calendar: wire::Calendar = self.call_json(session, &call).await?;
        let writes = calendar.can_edit.unwrap_or_default();
        Ok(CalendarInfo {
            capabilities: Capabilities {
                list: true,
                free_busy: true,
                read_details: true,
                create: writes,
                update: writes,
                delete: writes,
                online_meetings: writes && online::allows_meetings(&calendar),
            },
            id: calendar.id,
        })
    }

    /// Lists the calendars: the default one first, then the others in Graph's order.
    pub(super) async fn list_calendars(
        &self,
        session: &Session,
        mailbox: &str,
    ) -> Result<Vec<CalendarListing>> {
        let query = [("$select", "id,name,isDefaultCalendar,canEdit,owner"), ("$top", "100")];
        let mut next = Some(with_query(self.mailbox_url(mailbox, &["calendars"])?, &query));
        let mut all: Vec<wire::Calendar> = Vec::new();
        for _ in 0..MAX_PAGES {
            let Some(url) = next else { return Ok(listings(all, mailbox)) };
            let list: wire::List<wire::Calendar> =
                self.call_json(session, &Call::get(url).for_mailbox(mailbox)).await?;
            all.extend(list.value.into_readable("calendars"));
            next = list.next.map(|link| self.next_page_url(&link)).transpose()?;
        }
        Err(too_many_pages())
    }

    /// One page of the events of a calendar.
    pub(super) async fn list_calendar_events(
        &self,
        session: &Session,
        mailbox: &str,
        calendar: &str,
        window: TimeRange,
        after: Option<&str>,
    ) -> Result<EventPage> {
        self.list_view(session, mailbox, &["calendars", calendar, "calendarView"], window, after).await
    }
}

fn listings(all: Vec<wire::Calendar>, mailbox: &str) -> Vec<CalendarListing> {
    let owner = |calendar: &wire::Calendar| calendar.owner.as_ref()?.address.clone();
    let is_default = |calendar: &wire::Calendar| calendar.is_default_calendar == Some(true);
    // The requested address may be another one of the mailbox than the one in its calendars.
    let own = all.iter().find(|one| is_default(one)).and_then(owner).unwrap_or_else(|| mailbox.to_owned());
    let mut listings: Vec<CalendarListing> = all
        .into_iter()
        .map(|calendar| {
            let of_another = owner(&calendar).is_some_and(|owner| !owner.eq_ignore_ascii_case(&own));
            let kind = match (is_default(&calendar), of_another, calendar.can_edit) {
                (true, ..) => CalendarKind::Default,
                (_, true, _) => CalendarKind::Shared,
                // Birthdays and holidays: the owner's, and nobody may write into them.
                (_, _, Some(false)) => CalendarKind::Generated,
                _ => CalendarKind::Secondary,
            };
            CalendarListing {
                name: calendar.name.unwrap_or_else(|| "Calendar".to_owned()),
                id: calendar.id,
                kind,
                counts: kind == CalendarKind::Default,
            }
        })
        .collect();
    listings.sort_by_key(|one| one.kind != CalendarKind::Default);
    listings
}

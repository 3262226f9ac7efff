//! The calendars in a user's calendar list.

use super::{
    Google,
    request::{Call, is_resource_mailbox, too_many_pages, with_query},
    scopes::Scope,
    wire,
};
use crate::{
    CalendarKind, CalendarListing, Error, ErrorKind, Result, Session,
    rest::{MAX_PAGES, RestApi, url_below},
};

/// Parts of the ids of calendars that Google generates from other data.
const GENERATED: [&str; 3] = ["#holiday@", "#contacts@", "#weather@"];

impl Google {
    /// Lists the calendars: the default one first, then the others in Google's order. A room has one calendar, and
    /// so has every user of an organisation that does not permit access to calendar lists.
    pub(super) async fn list_calendars(
        &self,
        session: &Session,
        mailbox: &str,
    ) -> Result<Vec<CalendarListing>> {
        if is_resource_mailbox(mailbox) {
            return Ok(vec![default(mailbox, None)]);
        }
        let (mut all, mut token) = (Vec::new(), None::<String>);
        for _ in 0..MAX_PAGES {
            let mut query = vec![("maxResults", "250"), ("showHidden", "true")];
            query.extend(token.as_deref().map(|token| ("pageToken", token)));
            let url = url_below(&self.config.calendar, &["users", "me", "calendarList"])?;
            let call = Call::get(with_query(url, &query), Scope::Lists).for_mailbox(mailbox);
            let page: wire::CalendarList = match self.call_json(session, &call).await {
                Err(error) if is_not_allowed(&error) => return Ok(vec![default(mailbox, None)]),
                page => page?,
            };
            all.extend(page.items.into_readable("calendars"));
            token = page.next_page_token;
            if token.is_none() {
                return Ok(listings(all, mailbox));
            }
        }
        Err(too_many_pages())
    }
}

/// Whether the scope for calendar lists is missing. Older delegations lack it and remain usable.
fn is_not_allowed(error: &Error) -> bool {
    matches!(error.kind, ErrorKind::GrantLost | ErrorKind::OutOfScope)
}

fn default(mailbox: &str, name: Option<String>) -> CalendarListing {
    let name = name.unwrap_or_else(|| mailbox.to_owned());
    CalendarListing { id: mailbox.to_owned(), name, kind: CalendarKind::Default, counts: true }
}

fn listings(all: Vec<wire::ListedCalendar>, mailbox: &str) -> Vec<CalendarListing> {
    let (mut first, mut others) = (default(mailbox, None), Vec::new());
    for calendar in all.into_iter().filter(|calendar| calendar.deleted != Some(true)) {
        let name = calendar.summary_override.or(calendar.summary);
        if calendar.primary == Some(true) || calendar.id.eq_ignore_ascii_case(mailbox) {
            first = default(mailbox, name);
            continue;
        }
        let kind = match calendar.access_role.as_deref() {
            _ if GENERATED.iter().any(|end| calendar.id.contains(end)) => CalendarKind::Generated,
            Some("owner" | "writer") => CalendarKind::Secondary,
            _ => CalendarKind::Shared,
        };
        let name = name.unwrap_or_else(|| calendar.id.clone());
        others.push(CalendarListing { id: calendar.id, name, kind, counts: false });
    }
    std::iter::once(first).chain(others).collect()
}

//! The calendars of a mailbox: the default one and other appointment folders.

use domain::TimeRange;

use super::{
    Exchange, failure,
    soap::{self, DEFAULT_CALENDAR, MESSAGES, TYPES},
    transport::{SoapRequest, SoapResponse},
};
use crate::{CalendarKind, CalendarListing, EventPage, Result, Session, parts, xml::Element};

/// Folder class of appointment folders; folders that Exchange generates have a longer one, such as
/// `IPF.Appointment.Birthday`.
const CLASS: &str = "IPF.Appointment";
/// Maximum number of folders returned.
const MAX: usize = 200;

impl Exchange {
    /// Lists the calendars: the default one first, then the others by name.
    pub(super) async fn list_calendars(
        &self,
        session: &Session,
        mailbox: &str,
    ) -> Result<Vec<CalendarListing>> {
        let default = self.read_calendar(session, mailbox).await?.id;
        let body = format!(
            r#"<m:FindFolder Traversal="Deep"><m:FolderShape><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties><t:FieldURI FieldURI="folder:DisplayName"/><t:FieldURI FieldURI="folder:FolderClass"/></t:AdditionalProperties></m:FolderShape><m:IndexedPageFolderView MaxEntriesReturned="{MAX}" Offset="0" BasePoint="Beginning"/><m:Restriction><t:Contains ContainmentMode="Prefixed" ContainmentComparison="IgnoreCase"><t:FieldURI FieldURI="folder:FolderClass"/><t:Constant Value="{CLASS}"/></t:Contains></m:Restriction><m:ParentFolderIds><t:DistinguishedFolderId Id="msgfolderroot"/></m:ParentFolderIds></m:FindFolder>"#
        );
        let found = self.call(session, SoapRequest::new("FindFolder", body).in_mailbox(mailbox)).await;
        let message = |answer: SoapResponse| answer.into_messages().into_iter().next();
        let message =
            found.and_then(|answer| message(answer).unwrap_or_else(|| Err(failure::unexpected_response())));
        let folders = match message {
            // The default calendar is known in any case.
            Err(error) if parts::can_be_split(&error) => Vec::new(),
            message => folders(message?),
        };
        let mut name = "Calendar".to_owned();
        let mut others = Vec::new();
        for folder in &folders {
            match listing(folder) {
                Some(one) if one.id == default => name = one.name,
                Some(one) => others.push(one),
                None => tracing::warn!("a calendar folder cannot be read and is left out"),
            }
        }
        others.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
        let default = CalendarListing { id: default, name, kind: CalendarKind::Default, counts: true };
        Ok(std::iter::once(default).chain(others).collect())
    }

    /// One page of the events of a calendar, identified by its folder id.
    pub(super) async fn list_calendar_events(
        &self,
        session: &Session,
        mailbox: &str,
        calendar: &str,
        window: TimeRange,
        after: Option<&str>,
    ) -> Result<EventPage> {
        let folder = format!(r#"<t:FolderId Id="{}"/>"#, soap::escape_text(calendar));
        self.list_events(session, mailbox, &folder, window, after).await
    }

    /// One page of the events of the default calendar.
    pub(super) async fn list_default_events(
        &self,
        session: &Session,
        mailbox: &str,
        window: TimeRange,
        after: Option<&str>,
    ) -> Result<EventPage> {
        self.list_events(session, mailbox, DEFAULT_CALENDAR, window, after).await
    }
}

fn folders(mut message: Element) -> Vec<Element> {
    let root =
        message.take_child(MESSAGES, "RootFolder").and_then(|mut root| root.take_child(TYPES, "Folders"));
    root.map(|folders| folders.children).unwrap_or_default()
}

fn listing(folder: &Element) -> Option<CalendarListing> {
    let id = folder.child(TYPES, "FolderId")?.attribute("Id")?.to_owned();
    let class = folder.child_text(TYPES, "FolderClass").unwrap_or(CLASS);
    let kind = match class.eq_ignore_ascii_case(CLASS) {
        true => CalendarKind::Secondary,
        false => CalendarKind::Generated,
    };
    let name = folder.child_text(TYPES, "DisplayName").filter(|name| !name.is_empty()).unwrap_or("Calendar");
    Some(CalendarListing { id, name: name.to_owned(), kind, counts: false })
}

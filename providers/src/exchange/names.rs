//! Looks up the organisation and single mailboxes in the directory.

use domain::provider::Capabilities;

use super::{
    Exchange, failure,
    soap::{self, DEFAULT_CALENDAR, MESSAGES, TYPES},
    transport::SoapRequest,
};
use crate::{
    CalendarInfo, Error, ErrorKind, Mailbox, MailboxKind, Organisation, Remedy, Result, Session,
    error::another_account, messages, xml::Element,
};

/// A mailbox found by a search for a name or email address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ResolvedMailbox {
    /// Primary address of the mailbox.
    pub address: String,
    /// Display name of the mailbox.
    pub name: String,
}

/// The mailboxes that match a searched name or email address.
#[derive(Debug, Default)]
pub(super) struct MatchingMailboxes {
    /// The matches, without groups and contacts.
    pub found: Vec<ResolvedMailbox>,
    /// Whether there are more matches than the server returns.
    pub cut: bool,
}

/// Maximum number of matches that ResolveNames returns.
const MAX: usize = 100;

impl Exchange {
    /// Looks up the account in the directory, which shows that the server responds and accepts the login. An
    /// organisation is identified by its mail domain and server, because Exchange reports no identifier of its own for
    /// it.
    pub(super) async fn read_organisation(&self, session: &Session) -> Result<Organisation> {
        let account = session.account.trim();
        let domain = if let Some((_, domain)) = account.rsplit_once('@') {
            self.resolve_by(session, &format!("smtp:{account}"), SoapRequest::for_discovery).await?;
            domain.to_owned()
        } else {
            let name = account.rsplit('\\').next().unwrap_or(account);
            let found = self.resolve_by(session, name, SoapRequest::for_discovery).await?.found;
            let domain = match found.as_slice() {
                [one] => one.address.rsplit_once('@').map(|(_, domain)| domain.to_owned()),
                _ => None,
            };
            domain.ok_or_else(|| {
                let message = messages::exchange_domain_unknown();
                Error::new(ErrorKind::Misconfigured, Remedy::Never, "ACCOUNT_WITHOUT_DOMAIN", message)
            })?
        };
        let domain = domain.to_ascii_lowercase();
        let endpoint = self.endpoint(session).await?;
        let host = endpoint.host_str().unwrap_or_default();
        let port = endpoint.port().map(|port| format!(":{port}")).unwrap_or_default();
        Ok(Organisation {
            id: format!("{host}{port}/{domain}"),
            name: domain.clone(),
            domains: vec![domain],
            zone: None,
            language: None,
        })
    }

    /// Searches the directory for a name. With the prefix `smtp:`, all addresses are searched by prefix.
    pub(super) async fn resolve_name(&self, session: &Session, name: &str) -> Result<MatchingMailboxes> {
        self.resolve_by(session, name, |call| call).await
    }

    async fn resolve_by(
        &self,
        session: &Session,
        name: &str,
        kind: impl FnOnce(SoapRequest<'static>) -> SoapRequest<'static>,
    ) -> Result<MatchingMailboxes> {
        let body = format!(
            r#"<m:ResolveNames ReturnFullContactData="false" SearchScope="ActiveDirectory">{}</m:ResolveNames>"#,
            soap::element("m:UnresolvedEntry", name)
        );
        let answer = self.call(session, kind(SoapRequest::new("ResolveNames", body))).await?;
        let message = match answer.single_message() {
            Err(error) if error.code == "ErrorNameResolutionNoResults" => {
                return Ok(MatchingMailboxes::default());
            }
            message => message?,
        };
        let set = message.child(MESSAGES, "ResolutionSet").ok_or_else(|| answer.unreadable_error())?;
        let told: Vec<&Element> = set.all(TYPES, "Resolution").collect();
        let cut = told.len() >= MAX || set.attribute("IncludesLastItemInRange") == Some("false");
        Ok(MatchingMailboxes { found: told.into_iter().filter_map(resolved).collect(), cut })
    }

    /// Reads a mailbox from the directory; a mailbox hidden from the directory is opened instead.
    pub(super) async fn read_mailbox(&self, session: &Session, mailbox: &str) -> Result<Mailbox> {
        if session.own {
            return self.read_own_mailbox(session, mailbox).await;
        }
        let found = self.resolve_name(session, &format!("smtp:{mailbox}")).await?.found;
        let exact = found.iter().position(|one| one.address.eq_ignore_ascii_case(mailbox));
        // An alias of the mailbox matches; an address that only has the same prefix is another mailbox.
        let other = (found.len() == 1 && !begins_with(&found[0].address, mailbox)).then_some(0);
        let Some(position) = exact.or(other) else {
            self.read_calendar(session, mailbox).await?;
            let (id, name) = (mailbox.to_ascii_lowercase(), mailbox.to_owned());
            let address = mailbox.to_owned();
            return Ok(Mailbox {
                id,
                address,
                name,
                kind: MailboxKind::Unknown,
                zone: None,
                accepts_conflicts: None,
            });
        };
        let ResolvedMailbox { address, name } = found[position].clone();
        let rooms = self.cached_rooms(session).await?;
        let is_room = rooms.iter().any(|room| room.address.eq_ignore_ascii_case(&address));
        // People and shared mailboxes look the same to Exchange's web services.
        let kind = if is_room { MailboxKind::Room } else { MailboxKind::Unknown };
        let id = address.to_ascii_lowercase();
        Ok(Mailbox { id, address, name, kind, zone: None, accepts_conflicts: None })
    }

    /// Reads the mailbox of a user's own account. Exchange's web services do not tell to whom an account belongs, and a
    /// name resolves for everybody; so the user name must be the mailbox's address.
    async fn read_own_mailbox(&self, session: &Session, mailbox: &str) -> Result<Mailbox> {
        if !session.account.eq_ignore_ascii_case(mailbox) {
            return Err(another_account());
        }
        self.read_calendar(session, mailbox).await?;
        let (id, name) = (mailbox.to_ascii_lowercase(), mailbox.to_owned());
        let (address, kind) = (mailbox.to_owned(), MailboxKind::Person);
        Ok(Mailbox { id, address, name, kind, zone: None, accepts_conflicts: None })
    }

    /// Reads the default calendar. Permissions on single items are not reported; permission to create items implies
    /// permission to change and delete them.
    pub(super) async fn read_calendar(&self, session: &Session, mailbox: &str) -> Result<CalendarInfo> {
        let body = format!(
            r#"<m:GetFolder><m:FolderShape><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties><t:FieldURI FieldURI="folder:EffectiveRights"/></t:AdditionalProperties></m:FolderShape><m:FolderIds>{DEFAULT_CALENDAR}</m:FolderIds></m:GetFolder>"#
        );
        let answer = self.call(session, SoapRequest::new("GetFolder", body).in_mailbox(mailbox)).await?;
        let folder = answer
            .single_message()?
            .child(MESSAGES, "Folders")
            .and_then(|folders| folders.children.first())
            .ok_or_else(failure::unexpected_response)?;
        let id = folder.child(TYPES, "FolderId").and_then(|id| id.attribute("Id"));
        let rights = folder.child(TYPES, "EffectiveRights");
        let may = |name: &str| rights.is_some_and(|all| all.child_text(TYPES, name) == Some("true"));
        let writes = may("CreateContents");
        Ok(CalendarInfo {
            id: id.ok_or_else(failure::unexpected_response)?.to_owned(),
            capabilities: Capabilities {
                list: true,
                free_busy: true,
                read_details: may("Read"),
                create: writes,
                update: writes,
                delete: writes,
                online_meetings: false,
            },
        })
    }
}

fn begins_with(address: &str, start: &str) -> bool {
    address.get(..start.len()).is_some_and(|found| found.eq_ignore_ascii_case(start))
}

/// Converts a match to a mailbox; `None` for groups, contacts and public folders.
fn resolved(resolution: &Element) -> Option<ResolvedMailbox> {
    let mailbox = resolution.child(TYPES, "Mailbox")?;
    parse_mailbox(mailbox)
        .filter(|_| mailbox.child_text(TYPES, "MailboxType").is_none_or(|kind| kind == "Mailbox"))
}

/// Name and SMTP address of a mailbox element; `None` without an SMTP address.
pub(super) fn parse_mailbox(mailbox: &Element) -> Option<ResolvedMailbox> {
    let address = mailbox.child_text(TYPES, "EmailAddress").filter(|address| address.contains('@'))?;
    let name = mailbox.child_text(TYPES, "Name").filter(|name| !name.is_empty()).unwrap_or(address);
    Some(ResolvedMailbox { address: address.to_owned(), name: name.to_owned() })
}

//! The directory of an organisation: its people and rooms.

use async_trait::async_trait;

use crate::{
    Error, ErrorKind, Mailbox, Organisation, Page, Person, Remedy, Result, RoomInfo, Session, messages,
};

/// The directory of an organisation.
///
/// `mailbox` is always the email address of the mailbox in the directory.
#[async_trait]
pub trait Directory: Send + Sync + std::fmt::Debug {
    /// The organisation to which the session's credentials belong. Every verification begins with this request, which
    /// shows that the system is reachable and accepts the credentials.
    async fn organisation(&self, session: &Session) -> Result<Organisation>;

    /// One page of the directory's people, in a stable order. `after` is `next` of the previous page.
    async fn people(&self, session: &Session, after: Option<&str>) -> Result<Page<Person>>;

    /// One page of the directory's rooms. `after` is `next` of the previous page.
    async fn rooms(&self, session: &Session, after: Option<&str>) -> Result<Page<RoomInfo>>;

    /// Reads one mailbox: whether it exists, its kind and its zone. [`Remedy::SkipMailbox`] if it cannot be served.
    async fn mailbox(&self, session: &Session, mailbox: &str) -> Result<Mailbox>;

    /// The person whom the organisation's directory lists under an email address, whether or not the mailbox is in
    /// scope. [`Remedy::SkipMailbox`] if there is no such person; [`ErrorKind::Unsupported`] for providers without
    /// users' own consents.
    async fn person(&self, _session: &Session, _address: &str) -> Result<Person> {
        let message = messages::no_own_consent();
        Err(Error::new(ErrorKind::Unsupported, Remedy::Never, "NO_OWN_CONSENT", message))
    }
}

//! Reports push notifications as unsupported: on-premises Exchange servers cannot reach Muster to send them.

use async_trait::async_trait;

use super::Exchange;
use crate::{Channel, Error, ErrorKind, Push, Remedy, Result, Session, messages};

#[async_trait]
impl Push for Exchange {
    async fn watch(&self, _session: &Session, _mailbox: &str, _url: &str, _secret: &str) -> Result<Channel> {
        Err(no_push())
    }

    async fn renew(&self, _session: &Session, _channel: &str) -> Result<Channel> {
        Err(no_push())
    }

    async fn unwatch(&self, _session: &Session, _channel: &str) -> Result<()> {
        Ok(())
    }
}

fn no_push() -> Error {
    let message = messages::exchange_no_push();
    Error::new(ErrorKind::Unsupported, Remedy::Never, "NO_PUSH", message)
}

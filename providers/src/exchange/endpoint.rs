//! The URL of the server: entered by the administrator or discovered; never in Microsoft's cloud.

use url::{Host, Url};

use super::Exchange;
use crate::{Error, ErrorKind, Remedy, Result, Session, messages};

/// Domains of Exchange Online in all of Microsoft's clouds.
const ONLINE: [&str; 6] =
    ["outlook.com", "office365.com", "office.com", "office365.us", "outlook.cn", "outlook.de"];

/// Refuses a URL of Exchange Online. Its EWS has been switched off tenant by tenant since 1 October 2026 and ends
/// on 1 April 2027; use Microsoft Graph instead.
pub(super) fn check_server(server: &Url) -> Result<()> {
    let is_online = match server.host() {
        Some(Host::Domain(host)) => {
            let host = host.trim_end_matches('.').to_ascii_lowercase();
            ONLINE.iter().any(|known| host.strip_suffix(known).is_some_and(ends_a_label))
        }
        _ => false,
    };
    if is_online { Err(exchange_online_unsupported("EXCHANGE_ONLINE")) } else { Ok(()) }
}

fn ends_a_label(rest: &str) -> bool {
    rest.is_empty() || rest.ends_with('.')
}

/// The error for a mailbox in Microsoft's cloud.
pub(super) fn exchange_online_unsupported(code: &str) -> Error {
    let message = messages::exchange_online();
    Error::new(ErrorKind::Misconfigured, Remedy::Never, code, message)
}

/// The URL of the EWS endpoint on a server: as given if it names the endpoint, otherwise at the usual path.
pub(super) fn ews_url(server: &Url) -> Url {
    let mut url = server.clone();
    url.set_query(None);
    url.set_fragment(None);
    let path = url.path().trim_end_matches('/').to_owned();
    let lower = path.to_ascii_lowercase();
    let is_service = lower.rsplit('/').next().is_some_and(|file| file.contains(".asmx"));
    if !is_service {
        let folder = if lower.ends_with("/ews") { &path[..path.len() - "/ews".len()] } else { &path };
        url.set_path(&format!("{folder}/EWS/Exchange.asmx"));
    }
    url
}

impl Exchange {
    /// The EWS endpoint of a session.
    pub(super) async fn endpoint(&self, session: &Session) -> Result<Url> {
        if let Some(server) = &session.server {
            check_server(server)?;
            return Ok(ews_url(server));
        }
        let key = format!("{}\n{}", session.scope, session.account);
        if let Some(known) = self.servers.get(&key).await {
            return Ok(known);
        }
        let found = self.discover(session).await?;
        self.servers.insert(key, found.clone()).await;
        Ok(found)
    }

    /// Drops the cached endpoint, so that the server is discovered again.
    pub(super) async fn forget_endpoint(&self, session: &Session) {
        self.servers.invalidate(&format!("{}\n{}", session.scope, session.account)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn exchange_online_is_refused_with_the_way_to_go_and_the_dates() {
        for text in [
            "https://outlook.office365.com/EWS/Exchange.asmx",
            "https://OUTLOOK.office.com./",
            "https://outlook.office365.us/",
            "https://partner.outlook.cn/",
            "https://eas.outlook.com/",
        ] {
            let error = check_server(&url(text)).unwrap_err();
            assert_eq!((error.kind, error.remedy), (ErrorKind::Misconfigured, Remedy::Never), "{text}");
            let message = ::messages::render_message(&error.message, ::messages::Language::English, None);
            for word in ["Microsoft 365", "1 October 2026", "1 April 2027"] {
                assert!(message.contains(word), "{text}: {message}");
            }
        }
        for text in ["https://mail.corp.test/", "https://myoutlook.com/", "https://10.0.0.7/"] {
            assert!(check_server(&url(text)).is_ok(), "{text}");
        }
    }

    #[test]
    fn the_service_is_found_below_whatever_address_was_typed() {
        for (typed, meant) in [
            ("https://mail.corp.test", "https://mail.corp.test/EWS/Exchange.asmx"),
            ("https://mail.corp.test/ews/", "https://mail.corp.test/EWS/Exchange.asmx"),
            ("https://mail.corp.test/x/", "https://mail.corp.test/x/EWS/Exchange.asmx"),
            (
                "https://mail.corp.test:444/ews/exchange.asmx?a=b",
                "https://mail.corp.test:444/ews/exchange.asmx",
            ),
        ] {
            assert_eq!(ews_url(&url(typed)).as_str(), meant, "{typed}");
        }
    }
}

//! Autodiscover: finds the server that hosts the mailboxes of a domain (POX, "plain old XML").
//!
//! The URLs of [`super::Config::autodiscover`] are queried one after the other. The account's password is sent only
//! to hosts of the account's own mail domain: a redirect to any other host ends the search with the name of that
//! host, so that a person can enter it. The server name in the final settings comes from such a host and is
//! trusted. SRV records and plain http are not used.

use http::{Response, header};
use url::Url;

use super::{Exchange, endpoint, failure, soap};
use crate::{Error, ErrorKind, Remedy, Result, Session, messages, xml::Element};

/// Maximum number of redirects that a search follows.
const HOPS: usize = 5;
const RESPONSE: &str = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a";

/// The response of one Autodiscover URL.
#[derive(Debug, PartialEq, Eq)]
enum DiscoveryResponse {
    /// The URL of the EWS endpoint.
    Service(Url),
    /// A redirect to another Autodiscover URL.
    Place(Url),
    /// A redirect to another mail address.
    Address(String),
    /// No usable response: the next URL is tried.
    Nothing,
}

impl Exchange {
    /// The EWS endpoint for the account of a session.
    pub(super) async fn discover(&self, session: &Session) -> Result<Url> {
        let mut address = session.account.clone();
        let mut places = self.places(&address)?;
        let (mut hops, mut last) = (0, None);
        while let Some(place) = places.pop() {
            let told = match self.ask(session, &place, &address).await {
                Ok(told) => told,
                // A password that is refused is not tried elsewhere: accounts get locked.
                Err(error) if error.remedy == Remedy::Reconnect => return Err(error),
                Err(error) => {
                    last = Some(error);
                    continue;
                }
            };
            match told {
                DiscoveryResponse::Service(url) => {
                    endpoint::check_server(&url)?;
                    return Ok(url);
                }
                DiscoveryResponse::Nothing => {}
                DiscoveryResponse::Place(_) | DiscoveryResponse::Address(_) if hops == HOPS => break,
                DiscoveryResponse::Place(url) => {
                    hops += 1;
                    self.check_place(session, &url)?;
                    places.push(url);
                }
                DiscoveryResponse::Address(other) => {
                    hops += 1;
                    places = self.places(&other)?;
                    for place in &places {
                        self.check_place(session, place)?;
                    }
                    address = other;
                }
            }
        }
        Err(not_found(last))
    }

    /// The URLs to try, in reverse order.
    fn places(&self, address: &str) -> Result<Vec<Url>> {
        let domain = domain_of(address).ok_or_else(|| {
            let message = messages::exchange_account_without_address();
            Error::new(ErrorKind::Misconfigured, Remedy::Never, "AUTODISCOVER_ADDRESS", message)
        })?;
        let templates = self.config.autodiscover.iter().rev();
        Ok(templates.filter_map(|place| place.replace("{domain}", domain).parse().ok()).collect())
    }

    async fn ask(&self, session: &Session, place: &Url, address: &str) -> Result<DiscoveryResponse> {
        let body = format!(
            r#"<?xml version="1.0" encoding="utf-8"?><Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"><Request>{}<AcceptableResponseSchema>{RESPONSE}</AcceptableResponseSchema></Request></Autodiscover>"#,
            soap::element("EMailAddress", address)
        );
        let answer = self.post(session, place, body).await?;
        match answer.status.as_u16() {
            200 => Ok(Element::parse_async(&answer.body)
                .await
                .map_or(DiscoveryResponse::Nothing, |root| read(&root))),
            301 | 302 | 307 | 308 => {
                Ok(location(place, &answer).map_or(DiscoveryResponse::Nothing, DiscoveryResponse::Place))
            }
            401 => Err(failure::login_refused(&answer)),
            _ => Ok(DiscoveryResponse::Nothing),
        }
    }

    /// Returns an error unless the account's password may be sent to a URL from a response.
    fn check_place(&self, session: &Session, place: &Url) -> Result<()> {
        endpoint::check_server(place)?;
        let host = place.host_str().unwrap_or_default().to_ascii_lowercase();
        let domain = domain_of(&session.account).unwrap_or_default().to_ascii_lowercase();
        let own = host == domain || host.strip_suffix(&domain).is_some_and(|rest| rest.ends_with('.'));
        let configured = self.places(&session.account)?.iter().any(|known| known.host() == place.host());
        if own || configured {
            return Ok(());
        }
        let message = messages::exchange_autodiscover_elsewhere(host);
        Err(Error::new(ErrorKind::Misconfigured, Remedy::Never, "AUTODISCOVER_REDIRECT", message))
    }
}

fn domain_of(address: &str) -> Option<&str> {
    let (_, domain) = address.rsplit_once('@')?;
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    (!domain.is_empty() && domain.chars().all(fits)).then_some(domain)
}

fn location(place: &Url, answer: &Response) -> Option<Url> {
    place.join(answer.headers.get(header::LOCATION)?.to_str().ok()?).ok()
}

fn read(root: &Element) -> DiscoveryResponse {
    let account = root.child(RESPONSE, "Response").and_then(|response| response.child(RESPONSE, "Account"));
    let Some(account) = account else { return DiscoveryResponse::Nothing };
    let text = |name: &str| account.child_text(RESPONSE, name).filter(|text| !text.is_empty());
    let named = |url: Option<&str>| url.and_then(|url| url.parse().ok());
    match text("Action") {
        Some("redirectAddr") => text("RedirectAddr")
            .map_or(DiscoveryResponse::Nothing, |to| DiscoveryResponse::Address(to.to_owned())),
        Some("redirectUrl") => {
            named(text("RedirectUrl")).map_or(DiscoveryResponse::Nothing, DiscoveryResponse::Place)
        }
        Some("settings") => {
            // EXPR is how the server is reached from outside, EXCH from inside.
            let of = |kind: &str| {
                let all = account.all(RESPONSE, "Protocol");
                let mut those = all.into_iter().filter(|one| one.child_text(RESPONSE, "Type") == Some(kind));
                those.find_map(|one| named(one.child_text(RESPONSE, "EwsUrl")))
            };
            of("EXPR").or_else(|| of("EXCH")).map_or(DiscoveryResponse::Nothing, DiscoveryResponse::Service)
        }
        _ => DiscoveryResponse::Nothing,
    }
}

/// The error if no URL named a server. Network failures are reported as temporary.
fn not_found(last: Option<Error>) -> Error {
    if let Some(error) = last.filter(|error| matches!(error.remedy, Remedy::RetryAfter(_))) {
        return error;
    }
    let message = messages::exchange_autodiscover_failed();
    Error::new(ErrorKind::Misconfigured, Remedy::Never, "AUTODISCOVER_FAILED", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(account: &str) -> DiscoveryResponse {
        let text = format!(
            r#"<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"><Response xmlns="{RESPONSE}"><Account>{account}</Account></Response></Autodiscover>"#
        );
        read(&Element::parse(text.as_bytes()).unwrap())
    }

    #[test]
    fn the_way_in_from_outside_goes_before_the_one_from_inside() {
        let inside = "<Protocol><Type>EXCH</Type><EwsUrl>https://inside.corp.test/EWS/Exchange.asmx</EwsUrl></Protocol>";
        let outside =
            "<Protocol><Type>EXPR</Type><EwsUrl>https://mail.corp.test/EWS/Exchange.asmx</EwsUrl></Protocol>";
        let service = |text: &str| DiscoveryResponse::Service(text.parse().unwrap());
        let settings = "<Action>settings</Action>";
        assert_eq!(
            told(&format!("{settings}{inside}{outside}")),
            service("https://mail.corp.test/EWS/Exchange.asmx")
        );
        assert_eq!(
            told(&format!("{settings}{inside}")),
            service("https://inside.corp.test/EWS/Exchange.asmx")
        );
        assert_eq!(told(settings), DiscoveryResponse::Nothing);
    }

    #[test]
    fn both_kinds_of_redirect_are_read() {
        let address = "<Action>redirectAddr</Action><RedirectAddr>svc@other.test</RedirectAddr>";
        assert_eq!(told(address), DiscoveryResponse::Address("svc@other.test".to_owned()));
        let place = "<Action>redirectUrl</Action><RedirectUrl>https://a.corp.test/x.xml</RedirectUrl>";
        assert_eq!(told(place), DiscoveryResponse::Place("https://a.corp.test/x.xml".parse().unwrap()));
    }
}

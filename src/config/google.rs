//! Configuration of Google Workspace.

use std::path::PathBuf;

use http::{HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

/// Google's endpoints and the operator's registrations. Every customer has a separate service account; an application
/// of the operator is needed only for users who connect their own calendars.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Google {
    /// The client id of the operator's application, for personal consents.
    pub client_id: Option<String>,
    /// The application's client secret; required together with `client_id`.
    pub client_secret: Option<SecretString>,
    /// The token endpoint.
    #[serde(default = "google_token_url")]
    pub token_url: Url,
    /// The base URL of the sign-in pages.
    #[serde(default = "google_accounts_url")]
    pub accounts_url: Url,
    /// The base URL of the Calendar API.
    #[serde(default = "google_calendar_url")]
    pub calendar_url: Url,
    /// The base URL of the Directory API.
    #[serde(default = "google_directory_url")]
    pub directory_url: Url,
    /// The signer for service accounts that are connected without their keys; without a signer such accounts are not
    /// offered.
    pub keyless: Option<KeylessSigning>,
}

/// The source of the tokens with which Google signs for service accounts.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeylessSigning {
    /// A URL that returns a token, such as the metadata server's.
    pub token_url: Option<Url>,
    /// An HTTP header for requests to `token_url`, such as `Metadata-Flavor: Google`.
    pub token_header: Option<SecretString>,
    /// A file with a token that another program keeps up to date.
    pub token_file: Option<PathBuf>,
    /// The base URL of the IAM Credentials API.
    #[serde(default = "google_iam_url")]
    pub iam_url: Url,
}

impl Google {
    /// Rejects invalid combinations of settings, with one sentence each.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        if self.client_id.is_some() != self.client_secret.is_some() {
            return Err("google.client_id and google.client_secret belong together: give both or neither.");
        }
        let Some(keyless) = &self.keyless else { return Ok(()) };
        if self.client_id.is_none() {
            return Err(
                "google.keyless needs google.client_id and google.client_secret: administrators without a \
                    key prove their identity by signing in.",
            );
        }
        keyless.check()
    }
}

impl KeylessSigning {
    fn check(&self) -> Result<(), &'static str> {
        if self.token_url.is_some() == self.token_file.is_some() {
            return Err("google.keyless needs one source of tokens: token_url or token_file.");
        }
        if self.token_header.is_some() && (self.token_url.is_none() || self.token_header().is_none()) {
            return Err(
                "google.keyless.token_header is one header for token_url, such as \"Metadata-Flavor: Google\".",
            );
        }
        let mut urls = self.token_url.iter().chain([&self.iam_url]);
        if urls.any(|url| !matches!(url.scheme(), "http" | "https") || !url.has_host()) {
            return Err(
                "The URLs in google.keyless must begin with https:// (or with http:// on a private network).",
            );
        }
        Ok(())
    }

    /// The name and value of the header in `token_header`.
    pub fn token_header(&self) -> Option<(HeaderName, SecretString)> {
        let (name, value) = self.token_header.as_ref()?.expose_secret().split_once(':')?;
        let value = value.trim();
        HeaderValue::from_str(value).ok().filter(|value| !value.is_empty())?;
        Some((name.trim().parse().ok()?, value.to_owned().into()))
    }
}

fn google_token_url() -> Url {
    Url::parse("https://oauth2.googleapis.com/token").expect("a constant URL")
}

fn google_accounts_url() -> Url {
    Url::parse("https://accounts.google.com").expect("a constant URL")
}

fn google_calendar_url() -> Url {
    Url::parse("https://www.googleapis.com/calendar/v3").expect("a constant URL")
}

fn google_directory_url() -> Url {
    Url::parse("https://admin.googleapis.com/admin/directory/v1").expect("a constant URL")
}

fn google_iam_url() -> Url {
    Url::parse("https://iamcredentials.googleapis.com/v1").expect("a constant URL")
}

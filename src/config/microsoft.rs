//! Keys of the operator's application registration at Microsoft.

use std::path::PathBuf;

use providers::microsoft::{self, ClientCredential, Cloud};
use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

/// The operator's application registration at Microsoft.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Microsoft {
    /// The application (client) id of the registration.
    pub client_id: String,
    /// The client secret; exactly one of secret and certificate must be given.
    pub client_secret: Option<SecretString>,
    /// The file with the certificate (DER).
    pub certificate_file: Option<PathBuf>,
    /// The file with the certificate's RSA private key (PEM).
    pub private_key_file: Option<PathBuf>,
    /// The cloud of the registration; each has its own customers, sign-in and Graph.
    #[serde(default)]
    pub cloud: Cloud,
    /// The URL of the identity platform; the cloud's by default.
    pub login_url: Option<Url>,
    /// The URL of Graph; the cloud's by default.
    pub graph_url: Option<Url>,
}

impl Microsoft {
    /// The registration, authenticated by `credential`.
    pub fn registration(&self, credential: ClientCredential) -> microsoft::Config {
        let cloud = microsoft::Config::for_cloud(self.cloud, self.client_id.clone(), credential);
        microsoft::Config {
            login: self.login_url.clone().unwrap_or(cloud.login),
            graph: self.graph_url.clone().unwrap_or(cloud.graph),
            ..cloud
        }
    }
}

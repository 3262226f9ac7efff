//! The stored form of a consent.

use std::sync::Arc;

use domain::connect::SecretKind;
use serde::{Deserialize, Serialize};

use crate::{
    Credential, Error, ErrorKind, Organisation, Person, Remedy, Result, google::ServiceAccountKey, messages,
};

/// The secret obtained by a consent, encrypted at rest. Its JSON form is stored, so variants must not change.
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Secret {
    /// An application permission in a Microsoft tenant; the application's own credential is in the operator's
    /// configuration.
    MicrosoftApp {
        /// Id of the tenant at Microsoft.
        external: String,
    },
    /// A user's own consent at Microsoft.
    MicrosoftUser {
        /// Id of the tenant at Microsoft.
        external: String,
        /// Refresh token, which rotates with every use.
        refresh_token: String,
    },
    /// A user name and password.
    Basic {
        /// User name for HTTP authentication.
        user: String,
        /// Password for HTTP authentication.
        password: String,
    },
    /// A user's own consent at Google.
    GoogleUser {
        /// Id of the customer at Google.
        external: String,
        /// Refresh token, which usually does not rotate.
        refresh_token: String,
    },
    /// The key of a Google service account, which acts on behalf of an administrator.
    ServiceAccount {
        /// Content of the key file.
        key: String,
    },
    /// A Google service account without its key: the operator's signing service signs its assertions.
    Keyless {
        /// Email address of the service account.
        service_account: String,
        /// The administrator's account, as proven by the sign-in; missing in consents stored by earlier versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        administrator: Option<SignedInAdministrator>,
    },
}

/// Prints only the kind of secret, never its value.
impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.kind().as_str())
    }
}

impl Secret {
    /// Creates the consent from a service account's key file. Fails if the string is not a key file.
    pub fn service_account(key: &str) -> Result<Self> {
        ServiceAccountKey::parse(key)?;
        Ok(Self::ServiceAccount { key: key.to_owned() })
    }

    /// The stored kind of this consent.
    pub const fn kind(&self) -> SecretKind {
        match self {
            Self::MicrosoftApp { .. } => SecretKind::MicrosoftApp,
            Self::MicrosoftUser { .. } => SecretKind::MicrosoftUser,
            Self::Basic { .. } => SecretKind::Basic,
            Self::GoogleUser { .. } => SecretKind::GoogleUser,
            Self::ServiceAccount { .. } => SecretKind::ServiceAccount,
            Self::Keyless { .. } => SecretKind::Keyless,
        }
    }

    /// The provider's id of the organisation that gave the consent; `None` if it must be requested from the provider.
    pub fn organisation(&self) -> Option<&str> {
        match self {
            Self::MicrosoftApp { external }
            | Self::MicrosoftUser { external, .. }
            | Self::GoogleUser { external, .. } => Some(external),
            Self::Basic { .. } | Self::ServiceAccount { .. } | Self::Keyless { .. } => None,
        }
    }

    /// Whether this is a user's own consent, whose refresh token may rotate when it is used.
    pub const fn is_personal(&self) -> bool {
        matches!(self, Self::MicrosoftUser { .. } | Self::GoogleUser { .. })
    }

    /// The administrator who signed in when the consent was given; `None` if no sign-in was required, or if an earlier
    /// version stored the consent.
    pub const fn administrator(&self) -> Option<&SignedInAdministrator> {
        match self {
            Self::Keyless { administrator, .. } => administrator.as_ref(),
            _ => None,
        }
    }

    /// The error for a consent from another provider.
    pub(crate) fn wrong_provider() -> Error {
        let message = messages::foreign_consent();
        Error::new(ErrorKind::GrantLost, Remedy::Reconnect, "FOREIGN_CONSENT", message)
    }

    /// The credential for a consent that is used directly; `None` if [`crate::Onboarding::token`] exchanges the
    /// consent for a token.
    pub fn fixed_credential(&self) -> Result<Option<Credential>> {
        Ok(match self {
            Self::Basic { user, password } => {
                Some(Credential::Basic { user: user.clone(), password: password.clone().into() })
            }
            Self::ServiceAccount { key } => {
                Some(Credential::ServiceAccount(Arc::new(ServiceAccountKey::parse(key)?)))
            }
            Self::Keyless { service_account, .. } => {
                Some(Credential::Keyless(service_account.as_str().into()))
            }
            Self::MicrosoftApp { .. } | Self::MicrosoftUser { .. } | Self::GoogleUser { .. } => None,
        })
    }
}

/// The account of an administrator who signed in at the provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedInAdministrator {
    /// The provider's id of the account, which is never reassigned.
    pub id: String,
    /// The domain of the organisation that manages the account.
    pub domain: String,
}

impl SignedInAdministrator {
    /// Whether this is the account behind an entered address, according to the directory that the service account
    /// reads for that administrator. The email address alone is not sufficient: an account of another organisation may
    /// have the same address.
    pub fn matches_listed_person(&self, listed: &Person, organisation: &Organisation) -> bool {
        let is_here = |domain: &String| domain.eq_ignore_ascii_case(&self.domain);
        let is_member = listed.organisation.as_deref().is_none_or(|customer| customer == organisation.id);
        let is_verified = organisation.domains.is_empty() || organisation.domains.iter().any(is_here);
        listed.id == self.id && is_member && is_verified
    }
}

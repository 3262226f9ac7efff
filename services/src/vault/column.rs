//! Every column that holds sealed values. Nothing can be sealed but for one of them, and rotation goes through all of
//! them, so a new one cannot be forgotten.

use sea_orm::EnumIter;
use uuid::Uuid;

use super::KeyId;

/// A column that holds sealed values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumIter)]
pub enum Column {
    /// A consent, of a service account or of a person.
    ConsentGrantSecret,
    /// The access token that a person's consent gave last.
    ConsentGrantAccessToken,
    /// What a session keeps for the next step: a PKCE verifier, or a consent that is still to be tried.
    ConnectSessionVerifier,
    /// The word that a provider's notices carry.
    ChannelSecret,
    /// The secret of a tenant's client at its OpenID issuer.
    OpenIdIssuerSecret,
    /// A tenant's data key.
    TenantDataKey,
    /// A data key that was replaced.
    FormerDataKey,
    /// The private half of a key that signs access tokens.
    SigningKeyPrivate,
    /// What the key of the audit derives from.
    AuditKeySeed,
    /// A secret of the installation itself.
    InstallationSecret,
}

/// Whose key seals a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// The tenant's data key.
    Tenant,
    /// A master key.
    Installation,
}

impl Column {
    /// Table and column.
    pub fn name(self) -> (&'static str, &'static str) {
        match self {
            Self::ConsentGrantSecret => ("consent_grant", "secret"),
            Self::ConsentGrantAccessToken => ("consent_grant", "access_token"),
            Self::ConnectSessionVerifier => ("connect_session", "verifier"),
            Self::ChannelSecret => ("channel", "secret"),
            Self::OpenIdIssuerSecret => ("openid_issuer", "client_secret"),
            Self::TenantDataKey => ("tenant", "data_key"),
            Self::FormerDataKey => ("former_data_key", "sealed"),
            Self::SigningKeyPrivate => ("signing_key", "private_key"),
            Self::AuditKeySeed => ("audit_key", "seed"),
            Self::InstallationSecret => ("installation_secret", "sealed"),
        }
    }

    /// Whose key seals it.
    pub fn owner(self) -> Owner {
        match self {
            Self::ConsentGrantSecret
            | Self::ConsentGrantAccessToken
            | Self::ConnectSessionVerifier
            | Self::ChannelSecret
            | Self::OpenIdIssuerSecret => Owner::Tenant,
            Self::TenantDataKey
            | Self::FormerDataKey
            | Self::SigningKeyPrivate
            | Self::AuditKeySeed
            | Self::InstallationSecret => Owner::Installation,
        }
    }

    /// The column whose id a value is bound to: the row's, but for channels, which come and go while their connection
    /// stays.
    pub(crate) fn bound_to(self) -> &'static str {
        match self {
            Self::ChannelSecret => "connection_id",
            _ => "id",
        }
    }

    /// Where a value stands. The tenant is nil for what belongs to the installation.
    pub fn at(self, tenant: Uuid, row: Uuid) -> Place {
        Place { column: self, tenant, row }
    }
}

/// Where a sealed value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    column: Column,
    tenant: Uuid,
    row: Uuid,
}

impl Place {
    /// The tenant; nil for what belongs to the installation.
    pub(crate) fn tenant(self) -> Uuid {
        self.tenant
    }

    /// The table, for messages.
    pub(crate) fn what(self) -> &'static str {
        self.column.name().0
    }

    /// What a value is bound to: its place and, unless it is of the first version, its key.
    pub(super) fn bound(self, key: Option<KeyId>) -> String {
        let (table, column) = self.column.name();
        let Self { tenant, row, .. } = self;
        match key {
            Some(key) => format!("v2|{tenant}|{table}|{column}|{row}|{key}"),
            None => format!("v1|{tenant}|{table}|{column}|{row}"),
        }
    }
}

//! The columns that contain sealed values. Values can be sealed only for one of these columns, and rotation visits all
//! of them, so that none is forgotten.

use domain::{AnyId, Id, ids};
use sea_orm::EnumIter;

use super::KeyId;

/// A column that contains sealed values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumIter)]
pub enum Column {
    /// A consent, of a service account or of a user.
    ConsentGrantSecret,
    /// The last access token obtained with a user's consent.
    ConsentGrantAccessToken,
    /// The PKCE verifier of a connect session's redirect.
    ConnectSessionVerifier,
    /// A consent granted in a connect session that the integration's run has yet to test.
    ConnectSessionConsent,
    /// The secret of a push channel, which the provider's notifications contain.
    ChannelSecret,
    /// The client secret with which Muster authenticates at a tenant's OpenID issuer.
    OpenIdIssuerSecret,
    /// A tenant's data key, which seals the tenant's other values and is itself sealed with the master key.
    TenantDataKey,
    /// A replaced data key of a tenant.
    FormerDataKey,
    /// The private half of a key that signs access tokens.
    SigningKeyPrivate,
    /// The seed from which the audit key is derived.
    AuditKeySeed,
    /// The installation's own secret, from which digests are computed.
    InstallationSecret,
}

/// Whose key seals a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyOwner {
    /// The tenant, with its data key.
    Tenant,
    /// The installation, with a master key.
    Installation,
}

impl Column {
    /// Names of the table and column.
    pub fn table_and_column(self) -> (&'static str, &'static str) {
        match self {
            Self::ConsentGrantSecret => ("consent_grant", "secret"),
            Self::ConsentGrantAccessToken => ("consent_grant", "access_token"),
            Self::ConnectSessionVerifier => ("connect_session", "verifier"),
            Self::ConnectSessionConsent => ("connect_session", "consent"),
            Self::ChannelSecret => ("channel", "secret"),
            Self::OpenIdIssuerSecret => ("openid_issuer", "client_secret"),
            Self::TenantDataKey => ("tenant", "data_key"),
            Self::FormerDataKey => ("former_data_key", "sealed"),
            Self::SigningKeyPrivate => ("signing_key", "private_key"),
            Self::AuditKeySeed => ("audit_key", "seed"),
            Self::InstallationSecret => ("installation_secret", "sealed"),
        }
    }

    /// The owner of the key that seals the column.
    pub fn key_owner(self) -> KeyOwner {
        match self {
            Self::ConsentGrantSecret
            | Self::ConsentGrantAccessToken
            | Self::ConnectSessionVerifier
            | Self::ConnectSessionConsent
            | Self::ChannelSecret
            | Self::OpenIdIssuerSecret => KeyOwner::Tenant,
            Self::TenantDataKey
            | Self::FormerDataKey
            | Self::SigningKeyPrivate
            | Self::AuditKeySeed
            | Self::InstallationSecret => KeyOwner::Installation,
        }
    }

    /// The column to whose id a sealed value is bound: the row's own id, except for channels, which are bound to their
    /// connection because they are replaced.
    pub(crate) fn bound_id_column(self) -> &'static str {
        match self {
            Self::ChannelSecret => "connection_id",
            _ => "id",
        }
    }

    /// The seal context of a value in this column. The tenant is nil for values of the installation.
    pub fn at(self, tenant: Id<ids::Tenant>, row: impl Into<AnyId>) -> SealContext {
        SealContext { column: self, tenant, row: row.into() }
    }
}

/// Location of a sealed value: its column, tenant and row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealContext {
    column: Column,
    tenant: Id<ids::Tenant>,
    row: AnyId,
}

impl SealContext {
    /// The tenant; nil for values of the installation.
    pub(crate) fn tenant(self) -> Id<ids::Tenant> {
        self.tenant
    }

    /// Name of the table, for error messages.
    pub(crate) fn table_name(self) -> &'static str {
        self.column.table_and_column().0
    }

    /// Associated data that binds a sealed value to its location and, except in the format's first version, to its key.
    pub(super) fn associated_data(self, key: Option<KeyId>) -> String {
        let (table, column) = self.column.table_and_column();
        let (tenant, row) = (self.tenant.uuid(), self.row.uuid());
        match key {
            Some(key) => format!("v2|{tenant}|{table}|{column}|{row}|{key}"),
            None => format!("v1|{tenant}|{table}|{column}|{row}"),
        }
    }
}

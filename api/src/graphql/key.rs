//! Vendor keys, which only the vendor's staff may see and change.

use async_graphql::{Context, Description, ID, InputObject, Object};
use services::{
    keys::{self, NewKey},
    rows::api_key::Model,
};

use super::{
    context::{ContextExt, format_id, parse_id},
    enums::Permission,
    failure::{Result, null_if_missing},
    page::{connection, parse_page_args},
    payload::{catch_refusals, payload},
    scalar::DateTime,
};

/// An API key of a vendor's back end. The secret is returned only once, when the key is created.
#[derive(Description, Debug, Clone)]
pub struct ApiKey(Model);

impl From<Model> for ApiKey {
    fn from(model: Model) -> Self {
        Self(model)
    }
}

#[Object(use_type_description)]
impl ApiKey {
    /// Identifier; starts with `key_`.
    async fn id(&self) -> ID {
        format_id(self.0.id)
    }

    /// Display name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// First characters of the secret, by which people can distinguish keys.
    async fn prefix(&self) -> &str {
        &self.0.prefix
    }

    /// Time at which the key was created.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// Permissions of requests made with the key.
    async fn permissions(&self) -> Vec<Permission> {
        keys::permissions_of(&self.0).into_iter().map(Into::into).collect()
    }

    /// Identifier of the only tenant that the key can access; null if it can access any tenant, selected in each
    /// request.
    async fn tenant_id(&self) -> Option<ID> {
        self.0.tenant_id.map(format_id)
    }

    /// Time of the last use, to the minute; null if the key has never been used.
    async fn last_used_at(&self) -> Option<DateTime> {
        self.0.last_used_at.map(DateTime)
    }

    /// Identifier of the vendor key that created or rotated this key; null for a key from the operator's
    /// configuration.
    async fn created_by_id(&self) -> Option<ID> {
        self.0.created_by.map(format_id)
    }

    /// Identifier of the key that replaces this one; null if it has not been rotated.
    async fn replaced_by_id(&self) -> Option<ID> {
        self.0.replaced_by.map(format_id)
    }

    /// Time at which the key expires; null for the first key, which the operator sets up and which does not expire.
    async fn expires_at(&self) -> Option<DateTime> {
        self.0.expires_at.map(DateTime)
    }

    /// Time at which the key was revoked; null if it has not been revoked.
    async fn revoked_at(&self) -> Option<DateTime> {
        self.0.revoked_at.map(DateTime)
    }
}

connection!(ApiKey, Model, ApiKeyConnection, ApiKeyEdge, "API keys", |row| row.id.uuid());

#[derive(Default)]
pub struct KeyQuery;

#[Object]
impl KeyQuery {
    /// Lists the vendor keys, including expired and revoked ones. Vendor staff only (`STAFF`).
    async fn api_keys(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Number of items from the start, 1 to 100; defaults to 50 if neither `first` nor `last` is given."
        )]
        first: Option<i32>,
        #[graphql(desc = "Number of items from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Return only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Return only items before this cursor.")] before: Option<String>,
    ) -> Option<Result<ApiKeyConnection>> {
        null_if_missing(async {
            let by = ctx.caller().allow_staff()?;
            let page = ctx.services().keys().list(&by, parse_page_args(first, last, after, before)?).await?;
            Ok(ApiKeyConnection::from_page(page, None))
        })
        .await
    }
}

/// Fields of a new vendor key.
#[derive(InputObject)]
pub struct CreateApiKeyInput {
    /// Display name, 1 to 200 characters.
    name: String,
    /// Permissions of the key; the caller must have all of them. `STAFF` cannot be combined with `tenantId`.
    permissions: Vec<Permission>,
    /// Identifier of the only tenant that the key can access; omit to allow any tenant, selected in each request.
    tenant_id: Option<ID>,
    /// Time at which the key expires, in the future; defaults to one year from now unless the operator configured
    /// another lifetime.
    expires_at: Option<DateTime>,
}

/// Selects the vendor key to rotate.
#[derive(InputObject)]
pub struct RotateApiKeyInput {
    /// Identifier of the key to replace.
    id: ID,
    /// How long the old key stays valid, in seconds, 0 to 2,592,000 (30 days).
    #[graphql(default = 86_400)]
    overlap_seconds: i32,
}

/// Selects the vendor key to revoke.
#[derive(InputObject)]
pub struct RevokeApiKeyInput {
    /// Identifier of the key to revoke.
    id: ID,
    /// Whether to also revoke every key that was created with this key, directly or indirectly, except the caller's
    /// own key. Set it if the key was stolen.
    #[graphql(default)]
    include_created: bool,
}

payload! {
    /// Result of `createApiKey`.
    CreateApiKeyPayload {
        /// The new key.
        api_key: ApiKey,
        /// The secret of the new key, returned only here.
        secret: String,
    }
}
payload! {
    /// Result of `rotateApiKey`.
    RotateApiKeyPayload {
        /// The new key, which replaces the old one.
        api_key: ApiKey,
        /// The secret of the new key, returned only here.
        secret: String,
    }
}
payload! {
    /// Result of `revokeApiKey`.
    RevokeApiKeyPayload {
        /// The revoked key.
        api_key: ApiKey,
        /// The keys revoked because of `includeCreated`, oldest first; empty if it was false.
        created: Vec<ApiKey>,
    }
}
#[derive(Default)]
pub struct KeyMutation;

#[Object]
impl KeyMutation {
    /// Creates a vendor key. Vendor staff only (`STAFF`), with every permission of the new key.
    async fn create_api_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Parameters of `createApiKey`.")] input: CreateApiKeyInput,
    ) -> Result<CreateApiKeyPayload> {
        catch_refusals(async {
            let by = ctx.caller().allow_staff()?;
            let tenant = input.tenant_id.map(|id| parse_id(&id, "tenant", "tenantId")).transpose()?;
            let new = NewKey {
                name: input.name,
                permissions: input.permissions.into_iter().map(Into::into).collect(),
                tenant,
                expires_at: input.expires_at.map(|at| at.0),
            };
            let (key, secret) = ctx.services().keys().create(&by, new).await?;
            Ok(CreateApiKeyPayload::done(ApiKey(key), secret))
        })
        .await
    }

    /// Creates a key with the same name, permissions and tenant as an existing one, which expires after
    /// `overlapSeconds`. Until then both are valid, so that the back end can switch without interruption. The new key
    /// lives as long as the old one was meant to; if the old key is not the caller's own, the new one expires no later
    /// than the caller's own. Vendor staff only (`STAFF`).
    async fn rotate_api_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Parameters of `rotateApiKey`.")] input: RotateApiKeyInput,
    ) -> Result<RotateApiKeyPayload> {
        catch_refusals(async {
            let by = ctx.caller().allow_staff()?;
            let id = parse_id(&input.id, "key", "id")?;
            let overlap = chrono::Duration::seconds(input.overlap_seconds.into());
            let (key, secret) = ctx.services().keys().rotate(&by, id, overlap).await?;
            Ok(RotateApiKeyPayload::done(ApiKey(key), secret))
        })
        .await
    }

    /// Revokes a vendor key at once, with the access tokens issued with it, and closes the WebSocket connections opened
    /// with either. Vendor staff only (`STAFF`), with every permission of each revoked key.
    async fn revoke_api_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Parameters of `revokeApiKey`.")] input: RevokeApiKeyInput,
    ) -> Result<RevokeApiKeyPayload> {
        catch_refusals(async {
            let by = ctx.caller().allow_staff()?;
            let id = parse_id(&input.id, "key", "id")?;
            let revoked = ctx.services().keys().revoke(&by, id, input.include_created).await?;
            let created: Vec<_> = revoked.created.into_iter().map(ApiKey).collect();
            Ok(RevokeApiKeyPayload::done(ApiKey(revoked.key), created))
        })
        .await
    }
}

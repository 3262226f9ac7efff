//! Keys of the vendor's back ends. All of it is for the vendor's staff.

use async_graphql::{Context, Description, ID, InputObject, Object};
use domain::ids;
use services::{
    entity::api_key::Model,
    keys::{self, NewKey},
};

use super::{
    context::{Ask, named, shown},
    failure::{Result, found},
    page::{args, connection},
    payload::{answer, payload},
    scalar::DateTime,
    words::Permission,
};

/// A key of a vendor's back end. The key itself is shown once, when it is made.
#[derive(Description, Debug, Clone)]
pub struct ApiKey(Model);

impl From<Model> for ApiKey {
    fn from(model: Model) -> Self {
        Self(model)
    }
}

#[Object(use_type_description)]
impl ApiKey {
    /// The id; it begins with `key_`.
    async fn id(&self) -> ID {
        shown::<ids::ApiKey>(self.0.id)
    }

    /// The name, for people.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// How the key begins, so that people can tell keys apart.
    async fn prefix(&self) -> &str {
        &self.0.prefix
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// What its bearer may do.
    async fn permissions(&self) -> Vec<Permission> {
        keys::permissions_of(&self.0).into_iter().map(Into::into).collect()
    }

    /// The one tenant that it acts for; null when it may act for any, one at a time.
    async fn tenant_id(&self) -> Option<ID> {
        self.0.tenant_id.map(shown::<ids::Tenant>)
    }

    /// When it was used last, to the minute; null when it never was.
    async fn last_used_at(&self) -> Option<DateTime> {
        self.0.last_used_at.map(DateTime)
    }

    /// The key that takes its place; null when it was not rotated.
    async fn replaced_by_id(&self) -> Option<ID> {
        self.0.replaced_by.map(shown::<ids::ApiKey>)
    }

    /// When it ends by itself; null for a key that the operator configured.
    async fn expires_at(&self) -> Option<DateTime> {
        self.0.expires_at.map(DateTime)
    }

    /// When it was revoked; null when it was not.
    async fn revoked_at(&self) -> Option<DateTime> {
        self.0.revoked_at.map(DateTime)
    }
}

connection!(ApiKey, Model, ApiKeyConnection, ApiKeyEdge, "API keys", |row| row.id);

#[derive(Default)]
pub struct KeyQuery;

#[Object]
impl KeyQuery {
    /// The keys of the vendor's back ends, the dead ones too. For the vendor's staff.
    async fn api_keys(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many, 1 to 100; 50 when neither is given.")] first: Option<i32>,
        #[graphql(desc = "The last so many, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Option<Result<ApiKeyConnection>> {
        found(async {
            let by = ctx.caller().allow_staff()?;
            let page = ctx.services().keys().list(&by, args(first, last, after, before)?).await?;
            Ok(ApiKeyConnection::of(page, None))
        })
        .await
    }
}

/// A key to be made.
#[derive(InputObject)]
pub struct CreateApiKeyInput {
    /// The name, for people: 1 to 200 characters.
    name: String,
    /// What its bearer may do: nothing that the caller may not do. `STAFF` cannot be had together with `tenantId`.
    permissions: Vec<Permission>,
    /// The one tenant that it acts for; any, one at a time, if absent.
    tenant_id: Option<ID>,
    /// When it ends by itself, in the future; a year from now unless the operator configured another time, if absent.
    expires_at: Option<DateTime>,
}

/// A key to be rotated.
#[derive(InputObject)]
pub struct RotateApiKeyInput {
    /// The key.
    id: ID,
    /// For how many seconds both keys are in force, 0 to 2,592,000.
    #[graphql(default = 86_400)]
    overlap_seconds: i32,
}

/// A key to be revoked.
#[derive(InputObject)]
pub struct RevokeApiKeyInput {
    /// The key.
    id: ID,
}

payload! {
    /// What `createApiKey` answers.
    CreateApiKeyPayload {
        /// The new key.
        api_key: ApiKey,
        /// The key itself. It is shown this once.
        secret: String,
    }
}
payload! {
    /// What `rotateApiKey` answers.
    RotateApiKeyPayload {
        /// The key that takes the other's place.
        api_key: ApiKey,
        /// The new key itself. It is shown this once.
        secret: String,
    }
}
payload! {
    /// What `revokeApiKey` answers.
    RevokeApiKeyPayload {
        /// The key as it stands now.
        api_key: ApiKey,
    }
}
#[derive(Default)]
pub struct KeyMutation;

#[Object]
impl KeyMutation {
    /// Makes a key for a vendor's back end. For the vendor's staff with all permissions of the new key.
    async fn create_api_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The key.")] input: CreateApiKeyInput,
    ) -> Result<CreateApiKeyPayload> {
        answer(async {
            let by = ctx.caller().allow_staff()?;
            let tenant = input.tenant_id.map(|id| named(&id, "tenant", "tenantId")).transpose()?;
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

    /// Makes a key that takes the place of another, with the same permissions. Both are in force for a while, so that a
    /// back end can be given the new one without an interruption. For the vendor's staff.
    async fn rotate_api_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The key.")] input: RotateApiKeyInput,
    ) -> Result<RotateApiKeyPayload> {
        answer(async {
            let by = ctx.caller().allow_staff()?;
            let id = named(&input.id, "key", "id")?;
            let overlap = chrono::Duration::seconds(input.overlap_seconds.into());
            let (key, secret) = ctx.services().keys().rotate(&by, id, overlap).await?;
            Ok(RotateApiKeyPayload::done(ApiKey(key), secret))
        })
        .await
    }

    /// Revokes a key: it opens nothing from now on, and the sockets that it opened are closed. For the vendor's staff
    /// with all permissions of the key.
    async fn revoke_api_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The key.")] input: RevokeApiKeyInput,
    ) -> Result<RevokeApiKeyPayload> {
        answer(async {
            let by = ctx.caller().allow_staff()?;
            let key = ctx.services().keys().revoke(&by, named(&input.id, "key", "id")?).await?;
            Ok(RevokeApiKeyPayload::done(ApiKey(key)))
        })
        .await
    }
}

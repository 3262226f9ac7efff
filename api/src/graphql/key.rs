//! Keys of the vendor's back ends, and access tokens for users. All of it is for the vendor's staff.

use std::time::Duration;

use async_graphql::{Context, Description, ID, InputObject, Object, SimpleObject};
use domain::ids;
use services::{access, entity::api_key::Model};

use super::{
    context::{Ask, named, shown},
    failure::{Result, found},
    page::{args, connection},
    payload::{answer, payload},
    scalar::DateTime,
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

    /// When it ends by itself; null when it does not.
    async fn expires_at(&self) -> Option<DateTime> {
        self.0.expires_at.map(DateTime)
    }

    /// When it was taken back; null while it is in force.
    async fn revoked_at(&self) -> Option<DateTime> {
        self.0.revoked_at.map(DateTime)
    }
}

connection!(ApiKey, Model, ApiKeyConnection, ApiKeyEdge, "API keys", |row| row.id);

/// A signed access token of one user.
#[derive(SimpleObject)]
pub struct AccessToken {
    /// The token, as it goes into the header `Authorization` after `Bearer`.
    token: String,
    /// When it ends.
    expires_at: DateTime,
}

impl From<access::AccessToken> for AccessToken {
    fn from(signed: access::AccessToken) -> Self {
        Self { token: signed.token, expires_at: signed.expires_at.into() }
    }
}

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
    /// When it ends by itself, in the future; never when absent.
    expires_at: Option<DateTime>,
}

/// A key to be taken back.
#[derive(InputObject)]
pub struct RevokeApiKeyInput {
    /// The key.
    id: ID,
}

/// An access token to be signed.
#[derive(InputObject)]
pub struct CreateAccessTokenInput {
    /// The user's tenant.
    tenant_id: ID,
    /// The user whom the token makes its bearer.
    user_id: ID,
    /// How long it lasts, in seconds; as long as tokens may last here when absent.
    lifetime_seconds: Option<i32>,
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
    /// What `revokeApiKey` answers.
    RevokeApiKeyPayload {
        /// The key as it stands now.
        api_key: ApiKey,
    }
}
payload! {
    /// What `createAccessToken` answers.
    CreateAccessTokenPayload {
        /// The token.
        access_token: AccessToken,
    }
}

#[derive(Default)]
pub struct KeyMutation;

#[Object]
impl KeyMutation {
    /// Makes a key for a vendor's back end. For the vendor's staff.
    async fn create_api_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The key.")] input: CreateApiKeyInput,
    ) -> Result<CreateApiKeyPayload> {
        answer(async {
            let by = ctx.caller().allow_staff()?;
            let expires_at = input.expires_at.map(|at| at.0);
            let (key, secret) = ctx.services().keys().create(&by, &input.name, expires_at).await?;
            Ok(CreateApiKeyPayload::done(ApiKey(key), secret))
        })
        .await
    }

    /// Takes a key back: it opens nothing from now on. For the vendor's staff.
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

    /// Signs an access token for a user, to be handed to the user's browser. For the vendor's staff.
    async fn create_access_token(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose token.")] input: CreateAccessTokenInput,
    ) -> Result<CreateAccessTokenPayload> {
        answer(async {
            let by = ctx.caller().allow_staff()?;
            let tenant = named(&input.tenant_id, "tenant", "tenantId")?;
            let user = named(&input.user_id, "user", "userId")?;
            // What is negative is as wrong as zero; the use case says so.
            let lifetime = input.lifetime_seconds.map(|s| Duration::from_secs(u64::try_from(s).unwrap_or(0)));
            let token = ctx.services().access().issue(&by, tenant, user, lifetime).await?;
            Ok(CreateAccessTokenPayload::done(AccessToken::from(token)))
        })
        .await
    }
}

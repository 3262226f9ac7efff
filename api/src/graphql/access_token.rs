//! Access tokens of users: issued by the vendor's staff, seen and revoked by administrators and by their bearers.

use std::time::Duration;

use async_graphql::{Context, Description, ID, InputObject, Object, SimpleObject};
use domain::{Allowed, ids};
use services::{access, entity::access_token::Model};

use super::{
    context::{Ask, all_named, member, named, shown},
    failure::{Result, found},
    page::{args, connection},
    payload::{answer, payload},
    scalar::DateTime,
};

/// How many tokens can be named at once.
const MOST: usize = 100;

/// A signed access token of one user.
#[derive(SimpleObject)]
pub struct AccessToken {
    /// The id by which it is listed and revoked; it begins with `tok_`.
    id: ID,
    /// The token, as it goes into the header `Authorization` after `Bearer`.
    token: String,
    /// When it ends.
    expires_at: DateTime,
}

impl From<access::AccessToken> for AccessToken {
    fn from(signed: access::AccessToken) -> Self {
        Self { id: signed.id.to_string().into(), token: signed.token, expires_at: signed.expires_at.into() }
    }
}

/// An access token that was issued. The token itself was shown once.
#[derive(Description, Debug, Clone)]
pub struct IssuedToken(Model);

impl From<Model> for IssuedToken {
    fn from(model: Model) -> Self {
        Self(model)
    }
}

#[Object(use_type_description)]
impl IssuedToken {
    /// The id; it begins with `tok_`.
    async fn id(&self) -> ID {
        shown::<ids::AccessToken>(self.0.id)
    }

    /// The id of the user whom it makes its bearer.
    async fn user_id(&self) -> ID {
        shown::<ids::User>(self.0.user_id)
    }

    /// When it was issued.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// When it ends by itself.
    async fn expires_at(&self) -> DateTime {
        self.0.expires_at.into()
    }

    /// When it was revoked; null when it was not.
    async fn revoked_at(&self) -> Option<DateTime> {
        self.0.revoked_at.map(DateTime)
    }
}

connection!(IssuedToken, Model, IssuedTokenConnection, IssuedTokenEdge, "issued access tokens", |row| row.id);

#[derive(Default)]
pub struct AccessTokenQuery;

#[Object]
impl AccessTokenQuery {
    /// The access tokens of a user, until they are pruned after their end. Needs `USER_VIEW`, or to be that user.
    async fn access_tokens(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user.")] user_id: ID,
        #[graphql(desc = "Number of items from the start, 1 to 100; defaults to 50 if neither is given.")]
        first: Option<i32>,
        #[graphql(desc = "Number of items from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Option<Result<IssuedTokenConnection>> {
        found(async {
            let by = member(ctx.caller())?;
            let user = named(&user_id, "user", "userId")?;
            let page = ctx.services().access().tokens(&by, user, args(first, last, after, before)?).await?;
            Ok(IssuedTokenConnection::of(page, None))
        })
        .await
    }
}

/// An access token to be signed.
#[derive(InputObject)]
pub struct CreateAccessTokenInput {
    /// The user's tenant.
    tenant_id: ID,
    /// The user whom the token makes its bearer.
    user_id: ID,
    /// How long it lasts, in seconds; as long as tokens may last here if absent.
    lifetime_seconds: Option<i32>,
}

/// Access tokens to be revoked.
#[derive(InputObject)]
pub struct RevokeAccessTokensInput {
    /// The user.
    user_id: ID,
    /// The tokens, up to 100; all of the user's if absent.
    token_ids: Option<Vec<ID>>,
}

payload! {
    /// What `createAccessToken` answers.
    CreateAccessTokenPayload {
        /// The token.
        access_token: AccessToken,
    }
}
payload! {
    /// What `revokeAccessTokens` answers.
    RevokeAccessTokensPayload {
        /// How many of them were in force until now.
        revoked_count: i32,
    }
}

#[derive(Default)]
pub struct AccessTokenMutation;

#[Object]
impl AccessTokenMutation {
    /// Issues an access token for a user, to be handed to the user's browser. For the vendor's staff.
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

    /// Revokes access tokens of a user: they open nothing from now on, and the sockets that they opened are closed. A
    /// user may revoke the user's own; for others it needs `USER_EDIT` and all that the other user may do.
    async fn revoke_access_tokens(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which tokens.")] input: RevokeAccessTokensInput,
    ) -> Result<RevokeAccessTokensPayload> {
        answer(async {
            let by: Allowed = member(ctx.caller())?;
            let user = named(&input.user_id, "user", "userId")?;
            let tokens = input.token_ids.map(|ids| at_most(&ids)).transpose()?;
            let revoked = ctx.services().access().revoke(&by, user, tokens.as_deref()).await?;
            Ok(RevokeAccessTokensPayload::done(i32::try_from(revoked).unwrap_or(i32::MAX)))
        })
        .await
    }
}

fn at_most(tokens: &[ID]) -> Result<Vec<domain::Id<ids::AccessToken>>> {
    if tokens.len() > MOST {
        let refusal = services::Refusal::new("TOO_MANY", format!("Name at most {MOST} tokens at once."));
        return Err(refusal.at("tokenIds").exceeding(MOST, tokens.len()).into());
    }
    all_named(tokens, "token", "tokenIds")
}

//! Access tokens of users: issued by the vendor's staff; listed and revoked by administrators and by the users
//! themselves.

use std::time::Duration;

use async_graphql::{Context, Description, ID, InputObject, Object, SimpleObject};
use domain::ids;
use services::{access, rows::access_token::Model};

use super::{
    context::{ContextExt, format_id, parse_id, parse_ids},
    failure::{Result, null_if_missing},
    page::{connection, parse_page_args},
    payload::{catch_refusals, payload},
    scalar::DateTime,
};

/// Maximum number of tokens in one mutation.
const MAX: usize = 100;

/// A newly signed access token of one user.
#[derive(SimpleObject)]
pub struct AccessToken {
    /// Identifier for listing and revoking the token; starts with `tok_`.
    id: ID,
    /// The token itself, returned only here; send it as `Authorization: Bearer <token>`.
    token: String,
    /// Time at which the token expires.
    expires_at: DateTime,
}

impl From<access::AccessToken> for AccessToken {
    fn from(signed: access::AccessToken) -> Self {
        Self { id: signed.id.to_string().into(), token: signed.token, expires_at: signed.expires_at.into() }
    }
}

/// An access token that was issued to a user. The token itself is returned only once, by `createAccessToken`.
#[derive(Description, Debug, Clone)]
pub struct IssuedToken(Model);

impl From<Model> for IssuedToken {
    fn from(model: Model) -> Self {
        Self(model)
    }
}

#[Object(use_type_description)]
impl IssuedToken {
    /// Identifier; starts with `tok_`.
    async fn id(&self) -> ID {
        format_id(self.0.id)
    }

    /// Identifier of the user whom the token authenticates; starts with `usr_`.
    async fn user_id(&self) -> ID {
        format_id(self.0.user_id)
    }

    /// Time at which the token was issued.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// Time at which the token expires.
    async fn expires_at(&self) -> DateTime {
        self.0.expires_at.into()
    }

    /// Time at which the token was revoked; null if it has not been revoked.
    async fn revoked_at(&self) -> Option<DateTime> {
        self.0.revoked_at.map(DateTime)
    }
}

connection!(IssuedToken, Model, IssuedTokenConnection, IssuedTokenEdge, "issued access tokens", |row| row
    .id
    .uuid());

#[derive(Default)]
pub struct AccessTokenQuery;

#[Object]
impl AccessTokenQuery {
    /// The access tokens of a user, oldest first, including revoked and recently expired ones. Needs `USER_VIEW`
    /// unless the caller is that user.
    async fn access_tokens(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Identifier of the user.")] user_id: ID,
        #[graphql(
            desc = "Number of items from the start, 1 to 100; defaults to 50 if neither `first` nor `last` is given."
        )]
        first: Option<i32>,
        #[graphql(desc = "Number of items from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Return only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Return only items before this cursor.")] before: Option<String>,
    ) -> Option<Result<IssuedTokenConnection>> {
        null_if_missing(async {
            ctx.caller().allow_member()?;
            let by = ctx.caller().allow_own_or(parse_id(&user_id, "user", "userId")?)?;
            let page =
                ctx.services().access().tokens(&by, parse_page_args(first, last, after, before)?).await?;
            Ok(IssuedTokenConnection::from_page(page, None))
        })
        .await
    }
}

/// Fields of a new access token.
#[derive(InputObject)]
pub struct CreateAccessTokenInput {
    /// Identifier of the user's tenant.
    tenant_id: ID,
    /// Identifier of the user whom the token will authenticate.
    user_id: ID,
    /// Lifetime in seconds, at least 1; defaults to, and may not exceed, the maximum configured by the operator.
    lifetime_seconds: Option<i32>,
}

/// Selects the access tokens to revoke.
#[derive(InputObject)]
pub struct RevokeAccessTokensInput {
    /// Identifier of the user whose tokens are revoked.
    user_id: ID,
    /// Identifiers of the tokens to revoke, up to 100; omit to revoke all tokens of the user.
    token_ids: Option<Vec<ID>>,
}

payload! {
    /// Result of `createAccessToken`.
    CreateAccessTokenPayload {
        /// The new token; null on failure.
        access_token: AccessToken,
    }
}
payload! {
    /// Result of `revokeAccessTokens`.
    RevokeAccessTokensPayload {
        /// Number of tokens issued by Muster that were valid until this mutation revoked them.
        revoked_count: i32,
    }
}

#[derive(Default)]
pub struct AccessTokenMutation;

#[Object]
impl AccessTokenMutation {
    /// Issues an access token for a user; the vendor's back end passes it to the user's browser. Vendor staff only: the
    /// key needs `STAFF` and every permission of the user.
    async fn create_access_token(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Parameters of `createAccessToken`.")] input: CreateAccessTokenInput,
    ) -> Result<CreateAccessTokenPayload> {
        catch_refusals(async {
            let by = ctx.caller().allow_staff()?;
            let tenant = parse_id(&input.tenant_id, "tenant", "tenantId")?;
            let user = parse_id(&input.user_id, "user", "userId")?;
            // What is negative is as wrong as zero; the use case says so.
            let lifetime = input.lifetime_seconds.map(|s| Duration::from_secs(u64::try_from(s).unwrap_or(0)));
            let token = ctx.services().access().issue(&by, tenant, user, lifetime).await?;
            Ok(CreateAccessTokenPayload::done(AccessToken::from(token)))
        })
        .await
    }

    /// Revokes access tokens of a user and closes the WebSocket connections opened with them. If `tokenIds` is
    /// omitted, it also invalidates the tokens that the tenant's own OpenID issuers have issued to the user so far, and
    /// the URLs that `connectOwnCalendar` returned to the user. Users may revoke their own tokens; to revoke another
    /// user's tokens, the caller needs `USER_EDIT` and every permission of that user.
    async fn revoke_access_tokens(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Parameters of `revokeAccessTokens`.")] input: RevokeAccessTokensInput,
    ) -> Result<RevokeAccessTokensPayload> {
        catch_refusals(async {
            ctx.caller().allow_member()?;
            let user = parse_id(&input.user_id, "user", "userId")?;
            let tokens = input.token_ids.map(|ids| at_most(&ids)).transpose()?;
            let by = ctx.caller().allow_own_or(user)?;
            let revoked = ctx.services().access().revoke(&by, tokens.as_deref()).await?;
            Ok(RevokeAccessTokensPayload::done(i32::try_from(revoked).unwrap_or(i32::MAX)))
        })
        .await
    }
}

fn at_most(tokens: &[ID]) -> Result<Vec<domain::Id<ids::AccessToken>>> {
    if tokens.len() > MAX {
        let refusal = services::Refusal::new("TOO_MANY", format!("Give at most {MAX} token ids at once."));
        return Err(refusal.at("tokenIds").exceeding(MAX, tokens.len()).into());
    }
    parse_ids(tokens, "token", "tokenIds")
}

//! OpenID issuers through which users of a tenant sign in, and the identities of users at these issuers.

mod change;

use async_graphql::{Context, Description, ID, Object};
use domain::{may, openid};
use services::rows::{openid_identity, openid_issuer::Model};

use super::{
    context::{ContextExt, format_id, parse_id},
    enums::{IssuerTokens, SigningAlgorithm},
    failure::{Result, null_if_missing},
    page::{connection, parse_page_args},
    scalar::DateTime,
};

pub use change::IssuerMutation;

/// An OpenID issuer through which users of the tenant sign in.
#[derive(Description, Debug, Clone)]
pub struct OpenIdIssuer(Model);

impl From<Model> for OpenIdIssuer {
    fn from(model: Model) -> Self {
        Self(model)
    }
}

#[Object(use_type_description)]
impl OpenIdIssuer {
    /// Identifier; starts with `iss_`.
    async fn id(&self) -> ID {
        format_id(self.0.id)
    }

    /// Display name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Issuer identifier, exactly as the issuer publishes it. Cannot be changed.
    async fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// Client id that the issuer assigned to this installation.
    async fn client_id(&self) -> &str {
        &self.0.client_id
    }

    /// Whether a client secret is stored; without one, the code exchange is protected by PKCE alone.
    async fn has_client_secret(&self) -> bool {
        self.0.client_secret.is_some()
    }

    /// Signature algorithms accepted from the issuer.
    async fn algorithms(&self) -> Vec<SigningAlgorithm> {
        let words = self.0.algorithms.as_array().into_iter().flatten();
        words.filter_map(|word| openid::SigningAlgorithm::parse(word.as_str()?)).map(Into::into).collect()
    }

    /// Which of the issuer's tokens the API accepts as bearer tokens; null if a newer server version stored a value
    /// unknown to this one.
    async fn accepts(&self) -> Option<IssuerTokens> {
        self.0.accepts.known().map(IssuerTokens::from)
    }

    /// Required audience of the issuer's access tokens.
    async fn audience(&self) -> &str {
        &self.0.audience
    }

    /// Claim that identifies a person permanently.
    async fn subject_claim(&self) -> &str {
        &self.0.subject_claim
    }

    /// Claim that contains the verified email address, which identifies the user at the first sign-in; null if users
    /// are linked with `linkOpenIdIdentity`.
    async fn email_claim(&self) -> Option<&str> {
        self.0.email_claim.as_deref()
    }

    /// Redirect URI to register at the issuer; unique to this issuer.
    async fn redirect_uri(&self, ctx: &Context<'_>) -> String {
        ctx.services().issuers().redirect_uri(&self.0)
    }

    /// Page on which users of the tenant start signing in.
    async fn sign_in_url(&self, ctx: &Context<'_>) -> String {
        ctx.services().issuers().sign_in_url(&self.0)
    }

    /// Time at which the issuer was registered.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// Incremented on every change; pass as `ifVersion`.
    async fn version(&self) -> i64 {
        self.0.version
    }
}

connection!(OpenIdIssuer, Model, OpenIdIssuerConnection, OpenIdIssuerEdge, "OpenID issuers", |row| row
    .id
    .uuid());

/// The identity of a user at an OpenID issuer.
#[derive(Description, Debug, Clone)]
pub struct OpenIdIdentity(openid_identity::Model);

impl From<openid_identity::Model> for OpenIdIdentity {
    fn from(model: openid_identity::Model) -> Self {
        Self(model)
    }
}

#[Object(use_type_description)]
impl OpenIdIdentity {
    /// Identifier of the linked user.
    async fn user_id(&self) -> ID {
        format_id(self.0.user_id)
    }

    /// Identifier of the issuer where the identity exists.
    async fn issuer_id(&self) -> ID {
        format_id(self.0.issuer_id)
    }

    /// Value of the issuer's `subjectClaim` for this user.
    async fn subject(&self) -> &str {
        &self.0.subject
    }

    /// Time at which the user was linked to the identity.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }
}

connection!(
    OpenIdIdentity,
    openid_identity::Model,
    OpenIdIdentityConnection,
    OpenIdIdentityEdge,
    "identities at an OpenID issuer",
    |row| row.id.uuid()
);

#[derive(Default)]
pub struct IssuerQuery;

#[Object]
impl IssuerQuery {
    /// The OpenID issuers through which users of the tenant sign in. Needs `ROLE_EDIT`.
    async fn open_id_issuers(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Number of items from the start, 1 to 100; defaults to 50 if neither `first` nor `last` is given."
        )]
        first: Option<i32>,
        #[graphql(desc = "Number of items from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Return only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Return only items before this cursor.")] before: Option<String>,
    ) -> Option<Result<OpenIdIssuerConnection>> {
        null_if_missing(async {
            let by = ctx.caller().allow::<may::RoleEdit>()?;
            let page =
                ctx.services().issuers().list(&by, parse_page_args(first, last, after, before)?).await?;
            Ok(OpenIdIssuerConnection::from_page(page, None))
        })
        .await
    }

    /// The identities of the tenant's users at an OpenID issuer. Needs `USER_VIEW`.
    async fn open_id_identities(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Identifier of the issuer.")] issuer_id: ID,
        #[graphql(
            desc = "Number of items from the start, 1 to 100; defaults to 50 if neither `first` nor `last` is given."
        )]
        first: Option<i32>,
        #[graphql(desc = "Number of items from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Return only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Return only items before this cursor.")] before: Option<String>,
    ) -> Option<Result<OpenIdIdentityConnection>> {
        null_if_missing(async {
            let by = ctx.caller().allow::<may::UserView>()?;
            let issuer = parse_id(&issuer_id, "issuer", "issuerId")?;
            let args = parse_page_args(first, last, after, before)?;
            let page = ctx.services().issuers().list_identities(&by, issuer, args).await?;
            Ok(OpenIdIdentityConnection::from_page(page, None))
        })
        .await
    }
}

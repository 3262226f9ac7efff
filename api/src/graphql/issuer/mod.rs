//! OpenID issuers by which users of a tenant sign in, and who is who at them.

mod change;

use async_graphql::{Context, Description, ID, Object};
use domain::{Permission, ids, openid};
use services::entity::{openid_identity, openid_issuer::Model};

use super::{
    context::{Ask, named, shown},
    failure::{Result, found},
    page::{args, connection},
    scalar::DateTime,
    words::{IssuerTokens, SigningAlgorithm},
};

pub use change::IssuerMutation;

/// An OpenID issuer by which users of the tenant sign in.
#[derive(Description, Debug, Clone)]
pub struct OpenIdIssuer(Model);

impl From<Model> for OpenIdIssuer {
    fn from(model: Model) -> Self {
        Self(model)
    }
}

#[Object(use_type_description)]
impl OpenIdIssuer {
    /// The id; it begins with `iss_`.
    async fn id(&self) -> ID {
        shown::<ids::OpenIdIssuer>(self.0.id)
    }

    /// The name, for people.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The issuer identifier, exactly as the issuer calls itself. It never changes.
    async fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// Our client id there.
    async fn client_id(&self) -> &str {
        &self.0.client_id
    }

    /// Whether a client secret is stored; without one, PKCE alone protects the exchange of codes.
    async fn has_client_secret(&self) -> bool {
        self.0.client_secret.is_some()
    }

    /// The algorithms by which it may sign.
    async fn algorithms(&self) -> Vec<SigningAlgorithm> {
        let words = self.0.algorithms.as_array().into_iter().flatten();
        words.filter_map(|word| openid::SigningAlgorithm::parse(word.as_str()?)).map(Into::into).collect()
    }

    /// Which of its tokens open the API by themselves.
    async fn accepts(&self) -> IssuerTokens {
        openid::IssuerTokens::parse(&self.0.accepts).unwrap_or(openid::IssuerTokens::None).into()
    }

    /// For whom its access tokens must have been made.
    async fn audience(&self) -> &str {
        &self.0.audience
    }

    /// The claim that says who it is.
    async fn subject_claim(&self) -> &str {
        &self.0.subject_claim
    }

    /// The claim by whose verified address a user is found at first use; null where users are linked beforehand.
    async fn email_claim(&self) -> Option<&str> {
        self.0.email_claim.as_deref()
    }

    /// The address to enter at the issuer as the redirect URI. No other issuer has the same.
    async fn redirect_uri(&self, ctx: &Context<'_>) -> String {
        ctx.services().issuers().redirect_uri(&self.0)
    }

    /// The page by which users of the tenant sign in.
    async fn sign_in_url(&self, ctx: &Context<'_>) -> String {
        ctx.services().issuers().sign_in_url(&self.0)
    }

    /// When it was registered.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// Incremented on every change; pass as `ifVersion`.
    async fn version(&self) -> i64 {
        self.0.version
    }
}

connection!(OpenIdIssuer, Model, OpenIdIssuerConnection, OpenIdIssuerEdge, "OpenID issuers", |row| row.id);

/// Who a user is at an OpenID issuer.
#[derive(Description, Debug, Clone)]
pub struct OpenIdIdentity(openid_identity::Model);

impl From<openid_identity::Model> for OpenIdIdentity {
    fn from(model: openid_identity::Model) -> Self {
        Self(model)
    }
}

#[Object(use_type_description)]
impl OpenIdIdentity {
    /// The user.
    async fn user_id(&self) -> ID {
        shown::<ids::User>(self.0.user_id)
    }

    /// The issuer.
    async fn issuer_id(&self) -> ID {
        shown::<ids::OpenIdIssuer>(self.0.issuer_id)
    }

    /// What the issuer calls the user, in the issuer's `subjectClaim`.
    async fn subject(&self) -> &str {
        &self.0.subject
    }

    /// When the two were linked.
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
    |row| row.id
);

#[derive(Default)]
pub struct IssuerQuery;

#[Object]
impl IssuerQuery {
    /// The OpenID issuers by which users of the tenant sign in. Needs `ROLE_EDIT`.
    async fn open_id_issuers(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of items from the start, 1 to 100; defaults to 50 if neither is given.")]
        first: Option<i32>,
        #[graphql(desc = "Number of items from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Option<Result<OpenIdIssuerConnection>> {
        found(async {
            let by = ctx.caller().allow(Permission::RoleEdit)?;
            let page = ctx.services().issuers().list(&by, args(first, last, after, before)?).await?;
            Ok(OpenIdIssuerConnection::of(page, None))
        })
        .await
    }

    /// Who the users of the tenant are at an OpenID issuer. Needs `USER_VIEW`.
    async fn open_id_identities(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The issuer.")] issuer_id: ID,
        #[graphql(desc = "Number of items from the start, 1 to 100; defaults to 50 if neither is given.")]
        first: Option<i32>,
        #[graphql(desc = "Number of items from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Option<Result<OpenIdIdentityConnection>> {
        found(async {
            let by = ctx.caller().allow(Permission::UserView)?;
            let issuer = named(&issuer_id, "issuer", "issuerId")?;
            let args = args(first, last, after, before)?;
            let page = ctx.services().issuers().identities(&by, issuer, args).await?;
            Ok(OpenIdIdentityConnection::of(page, None))
        })
        .await
    }
}

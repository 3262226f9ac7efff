//! What is changed about OpenID issuers, and who is who at them.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object};
use domain::Permission;
use services::issuers::{IssuerChange, NewIssuer};

use super::{OpenIdIdentity, OpenIdIssuer};
use crate::graphql::{
    context::{Ask, changed, named, seen},
    failure::Result,
    payload::{answer, payload},
    words::{IssuerTokens, SigningAlgorithm},
};

/// An OpenID issuer to be registered.
#[derive(InputObject)]
pub struct CreateOpenIdIssuerInput {
    /// The name, for people: 1 to 200 characters.
    name: String,
    /// The issuer identifier, exactly as the issuer calls itself in its discovery document: an https address.
    issuer: String,
    /// The client id that the issuer has given this installation; up to 500 characters.
    client_id: String,
    /// The client's secret, stored encrypted and shown to nobody; absent for a public client.
    client_secret: Option<String>,
    /// The algorithms by which it may sign.
    #[graphql(default_with = "vec![SigningAlgorithm::Rs256]")]
    algorithms: Vec<SigningAlgorithm>,
    /// Which of its tokens open the API by themselves.
    #[graphql(default_with = "IssuerTokens::None")]
    accepts: IssuerTokens,
    /// For whom its access tokens must have been made; if absent an address that names the tenant, so that a request
    /// with such a token needs no header `Muster-Tenant`.
    audience: Option<String>,
    /// The claim that says who it is and never changes for a person. It cannot be changed later.
    #[graphql(default = "sub")]
    subject_claim: String,
    /// The claim by whose address, verified by the issuer, a user is found at first use; null to link users beforehand
    /// with `linkOpenIdIdentity`.
    #[graphql(default_with = "Some(\"email\".to_owned())")]
    email_claim: Option<String>,
}

/// What of an OpenID issuer is to be changed; what is absent stays.
#[derive(InputObject)]
pub struct UpdateOpenIdIssuerInput {
    /// The issuer.
    id: ID,
    /// The name, for people: 1 to 200 characters.
    name: Option<String>,
    /// The client id that the issuer has given this installation.
    client_id: Option<String>,
    /// The client's secret; null for a public client.
    client_secret: MaybeUndefined<String>,
    /// The algorithms by which it may sign.
    algorithms: Option<Vec<SigningAlgorithm>>,
    /// Which of its tokens open the API by themselves.
    accepts: Option<IssuerTokens>,
    /// For whom its access tokens must have been made.
    audience: Option<String>,
    /// The claim by whose verified address a user is found at first use; null to link users beforehand.
    email_claim: MaybeUndefined<String>,
    /// The `version` that the change is based on; a refusal if somebody changed the issuer since.
    if_version: Option<i64>,
}

/// An OpenID issuer to be removed.
#[derive(InputObject)]
pub struct DeleteOpenIdIssuerInput {
    /// The issuer.
    id: ID,
}

/// A user to be linked with what an issuer calls the user.
#[derive(InputObject)]
pub struct LinkOpenIdIdentityInput {
    /// The issuer.
    issuer_id: ID,
    /// The user.
    user_id: ID,
    /// What the issuer calls the user, in its `subjectClaim`: 1 to 255 characters.
    subject: String,
}

/// A user's link with an issuer to be taken away.
#[derive(InputObject)]
pub struct UnlinkOpenIdIdentityInput {
    /// The issuer.
    issuer_id: ID,
    /// The user.
    user_id: ID,
}

payload! {
    /// What `createOpenIdIssuer` answers.
    CreateOpenIdIssuerPayload {
        /// The new issuer.
        open_id_issuer: OpenIdIssuer,
    }
}
payload! {
    /// What `updateOpenIdIssuer` answers.
    UpdateOpenIdIssuerPayload {
        /// The issuer as it stands now.
        open_id_issuer: OpenIdIssuer,
    }
}
payload! {
    /// What `deleteOpenIdIssuer` answers.
    DeleteOpenIdIssuerPayload {
        /// The id of the issuer that is gone.
        deleted_open_id_issuer_id: ID,
    }
}
payload! {
    /// What `linkOpenIdIdentity` answers.
    LinkOpenIdIdentityPayload {
        /// The link; null for a caller without `USER_VIEW`.
        open_id_identity: OpenIdIdentity,
    }
}
payload! {
    /// What `unlinkOpenIdIdentity` answers.
    UnlinkOpenIdIdentityPayload {
        /// Whether there was a link.
        unlinked: bool,
    }
}

#[derive(Default)]
pub struct IssuerMutation;

#[Object]
impl IssuerMutation {
    /// Registers an OpenID issuer by which users of the tenant sign in; what it publishes is read at once. Needs every
    /// permission within the tenant, because an issuer says who is who.
    async fn create_open_id_issuer(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The issuer.")] input: CreateOpenIdIssuerInput,
    ) -> Result<CreateOpenIdIssuerPayload> {
        answer(async {
            let by = ctx.caller().allow(Permission::RoleEdit)?;
            let new = NewIssuer {
                name: input.name,
                issuer: input.issuer,
                client_id: input.client_id,
                client_secret: input.client_secret.map(Into::into),
                algorithms: input.algorithms.into_iter().map(Into::into).collect(),
                accepts: input.accepts.into(),
                audience: input.audience,
                subject_claim: input.subject_claim,
                email_claim: input.email_claim,
            };
            let issuer = ctx.services().issuers().create(&by, new).await?;
            Ok(CreateOpenIdIssuerPayload::done(OpenIdIssuer(issuer)))
        })
        .await
    }

    /// Changes an OpenID issuer. Needs every permission within the tenant.
    async fn update_open_id_issuer(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to be changed.")] input: UpdateOpenIdIssuerInput,
    ) -> Result<UpdateOpenIdIssuerPayload> {
        answer(async {
            let by = ctx.caller().allow(Permission::RoleEdit)?;
            let id = named(&input.id, "issuer", "id")?;
            let version = input.if_version;
            let change = change(input);
            let issuer = ctx.services().issuers().update(&by, id, change, version).await?;
            Ok(UpdateOpenIdIssuerPayload::done(OpenIdIssuer(issuer)))
        })
        .await
    }

    /// Removes an OpenID issuer. Everything that came through it ends at once: its own tokens, Muster's tokens of those
    /// who signed in by it, their sockets, and who is who at it. Needs every permission within the tenant.
    async fn delete_open_id_issuer(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The issuer.")] input: DeleteOpenIdIssuerInput,
    ) -> Result<DeleteOpenIdIssuerPayload> {
        answer(async {
            let by = ctx.caller().allow(Permission::RoleEdit)?;
            ctx.services().issuers().delete(&by, named(&input.id, "issuer", "id")?).await?;
            Ok(DeleteOpenIdIssuerPayload::done(input.id))
        })
        .await
    }

    /// Links a user with what an issuer calls the user, in place of any former link. Needs `USER_EDIT` and all that the
    /// user may do.
    async fn link_open_id_identity(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who is who.")] input: LinkOpenIdIdentityInput,
    ) -> Result<LinkOpenIdIdentityPayload> {
        answer(async {
            let by = ctx.caller().allow(Permission::UserEdit)?;
            let issuer = named(&input.issuer_id, "issuer", "issuerId")?;
            let user = named(&input.user_id, "user", "userId")?;
            let identity = ctx.services().issuers().link(&by, issuer, user, &input.subject).await?;
            let identity = OpenIdIdentity(identity);
            Ok(LinkOpenIdIdentityPayload::done(seen(ctx, Permission::UserView, identity)))
        })
        .await
    }

    /// Takes a user's link with an issuer away: for somebody whose account there was made anew. What the user opened
    /// through the issuer is closed, and the next sign-in links by the verified address. Needs `USER_EDIT` and all that
    /// the user may do.
    async fn unlink_open_id_identity(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose link.")] input: UnlinkOpenIdIdentityInput,
    ) -> Result<UnlinkOpenIdIdentityPayload> {
        answer(async {
            let by = ctx.caller().allow(Permission::UserEdit)?;
            let issuer = named(&input.issuer_id, "issuer", "issuerId")?;
            let user = named(&input.user_id, "user", "userId")?;
            let unlinked = ctx.services().issuers().unlink(&by, issuer, user).await?;
            Ok(UnlinkOpenIdIdentityPayload::done(unlinked))
        })
        .await
    }
}

fn change(input: UpdateOpenIdIssuerInput) -> IssuerChange {
    IssuerChange {
        name: input.name,
        client_id: input.client_id,
        client_secret: changed(input.client_secret, |text| text).map(|secret| secret.map(Into::into)),
        algorithms: input.algorithms.map(|list| list.into_iter().map(Into::into).collect()),
        accepts: input.accepts.map(Into::into),
        audience: input.audience,
        email_claim: changed(input.email_claim, |text| text),
    }
}

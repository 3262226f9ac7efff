//! Mutations for OpenID issuers and for users' identities at them.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object};
use domain::{Permission, may};
use services::issuers::{IssuerChange, NewIssuer};

use super::{OpenIdIdentity, OpenIdIssuer};
use crate::graphql::{
    context::{ContextExt, if_visible, parse_id, patch_field},
    enums::{IssuerTokens, SigningAlgorithm},
    failure::Result,
    payload::{catch_refusals, payload},
};

/// Fields of a new OpenID issuer.
#[derive(InputObject)]
pub struct CreateOpenIdIssuerInput {
    /// Display name, 1 to 200 characters.
    name: String,
    /// Issuer identifier exactly as in the issuer's discovery document: an https URL.
    issuer: String,
    /// Client id that the issuer assigned to this installation, up to 500 characters.
    client_id: String,
    /// Client secret, stored encrypted and never returned; omit for a public client.
    client_secret: Option<String>,
    /// Signature algorithms accepted from the issuer.
    #[graphql(default_with = "vec![SigningAlgorithm::Rs256]")]
    algorithms: Vec<SigningAlgorithm>,
    /// Which of the issuer's tokens the API accepts as bearer tokens.
    #[graphql(default_with = "IssuerTokens::None")]
    accepts: IssuerTokens,
    /// Required audience of the issuer's access tokens. Defaults to a URL that names the tenant, so that requests with
    /// such a token need no `Muster-Tenant` header.
    audience: Option<String>,
    /// Claim that identifies a person permanently. Cannot be changed later.
    #[graphql(default = "sub")]
    subject_claim: String,
    /// Claim that contains the verified email address, which identifies the user at the first sign-in; null to link
    /// users with `linkOpenIdIdentity` instead.
    #[graphql(default_with = "Some(\"email\".to_owned())")]
    email_claim: Option<String>,
}

/// Fields of an OpenID issuer to change; omitted fields keep their value.
#[derive(InputObject)]
pub struct UpdateOpenIdIssuerInput {
    /// Identifier of the issuer to change.
    id: ID,
    /// Display name, 1 to 200 characters.
    name: Option<String>,
    /// Client id that the issuer assigned to this installation, up to 500 characters.
    client_id: Option<String>,
    /// Client secret, stored encrypted and never returned; null makes the client public.
    client_secret: MaybeUndefined<String>,
    /// Signature algorithms accepted from the issuer.
    algorithms: Option<Vec<SigningAlgorithm>>,
    /// Which of the issuer's tokens the API accepts as bearer tokens.
    accepts: Option<IssuerTokens>,
    /// Required audience of the issuer's access tokens.
    audience: Option<String>,
    /// Claim that contains the verified email address, which identifies the user at the first sign-in; null to link
    /// users with `linkOpenIdIdentity` instead.
    email_claim: MaybeUndefined<String>,
    /// `version` of the issuer as last read; refused with `VERSION_CONFLICT` if it has changed since.
    if_version: Option<i64>,
}

/// Selects the OpenID issuer to remove.
#[derive(InputObject)]
pub struct DeleteOpenIdIssuerInput {
    /// Identifier of the issuer to remove.
    id: ID,
}

/// Links a user to an identity at an OpenID issuer.
#[derive(InputObject)]
pub struct LinkOpenIdIdentityInput {
    /// Identifier of the issuer where the identity exists.
    issuer_id: ID,
    /// Identifier of the user to link.
    user_id: ID,
    /// Value of the issuer's `subjectClaim` for this user, 1 to 255 characters.
    subject: String,
}

/// Selects the link between a user and an OpenID issuer to remove.
#[derive(InputObject)]
pub struct UnlinkOpenIdIdentityInput {
    /// Identifier of the issuer where the identity exists.
    issuer_id: ID,
    /// Identifier of the user to unlink.
    user_id: ID,
}

payload! {
    /// Result of `createOpenIdIssuer`.
    CreateOpenIdIssuerPayload {
        /// The new issuer.
        open_id_issuer: OpenIdIssuer,
    }
}
payload! {
    /// Result of `updateOpenIdIssuer`.
    UpdateOpenIdIssuerPayload {
        /// The updated issuer.
        open_id_issuer: OpenIdIssuer,
    }
}
payload! {
    /// Result of `deleteOpenIdIssuer`.
    DeleteOpenIdIssuerPayload {
        /// Identifier of the removed issuer.
        deleted_open_id_issuer_id: ID,
    }
}
payload! {
    /// Result of `linkOpenIdIdentity`.
    LinkOpenIdIdentityPayload {
        /// The new link; null if the caller lacks `USER_VIEW`.
        open_id_identity: OpenIdIdentity,
    }
}
payload! {
    /// Result of `unlinkOpenIdIdentity`.
    UnlinkOpenIdIdentityPayload {
        /// Whether a link existed before.
        unlinked: bool,
    }
}

#[derive(Default)]
pub struct IssuerMutation;

#[Object]
impl IssuerMutation {
    /// Registers an OpenID issuer through which users of the tenant sign in; reads its discovery document first. Needs
    /// every permission within the tenant, because an issuer can sign in as any user.
    async fn create_open_id_issuer(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Parameters of `createOpenIdIssuer`.")] input: CreateOpenIdIssuerInput,
    ) -> Result<CreateOpenIdIssuerPayload> {
        catch_refusals(async {
            let by = ctx.caller().allow::<may::RoleEdit>()?;
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
        #[graphql(desc = "Parameters of `updateOpenIdIssuer`.")] input: UpdateOpenIdIssuerInput,
    ) -> Result<UpdateOpenIdIssuerPayload> {
        catch_refusals(async {
            let by = ctx.caller().allow::<may::RoleEdit>()?;
            let id = parse_id(&input.id, "issuer", "id")?;
            let version = input.if_version;
            let change = change(input);
            let issuer = ctx.services().issuers().update(&by, id, change, version).await?;
            Ok(UpdateOpenIdIssuerPayload::done(OpenIdIssuer(issuer)))
        })
        .await
    }

    /// Removes an OpenID issuer and the identities linked to it, revokes the tokens of users who signed in through it,
    /// and closes their WebSocket connections. Needs every permission within the tenant.
    async fn delete_open_id_issuer(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Parameters of `deleteOpenIdIssuer`.")] input: DeleteOpenIdIssuerInput,
    ) -> Result<DeleteOpenIdIssuerPayload> {
        catch_refusals(async {
            let by = ctx.caller().allow::<may::RoleEdit>()?;
            ctx.services().issuers().delete(&by, parse_id(&input.id, "issuer", "id")?).await?;
            Ok(DeleteOpenIdIssuerPayload::done(input.id))
        })
        .await
    }

    /// Links a user to an identity at an OpenID issuer, replacing any earlier link. Needs `USER_EDIT` and every
    /// permission of the user. The link is removed when the user receives a permission that the caller did not have.
    async fn link_open_id_identity(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Parameters of `linkOpenIdIdentity`.")] input: LinkOpenIdIdentityInput,
    ) -> Result<LinkOpenIdIdentityPayload> {
        catch_refusals(async {
            let by = ctx.caller().allow::<may::UserEdit>()?;
            let issuer = parse_id(&input.issuer_id, "issuer", "issuerId")?;
            let user = parse_id(&input.user_id, "user", "userId")?;
            let identity = ctx.services().issuers().link_identity(&by, issuer, user, &input.subject).await?;
            let identity = OpenIdIdentity(identity);
            Ok(LinkOpenIdIdentityPayload::done(if_visible(ctx, Permission::UserView, identity)))
        })
        .await
    }

    /// Removes the link between a user and an OpenID issuer, for example after the user's account at the issuer was
    /// recreated. Revokes the tokens obtained through the issuer. The removed account can sign in again only after
    /// `linkOpenIdIdentity`; a different account of the user is linked by its verified email address at its first
    /// sign-in. Needs `USER_EDIT` and every permission of the user.
    async fn unlink_open_id_identity(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Parameters of `unlinkOpenIdIdentity`.")] input: UnlinkOpenIdIdentityInput,
    ) -> Result<UnlinkOpenIdIdentityPayload> {
        catch_refusals(async {
            let by = ctx.caller().allow::<may::UserEdit>()?;
            let issuer = parse_id(&input.issuer_id, "issuer", "issuerId")?;
            let user = parse_id(&input.user_id, "user", "userId")?;
            let unlinked = ctx.services().issuers().unlink_identity(&by, issuer, user).await?;
            Ok(UnlinkOpenIdIdentityPayload::done(unlinked))
        })
        .await
    }
}

fn change(input: UpdateOpenIdIssuerInput) -> IssuerChange {
    IssuerChange {
        name: input.name,
        client_id: input.client_id,
        client_secret: patch_field(input.client_secret, |text| text).map(|secret| secret.map(Into::into)),
        algorithms: input.algorithms.map(|list| list.into_iter().map(Into::into).collect()),
        accepts: input.accepts.map(Into::into),
        audience: input.audience,
        email_claim: patch_field(input.email_claim, |text| text),
    }
}

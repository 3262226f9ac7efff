//! Invitations of IT administrators, as listed and revoked by the tenant's administrators.

use async_graphql::{Context, Description, ID, Object};
use services::{may, rows::connect_link::Model};

use super::{
    context::{ContextExt, format_id},
    failure::{Result, null_if_missing},
    page::{connection, parse_page_args},
    scalar::{DateTime, EmailAddress, Url},
};

/// An invitation of an IT administrator to connect a calendar system. Its link was returned only once, by
/// `inviteAdministrator`.
#[derive(Description, Debug, Clone)]
pub struct Invitation(Model);

impl From<Model> for Invitation {
    fn from(model: Model) -> Self {
        Self(model)
    }
}

#[Object(use_type_description)]
impl Invitation {
    /// Identifier, for `revokeInvitation`; starts with `lnk_`.
    async fn id(&self) -> ID {
        format_id(self.0.id)
    }

    /// Email address of the invited person.
    async fn email(&self) -> EmailAddress {
        EmailAddress(self.0.email.clone())
    }

    /// Identifier of the user as whom the invited person acts; starts with `usr_`. Null if that user was deleted.
    async fn user_id(&self) -> Option<ID> {
        self.0.user_id.map(format_id)
    }

    /// Identifier of the integration to be connected; starts with `int_`. Null until the invited person has chosen a
    /// calendar system.
    async fn integration_id(&self) -> Option<ID> {
        self.0.integration_id.map(format_id)
    }

    /// URL to which the browser is redirected afterwards; null if it stays on Muster's page.
    async fn return_url(&self) -> Option<Url> {
        self.0.return_url.clone().map(Url)
    }

    /// Who sent the invitation: the id of a user or vendor key.
    async fn invited_by(&self) -> &str {
        &self.0.created_by
    }

    /// Time at which the invitation was created.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// Time at which the link stops working: its expiry, or when the invitation was revoked.
    async fn expires_at(&self) -> DateTime {
        self.0.expires_at.into()
    }
}

connection!(Invitation, Model, InvitationConnection, InvitationEdge, "invitations", |row| row.id.uuid());

#[derive(Default)]
pub struct InvitationQuery;

#[Object]
impl InvitationQuery {
    /// Invitations of IT administrators whose link still works, oldest first. Needs `USER_CREATE`.
    async fn invitations(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Whether to include invitations that have expired or were revoked.",
            default = false
        )]
        include_ended: bool,
        #[graphql(
            desc = "Number of items from the start, 1 to 100; defaults to 50 if neither `first` nor `last` is given."
        )]
        first: Option<i32>,
        #[graphql(desc = "Number of items from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Return only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Return only items before this cursor.")] before: Option<String>,
    ) -> Option<Result<InvitationConnection>> {
        null_if_missing(async {
            let by = ctx.caller().allow::<may::UserCreate>()?;
            let args = parse_page_args(first, last, after, before)?;
            let page = ctx.services().links().list(&by, include_ended, args).await?;
            Ok(InvitationConnection::from_page(page, None))
        })
        .await
    }
}

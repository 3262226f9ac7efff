//! Who calls.

use async_graphql::{Context, Description, Enum, Object};
use domain::CallerKind;

use super::{
    context::{Ask, member},
    failure::Result,
    tenant::Tenant,
    user::User,
    words::Permission,
};

/// What kind of caller it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum ViewerKind {
    /// Nobody known.
    Anonymous,
    /// A vendor's back end with an API key.
    Vendor,
    /// A user of a tenant with an access token.
    User,
}

/// Who calls, in which tenant, with which permissions.
#[derive(Description)]
pub struct Viewer;

#[Object(use_type_description)]
impl Viewer {
    /// What kind of caller it is.
    async fn kind(&self, ctx: &Context<'_>) -> ViewerKind {
        match ctx.caller().kind {
            CallerKind::Anonymous => ViewerKind::Anonymous,
            // No request is the operator's: there is no key for it.
            CallerKind::Vendor(_) | CallerKind::Operator => ViewerKind::Vendor,
            CallerKind::User(_) => ViewerKind::User,
        }
    }

    /// The one tenant of the request. Null for a vendor key that names none.
    async fn tenant(&self, ctx: &Context<'_>) -> Option<Result<Tenant>> {
        let by = member(ctx.caller()).ok()?;
        Some(ctx.services().tenants().get(&by).await.map(Tenant::from).map_err(Into::into))
    }

    /// What the caller may do in it.
    async fn permissions(&self, ctx: &Context<'_>) -> Vec<Permission> {
        ctx.caller().permissions.iter().copied().map(Permission::from).collect()
    }

    /// The user that calls, with the state of the user's own calendar. Null for a vendor key.
    async fn user(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        let (by, _) = ctx.caller().allow_own().ok()?;
        Some(ctx.services().users().me(&by).await.map(User::from).map_err(Into::into))
    }
}

#[derive(Default)]
pub struct ViewerQuery;

#[Object]
impl ViewerQuery {
    /// Who calls. Needs nothing.
    async fn viewer(&self) -> Viewer {
        Viewer
    }
}

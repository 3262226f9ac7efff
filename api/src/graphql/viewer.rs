//! The caller of a request.

use async_graphql::{Context, Description, Enum, Object};
use domain::CallerKind;

use super::{context::ContextExt, enums::Permission, failure::Result, tenant::Tenant, user::User};

/// How a caller is authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum ViewerKind {
    /// No valid key or token was sent.
    Anonymous,
    /// A vendor's back end, with a vendor key.
    Vendor,
    /// A user of a tenant, authenticated by an access token.
    User,
}

/// The caller of the request, with its tenant and permissions.
#[derive(Description)]
pub struct Viewer;

#[Object(use_type_description)]
impl Viewer {
    /// How the caller is authenticated.
    async fn kind(&self, ctx: &Context<'_>) -> ViewerKind {
        match ctx.caller().kind() {
            CallerKind::Anonymous => ViewerKind::Anonymous,
            // No request is the operator's: there is no key for it.
            CallerKind::Vendor(_) | CallerKind::Operator => ViewerKind::Vendor,
            CallerKind::User(_) => ViewerKind::User,
        }
    }

    /// The tenant of the request; null for a vendor key used without the header `Muster-Tenant`.
    async fn tenant(&self, ctx: &Context<'_>) -> Option<Result<Tenant>> {
        let by = ctx.caller().allow_member().ok()?;
        Some(ctx.services().tenants().get(&by).await.map(Tenant::from).map_err(Into::into))
    }

    /// Permissions of the caller in the tenant.
    async fn permissions(&self, ctx: &Context<'_>) -> Vec<Permission> {
        ctx.caller().permissions().iter().copied().map(Permission::from).collect()
    }

    /// The calling user, including the state of the user's own calendar; null for a vendor key.
    async fn user(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        let by = ctx.caller().allow_own().ok()?;
        Some(ctx.services().users().me(&by).await.map(User::from).map_err(Into::into))
    }
}

#[derive(Default)]
pub struct ViewerQuery;

#[Object]
impl ViewerQuery {
    /// The caller of the request. Needs no permission.
    async fn viewer(&self) -> Viewer {
        Viewer
    }
}

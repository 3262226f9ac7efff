//! Callers: who sent a request, and which permissions they have.
//!
//! Authentication creates callers ([`crate::access`]), and callers create the proofs that use cases require
//! ([`crate::proof`]). Neither is defined in `domain`, because a proof that any crate could create would prove nothing.

use std::collections::BTreeSet;

use domain::{
    CallerKind, Id, Permission, Timestamp,
    access::{Denied, Rule},
    ids,
};
use entity::TrustedCode;

use crate::proof::{Allowed, Member, Own, OwnOr, Staff};

/// The credential with which a caller was authenticated, if it can be revoked independently of its user and
/// permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum PresentedCredential {
    /// A credential that cannot be revoked independently of its owner, such as a vendor key.
    #[default]
    Other,
    /// An access token.
    Token(Id<ids::AccessToken>),
    /// A token of an OpenID issuer to which the user is linked.
    Issuer {
        /// The issuer's registration.
        issuer: Id<ids::OpenIdIssuer>,
        /// When the token was issued.
        issued_at: Timestamp,
    },
}

/// An authenticated caller: identity, tenant and permissions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    kind: CallerKind,
    tenant: Option<Id<ids::Tenant>>,
    permissions: BTreeSet<Permission>,
    presented: PresentedCredential,
}

impl Caller {
    /// Creates the anonymous caller, who has no credential.
    pub fn anonymous() -> Self {
        Self::new(TrustedCode, CallerKind::Anonymous, None, BTreeSet::new())
    }

    /// Creates a caller with the given identity and permissions; for authentication and tests.
    pub fn new(
        _: TrustedCode,
        kind: CallerKind,
        tenant: Option<Id<ids::Tenant>>,
        permissions: BTreeSet<Permission>,
    ) -> Self {
        Self { kind, tenant, permissions, presented: PresentedCredential::default() }
    }

    /// Sets the credential with which the caller was authenticated.
    pub(crate) fn with_credential(self, presented: PresentedCredential) -> Self {
        Self { presented, ..self }
    }

    /// Creates the operator as a caller within one tenant. Needs no credential, because access to the server's
    /// configuration implies access to the database.
    pub fn operator(_: TrustedCode, tenant: Id<ids::Tenant>) -> Self {
        let permissions = [Permission::RunView, Permission::RunEdit].into();
        Self::new(TrustedCode, CallerKind::Operator, Some(tenant), permissions)
    }

    /// The credential with which the caller was authenticated.
    pub(crate) fn credential(&self) -> PresentedCredential {
        self.presented
    }

    /// The identity that was authenticated.
    pub fn kind(&self) -> CallerKind {
        self.kind
    }

    /// The tenant within which the request acts; `None` for a vendor key if the request specifies no tenant.
    pub fn tenant(&self) -> Option<Id<ids::Tenant>> {
        self.tenant
    }

    /// The permissions held within the tenant.
    pub fn permissions(&self) -> &BTreeSet<Permission> {
        &self.permissions
    }

    /// Returns a proof that the caller satisfies a rule within its tenant.
    pub fn allow<R: Rule>(&self) -> Result<Allowed<R>, Denied> {
        let member = self.within_tenant()?;
        if !R::is_met(&self.permissions) {
            return Err(Denied::Forbidden(R::NAMED));
        }
        Ok(Allowed::new(member))
    }

    /// Returns a proof that the caller is this user or satisfies a rule.
    pub fn allow_own_or<R: Rule>(&self, user: Id<ids::User>) -> Result<OwnOr<R>, Denied> {
        match self.allow_own() {
            Ok(own) if own.user() == user => Ok(OwnOr::from_own(own)),
            _ => Ok(OwnOr::for_other(self.allow()?, user)),
        }
    }

    /// Returns a proof that the caller is a user, who may act on their own data.
    pub fn allow_own(&self) -> Result<Own, Denied> {
        match (self.kind, self.tenant) {
            (CallerKind::User(user), Some(_)) => Ok(Own::new(self.within_tenant()?, user)),
            (CallerKind::Anonymous, _) => Err(Denied::Unauthenticated),
            _ => Err(Denied::Forbidden(Permission::UserView)),
        }
    }

    /// Returns a proof that the caller belongs to a tenant: as one of its users, or with any permission in it.
    pub fn allow_member(&self) -> Result<Member, Denied> {
        if let CallerKind::User(_) = self.kind {
            return Ok(self.allow_own()?.into());
        }
        let member = self.within_tenant()?;
        if self.permissions.is_empty() {
            return Err(Denied::Forbidden(Permission::UserView));
        }
        Ok(member)
    }

    /// Returns a proof that the caller belongs to the vendor's staff; no tenant is needed.
    pub fn allow_staff(&self) -> Result<Staff, Denied> {
        match self.kind {
            CallerKind::Anonymous => Err(Denied::Unauthenticated),
            CallerKind::Vendor(key) if self.permissions.contains(&Permission::Staff) => {
                Ok(Staff::new(key, self.permissions.clone()))
            }
            _ => Err(Denied::Forbidden(Permission::Staff)),
        }
    }

    /// Whether the caller has a permission within its tenant. For display only, because it creates no proof.
    pub fn has_permission(&self, permission: Permission) -> bool {
        self.within_tenant().is_ok_and(|member| member.has_permission(permission))
    }

    /// Returns the caller as a member of the request's tenant, whatever its permissions.
    fn within_tenant(&self) -> Result<Member, Denied> {
        if self.kind == CallerKind::Anonymous {
            return Err(Denied::Unauthenticated);
        }
        let tenant = self.tenant.ok_or(Denied::TenantMissing)?;
        Ok(Member::new(tenant, self.kind, self.permissions.clone(), self.presented))
    }
}

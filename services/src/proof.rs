//! Proofs that use cases require from their callers.
//!
//! | proof | who has it |
//! |---|---|
//! | [`Allowed`] | a caller who meets a rule, such as the permission `USER_EDIT`, within a tenant |
//! | [`Own`] | a user, for the user's own data |
//! | [`OwnOr`] | a user for the user's own data, or a caller who meets a rule |
//! | [`Member`] | a caller who belongs to a tenant, whatever it may do there |
//! | [`Staff`] | the vendor's staff |
//! | [`System`](crate::System) | the engine, the reconcilers and the operator's commands |
//! | [`Anyone`] | everybody; the result is public, or the request carries a secret of its own |
//!
//! Only [`Caller`](crate::Caller) creates the first five of these proofs.

use std::{collections::BTreeSet, fmt, marker::PhantomData, ops::Deref};

use domain::{
    CallerKind, Id, Permission,
    access::{Rule, may},
    ids,
};

use crate::caller::PresentedCredential;

/// Proof that a caller belongs to a tenant, with its identity, tenant and permissions.
///
/// The other proofs of callers within a tenant dereference to this one.
#[derive(Debug, Clone)]
pub struct Member {
    tenant: Id<ids::Tenant>,
    by: CallerKind,
    permissions: BTreeSet<Permission>,
    presented: PresentedCredential,
}

impl Member {
    pub(crate) fn new(
        tenant: Id<ids::Tenant>,
        by: CallerKind,
        permissions: BTreeSet<Permission>,
        presented: PresentedCredential,
    ) -> Self {
        Self { tenant, by, permissions, presented }
    }

    /// The credential by which the caller was authenticated.
    pub(crate) fn credential(&self) -> PresentedCredential {
        self.presented
    }

    /// The tenant within which the proof is valid.
    pub fn tenant(&self) -> Id<ids::Tenant> {
        self.tenant
    }

    /// The tenant, as the scope for looking up rows to which other rows refer.
    pub fn scope(&self) -> TenantScope {
        TenantScope::new(self.tenant)
    }

    /// The identity of the caller.
    pub fn kind(&self) -> CallerKind {
        self.by
    }

    /// Whether the caller has another permission as well.
    pub fn has_permission(&self, permission: Permission) -> bool {
        self.permissions.contains(&permission)
    }

    /// All permissions of the caller.
    pub(crate) fn permissions(&self) -> &BTreeSet<Permission> {
        &self.permissions
    }

    /// Whether the caller may connect calendars (see [`may::ConnectCalendars`]).
    pub fn may_connect_calendars(&self) -> bool {
        may::ConnectCalendars::is_met(&self.permissions)
    }

    /// The actor as recorded in the audit log: the id of a user or key, `operator` or `anonymous`.
    pub fn actor(&self) -> String {
        match self.by {
            CallerKind::Anonymous => "anonymous".to_owned(),
            CallerKind::Vendor(id) => id.to_string(),
            CallerKind::User(id) => id.to_string(),
            CallerKind::Operator => "operator".to_owned(),
        }
    }
}

/// Proof that a caller satisfies a rule within its tenant.
pub struct Allowed<R> {
    member: Member,
    rule: PhantomData<fn() -> R>,
}

impl<R: Rule> Allowed<R> {
    pub(crate) fn new(member: Member) -> Self {
        Self { member, rule: PhantomData }
    }
}

impl<R> Clone for Allowed<R> {
    fn clone(&self) -> Self {
        Self { member: self.member.clone(), rule: PhantomData }
    }
}

impl<R> fmt::Debug for Allowed<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Allowed").field(&self.member).finish()
    }
}

impl<R> Deref for Allowed<R> {
    type Target = Member;

    fn deref(&self) -> &Member {
        &self.member
    }
}

/// Proof that a caller is a user, who may act on their own data.
#[derive(Debug, Clone)]
pub struct Own {
    member: Member,
    user: Id<ids::User>,
}

impl Own {
    pub(crate) fn new(member: Member, user: Id<ids::User>) -> Self {
        Self { member, user }
    }

    /// The user as whom the caller is authenticated.
    pub fn user(&self) -> Id<ids::User> {
        self.user
    }
}

impl Deref for Own {
    type Target = Member;

    fn deref(&self) -> &Member {
        &self.member
    }
}

impl From<Own> for Member {
    fn from(own: Own) -> Self {
        own.member
    }
}

/// Proof that a caller may act on one user's data: their own, or another user's because the caller satisfies a rule.
pub struct OwnOr<R> {
    member: Member,
    user: Id<ids::User>,
    is_own: bool,
    rule: PhantomData<fn() -> R>,
}

impl<R: Rule> OwnOr<R> {
    pub(crate) fn from_own(own: Own) -> Self {
        Self { member: own.member, user: own.user, is_own: true, rule: PhantomData }
    }

    pub(crate) fn for_other(by: Allowed<R>, user: Id<ids::User>) -> Self {
        Self { member: by.member, user, is_own: false, rule: PhantomData }
    }
}

impl<R> OwnOr<R> {
    /// The user whose data the caller may access.
    pub fn user(&self) -> Id<ids::User> {
        self.user
    }

    /// Whether the caller is the user whose data is accessed.
    pub fn is_own(&self) -> bool {
        self.is_own
    }
}

impl<R> fmt::Debug for OwnOr<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OwnOr").field(&self.member).field(&self.user).finish()
    }
}

impl<R> Deref for OwnOr<R> {
    type Target = Member;

    fn deref(&self) -> &Member {
        &self.member
    }
}

/// Proof that a caller belongs to the vendor's staff.
#[derive(Debug, Clone)]
pub struct Staff {
    key: Id<ids::ApiKey>,
    permissions: BTreeSet<Permission>,
}

impl Staff {
    pub(crate) fn new(key: Id<ids::ApiKey>, permissions: BTreeSet<Permission>) -> Self {
        Self { key, permissions }
    }

    /// Whether the vendor key has another permission as well.
    pub fn has_permission(&self, permission: Permission) -> bool {
        self.permissions.contains(&permission)
    }

    /// All permissions of the key.
    pub(crate) fn permissions(&self) -> &BTreeSet<Permission> {
        &self.permissions
    }

    /// The vendor key of the caller.
    pub(crate) fn key(&self) -> Id<ids::ApiKey> {
        self.key
    }

    /// The actor as recorded in the audit log: the id of the key.
    pub fn actor(&self) -> String {
        self.key.to_string()
    }
}

/// Requires no proof. A use case that takes this type may be called by anybody, because its result is public or because
/// it checks a secret itself, such as a link's token or a page's cookie.
#[derive(Debug, Clone, Copy)]
pub struct Anyone;

/// The tenant in which rows are looked up by ids found in other rows. It needs no permission, because the caller was
/// allowed to read those other rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TenantScope(Id<ids::Tenant>);

impl TenantScope {
    pub(crate) const fn new(tenant: Id<ids::Tenant>) -> Self {
        Self(tenant)
    }

    pub(crate) const fn tenant(self) -> Id<ids::Tenant> {
        self.0
    }
}

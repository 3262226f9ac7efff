//! Callers, their permissions, and the proof that a permission was checked.

use std::collections::BTreeSet;

use crate::{
    ids::{self, Id},
    words,
};

words! {
    /// One thing that a caller may do.
    Permission {
        /// See users and their calendar states.
        UserView = "USER_VIEW",
        /// Change users.
        UserEdit = "USER_EDIT",
        /// Add users.
        UserCreate = "USER_CREATE",
        /// Remove users.
        UserDelete = "USER_DELETE",
        /// See and change roles.
        RoleEdit = "ROLE_EDIT",
        /// Connect calendars, and nothing else.
        CalendarConnect = "CALENDAR_CONNECT",
        /// Administer the calendar system of the whole company.
        PlatformAdministration = "PLATFORM_ADMINISTRATION",
        /// Add or change the service account.
        ServiceAccountEdit = "SERVICE_ACCOUNT_EDIT",
        /// See integrations, connections and rooms.
        ConnectionView = "CONNECTION_VIEW",
        /// Search for free times of people and rooms.
        AvailabilityView = "AVAILABILITY_VIEW",
        /// See bookings.
        BookingView = "BOOKING_VIEW",
        /// Make, move and cancel bookings.
        BookingEdit = "BOOKING_EDIT",
        /// See runs and their history.
        RunView = "RUN_VIEW",
        /// Retry, signal and cancel runs.
        RunEdit = "RUN_EDIT",
        /// Everything that only the vendor's staff may do.
        Staff = "STAFF",
    }
}

words! {
    /// A role that every tenant has from the start.
    StandardRole {
        /// Everything within the tenant.
        Administrator = "Administrator",
        /// People and bookings.
        HumanResources = "Human Resources",
        /// Company-wide platform administration: the role of an invited IT person.
        PlatformAdministration = "Platform Administration",
        /// Connect calendars, and nothing else.
        CalendarConnector = "Calendar Connector",
    }
}

impl StandardRole {
    /// The permissions that the role grants.
    pub fn permissions(self) -> BTreeSet<Permission> {
        use Permission as P;
        match self {
            Self::Administrator => P::ALL.iter().copied().filter(|p| *p != P::Staff).collect(),
            Self::HumanResources => BTreeSet::from([
                P::UserView,
                P::UserEdit,
                P::UserCreate,
                P::UserDelete,
                P::ConnectionView,
                P::AvailabilityView,
                P::BookingView,
                P::BookingEdit,
            ]),
            Self::PlatformAdministration => BTreeSet::from([P::PlatformAdministration]),
            Self::CalendarConnector => BTreeSet::from([P::CalendarConnect]),
        }
    }
}

/// The identity behind a request, as authentication established it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallerKind {
    /// No valid credential came with the request.
    Anonymous,
    /// A vendor's back end, authenticated by this API key.
    Vendor(Id<ids::ApiKey>),
    /// A user of a tenant, authenticated by an access token.
    User(Id<ids::User>),
    /// The operator at the server's own command line.
    Operator,
}

/// An authenticated caller: identity, tenant and permissions. Made by authentication, or for the operator's own
/// commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The identity that was authenticated.
    pub kind: CallerKind,
    /// The one tenant of the request; `None` for a vendor key that names no tenant.
    pub tenant: Option<Id<ids::Tenant>>,
    /// The permissions held within the tenant.
    pub permissions: BTreeSet<Permission>,
}

/// Why a caller is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The request carries no valid key or token.
    #[error("Sign in: this request carries no valid key or token.")]
    Unauthenticated,
    /// The caller is known but lacks this permission.
    #[error("You may not do this: it needs the permission {0}.")]
    Forbidden(Permission),
    /// A vendor key acts for no particular tenant, but the request needs one.
    #[error("Name the tenant you act for in the header Muster-Tenant.")]
    TenantMissing,
}

impl Denied {
    /// The stable code for clients.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::Forbidden(_) => "FORBIDDEN",
            Self::TenantMissing => "TENANT_MISSING",
        }
    }
}

impl Caller {
    /// A caller without any credential.
    pub fn anonymous() -> Self {
        Self { kind: CallerKind::Anonymous, tenant: None, permissions: BTreeSet::new() }
    }

    /// The operator, managing the runs of a tenant. Needs no credential: whoever holds the server's configuration
    /// can read its database anyway.
    pub fn operator(tenant: Id<ids::Tenant>) -> Self {
        let permissions = [Permission::RunView, Permission::RunEdit].into();
        Self { kind: CallerKind::Operator, tenant: Some(tenant), permissions }
    }

    /// Proves that the caller holds a permission within its tenant.
    pub fn allow(&self, permission: Permission) -> Result<Allowed, Denied> {
        self.allow_any(&[permission])
    }

    /// Proves that the caller holds at least one of the permissions within its tenant.
    pub fn allow_any(&self, permissions: &[Permission]) -> Result<Allowed, Denied> {
        let first = *permissions.first().unwrap_or(&Permission::Staff);
        if self.kind == CallerKind::Anonymous {
            return Err(Denied::Unauthenticated);
        }
        let tenant = self.tenant.ok_or(Denied::TenantMissing)?;
        if !permissions.iter().any(|permission| self.permissions.contains(permission)) {
            return Err(Denied::Forbidden(first));
        }
        Ok(Allowed { tenant, by: self.kind, permissions: self.permissions.clone() })
    }

    /// Proves that the caller may connect calendars: with `CALENDAR_CONNECT`, as platform administrator, or with every
    /// permission on users (S1.3).
    pub fn allow_connecting(&self) -> Result<Allowed, Denied> {
        match self.allow_any(Permission::ALL) {
            Ok(by) if by.may_connect() => Ok(by),
            // Somebody without any permission lacks this one, too.
            Ok(_) | Err(Denied::Forbidden(_)) => Err(Denied::Forbidden(Permission::CalendarConnect)),
            Err(denied) => Err(denied),
        }
    }

    /// Proves that the caller is a user, who may act on objects of their own.
    pub fn allow_own(&self) -> Result<(Allowed, Id<ids::User>), Denied> {
        match (self.kind, self.tenant) {
            (CallerKind::User(user), Some(tenant)) => {
                Ok((Allowed { tenant, by: self.kind, permissions: self.permissions.clone() }, user))
            }
            (CallerKind::Anonymous, _) => Err(Denied::Unauthenticated),
            _ => Err(Denied::Forbidden(Permission::UserView)),
        }
    }

    /// Proves that the caller is the vendor's staff; no tenant is needed.
    pub fn allow_staff(&self) -> Result<Staff, Denied> {
        match self.kind {
            CallerKind::Anonymous => Err(Denied::Unauthenticated),
            CallerKind::Vendor(key) if self.permissions.contains(&Permission::Staff) => {
                Ok(Staff { key, permissions: self.permissions.clone() })
            }
            _ => Err(Denied::Forbidden(Permission::Staff)),
        }
    }
}

fn may_connect(permissions: &BTreeSet<Permission>) -> bool {
    use Permission as P;
    let on_users = [P::UserView, P::UserEdit, P::UserCreate, P::UserDelete];
    permissions.contains(&P::CalendarConnect)
        || permissions.contains(&P::PlatformAdministration)
        || on_users.iter().all(|permission| permissions.contains(permission))
}

/// The proof that a permission was checked: only [`Caller`] makes one, and use cases demand one.
#[derive(Debug, Clone)]
pub struct Allowed {
    tenant: Id<ids::Tenant>,
    by: CallerKind,
    permissions: BTreeSet<Permission>,
}

impl Allowed {
    /// The tenant within which the proof holds.
    pub fn tenant(&self) -> Id<ids::Tenant> {
        self.tenant
    }

    /// The caller to whom the proof was given.
    pub fn by(&self) -> CallerKind {
        self.by
    }

    /// Whether the caller also holds another permission.
    pub fn has_permission(&self, permission: Permission) -> bool {
        self.permissions.contains(&permission)
    }

    /// Whether the caller may connect calendars, by any rule of [`Caller::allow_connecting`].
    pub fn may_connect(&self) -> bool {
        may_connect(&self.permissions)
    }

    /// The actor as recorded in the audit: the id of a user or key, `operator` or `anonymous`.
    pub fn actor(&self) -> String {
        match self.by {
            CallerKind::Anonymous => "anonymous".to_owned(),
            CallerKind::Vendor(id) => id.to_string(),
            CallerKind::User(id) => id.to_string(),
            CallerKind::Operator => "operator".to_owned(),
        }
    }
}

/// The proof that a caller is the vendor's staff.
#[derive(Debug, Clone)]
pub struct Staff {
    key: Id<ids::ApiKey>,
    permissions: BTreeSet<Permission>,
}

impl Staff {
    /// Whether the key also holds another permission.
    pub fn has_permission(&self, permission: Permission) -> bool {
        self.permissions.contains(&permission)
    }

    /// The actor as recorded in the audit: the id of the key.
    pub fn actor(&self) -> String {
        self.key.to_string()
    }
}

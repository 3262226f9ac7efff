//! Permissions, the rules that proof types such as `Allowed<UserEdit>` stand for, and the reasons for which a caller is
//! denied access. The `services` crate authenticates callers and makes the proofs.

use std::collections::BTreeSet;

use crate::{
    ids::{self, Id},
    words,
};

/// Declares the permissions and, in [`may`], a rule of the same name for each permission.
macro_rules! permissions {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),* $(,)? }) => {
        words! { $(#[$doc])* $name { $($(#[$vdoc])* $variant = $word),* } }

        /// Marker types for proofs of permission: one for each permission, and one for each rule that several
        /// permissions can satisfy.
        ///
        /// The marker types have no values and appear only as type parameters, as in `Allowed<may::UserEdit>`.
        pub mod may {
            pub use super::rules::*;

            $($(#[$vdoc])*
            #[derive(Debug, Clone, Copy)]
            pub enum $variant {}

            impl super::sealed::Sealed for $variant {}

            impl super::Rule for $variant {
                const NAMED: super::$name = super::$name::$variant;
            })*
        }
    };
}

permissions! {
    /// A single permission.
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
        /// Operations reserved for the vendor's staff.
        Staff = "STAFF",
    }
}

/// An access rule that a proof establishes: the caller has one permission, or one of several combinations. Implemented
/// only by the types in [`may`].
pub trait Rule: sealed::Sealed {
    /// The permission named in the error when the caller does not satisfy the rule.
    const NAMED: Permission;

    /// Whether a caller with these permissions satisfies the rule.
    fn is_met(permissions: &BTreeSet<Permission>) -> bool {
        permissions.contains(&Self::NAMED)
    }
}

mod sealed {
    pub trait Sealed {}
}

/// Access rules that several combinations of permissions satisfy.
mod rules {
    use std::collections::BTreeSet;

    use super::{Permission, Rule, sealed::Sealed};

    /// Permits connecting calendars: with `CALENDAR_CONNECT`, as platform administrator, or with every permission on
    /// users (S1.3).
    #[derive(Debug, Clone, Copy)]
    pub enum ConnectCalendars {}

    impl Sealed for ConnectCalendars {}

    impl Rule for ConnectCalendars {
        const NAMED: Permission = Permission::CalendarConnect;

        fn is_met(permissions: &BTreeSet<Permission>) -> bool {
            use Permission as P;
            let on_users = [P::UserView, P::UserEdit, P::UserCreate, P::UserDelete];
            permissions.contains(&P::CalendarConnect)
                || permissions.contains(&P::PlatformAdministration)
                || on_users.iter().all(|permission| permissions.contains(permission))
        }
    }

    /// Permits disconnecting a calendar system: with `SERVICE_ACCOUNT_EDIT`, or as platform administrator. Whoever may
    /// only connect calendars does not end what others use.
    #[derive(Debug, Clone, Copy)]
    pub enum DisconnectCalendars {}

    impl Sealed for DisconnectCalendars {}

    impl Rule for DisconnectCalendars {
        const NAMED: Permission = Permission::ServiceAccountEdit;

        fn is_met(permissions: &BTreeSet<Permission>) -> bool {
            permissions.contains(&Permission::ServiceAccountEdit)
                || permissions.contains(&Permission::PlatformAdministration)
        }
    }

    /// Permits viewing integrations: with `CONNECTION_VIEW`, or because the caller may connect calendars
    /// ([`ConnectCalendars`]).
    #[derive(Debug, Clone, Copy)]
    pub enum SeeIntegrations {}

    impl Sealed for SeeIntegrations {}

    impl Rule for SeeIntegrations {
        const NAMED: Permission = Permission::CalendarConnect;

        fn is_met(permissions: &BTreeSet<Permission>) -> bool {
            permissions.contains(&Permission::ConnectionView) || ConnectCalendars::is_met(permissions)
        }
    }

    /// Permits viewing rooms: with `CONNECTION_VIEW` or `AVAILABILITY_VIEW`.
    #[derive(Debug, Clone, Copy)]
    pub enum SeeRooms {}

    impl Sealed for SeeRooms {}

    impl Rule for SeeRooms {
        const NAMED: Permission = Permission::ConnectionView;

        fn is_met(permissions: &BTreeSet<Permission>) -> bool {
            permissions.contains(&Permission::ConnectionView)
                || permissions.contains(&Permission::AvailabilityView)
        }
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

/// The identity of the caller of a request, as established by authentication.
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

/// Why a caller was denied access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The request contains no valid API key or access token.
    #[error("Sign in: this request contains no valid API key or access token.")]
    Unauthenticated,
    /// The caller is known but lacks this permission.
    #[error("You may not do this: it needs the permission {0}.")]
    Forbidden(Permission),
    /// The request was made with a vendor key and needs a tenant, but does not specify one.
    #[error("Specify the tenant in the Muster-Tenant header.")]
    TenantMissing,
}

impl Denied {
    /// Stable, machine-readable code of the denial.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::Forbidden(_) => "FORBIDDEN",
            Self::TenantMissing => "TENANT_MISSING",
        }
    }
}

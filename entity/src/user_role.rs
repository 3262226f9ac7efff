//! Assignments of roles to users.

crate::table::tenant_junction! {
    /// The assignment of a role to a user.
    "user_role" {
        /// The user who holds the role.
        user_id: Id<ids::User>,
        /// The role held.
        role_id: Id<ids::Role>;
    }
}

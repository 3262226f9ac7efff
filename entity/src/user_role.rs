//! Assignments of roles to users.

crate::table::tenant_junction! {
    /// The assignment of a role to a user.
    "user_role" {
        /// The user to whom the role is assigned.
        user_id: Id<ids::User>,
        /// The role assigned to the user.
        role_id: Id<ids::Role>;
    }
}

//! Who has which role.

crate::table::tenant_junction! {
    /// Who has which role.
    "user_role" {
        /// The user.
        user_id: Uuid,
        /// The role.
        role_id: Uuid;
    }
}

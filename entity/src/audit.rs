//! What somebody with rights did.

crate::table::tenant_table! {
    /// What somebody with rights did.
    "audit" {
        /// The actor.
        actor: String,
        /// The action.
        action: String,
        /// The subject.
        subject: String,
        /// The details.
        details: Json,
        /// When.
        at: DateTimeUtc,
    }
}

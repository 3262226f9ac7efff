//! What was done, by whom: the entries of the chains of `audit_chain`.

crate::table::tenant_table! {
    /// One act. The tenant of all zeros stands for the installation.
    "audit" {
        /// Who acted: the id of a user, key or link, `operator`, or the part of the engine that did it.
        actor: String,
        /// What was done, as `noun.verb`.
        action: String,
        /// The id of what it was done to.
        subject: String,
        /// Facts that are neither the value before nor the one after.
        details: Json,
        /// When its transaction began.
        at: DateTimeUtc,
        /// The request by which it came: `x-request-id`, or the id of the run whose step it was.
        request: Option<String>,
        /// What was so before.
        old_value: Option<Json>,
        /// What is so since.
        new_value: Option<Json>,
        /// Its place in the chain, from 1 on; null for an entry of a version without chains.
        seq: Option<i64>,
        /// SHA-256 over the entry and the hash of the one before.
        hash: Option<Vec<u8>>,
    }
}

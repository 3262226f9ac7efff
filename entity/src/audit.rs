//! The audit log: which action was performed, and by whom. Entries form the hash chains of `audit_chain`.

crate::table::tenant_table! {
    /// One recorded action. An all-zero tenant id identifies the installation.
    "audit": ids::AuditEntry {
        /// The actor: the id of a user, key or link, `operator`, or the name of an engine component.
        actor: String,
        /// The kind of action, as `noun.verb`.
        action: String,
        /// The id of the object acted on.
        subject: String,
        /// Additional facts about the action; the old and the new value have columns of their own.
        details: Json,
        /// When the transaction of the action began.
        at: DateTimeUtc,
        /// The id of the request (`x-request-id`), or of the run whose step performed the action.
        request: Option<String>,
        /// The audited value before the action; null when there was none.
        old_value: Option<Json>,
        /// The audited value after the action; null when there is none.
        new_value: Option<Json>,
        /// The entry's position in its hash chain, counted from 1; null for entries written before hash chains existed.
        seq: Option<i64>,
        /// SHA-256 over this entry and the hash of the previous entry; null in the same cases as `seq`.
        hash: Option<Vec<u8>>,
    }
}

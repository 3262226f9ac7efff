//! The users of tenants.

crate::table::tenant_table! {
    /// A person who signs in, books, or has a connected calendar.
    "tenant_user": ids::User {
        /// The address for invitations and sign-in, in lower case; unique within the tenant.
        email: String,
        /// The permissions of the actor who set `email` and thereby determined who can sign in with it.
        email_set_with: Json,
        /// A display name.
        name: String,
        /// The mailbox that holds the user's calendar, unique within the tenant; null when the user has none.
        calendar_address: Option<String>,
        /// The user's own zone, as an IANA name; null when unknown.
        time_zone: Option<String>,
        /// When all the user's tokens were last revoked: one of the tenant's own issuer is accepted only if it was
        /// issued later. Null if they never were.
        tokens_since: Option<DateTimeUtc>,
        /// Incremented on every change; updates compare it with `ifVersion`.
        version: i64,
        /// When an administrator or the vendor added the person.
        created_at: DateTimeUtc,
    }
}

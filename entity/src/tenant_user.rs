//! The users of tenants.

crate::table::tenant_table! {
    /// A person who signs in, makes bookings, or has a connected calendar.
    "tenant_user": ids::User {
        /// The email address for invitations and sign-in, in lower case; unique within the tenant.
        email: String,
        /// The permissions of the actor who set `email` and thereby determined who can sign in with it.
        email_set_with: Json,
        /// A display name.
        name: String,
        /// The email address of the mailbox with the user's calendar, unique within the tenant; null when the user has
        /// none.
        calendar_address: Option<String>,
        /// The user's own time zone, as an IANA name; null when unknown.
        time_zone: Option<String>,
        /// When all of the user's tokens were last revoked; null if they never were. A token of the tenant's own issuer
        /// is accepted only if it was issued later.
        tokens_since: Option<DateTimeUtc>,
        /// Incremented on every change; updates compare it with `ifVersion`.
        version: i64,
        /// When an administrator or the vendor added the user.
        created_at: DateTimeUtc,
    }
}

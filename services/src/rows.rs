//! Rows as values, for those who show them. A row leads to no table: finders stay in `entity`, which `api` cannot name.

pub use entity::{StateName, Stored};

/// Lists the tables whose rows are shown.
macro_rules! rows {
    ($($table:ident),* $(,)?) => {
        $(
            #[doc = concat!("Rows of the table `", stringify!($table), "`.")]
            pub mod $table {
                pub use entity::$table::Model;
            }
        )*
    };
}

rows! {
    access_token,
    api_key,
    audit,
    booking,
    booking_change,
    booking_participant,
    campaign,
    campaign_item,
    connect_link,
    connection,
    integration,
    openid_identity,
    openid_issuer,
    role,
    room,
    run,
    run_history,
    service_account,
    tenant,
    tenant_user,
    terms_acceptance,
    verification,
}

//! Re-exports the row types of `entity` for `api`, without the finders, because `api` does not depend on `entity`.

pub use entity::{StateName, Stored};

/// Re-exports the row types of the listed tables.
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
    erasure_receipt,
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

//! Free time and bookings, on SQLite and on PostgreSQL.
//!
//! The PostgreSQL half needs `MUSTER_TEST_POSTGRES`, the URL of a server on which databases may be made.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod setup;

/// Runs the tests of a module on both stores.
macro_rules! on_both_stores {
    ($($name:ident),+ $(,)?) => {
        mod sqlite { $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(&$crate::bookings::setup::Setup::sqlite().await).await;
            }
        )+ }

        mod postgres { $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(&$crate::bookings::setup::Setup::postgres().await).await;
            }
        )+ }
    };
}

mod availability;
mod copies;
mod create;
mod left_out;
mod revise;
mod room_rules;

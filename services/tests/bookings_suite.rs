//! Free time and bookings, on SQLite and on PostgreSQL.
//!
//! The PostgreSQL half needs `MUSTER_TEST_POSTGRES`, the URL of a server on which databases may be made.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "bookings_suite/setup.rs"]
mod setup;

/// Runs the tests of a module on both stores.
macro_rules! on_both_stores {
    ($($name:ident),+ $(,)?) => {
        mod sqlite { $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(&$crate::setup::Setup::sqlite().await).await;
            }
        )+ }

        mod postgres { $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                let setup = $crate::setup::Setup::postgres().await;
                super::$name(&setup).await;
                setup.close().await;
            }
        )+ }
    };
}

#[path = "bookings_suite/availability.rs"]
mod availability;
#[path = "bookings_suite/copies.rs"]
mod copies;
#[path = "bookings_suite/create.rs"]
mod create;
#[path = "bookings_suite/revise.rs"]
mod revise;
#[path = "bookings_suite/room_rules.rs"]
mod room_rules;

//! What the database says when it refuses a value goes into logs, and the value must not.

use entity::{DatabaseError, StoreError};
use sea_orm::{ConnectionTrait, DatabaseBackend, DbErr};
use services::{Error, users::NewUser};

use crate::people::harness::{Harness, person, refused};

on_both!(what_the_database_refuses_is_told_without_the_value);

const CANARY: &str = "canary-4711@acme.example";

/// All that can be printed of an error.
fn printed(error: &(dyn std::error::Error + 'static)) -> String {
    let mut all = format!("{error} {error:?} {error:#?}");
    let mut source = error.source();
    while let Some(cause) = source {
        all = format!("{all} {cause} {cause:?}");
        source = cause.source();
    }
    all
}

async fn what_the_database_refuses_is_told_without_the_value(h: Harness) {
    let tenant = h.tenant("acme").await;
    let new = NewUser { email: CANARY.to_owned(), ..person("anna") };
    h.services.users().create(&h.vendor(tenant).await.allow().unwrap(), new.clone()).await.unwrap();
    // The use case knows what it means.
    let again = h.services.users().create(&h.vendor(tenant).await.allow().unwrap(), new).await;
    assert_eq!(refused(again.map(|_| ())), "EMAIL_TAKEN");

    // Of a table behind row-level security PostgreSQL tells no details; this one is not.
    let twice = format!(
        "INSERT INTO installation_secret (name, sealed, changed_at)
         SELECT '{CANARY}', sealed, changed_at FROM installation_secret UNION ALL
         SELECT '{CANARY}', sealed, changed_at FROM installation_secret"
    );
    let unread = format!("SELECT CAST('{CANARY}' AS uuid)");
    let wrong = format!("SELECT \"{CANARY}\" FROM tenant_user");
    let postgres = h.services.store.backend() == DatabaseBackend::Postgres;
    for (sql, shows) in
        [(&twice, if postgres { "23505" } else { "1555" }), (&unread, "22P02"), (&wrong, "42703")]
    {
        let tx = h.services.begin(tenant).await.unwrap();
        let Err(raw) = tx.conn().execute_unprepared(sql).await else {
            assert!(!postgres, "{sql} is refused");
            continue;
        };
        if postgres {
            assert!(printed(&raw).contains(CANARY), "what is tested has a value in it: {raw:?}");
        }
        for told in [
            printed(&DatabaseError::from(raw.clone())),
            printed(&Error::from(raw.clone())),
            printed(&StoreError::from(raw.clone())),
        ] {
            assert!(!told.contains("canary"), "{told}");
            assert!(!postgres || told.contains(shows), "it says what it is: {told}");
        }
    }
    // What is no answer of a server at all.
    for raw in [DbErr::Type(CANARY.to_owned()), DbErr::Json(CANARY.to_owned())] {
        assert!(!printed(&Error::from(raw)).contains("canary"));
    }
}

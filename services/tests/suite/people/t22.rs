//! Row-level security holds however a transaction ends (T22): dropped at any await point, in a panic or by a time-out.
//!
//! Many tenants share a few connections. The next tenant on a connection must see neither the rows nor the tenant
//! setting of the previous one. The tests count how often a tenant reuses a connection after another tenant's aborted
//! transaction; PostgreSQL's backend process id identifies the connection.

use std::{
    collections::HashMap,
    panic::AssertUnwindSafe,
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::Poll::{Pending, Ready},
};

use domain::{Id, Ids, ids};
use entity::{Logins, Store};
use futures::FutureExt;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait};
use services::{PageArgs, System, links::NewInvitation};
use tokio::task::JoinSet;

use crate::people::harness::{Harness, on_postgres, person};

/// Size of the connection pool that all tenants share.
const CONNECTIONS: u32 = 2;
const TENANTS: usize = 6;

/// Number of transactions of each tenant, in the suite and at full size.
fn rounds() -> usize {
    if std::env::var_os("MUSTER_TEST_ATTACKS_FULL").is_some() { 1_000 } else { 25 }
}

/// Polls a future at most `polls` times, then drops it; returns whether the future completed.
async fn dropped_after<F: Future>(polls: usize, future: F) -> bool {
    let (mut future, mut left) = (pin!(future), polls);
    let ended = std::future::poll_fn(|context| {
        if left == 0 {
            return Ready(false);
        }
        left -= 1;
        match future.as_mut().poll(context) {
            Ready(_) => Ready(true),
            Pending => Pending,
        }
    });
    ended.await
}

/// Observations about the shared connections.
#[derive(Debug, Default)]
struct Watch {
    /// The last tenant of each connection, by backend process id, and whether its transaction completed.
    last: HashMap<i32, (Id<ids::Tenant>, bool)>,
    /// Number of times a tenant got a connection after another tenant's aborted transaction.
    reused: usize,
    /// Descriptions of rows and settings that were visible without permission.
    leaks: Vec<String>,
}

impl Watch {
    fn enter(&mut self, pid: i32, tenant: Id<ids::Tenant>) {
        let former = self.last.insert(pid, (tenant, false));
        let is_met = former.is_some_and(|(former, ended)| former != tenant && !ended);
        self.reused += usize::from(is_met);
    }

    fn leave(&mut self, pid: i32, tenant: Id<ids::Tenant>) {
        self.last.insert(pid, (tenant, true));
    }
}

type Shared = Arc<Mutex<Watch>>;

/// How a transaction ends, unless it is dropped earlier.
#[derive(Debug, Clone, Copy)]
enum End {
    Commit,
    Drop,
    Panic,
    TimeOut,
    Refusal,
}

const ENDS: [End; 5] = [End::Commit, End::Drop, End::Panic, End::TimeOut, End::Refusal];

/// Runs a transaction of a tenant that also looks for rows of other tenants.
async fn visit(store: &Store, tenant: Id<ids::Tenant>, watch: &Shared, end: End) -> Result<(), DbErr> {
    let txn = store.write(tenant).await?;
    let sql = "SELECT pg_backend_pid() AS pid, current_setting('app.tenants', true) AS said";
    let row = txn.query_one_raw(statement(sql)).await?.unwrap();
    let (pid, said): (i32, String) = (row.try_get("", "pid")?, row.try_get("", "said")?);
    watch.lock().unwrap().enter(pid, tenant);
    let users = entity::tenant_user::Entity::find().all(&txn).await?;
    let foreign = users.iter().filter(|user| user.tenant_id != tenant).count();
    if foreign > 0 || said != tenant.uuid().to_string() || users.is_empty() {
        let seen = users.len();
        watch
            .lock()
            .unwrap()
            .leaks
            .push(format!("{tenant} sees {foreign} foreign rows of {seen} with the setting {said:?}"));
    }
    finish(txn, end).await?;
    watch.lock().unwrap().leave(pid, tenant);
    Ok(())
}

async fn finish(txn: DatabaseTransaction, end: End) -> Result<(), DbErr> {
    let touched = "UPDATE tenant_user SET name = name";
    txn.execute_unprepared(touched).await?;
    match end {
        End::Commit => return txn.commit().await,
        End::Drop => {}
        End::Panic => panic!("planted"),
        End::TimeOut => {
            txn.execute_unprepared("SET LOCAL statement_timeout = 1").await?;
            txn.execute_unprepared("SELECT pg_sleep(10)").await?;
        }
        End::Refusal => {
            txn.execute_unprepared("SELECT 1 / 0").await?;
        }
    }
    Err(DbErr::Custom("broken off".to_owned()))
}

fn statement(sql: &str) -> sea_orm::Statement {
    sea_orm::Statement::from_string(sea_orm::DatabaseBackend::Postgres, sql)
}

/// Checks every connection outside a transaction: no tenant is set and no row is visible.
async fn bare(store: &Store, watch: &Shared) {
    let look = async || {
        let sql = "SELECT coalesce(current_setting('app.tenants', true), '') AS said,
                   (SELECT count(*) FROM tenant_user) AS seen, pg_sleep(0.003)::text AS held";
        let row = store.installation_connection().query_one_raw(statement(sql)).await.unwrap().unwrap();
        let (said, seen): (String, i64) =
            (row.try_get("", "said").unwrap(), row.try_get("", "seen").unwrap());
        if !said.is_empty() || seen > 0 {
            watch
                .lock()
                .unwrap()
                .leaks
                .push(format!("{seen} rows outside a transaction, with the setting {said:?}"));
        }
    };
    // One concurrent query for each connection; each query holds its connection for a moment.
    futures::future::join_all((0..CONNECTIONS).map(|_| look())).await;
}

async fn tenants(h: &Harness) -> Vec<Id<ids::Tenant>> {
    let mut tenants = Vec::new();
    for index in 0..TENANTS {
        let tenant = h.tenant(&format!("t{index}")).await;
        let by = h.vendor(tenant).await;
        for name in ["anna", "bert", "carl"] {
            h.services.users().create(&by.allow().unwrap(), person(name)).await.unwrap();
        }
        tenants.push(tenant);
    }
    tenants
}

async fn few_connections(h: &Harness) -> Store {
    Store::connect(&Logins::from_url(&h.url), CONNECTIONS).await.unwrap()
}

fn random_of<'a, T>(random: &Ids, all: &'a [T]) -> &'a T {
    &all[usize::try_from(random.random_below(all.len() as u64)).unwrap()]
}

/// Runs the transactions of all tenants concurrently and aborts most of them.
async fn storm(h: &Harness, tenants: &[Id<ids::Tenant>], rounds: usize, seed: u64) -> Shared {
    let (store, clock) = (few_connections(h).await, h.services.clock.clone());
    let watch = Shared::default();
    let mut running = JoinSet::new();
    for (index, tenant) in tenants.iter().enumerate() {
        let (store, watch, tenant) = (store.clone(), Arc::clone(&watch), *tenant);
        let random = Ids::seeded(clock.clone(), seed + u64::try_from(index).unwrap());
        running.spawn(async move {
            for _ in 0..rounds {
                let end = *random_of(&random, &ENDS);
                // A transaction that needs fewer polls than this ends as `end` says.
                let polls = usize::try_from(random.random_below(24)).unwrap();
                let one = dropped_after(polls, visit(&store, tenant, &watch, end));
                let _broken = AssertUnwindSafe(one).catch_unwind().await;
                bare(&store, &watch).await;
            }
        });
    }
    running.join_all().await;
    watch
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t22_whoever_gets_a_connection_next_sees_nothing_of_who_had_it() {
    on_postgres(async |h: Harness| {
        let watch = storm(&h, &tenants(&h).await, rounds(), 22).await;
        let watch = watch.lock().unwrap();
        assert_eq!(watch.leaks, [""; 0], "seed 22");
        let wanted = rounds() * TENANTS / 10;
        assert!(
            watch.reused >= wanted,
            "{} connections were reused after an aborted transaction",
            watch.reused
        );
        println!("{} transactions, {} reused connections", rounds() * TENANTS, watch.reused);
    })
    .await;
}

/// The planted `set_config` keeps the tenant setting for the lifetime of the connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t22_a_setting_that_outlives_its_transaction_is_found() {
    on_postgres(async |h: Harness| {
        let tenants = tenants(&h).await;
        let database = url::Url::parse(&h.url).unwrap().path().trim_start_matches('/').to_owned();
        let owner = h.owner().await;
        owner
            .execute_unprepared(&format!(
                "CREATE FUNCTION public.set_config(text, text, boolean) RETURNS text LANGUAGE sql
                     AS 'SELECT pg_catalog.set_config($1, $2, false)';
                 ALTER ROLE muster_app IN DATABASE {database} SET search_path = public, pg_catalog"
            ))
            .await
            .unwrap();
        let watch = storm(&h, &tenants, 10, 7).await;
        let watch = watch.lock().unwrap();
        assert!(watch.leaks.iter().any(|leak| leak.contains("outside")), "{:?}", watch.leaks);
    })
    .await;
}

type Act<'a> = Pin<Box<dyn Future<Output = bool> + Send + 'a>>;

/// Runs a use case of a tenant, selected by number; `round` makes names and addresses unique.
fn act<'a>(
    services: &'a System,
    h: &'a Harness,
    tenant: Id<ids::Tenant>,
    which: usize,
    round: usize,
) -> Act<'a> {
    Box::pin(async move {
        let by = h.vendor(tenant).await;
        match which {
            0 => services
                .users()
                .list(&by.allow().unwrap(), services::users::UserFilter::default(), PageArgs::default())
                .await
                .is_ok(),
            1 => services.users().create(&by.allow().unwrap(), person(&format!("p{round}"))).await.is_ok(),
            2 => services.roles().list(&by.allow().unwrap()).await.is_ok(),
            3 => {
                let email = format!("it{round}@acme.example");
                let new = NewInvitation { email, return_url: None, integration: None, roles: Vec::new() };
                services.links().invite(&by.allow().unwrap(), new).await.is_ok()
            }
            _ => {
                let users = services
                    .users()
                    .list(&by.allow().unwrap(), services::users::UserFilter::default(), PageArgs::default())
                    .await;
                let Ok(users) = users else { return false };
                let user = users.items[0].id;
                services.access().issue(&h.staff, tenant, user, None).await.is_ok()
            }
        }
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t22_a_use_case_that_is_dropped_at_any_moment_leaves_nothing_behind() {
    on_postgres(async |h: Harness| {
        let (tenants, store) = (tenants(&h).await, few_connections(&h).await);
        let services = h.over(store.clone());
        let watch = Shared::default();
        let mut moments = 0;
        // The number of await points in a use case depends on the speed of the database.
        while moments < 40 {
            for which in 0..5 {
                for polls in 0.. {
                    let tenant = tenants[polls % TENANTS];
                    let ended = dropped_after(polls, act(&services, &h, tenant, which, polls)).await;
                    let other = tenants[(polls + 1) % TENANTS];
                    visit(&store, other, &watch, End::Commit).await.unwrap();
                    bare(&store, &watch).await;
                    moments += 1;
                    if ended {
                        break;
                    }
                    assert!(polls < 500, "the use case never completes");
                }
            }
        }
        assert_eq!(watch.lock().unwrap().leaks, [""; 0]);
    })
    .await;
}

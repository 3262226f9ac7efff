//! Changes that meet: what one of them has read, the other one changes. On PostgreSQL alone, because SQLite has one
//! writing transaction at a time.

use chrono::Duration;
use domain::{Id, ProviderKind, StandardRole, access::Denied, ids, may};
use futures::{FutureExt, future::LocalBoxFuture};
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement, TransactionTrait, Value};
use services::{Allowed, Anyone, Error};

use crate::people::{
    connecting::{choice, follow, typed},
    harness::{self, Harness, person, refused},
    identities::{code, issuer, user},
    links::{invitation, token},
    tokens::{new_key, tried},
};

macro_rules! on_postgres {
    ($($test:ident),* $(,)?) => {
        mod on_postgres {
            $(#[tokio::test] async fn $test() { super::harness::on_postgres(super::$test).await; })*
        }
    };
}

on_postgres!(
    the_last_administrator_stays_whoever_else_goes_at_the_same_time,
    whoever_loses_a_permission_meanwhile_changes_nothing,
    a_key_that_is_revoked_meanwhile_gets_no_successor,
    a_key_that_is_revoked_meanwhile_makes_no_other,
    a_step_of_the_connect_page_waits_for_whoever_revokes_its_invitation,
    changes_that_wait_for_their_tenant_leave_connections_to_others,
    a_key_that_a_stolen_key_makes_meanwhile_is_revoked_with_it,
    a_code_that_is_exchanged_meanwhile_gives_no_token_that_lasts,
    an_invitation_that_is_revoked_meanwhile_opens_nothing,
);

fn statement<const N: usize>(sql: &str, values: [Value; N]) -> Statement {
    Statement::from_sql_and_values(sea_orm::DatabaseBackend::Postgres, sql, values)
}

/// Makes a call beside another node's transaction, which commits when the call waits for it or has ended.
async fn beside<T>(h: &Harness, others: Statement, mut call: LocalBoxFuture<'_, T>) -> T {
    let (owner, watch) = (h.owner().await, h.owner().await);
    let open = owner.begin().await.unwrap();
    open.query_all_raw(others).await.unwrap();
    tokio::select! {
        done = &mut call => {
            open.commit().await.unwrap();
            return done;
        }
        () = until_somebody_waits(&watch) => open.commit().await.unwrap(),
    }
    call.await
}

async fn until_somebody_waits(watch: &DatabaseConnection) {
    let sql =
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while watch.query_one_raw(statement(sql, [])).await.unwrap().is_none() {}
}

/// Another node's `unassignRoles`, which has locked the tenant.
fn unassigning(tenant: Id<ids::Tenant>, user: Id<ids::User>) -> Statement {
    let sql = "WITH held AS (SELECT id FROM tenant WHERE id = $1 FOR NO KEY UPDATE)
        DELETE FROM user_role USING held WHERE tenant_id = held.id AND user_id = $2 RETURNING 1";
    statement(sql, [tenant.into(), user.into()])
}

async fn administrators(h: &Harness, tenant: Id<ids::Tenant>) -> (Id<ids::Role>, [Id<ids::User>; 2]) {
    let by = h.vendor(tenant).await;
    let role = h.role(tenant, StandardRole::Administrator.as_str()).await;
    let (users, roles) = (h.services.users(), h.services.roles());
    let mut made = [Id::nil(); 2];
    for (place, name) in made.iter_mut().zip(["anna", "ben"]) {
        *place = users.create(&by.allow().unwrap(), person(name)).await.unwrap().id;
        roles.assign(&by.allow().unwrap(), *place, &[role]).await.unwrap();
    }
    (role, made)
}

async fn the_last_administrator_stays_whoever_else_goes_at_the_same_time(h: Harness) {
    let tenant = h.tenant("acme").await;
    let (role, [anna, ben]) = administrators(&h, tenant).await;
    let by = h.vendor(tenant).await;
    let (users, roles) = (h.services.users(), h.services.roles());
    let (proof, taken) = (by.allow().unwrap(), [role]);
    let call = roles.unassign(&proof, ben, &taken).boxed_local();
    let unassigned = beside(&h, unassigning(tenant, anna), call).await;
    assert_eq!(refused(unassigned), "LAST_ADMINISTRATOR");
    roles.assign(&by.allow().unwrap(), anna, &[role]).await.unwrap();
    let proof = by.allow().unwrap();
    let deleted = beside(&h, unassigning(tenant, anna), users.delete(&proof, ben).boxed_local()).await;
    assert_eq!(refused(deleted), "LAST_ADMINISTRATOR");
}

async fn whoever_loses_a_permission_meanwhile_changes_nothing(h: Harness) {
    let tenant = h.tenant("acme").await;
    let (role, [anna, ben]) = administrators(&h, tenant).await;
    let dora = h.services.users().create(&h.vendor(tenant).await.allow().unwrap(), person("dora")).await;
    let dora = dora.unwrap().id;
    let by: Allowed<may::RoleEdit> = h.bearer(tenant, anna).await.allow().unwrap();
    let roles = h.services.roles();
    let given = [role];
    let call = roles.assign(&by, dora, &given).boxed_local();
    let assigned = beside(&h, unassigning(tenant, anna), call).await;
    assert!(matches!(assigned, Err(Error::Denied(Denied::Forbidden(_)))), "{assigned:?}");
    h.services.users().delete(&h.bearer(tenant, ben).await.allow().unwrap(), anna).await.unwrap();
    let assigned = roles.assign(&by, dora, &[role]).await;
    assert!(matches!(assigned, Err(Error::Denied(Denied::Unauthenticated))), "{assigned:?}");
    let held = roles.permissions_of(&h.services, tenant, dora).await.unwrap();
    assert_eq!(held, Some([].into()));
}

fn revoking(h: &Harness, key: Id<ids::ApiKey>) -> Statement {
    let sql = "UPDATE api_key SET revoked_at = $2 WHERE id = $1 RETURNING 1";
    statement(sql, [key.into(), h.services.now().into()])
}

async fn a_key_that_is_revoked_meanwhile_gets_no_successor(h: Harness) {
    let keys = h.services.keys();
    let (old, _) = keys.create(&h.staff, new_key(&h, "back end", None)).await.unwrap();
    let call = keys.rotate(&h.staff, old.id, Duration::zero()).boxed_local();
    let rotated = beside(&h, revoking(&h, old.id), call).await;
    assert_eq!(refused(rotated.map(|(key, _)| key)), "KEY_ENDED");
    let (old, _) = keys.create(&h.staff, new_key(&h, "other", None)).await.unwrap();
    let both = futures::future::join_all((0..4).map(|_| keys.rotate(&h.staff, old.id, Duration::hours(1))));
    let successors = both.await.into_iter().flatten().count();
    assert_eq!(successors, 1, "a key is rotated once");
}

async fn a_key_that_is_revoked_meanwhile_makes_no_other(h: Harness) {
    let keys = h.services.keys();
    let (own, secret) = keys.create(&h.staff, new_key(&h, "own", None)).await.unwrap();
    let by = tried(&h, &secret).await.unwrap().allow_staff().unwrap();
    let call = keys.create(&by, new_key(&h, "next", None)).boxed_local();
    let made = beside(&h, revoking(&h, own.id), call).await;
    assert!(matches!(made, Err(Error::Denied(Denied::Unauthenticated))), "{made:?}");
}

async fn a_step_of_the_connect_page_waits_for_whoever_revokes_its_invitation(h: Harness) {
    let tenant = h.tenant("acme").await;
    let (links, by) = (h.services.links(), h.vendor(tenant).await);
    let (link, url) = links.invite(&by.allow().unwrap(), invitation("it@acme.example")).await.unwrap();
    let cookie = follow(&h, token(&url)).await;
    let (owner, watch) = (h.owner().await, h.owner().await);
    let revoking = owner.begin().await.unwrap();
    let held = "SELECT 1 FROM tenant WHERE id = $1 FOR NO KEY UPDATE";
    revoking.query_all_raw(statement(held, [tenant.into()])).await.unwrap();
    let connect = h.services.connect();
    let step = connect.submit_credentials(Anyone, &cookie, typed("https://dav.example/"));
    let rest = async {
        until_somebody_waits(&watch).await;
        // In a step that held the session by now, each would wait for the other.
        let ended = "DELETE FROM connect_session WHERE link_id = $1 RETURNING 1";
        let ended = revoking.query_all_raw(statement(ended, [link.id.into()])).await.unwrap();
        revoking.commit().await.unwrap();
        ended.len()
    };
    let (step, ended) = tokio::join!(step, rest);
    assert_eq!((refused(step), ended), ("SESSION_OVER", 1));
}

async fn changes_that_wait_for_their_tenant_leave_connections_to_others(h: Harness) {
    let (tenant, other) = (h.tenant("acme").await, h.tenant("other").await);
    let role = h.role(tenant, StandardRole::HumanResources.as_str()).await;
    let by = h.vendor(tenant).await;
    let user = h.services.users().create(&by.allow().unwrap(), person("anna")).await.unwrap().id;
    let (owner, watch) = (h.owner().await, h.owner().await);
    let open = owner.begin().await.unwrap();
    open.query_all_raw(unassigning(tenant, user)).await.unwrap();
    let (roles, many) = (h.services.roles(), 3 * h.services.store.max_connections() as usize);
    let given = [role];
    let assign = async || roles.assign(&by.allow().unwrap(), user, &given).await;
    let all = futures::future::join_all((0..many).map(|_| assign()));
    let others = async {
        until_somebody_waits(&watch).await;
        let by = h.vendor(other).await;
        h.services.users().create(&by.allow().unwrap(), person("ben")).await.unwrap();
        open.commit().await.unwrap();
    };
    let (all, ()) = tokio::join!(all, others);
    assert!(all.iter().all(Result::is_ok), "{all:?}");
}

async fn a_key_that_a_stolen_key_makes_meanwhile_is_revoked_with_it(h: Harness) {
    let keys = h.services.keys();
    let (stolen, secret) = keys.create(&h.staff, new_key(&h, "stolen", None)).await.unwrap();
    let thief = tried(&h, &secret).await.unwrap().allow_staff().unwrap();
    let (owner, watch) = (h.owner().await, h.owner().await);
    // Another node's `createApiKey` with the stolen key, which has not ended yet.
    let creating = owner.begin().await.unwrap();
    let turn = "SELECT pg_advisory_xact_lock(hashtextextended('api_key', 0))";
    creating.query_all_raw(statement(turn, [])).await.unwrap();
    let revoking = keys.revoke(&h.staff, stolen.id, true);
    let made = async {
        until_somebody_waits(&watch).await;
        let sql = "INSERT INTO api_key (id, name, prefix, hash, created_at, permissions, created_by)
            SELECT $1, 'made', prefix, 'x', created_at, permissions, id FROM api_key WHERE id = $2";
        let id: Id<ids::ApiKey> = h.services.ids.make();
        creating.execute_raw(statement(sql, [id.into(), stolen.id.into()])).await.unwrap();
        creating.commit().await.unwrap();
        id
    };
    let (revoked, made) = tokio::join!(revoking, made);
    let created: Vec<_> = revoked.unwrap().created.into_iter().map(|key| key.id).collect();
    assert_eq!(created, [made]);
    let late = keys.create(&thief, new_key(&h, "late", None)).await;
    assert!(matches!(late, Err(Error::Denied(Denied::Unauthenticated))), "{late:?}");
}

/// Another node's exchange of the only code, which has locked the tenant.
fn exchanging(tenant: Id<ids::Tenant>, user: Id<ids::User>, token: Id<ids::AccessToken>) -> Statement {
    let sql = "WITH held AS (SELECT id FROM tenant WHERE id = $1 FOR NO KEY UPDATE),
        used AS (UPDATE sign_in SET redeemed_at = now() FROM held WHERE tenant_id = held.id RETURNING issuer_id)
        INSERT INTO access_token (id, tenant_id, user_id, issued_by, created_at, expires_at, issuer_id)
        SELECT $3, $1, $2, 'sign-in', created_at, expires_at, used.issuer_id FROM sign_in, used RETURNING 1";
    statement(sql, [tenant.into(), user.into(), token.into()])
}

async fn a_code_that_is_exchanged_meanwhile_gives_no_token_that_lasts(h: Harness) {
    let tenant = h.tenant("acme").await;
    let (issuer, anna) = (issuer(&h, tenant).await, user(&h, tenant, "anna").await);
    code(&h, tenant, issuer, anna).await;
    let (access, by) = (h.services.access(), h.vendor(tenant).await.allow_own_or(anna).unwrap());
    let token = h.services.ids.make();
    let revoked = beside(&h, exchanging(tenant, anna, token), access.revoke(&by, None).boxed_local()).await;
    assert_eq!(revoked.unwrap(), 1);
    let txn = h.services.store.read(tenant).await.unwrap();
    let row = entity::access_token::by_id(tenant, token).one(&txn).await.unwrap().unwrap();
    assert!(row.revoked_at.is_some());
}

async fn an_invitation_that_is_revoked_meanwhile_opens_nothing(h: Harness) {
    let tenant = h.tenant("acme").await;
    let (links, by) = (h.services.links(), h.vendor(tenant).await);
    let (link, url) = links.invite(&by.allow().unwrap(), invitation("it@acme.example")).await.unwrap();
    let (owner, watch) = (h.owner().await, h.owner().await);
    let revoking = owner.begin().await.unwrap();
    let held = "SELECT 1 FROM tenant WHERE id = $1 FOR NO KEY UPDATE";
    revoking.query_all_raw(statement(held, [tenant.into()])).await.unwrap();
    let connect = h.services.connect();
    let opened = connect.submit_choices(Anyone, token(&url), choice(ProviderKind::CalDav));
    let rest = async {
        until_somebody_waits(&watch).await;
        // A moment after the other transaction began.
        h.clock.advance(Duration::milliseconds(5));
        let ended = "UPDATE connect_link SET expires_at = $2 WHERE id = $1 RETURNING 1";
        let ended = statement(ended, [link.id.into(), h.services.now().into()]);
        assert_eq!(revoking.query_all_raw(ended).await.unwrap().len(), 1);
        revoking.commit().await.unwrap();
    };
    let (opened, ()) = tokio::join!(opened, rest);
    assert_eq!(refused(opened.map(|_| ())), "LINK_EXPIRED");
}

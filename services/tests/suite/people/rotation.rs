//! Master keys and data keys are replaced while nodes work, and nothing is lost.

mod legacy;
mod moments;

use std::{collections::BTreeMap, ops::ControlFlow};

use domain::{AnyId, Id, ids};
use entity::{channel, connect_session, consent_grant, former_data_key, tenant};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, sea_query::Expr};
use services::{
    Anyone, System, Vault,
    audit::AuditKeyProvider,
    grants::Secret,
    secrets::{KeyStatus, RotationProgress, RotationReport, RotationScope},
    vault::Column,
};

use crate::people::{
    connecting::{follow, link_back_to, typed},
    harness::{Harness, refused},
    notices::watched,
};

on_both!(
    nodes_of_an_old_and_a_new_configuration_work_side_by_side_and_the_former_key_can_go,
    a_master_key_that_is_missing_is_named,
    one_tenants_data_key_is_replaced_and_nobody_elses,
    a_former_data_key_opens_what_was_just_read,
    a_value_that_no_key_opens_is_told_and_keeps_the_former_key,
);

/// More than go in one transaction.
const CONSENTS: usize = 210;

/// What is stored of a tenant, opened.
type Snapshot = BTreeMap<(&'static str, AnyId), Vec<u8>>;

/// A rotation that goes on whatever happens.
async fn rotate(services: &System, scope: RotationScope) -> RotationReport {
    services
        .secrets()
        .rotate(services, scope, &mut |_: RotationProgress| ControlFlow::Continue(()))
        .await
        .unwrap()
}

async fn status(services: &System) -> KeyStatus {
    services.secrets().status(services).await.unwrap()
}

/// A tenant with consents, channels and a session in which a consent waits.
async fn filled(h: &Harness, name: &str, consents: usize) -> Id<ids::Tenant> {
    let (tenant, _) = watched(h, name, &["anna", "ben"]).await;
    let tx = h.services.begin(tenant).await.unwrap();
    let integration = entity::integration::of(tenant).one(tx.conn()).await.unwrap().unwrap();
    for number in 0..consents {
        let user = Some(h.services.ids.make());
        let secret = consent(number);
        h.services.grants().store(&tx, integration.id, user, "svc", &secret).await.unwrap();
    }
    tx.commit().await.unwrap();
    let cookie = follow(h, &link_back_to(h, tenant, None).await).await;
    h.services.connect().submit_credentials(Anyone, &cookie, typed("https://dav.example/")).await.unwrap();
    tenant
}

fn consent(number: usize) -> Secret {
    Secret::Basic { user: "svc".to_owned(), password: format!("password {number}") }
}

/// Opens everything that is stored of a tenant.
async fn snapshot(services: &System, tenant: Id<ids::Tenant>) -> Snapshot {
    let txn = services.store.read(tenant).await.unwrap();
    let mut sealed = Vec::new();
    for row in consent_grant::of(tenant).all(&txn).await.unwrap() {
        sealed.push(("consent", Column::ConsentGrantSecret.at(tenant, row.id), row.id.any(), row.secret));
    }
    for row in channel::of(tenant).all(&txn).await.unwrap() {
        sealed.push((
            "channel",
            Column::ChannelSecret.at(tenant, row.connection_id),
            row.id.any(),
            row.secret,
        ));
    }
    let with_consent = connect_session::of(tenant).filter(connect_session::Column::Consent.is_not_null());
    for row in with_consent.all(&txn).await.unwrap() {
        let consent = row.consent.unwrap();
        sealed.push(("session", Column::ConnectSessionConsent.at(tenant, row.id), row.id.any(), consent));
    }
    drop(txn);
    let mut opened = Snapshot::new();
    for (kind, place, id, sealed) in sealed {
        assert_eq!(sealed[0], 2, "{kind}: it names its key");
        opened.insert((kind, id), services.open(place, &sealed).await.unwrap());
    }
    opened
}

async fn data_key(services: &System, tenant: Id<ids::Tenant>) -> Vec<u8> {
    let row = tenant::Entity::find_by_id(tenant).one(services.store.installation_connection()).await.unwrap();
    row.unwrap().data_key
}

async fn former(services: &System, tenant: Id<ids::Tenant>) -> Vec<former_data_key::Model> {
    let txn = services.store.read(tenant).await.unwrap();
    former_data_key::of(tenant).all(&txn).await.unwrap()
}

/// What is recorded of a tenant, or of the installation.
async fn acts(h: &Harness, chain: Id<ids::Tenant>) -> Vec<String> {
    let txn = h.services.store.read(chain).await.unwrap();
    let rows = entity::audit::of(chain).order_by_asc(entity::audit::Column::Seq).all(&txn).await.unwrap();
    rows.into_iter().map(|row| row.action).collect()
}

/// Seals the audit's key with the master key in force, as the owner does.
async fn reseal(h: &Harness, vault: &Vault) -> bool {
    let sealer = AuditKeyProvider::new(vault.clone(), h.services.ids.clone());
    sealer.reseal(&h.owner().await).await.unwrap()
}

async fn opens_the_door(services: &System, credential: &str) -> bool {
    let authorization = format!("Bearer {credential}");
    services.access().authenticate(Anyone, Some(&authorization), None).await.is_ok()
}

async fn nodes_of_an_old_and_a_new_configuration_work_side_by_side_and_the_former_key_can_go(h: Harness) {
    let acme = filled(&h, "acme", 3).await;
    let before = snapshot(&h.services, acme).await;
    assert_eq!(before.len(), 3 + 1 + 2 + 1, "consents, the service account's, channels, a session");
    let user = h
        .services
        .users()
        .create(&h.vendor(acme).await.allow().unwrap(), crate::people::harness::person("eve"))
        .await
        .unwrap();
    let token = h.services.access().issue(&h.staff, acme, user.id, None).await.unwrap().token;
    let key: [u8; 32] = h.services.ids.random_bytes();
    let vault = Vault::with_former(key, &[h.master], h.services.ids.clone());
    let (old, new) = (&h.services, h.node(vault.clone()));
    new.secrets().ensure_ready(&new).await.unwrap();

    // Before anybody says so, nothing changes: what the new node writes, the old one reads, and the other way about.
    let beta = h.plain_tenant("beta", domain::state::Plan::Plus).await;
    let made = services::tenants::NewTenant {
        name: "gamma".to_owned(),
        plan: domain::state::Plan::Plus,
        return_urls: Vec::new(),
        time_zone: None,
        language: None,
    };
    let gamma = new.tenants().create(&h.staff, made).await.unwrap().id;
    for tenant in [beta, gamma] {
        for (here, there) in [(old, &new), (&new, old)] {
            let place = Column::ChannelSecret.at(tenant, AnyId::nil());
            let tx = here.begin(tenant).await.unwrap();
            let sealed = here.seal(tx.conn(), place, b"word").await.unwrap();
            drop(tx);
            assert_eq!(there.open(place, &sealed).await.unwrap(), b"word");
        }
    }
    assert_eq!(snapshot(&new, acme).await, before);
    assert!(opens_the_door(&new, &h.key).await && opens_the_door(&new, &token).await);
    let seen = status(&new).await;
    assert!(
        seen.needs_rotation()
            && seen.in_force == Some(h.vault.current_key_id())
            && seen.unused_keys().next().is_none()
    );

    let report = rotate(&new, RotationScope::Master).await;
    assert_eq!((report.master_values, report.new_data_keys, report.values), (5, 0, 0), "{report:?}");
    let seen = status(&new).await;
    assert!(
        seen.needs_rotation() && seen.unused_keys().next().is_none(),
        "the audit's key is the owner's: {seen:?}"
    );
    assert!(reseal(&h, &vault).await);
    let seen = status(&new).await;
    assert!(!seen.needs_rotation(), "{seen:?}");
    assert_eq!(seen.sealed, BTreeMap::from([(vault.current_key_id(), 6)]));
    assert_eq!(seen.unused_keys().collect::<Vec<_>>(), [h.vault.current_key_id()]);
    assert_eq!(acts(&h, Id::nil()).await.last().unwrap(), "master_key.rotate", "it is recorded");
    assert!(!old.is_ready(Anyone).await, "a node without the key takes no requests");
    assert!(new.is_ready(Anyone).await);

    // The former key goes, and everything opens as before.
    let last = h.node(Vault::new(key, h.services.ids.clone()));
    last.secrets().ensure_ready(&last).await.unwrap();
    assert_eq!(snapshot(&last, acme).await, before);
    assert!(opens_the_door(&last, &h.key).await && opens_the_door(&last, &token).await);
    last.access().issue(&h.staff, acme, user.id, None).await.unwrap();
    assert_eq!(
        rotate(&last, RotationScope::Master).await,
        RotationReport::default(),
        "a second time there is nothing to do"
    );
}

async fn a_master_key_that_is_missing_is_named(h: Harness) {
    let acme = filled(&h, "acme", 1).await;
    let key: [u8; 32] = h.services.ids.random_bytes();
    // Somebody put a new key in the place of the old one.
    let alone = h.node(Vault::new(key, h.services.ids.clone()));
    let error = alone.secrets().ensure_ready(&alone).await.unwrap_err();
    assert_eq!(error.code(), "MASTER_KEY_UNKNOWN");
    assert!(error.to_string().contains(&h.vault.current_key_id().to_string()), "{error}");
    let stopped =
        alone.secrets().rotate(&alone, RotationScope::DataKeys, &mut |_| ControlFlow::Continue(())).await;
    assert_eq!(stopped.unwrap_err().code(), "MASTER_KEY_UNKNOWN");
    assert_eq!(former(&h.services, acme).await, [], "nothing was touched");

    // A tenant is still sealed with a key that somebody took away too early.
    let new = h.node(Vault::with_former(key, &[h.master], h.services.ids.clone()));
    let sealed = data_key(&h.services, acme).await;
    rotate(&new, RotationScope::Master).await;
    let tx = new.begin(acme).await.unwrap();
    tenant::Entity::update_many()
        .col_expr(tenant::Column::DataKey, Expr::value(sealed))
        .exec(tx.conn())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    alone.secrets().ensure_ready(&alone).await.unwrap();
    let seen = status(&alone).await;
    assert_eq!(seen.missing_keys().collect::<Vec<_>>(), [h.vault.current_key_id()]);
    let stopped =
        alone.secrets().rotate(&alone, RotationScope::Master, &mut |_| ControlFlow::Continue(())).await;
    assert_eq!(stopped.unwrap_err().code(), "MASTER_KEY_UNKNOWN");
    assert_eq!(status(&new).await.unused_keys().next(), None, "who has it is told that it is needed");
    rotate(&new, RotationScope::Master).await;
    assert!(reseal(&h, &new.vault).await);
    assert_eq!(status(&alone).await.missing_keys().next(), None);
}

async fn one_tenants_data_key_is_replaced_and_nobody_elses(h: Harness) {
    let (acme, other) = (filled(&h, "acme", CONSENTS).await, filled(&h, "other", 2).await);
    let before = (snapshot(&h.services, acme).await, snapshot(&h.services, other).await);
    let keys = (data_key(&h.services, acme).await, data_key(&h.services, other).await);
    let report = rotate(&h.services, RotationScope::DataKeyOf(acme)).await;
    let values = CONSENTS + 1 + 2 + 1;
    assert_eq!((report.new_data_keys, report.values, report.unreadable), (1, values, 0));
    assert_ne!(data_key(&h.services, acme).await, keys.0);
    assert_eq!(data_key(&h.services, other).await, keys.1);
    assert_eq!((snapshot(&h.services, acme).await, snapshot(&h.services, other).await), before);
    assert_eq!(status(&h.services).await.values_to_do, 0);
    let recorded = |acts: Vec<String>| acts.iter().any(|act| act == "data_key.rotate");
    assert!(recorded(acts(&h, acme).await) && !recorded(acts(&h, other).await));
    let nobody = RotationScope::DataKeyOf(Id::nil());
    let refusal = h.services.secrets().rotate(&h.services, nobody, &mut |_| ControlFlow::Continue(())).await;
    assert_eq!(refused(refusal.map(|_| ())), "NOT_FOUND");
}

/// Another node read the value before it was sealed anew, and has not opened it yet.
async fn a_former_data_key_opens_what_was_just_read(h: Harness) {
    let acme = filled(&h, "acme", 1).await;
    let txn = h.services.store.read(acme).await.unwrap();
    let row = consent_grant::of(acme).one(&txn).await.unwrap().unwrap();
    drop(txn);
    rotate(&h.services, RotationScope::DataKeys).await;
    let there = h.node(h.vault.clone());
    let place = Column::ConsentGrantSecret.at(acme, row.id);
    assert!(there.open(place, &row.secret).await.is_ok());
    let kept = former(&h.services, acme).await;
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].unused_since, Some(h.services.now()), "retention takes it an hour later");
}

async fn a_value_that_no_key_opens_is_told_and_keeps_the_former_key(h: Harness) {
    let acme = filled(&h, "acme", 3).await;
    let tx = h.services.begin(acme).await.unwrap();
    let row = consent_grant::of(acme).one(tx.conn()).await.unwrap().unwrap();
    let mut damaged = row.secret.clone();
    *damaged.last_mut().unwrap() ^= 1;
    consent_grant::update(acme)
        .filter(consent_grant::Column::Id.eq(row.id))
        .col_expr(consent_grant::Column::Secret, Expr::value(damaged.clone()))
        .exec(tx.conn())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let report = rotate(&h.services, RotationScope::DataKeys).await;
    assert_eq!((report.values, report.unreadable), (3 + 1 + 2, 1));
    assert_eq!(former(&h.services, acme).await[0].unused_since, None, "it may be the one that is needed");
    let seen = status(&h.services).await;
    assert_eq!((seen.values_to_do, seen.tenants_to_do, seen.under_way), (1, 1, 0));
    let txn = h.services.store.read(acme).await.unwrap();
    let kept = consent_grant::by_id(acme, row.id).one(&txn).await.unwrap().unwrap();
    assert_eq!(kept.secret, damaged, "it is as it was");
}

//! A database of before there were key ids: values name no key, and digests derive from the only master key.

use aes_gcm::{
    Aes256Gcm, KeyInit,
    aead::{Aead, Payload},
};
use domain::{Id, ids};
use entity::{Store, api_key, consent_grant, signing_key, tenant};
use hmac::{Hmac, Mac};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, sea_query::Expr};
use services::{Vault, secrets::RotationScope};
use sha2::{Digest, Sha256};

use super::{filled, opens_the_door, reseal, rotate, snapshot, status};
use crate::people::harness::Harness;

on_both!(an_installation_of_before_there_were_key_ids_goes_on_with_its_keys_and_links);

/// As the first version sealed.
fn sealed(key: &[u8; 32], nonce: [u8; 12], bound: &str, plain: &[u8]) -> Vec<u8> {
    let cipher = Aes256Gcm::new(&aes_gcm::Key::<Aes256Gcm>::from(*key));
    let payload = Payload { msg: plain, aad: bound.as_bytes() };
    [&[1], nonce.as_slice(), &cipher.encrypt(&nonce.into(), payload).unwrap()].concat()
}

/// As the first version made digests.
fn digest(key: &[u8; 32], token: &str) -> Vec<u8> {
    let pepper = Sha256::digest([b"muster digest v1".as_slice(), key].concat());
    let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(&pepper).unwrap();
    mac.update(token.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// Makes the database as the first version would have left it.
async fn age(h: &Harness, tenant: Id<ids::Tenant>) {
    let owner = Store::connect_as_owner(&h.url).await.unwrap();
    owner.execute_unprepared("DELETE FROM installation_secret").await.unwrap();
    owner.close().await.unwrap();
    let (key, nonce): ([u8; 32], [u8; 12]) = (h.services.ids.random_bytes(), h.services.ids.random_bytes());
    let tx = h.services.begin(tenant).await.unwrap();
    let place = format!("v1|{0}|tenant|data_key|{0}", tenant.uuid());
    tenant::Entity::update_many()
        .col_expr(tenant::Column::DataKey, Expr::value(sealed(&h.master, nonce, &place, &key)))
        .exec(tx.conn())
        .await
        .unwrap();
    for row in consent_grant::of(tenant).all(tx.conn()).await.unwrap() {
        let place = format!("v1|{}|consent_grant|secret|{}", tenant.uuid(), row.id.uuid());
        consent_grant::update(tenant)
            .filter(consent_grant::Column::Id.eq(row.id))
            .col_expr(consent_grant::Column::Secret, Expr::value(sealed(&key, nonce, &place, b"old")))
            .exec(tx.conn())
            .await
            .unwrap();
    }
    api_key::Entity::update_many()
        .col_expr(api_key::Column::Hash, Expr::value(digest(&h.master, &h.key)))
        .exec(tx.conn())
        .await
        .unwrap();
    signing_key::Entity::delete_many().exec(tx.conn()).await.unwrap();
    // What else was there is of no interest here.
    entity::channel::delete(tenant).exec(tx.conn()).await.unwrap();
    entity::connect_session::delete(tenant).exec(tx.conn()).await.unwrap();
    tx.commit().await.unwrap();
}

async fn an_installation_of_before_there_were_key_ids_goes_on_with_its_keys_and_links(h: Harness) {
    let acme = filled(&h, "acme", 3).await;
    age(&h, acme).await;
    // Somebody even changes the master key at the same moment.
    let key: [u8; 32] = h.services.ids.random_bytes();
    let forgetful = h.node(Vault::new(key, h.services.ids.clone()));
    assert_eq!(forgetful.secrets().ensure_ready(&forgetful).await.unwrap_err().code(), "UNREADABLE");
    let new = h.node(Vault::with_former(key, &[h.master], h.services.ids.clone()));
    new.secrets().ensure_ready(&new).await.unwrap();
    assert!(opens_the_door(&new, &h.key).await, "the digest is what it was");
    let seen = status(&new).await;
    assert_eq!((seen.in_force, seen.values_to_do, seen.unopened), (Some(h.vault.current_key_id()), 4, 0));
    let report = rotate(&new, RotationScope::DataKeys).await;
    assert_eq!((report.new_data_keys, report.values, report.unreadable), (1, 4, 0));
    reseal(&h, &new.vault).await;
    let last = h.node(Vault::new(key, h.services.ids.clone()));
    last.secrets().ensure_ready(&last).await.unwrap();
    assert!(opens_the_door(&last, &h.key).await);
    let kept = snapshot(&last, acme).await;
    assert!(kept.len() == 4 && kept.values().all(|plain| plain == b"old"), "{kept:?}");
    assert_eq!(status(&last).await.missing_keys().next(), None);
}

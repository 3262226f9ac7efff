//! How rooms are told from people, per integration.

use std::sync::Arc;

use domain::ProviderKind;
use providers::memory::Memory;
use sea_orm::{ActiveModelTrait, ActiveValue::Set};
use services::{
    grants::Connectors,
    integrations::{self, RoomRule},
};

use crate::bookings::setup::Setup;

async fn set_provider(setup: &Setup, provider: &str) {
    let row = entity::integration::ActiveModel {
        id: Set(setup.integration),
        provider: Set(entity::Stored::from_text(provider.to_owned())),
        ..Default::default()
    };
    let txn = setup.services.store.write(setup.tenant).await.unwrap();
    row.update(&txn).await.unwrap();
    txn.commit().await.unwrap();
}

async fn room_rules_are_kept_for_the_integration_that_they_fit(setup: &Setup) {
    let (admin, id) = (setup.admin(), setup.integration);
    let set = async |rules: Option<RoomRule>, version: Option<i64>| {
        setup.services.integrations().set_room_rules(&admin.allow().unwrap(), id, rules, version).await
    };
    let rule = |address: &str| RoomRule { addresses: vec![address.to_owned()], ..RoomRule::default() };
    assert_eq!(set(Some(rule("@rooms.example")), None).await.unwrap_err().code(), "ROOM_RULES_NOT_USED");
    set_provider(setup, "CALDAV").await;
    let too_many = RoomRule { addresses: vec!["a".to_owned(); 51], ..RoomRule::default() };
    for wrong in [rule(""), rule(" "), rule("a\0"), rule(&"a".repeat(201)), too_many] {
        assert_eq!(set(Some(wrong), None).await.unwrap_err().code(), "ROOM_RULES_MALFORMED");
    }
    let row = set(Some(rule("@rooms.example")), Some(1)).await.unwrap();
    assert_eq!((integrations::room_rules(&row), row.version), (Some(rule("@rooms.example")), 2));
    assert_eq!(set(Some(rule("b")), Some(1)).await.unwrap_err().code(), "VERSION_CONFLICT");
    let row = set(None, Some(2)).await.unwrap();
    assert_eq!(integrations::room_rules(&row), None, "the installation's own rule serves again");
}

/// One calendar system with a directory of rooms, and one without.
fn connectors() -> Connectors {
    let without = Memory::new(ProviderKind::CalDav);
    without.change_features(|features| features.room_directory = false);
    Connectors::default()
        .with_provider(Arc::new(Memory::new(ProviderKind::Microsoft365)))
        .with_provider(Arc::new(without))
}

mod sqlite {
    use super::Setup;

    #[tokio::test(flavor = "multi_thread")]
    async fn room_rules_are_kept_for_the_integration_that_they_fit() {
        let setup = Setup::sqlite_with(super::connectors()).await;
        super::room_rules_are_kept_for_the_integration_that_they_fit(&setup).await;
    }
}

mod postgres {
    use super::Setup;

    #[tokio::test(flavor = "multi_thread")]
    async fn room_rules_are_kept_for_the_integration_that_they_fit() {
        let setup = Setup::postgres_with(super::connectors()).await;
        super::room_rules_are_kept_for_the_integration_that_they_fit(&setup).await;
    }
}

//! What providers push: notices that are ours order readings, and what is not ours costs next to nothing.

use std::sync::atomic::Ordering;

use chrono::Duration;
use domain::{Id, ids, state::ConnectionState};
use entity::connection;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, QueryFilter, sea_query::Expr};
use services::{Anyone, channels::ChannelNotification, vault::Column};

use crate::people::{
    connecting::{adopted, end_runs},
    harness::{Harness, person},
};

on_both!(
    a_push_does_not_bring_back_the_mailbox_of_somebody_who_left,
    a_thousand_notices_cost_a_fixed_number_of_statements,
);

/// Users with mailboxes that are read, each with a channel `<name>-<user>` whose secret is `known`.
pub async fn watched(h: &Harness, name: &str, users: &[&str]) -> (Id<ids::Tenant>, Vec<connection::Model>) {
    let tenant = h.tenant(name).await;
    adopted(h, tenant, name).await;
    let by = h.vendor(tenant).await;
    let mut mailboxes = Vec::new();
    for user in users {
        let mut new = person(user);
        new.calendar_address = Some(format!("{user}@{name}.example"));
        let user = h.services.users().create(&by.allow().unwrap(), new).await.unwrap();
        mailboxes.extend(
            h.services
                .connections()
                .of_holders(h.services.tenant_scope(tenant), &[user.id.any()])
                .await
                .unwrap(),
        );
    }
    end_runs(h, tenant).await;
    let tx = h.services.begin(tenant).await.unwrap();
    connection::update(tenant)
        .col_expr(connection::Column::State, Expr::value(ConnectionState::Active.as_str()))
        .exec(tx.conn())
        .await
        .unwrap();
    for (mailbox, user) in mailboxes.iter().zip(users) {
        let place = Column::ChannelSecret.at(tenant, mailbox.id);
        let channel = entity::channel::ActiveModel {
            id: Set(h.services.ids.make()),
            tenant_id: Set(tenant),
            connection_id: Set(mailbox.id),
            external_id: Set(format!("{name}-{user}")),
            secret: Set(h.services.seal(tx.conn(), place, b"known").await.unwrap()),
            expires_at: Set(tx.now() + Duration::days(2)),
        };
        channel.insert(tx.conn()).await.unwrap();
    }
    tx.commit().await.unwrap();
    (tenant, mailboxes)
}

/// How many runs are under way about a mailbox.
async fn live(h: &Harness, tenant: Id<ids::Tenant>, mailbox: Id<ids::Connection>) -> usize {
    let txn = h.services.store.read(tenant).await.unwrap();
    let about = entity::run::of(tenant).filter(entity::run::Column::Subject.eq(mailbox));
    about.filter(entity::run::Column::FinishedAt.is_null()).all(&txn).await.unwrap().len()
}

fn notice(channel: &str, secret: &str) -> ChannelNotification {
    let (channel, secret) = (channel.to_owned(), secret.to_owned());
    ChannelNotification { channel, is_part: false, secret, has_lapsed: false }
}

async fn a_push_does_not_bring_back_the_mailbox_of_somebody_who_left(h: Harness) {
    let (tenant, mailboxes) = watched(&h, "acme", &["anna"]).await;
    let mailbox = &mailboxes[0];
    let channels = h.services.channels();
    assert!(!channels.handle_push(Anyone, "acme-anna", "forged").await.unwrap());
    assert!(!channels.handle_push(Anyone, "another", "known").await.unwrap());
    assert_eq!(live(&h, tenant, mailbox.id).await, 0, "nobody else's word counts");
    assert!(channels.handle_push(Anyone, "acme-anna", "known").await.unwrap());
    assert_eq!(live(&h, tenant, mailbox.id).await, 1);
    let wanting = async || {
        let wanting = channels.find_without_channel(&h.services, tenant).await.unwrap();
        wanting.iter().any(|connection| connection.id == mailbox.id)
    };
    let lapsed = async |secret: &str| {
        let notice = ChannelNotification { has_lapsed: true, ..notice("acme-anna", secret) };
        channels.handle_notices(Anyone, &[notice]).await.unwrap() == 1
    };
    assert!(!lapsed("forged").await);
    assert!(!wanting().await, "nobody else's word ends a channel");
    assert!(lapsed("known").await);
    assert!(wanting().await, "a channel that has ended is made anew");
    end_runs(&h, tenant).await;
    let by = h.vendor(tenant).await;
    h.services.users().delete(&by.allow().unwrap(), mailbox.user_id.unwrap()).await.unwrap();
    channels.handle_push(Anyone, "acme-anna", "known").await.unwrap();
    assert_eq!(live(&h, tenant, mailbox.id).await, 0, "the mailbox is left alone");
}

async fn a_thousand_notices_cost_a_fixed_number_of_statements(h: Harness) {
    let (acme, acmes) = watched(&h, "acme", &["anna", "ben", "cleo"]).await;
    let (other, others) = watched(&h, "other", &["dora"]).await;
    let channels = h.services.channels();
    let cost = async |notices: &[ChannelNotification]| {
        let before = h.statements.load(Ordering::Relaxed);
        let taken = channels.handle_notices(Anyone, notices).await.unwrap();
        (taken, h.statements.load(Ordering::Relaxed) - before)
    };
    let unknown: Vec<String> = (0..1_000).map(|n| format!("unknown-{n}")).collect();
    let unknown: Vec<_> = unknown.iter().map(|name| notice(name, "known")).collect();
    assert_eq!(cost(&unknown).await, (0, 1), "channels that do not exist");
    let forged = notice("acme-anna", "forged");
    // The tenants' keys are opened, and kept for a while.
    cost(&[forged.clone(), notice("other-dora", "forged")]).await;
    let (taken, for_forged) = cost(&vec![forged.clone(); 1_000]).await;
    assert_eq!((taken, for_forged), cost(&[forged]).await, "secrets that are wrong, however many");
    assert!(
        taken == 0 && for_forged <= 3,
        "the tenant is looked up, and its channels are read once: {for_forged}"
    );

    let (taken, for_one) = cost(&[notice("acme-anna", "known")]).await;
    assert_eq!(taken, 1);
    end_runs(&h, acme).await;
    let of_acme: Vec<_> = ["acme-anna", "acme-ben", "acme-cleo"]
        .iter()
        .cycle()
        .take(1_000)
        .map(|name| notice(name, "known"))
        .collect();
    let (taken, for_many) = cost(&of_acme).await;
    assert_eq!(taken, 3, "each channel counts once");
    assert_eq!(for_many, for_one, "a tenant's mailboxes are taken together");
    for mailbox in &acmes {
        assert_eq!(live(&h, acme, mailbox.id).await, 1);
    }
    end_runs(&h, acme).await;
    let forged = notice("acme-ben", "forged");
    let (taken, for_two) = cost(&[notice("acme-anna", "known"), forged, notice("other-dora", "known")]).await;
    assert_eq!(taken, 2, "one request may carry notices for several tenants");
    assert!(for_two < 2 * for_one, "{for_two} statements for two tenants, {for_one} for one");
    assert_eq!(live(&h, acme, acmes[1].id).await, 0, "a forged one in between changes nothing");
    assert_eq!(live(&h, other, others[0].id).await, 1);
}

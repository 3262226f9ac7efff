//! Mailboxes that an administrator excluded or whose user left: what a run still writes, and who gets them.

use chrono::Duration;
use domain::{BusyKind, BusyTime, Id, Reason, ids, state::ConnectionState};
use services::{
    Change,
    change::{ConnectionChange, MailboxFailure, NewConnection},
};

use crate::bookings::setup::{Setup, at, range, unreadable};

async fn row(setup: &Setup, connection: Id<ids::Connection>) -> entity::connection::Model {
    let scope = setup.services.tenant_scope(setup.tenant);
    setup.services.connections().by_ids(scope, &[connection]).await.unwrap().remove(0)
}

/// The step had begun before the mailbox was left out.
async fn what_a_step_still_writes_of_a_mailbox_that_is_left_out_is_dropped(setup: &Setup) {
    let (busy, blocked) = (range(at(10, 0), at(11, 0)), [unreadable("a", true)]);
    let busy = [BusyTime { range: busy, kind: BusyKind::Busy }];
    for state in ConnectionState::LEFT_OUT {
        let connection = setup.connection(None, None, state.as_str()).await;
        let before = row(setup, connection).await;
        setup.read_with(connection, &busy, &blocked).await;
        let active = ConnectionChange {
            id: connection,
            state: Some(ConnectionState::Active),
            reason: Some(Some(Reason::new("READ_ONLY", domain::Message::verbatim("It can be read.")))),
            ..ConnectionChange::default()
        };
        let failure = MailboxFailure {
            connection,
            integration: setup.integration,
            way: "UNAVAILABLE timeout".to_owned(),
            retry_at: setup.services.now() + Duration::minutes(1),
            concerns: None,
        };
        setup.change(vec![Change::Connection(active), Change::Failure(failure)]).await;
        assert_eq!(row(setup, connection).await, before, "{state:?}");
        let txn = setup.services.store.read(setup.tenant).await.unwrap();
        assert_eq!(entity::calendar_event::of(setup.tenant).all(&txn).await.unwrap(), [], "{state:?}");
    }
}

async fn a_mailbox_without_an_owner_gets_whoever_is_found_at_its_address(setup: &Setup) {
    let (old, new) = (setup.stranger(setup.tenant).await, setup.stranger(setup.tenant).await);
    for (owner, state, gets) in [
        (None, ConnectionState::Disconnected, (Some(new), ConnectionState::Pending)),
        (None, ConnectionState::Excluded, (Some(new), ConnectionState::Excluded)),
        (Some(old), ConnectionState::Unreachable, (Some(old), ConnectionState::Unreachable)),
    ] {
        let connection = setup.connection(owner, None, state.as_str()).await;
        let address = row(setup, connection).await.address.to_uppercase();
        let found = NewConnection { integration: setup.integration, user: Some(new), room: None, address };
        setup.change(vec![Change::NewConnections(vec![found])]).await;
        let taken = row(setup, connection).await;
        assert_eq!((taken.user_id, taken.state.known().unwrap()), gets, "{state:?}");
    }
}

on_both_stores! {
    what_a_step_still_writes_of_a_mailbox_that_is_left_out_is_dropped,
    a_mailbox_without_an_owner_gets_whoever_is_found_at_its_address,
}

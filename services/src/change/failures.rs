//! Records failed attempts to access mailboxes, and the first success after them.
//!
//! A failing mailbox is retried at growing intervals. If several mailboxes fail in the same way and none succeeds, the
//! cause is the integration. This is decided in the transaction that counts the failures, so that two nodes that record
//! failures at the same moment count each other's.

use domain::{Id, Reason, Timestamp, ids, state::ConnectionState};
use sea_orm::{ColumnTrait, Condition, ExprTrait, PaginatorTrait, QueryFilter, QueryOrder, sea_query::Expr};

use super::Writer;
use crate::{Result, events::topic, health};

/// Number of mailboxes that must fail in the same way before the integration counts as the cause; all mailboxes if it
/// has fewer.
const ENOUGH: u64 = 3;

/// A failed attempt to access a mailbox.
#[derive(Debug, Clone, PartialEq)]
pub struct MailboxFailure {
    /// Connection that was tried.
    pub connection: Id<ids::Connection>,
    /// Integration that the connection belongs to.
    pub integration: Id<ids::Integration>,
    /// How the attempt failed: the code of the error kind, a space, and the provider's own code.
    pub way: String,
    /// Time of the next attempt.
    pub retry_at: Timestamp,
    /// Why the integration becomes `FAILING` if enough mailboxes fail in this way; `None` if the integration cannot be
    /// the cause.
    pub concerns: Option<Reason>,
}

/// The states of mailboxes that Muster reads or is about to read.
const OURS: [ConnectionState; 4] = [
    ConnectionState::Active,
    ConnectionState::FreeBusyOnly,
    ConnectionState::Pending,
    ConnectionState::Verifying,
];

impl Writer<'_> {
    pub(super) async fn record_failure(&mut self, failure: MailboxFailure) -> Result<()> {
        use entity::connection::{Column, update};
        let this = || {
            update(self.tenant)
                .filter(Column::Id.eq(failure.connection))
                .filter(Column::State.is_not_in(ConnectionState::LEFT_OUT.map(ConnectionState::as_str)))
        };
        let differs =
            Condition::any().add(Column::FailingCode.is_null()).add(Column::FailingCode.ne(&failure.way));
        let begun = this()
            .filter(differs)
            .col_expr(Column::FailingCode, Expr::value(failure.way.clone()))
            .col_expr(Column::FailingSince, Expr::value(self.at))
            .col_expr(Column::Version, Expr::col(Column::Version).add(1))
            .exec(self.txn)
            .await?;
        this()
            .col_expr(Column::Failures, Expr::col(Column::Failures).add(1))
            .col_expr(Column::RetryAt, Expr::value(failure.retry_at))
            .exec(self.txn)
            .await?;
        if begun.rows_affected > 0 {
            self.add_event(topic::CONNECTION, failure.connection);
        }
        match failure.concerns {
            Some(reason) if self.is_everywhere(failure.integration, &failure.way).await? => {
                self.one(health::mark_integration_failing_because(failure.integration, reason)).await
            }
            _ => Ok(()),
        }
    }

    /// Whether at least three mailboxes of an integration, or all if it has fewer, have been failing in the same way
    /// for longer than one round of retries, with no other mailbox read since the last of them began to fail.
    async fn is_everywhere(&self, integration: Id<ids::Integration>, way: &str) -> Result<bool> {
        use entity::connection::{Column, of};
        let before = self.at - self.services.settings.reread_after;
        let here = || of(self.tenant).filter(Column::IntegrationId.eq(integration));
        let others = || {
            let other = Condition::any()
                .add(Column::FailingCode.is_null())
                .add(Column::FailingCode.ne(way))
                .add(Column::FailingSince.gt(before));
            here().filter(other)
        };
        let failing = here().filter(Column::FailingCode.eq(way)).filter(Column::FailingSince.lte(before));
        let failing = failing.filter(Column::State.ne(ConnectionState::Excluded.as_str()));
        let last = failing.clone().order_by_desc(Column::FailingSince).one(self.txn).await?;
        let Some(last) = last.and_then(|row| row.failing_since) else { return Ok(false) };
        // A mailbox that is out of scope is no mailbox of ours; one that became unreachable by failing still is.
        let ours = Condition::any()
            .add(Column::State.is_in(OURS.map(ConnectionState::as_str)))
            .add(Column::FailingCode.is_not_null());
        let enough =
            failing.count(self.txn).await? >= ENOUGH || others().filter(ours).count(self.txn).await? == 0;
        Ok(enough && others().filter(Column::AsOf.gt(last)).count(self.txn).await? == 0)
    }

    /// Schedules the failed mailboxes of an integration that works again for immediate retry, and resets their failure
    /// counters.
    pub(super) async fn reset_failures(&self, integration: Id<ids::Integration>) -> Result<()> {
        use entity::connection::{Column, update};
        update(self.tenant)
            .filter(Column::IntegrationId.eq(integration))
            .filter(Column::FailingCode.is_not_null())
            .col_expr(Column::FailingSince, Expr::value(self.at))
            .col_expr(Column::Failures, Expr::value(0))
            .col_expr(Column::RetryAt, Expr::value(self.at))
            .exec(self.txn)
            .await?;
        Ok(())
    }
}

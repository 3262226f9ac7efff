//! The way out: what is stopped, closed and deleted when a mailbox or an integration is disconnected or a tenant erased.
//!
//! A use case previews and begins the departure, and enqueues its run. The run stops the work that is in progress,
//! closes what is open at the provider as far as the provider still permits, and deletes what is stored in small
//! transactions, each of which may be repeated.

mod integration;
mod mailbox;
mod provider;
mod tenant;

use domain::{
    AnyId, Id, Timestamp, ids,
    state::{BookingState, IntegrationState},
};
use entity::{booking, run};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, PaginatorTrait, QueryFilter, QuerySelect, QueryTrait, Select,
};

pub use self::{
    integration::IntegrationDeparture, mailbox::MailboxDeparture, provider::Closing, tenant::erased_tables,
};
use crate::{Error, Result, System, Tx, audit};

/// A hash of an audit chain in hexadecimal.
pub fn hash_hex(hash: &[u8]) -> String {
    audit::hex(hash)
}

/// Number of runs that one step looks at.
const RUNS: u64 = 500;

/// What departs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Departing {
    /// One mailbox.
    Mailbox(Id<ids::Connection>),
    /// An integration with its mailboxes.
    Integration(Id<ids::Integration>),
    /// The whole tenant.
    Tenant,
}

impl Departing {
    /// Selects the runs that work on what departs. Of a mailbox, bookings go on: they do not need its copy.
    fn runs(self, tenant: Id<ids::Tenant>) -> Condition {
        use run::Column;
        match self {
            Self::Mailbox(connection) => Condition::all().add(Column::Subject.eq(connection)),
            Self::Tenant => Condition::all(),
            Self::Integration(id) => {
                use entity::{campaign, connection};
                let mailboxes = connection::of(tenant).filter(connection::Column::IntegrationId.eq(id));
                let campaigns = campaign::of(tenant).filter(campaign::Column::IntegrationId.eq(id));
                let bookings = booking::of(tenant).filter(booking::Column::IntegrationId.eq(id));
                Condition::any()
                    .add(Column::Subject.eq(id))
                    .add(Column::Subject.in_subquery(ids_of(mailboxes, connection::Column::Id)))
                    .add(Column::Subject.in_subquery(ids_of(campaigns, campaign::Column::Id)))
                    .add(Column::Subject.in_subquery(ids_of(bookings, booking::Column::Id)))
            }
        }
    }
}

fn ids_of<E: sea_orm::EntityTrait>(
    rows: Select<E>,
    id: impl ColumnTrait,
) -> sea_orm::sea_query::SelectStatement {
    rows.select_only().column(id).into_query()
}

impl System {
    /// Unfinished runs that work on what departs, except the given run; some of them if there are many.
    pub(crate) async fn runs_of_departing(
        &self,
        tenant: Id<ids::Tenant>,
        departing: Departing,
        except: Id<ids::Run>,
    ) -> Result<Vec<run::Model>> {
        let txn = self.read(tenant).await?;
        let live = run::of(tenant)
            .filter(run::Column::FinishedAt.is_null())
            .filter(departing.runs(tenant))
            .filter(run::Column::Id.ne(except));
        Ok(live.limit(RUNS).all(&txn).await?)
    }
}

/// The integrations that are being disconnected.
pub(crate) async fn retiring(
    txn: &impl ConnectionTrait,
    tenant: Id<ids::Tenant>,
) -> Result<Vec<Id<ids::Integration>>> {
    use entity::integration::{Column, of};
    let leaving = IntegrationState::LEAVING.map(IntegrationState::as_str);
    let rows = of(tenant).filter(Column::State.is_in(leaving)).all(txn).await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// Selects the bookings that are not over and block time.
fn future_bookings(tenant: Id<ids::Tenant>, now: Timestamp) -> Select<booking::Entity> {
    use booking::Column;
    let blocking = BookingState::ALL.iter().filter(|state| state.blocks_time());
    booking::of(tenant)
        .filter(Column::EndAt.gt(now))
        .filter(Column::State.is_in(blocking.map(|state| state.as_str())))
}

async fn count<E: sea_orm::EntityTrait>(rows: Select<E>, conn: &impl ConnectionTrait) -> Result<u64>
where
    E::Model: Send + Sync,
{
    Ok(rows.count(conn).await?)
}

/// The unfinished run of a workflow for a subject.
async fn live_run(tx: &Tx, workflow: &str, subject: AnyId) -> Result<Id<ids::Run>> {
    use run::{Column, of};
    let live = of(tx.tenant())
        .filter(Column::Workflow.eq(workflow))
        .filter(Column::Subject.eq(subject))
        .filter(Column::FinishedAt.is_null())
        .one(tx.conn())
        .await?;
    live.map(|run| run.id).ok_or_else(|| Error::refuse("IN_PROGRESS", "Try again in a moment."))
}

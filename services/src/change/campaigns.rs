//! Writes campaigns and their results.

use domain::{
    Id, Reason, ids,
    state::{CampaignState, ConnectionState, Lane},
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr};

use super::{Writer, reason_to_json};
use crate::{
    Result,
    events::topic,
    run_inputs::{self, RunInput},
};

/// The result of a campaign for one mailbox.
#[derive(Debug, Clone, PartialEq)]
pub struct ItemResult {
    /// The campaign that activated the mailbox.
    pub campaign: Id<ids::Campaign>,
    /// Connection of the mailbox.
    pub connection: Id<ids::Connection>,
    /// State of the connection after the activation.
    pub result: ConnectionState,
    /// Why the result is not as expected.
    pub reason: Option<Reason>,
}

impl Writer<'_> {
    /// Records a result; the last one wakes the campaign's run.
    pub(super) async fn record_item_result(&mut self, item: ItemResult) -> Result<()> {
        use entity::campaign_item::{Column, of, update};
        update(self.tenant)
            .filter(Column::CampaignId.eq(item.campaign))
            .filter(Column::ConnectionId.eq(item.connection))
            .col_expr(Column::Result, Expr::value(item.result.as_str()))
            .col_expr(Column::Reason, Expr::value(reason_to_json(item.reason)))
            .col_expr(Column::FinishedAt, Expr::value(self.at))
            .exec(self.txn)
            .await?;
        self.add_event(topic::CAMPAIGN, item.campaign);
        let open = of(self.tenant)
            .filter(Column::CampaignId.eq(item.campaign))
            .filter(Column::Result.is_null())
            .one(self.txn)
            .await?;
        if open.is_some() {
            return Ok(());
        }
        // On PostgreSQL two commits may each miss the other's result; the campaign also looks by itself.
        let run = entity::run::of(self.tenant)
            .filter(entity::run::Column::Subject.eq(item.campaign))
            .filter(entity::run::Column::FinishedAt.is_null())
            .one(self.txn)
            .await?;
        match run {
            Some(run) => self.signal(run.id, "results_complete", serde_json::Value::Null).await,
            None => Ok(()),
        }
    }

    pub(super) async fn start_campaign(&mut self, integration: Id<ids::Integration>) -> Result<()> {
        use entity::campaign::{Column, of};
        let running = of(self.tenant)
            .filter(Column::IntegrationId.eq(integration))
            .filter(Column::State.eq(CampaignState::Running.as_str()))
            .one(self.txn)
            .await?;
        if running.is_some() {
            return Ok(());
        }
        let row = crate::campaigns::new_row(self.services, self.tenant, integration, self.asked_by, self.at);
        let campaign = row.id;
        entity::campaign::Entity::insert(entity::campaign::ActiveModel::from(row))
            .exec_without_returning(self.txn)
            .await?;
        let order = RunInput::Campaign(run_inputs::Campaign { campaign, integration, listed_only: false });
        self.enqueue(order, Lane::Bulk).await?;
        self.add_event(topic::CAMPAIGN, campaign);
        Ok(())
    }

    pub(super) async fn finish_campaign(&mut self, campaign: Id<ids::Campaign>) -> Result<()> {
        use entity::campaign::{Column, update};
        // A state that only a newer version knows stays as it is.
        update(self.tenant)
            .filter(Column::Id.eq(campaign))
            .filter(Column::State.is_in(CampaignState::ALL.iter().map(|state| state.as_str())))
            .col_expr(Column::State, Expr::value(CampaignState::Finished.as_str()))
            .col_expr(Column::FinishedAt, Expr::value(self.at))
            .exec(self.txn)
            .await?;
        self.add_event(topic::CAMPAIGN, campaign);
        Ok(())
    }
}

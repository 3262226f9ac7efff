//! Use case that selects which calendars of a mailbox make its owner busy.

use domain::{
    Id, ids, may,
    state::{ConnectionState, Lane},
};
use entity::connection::Model;
use providers::CalendarListing;
use sea_orm::{ColumnTrait, ExprTrait, QueryFilter, prelude::Json, sea_query::Expr};
use serde_json::json;

use super::{Connections, is_readable};
use crate::{
    Error, Refusal, Result,
    audit::AuditFacts,
    events::topic,
    messages,
    proof::Allowed,
    run_inputs::{Activate, RunInput},
};

/// Maximum number of calendars stored for a mailbox.
const MAX: usize = 100;

impl Connections {
    /// Sets which calendars of a mailbox make its owner busy, by their ids; `None` leaves the selection to the calendar
    /// system. The mailbox is read again immediately.
    ///
    /// The change is refused if the mailbox does not list one of the calendars, if the list is empty, or if the
    /// connection has changed since `if_version`.
    pub async fn set_counted_calendars(
        &self,
        by: &Allowed<may::UserEdit>,
        id: Id<ids::Connection>,
        calendars: Option<Vec<String>>,
        if_version: Option<i64>,
    ) -> Result<Model> {
        use entity::connection::{Column, by_id, update};
        let mut tx = self.services.begin(by.tenant()).await?;
        let row = by_id(tx.tenant(), id).one(tx.conn()).await?;
        let row = row.ok_or_else(|| Error::not_found("connection"))?;
        let wanted = calendars.map(|wanted| checked(&row, &wanted)).transpose()?;
        let changed = update(tx.tenant())
            .filter(Column::Id.eq(row.id))
            .filter(Column::Version.eq(if_version.unwrap_or(row.version)))
            .col_expr(Column::CountedCalendars, Expr::value(wanted.clone()))
            // What was read of other calendars is no beginning for asking what has changed.
            .col_expr(Column::Watermark, Expr::value(None::<String>))
            .col_expr(Column::Version, Expr::col(Column::Version).add(1))
            .exec(tx.conn())
            .await?;
        if changed.rows_affected == 0 {
            let message = "This connection was changed in the meantime. Reload it, then repeat your change.";
            return Err(Refusal::new("VERSION_CONFLICT", message).at("ifVersion").into());
        }
        if is_readable(&row) {
            let activate = RunInput::Activate(Activate { connection: row.id, campaign: None });
            tx.enqueue(activate, &by.actor(), Lane::Interactive).await?;
        }
        tx.add_event(topic::CONNECTION, row.id);
        let facts = AuditFacts::for_change(json!(row.counted_calendars), json!(wanted));
        tx.audit(&by.actor(), "connection.calendars", id.to_string(), facts);
        let after = by_id(tx.tenant(), row.id).one(tx.conn()).await?;
        tx.commit().await?;
        after.ok_or_else(|| Error::not_found("connection"))
    }
}

/// Returns the selected calendar ids in the order of the mailbox's list, without duplicates.
fn checked(row: &Model, wanted: &[String]) -> Result<Json> {
    if wanted.is_empty() {
        let message = "Specify at least one calendar. Without one, the owner would never be busy.";
        return Err(Refusal::new("CALENDARS_MISSING", message).at("calendarIds").into());
    }
    if row.state.require()? == ConnectionState::Excluded {
        return Err(Error::refuse("EXCLUDED", messages::excluded()));
    }
    let listed = calendars(row);
    if wanted.iter().any(|id| !listed.iter().any(|calendar| calendar.id == *id)) {
        let message = "The mailbox does not contain this calendar. Query its calendars again.";
        return Err(Refusal::new("CALENDAR_ID_UNKNOWN", message).at("calendarIds").into());
    }
    let counted: Vec<String> =
        listed.into_iter().map(|calendar| calendar.id).filter(|id| wanted.contains(id)).collect();
    Ok(json!(counted))
}

/// The calendars of a mailbox as listed at its last activation; `counts` reflects the current selection.
pub fn calendars(row: &Model) -> Vec<CalendarListing> {
    let listed: Option<Vec<CalendarListing>> =
        row.calendars.clone().and_then(|json| serde_json::from_value(json).ok());
    let counted = chosen_calendars(row);
    let mut calendars = listed.unwrap_or_default();
    for calendar in &mut calendars {
        calendar.counts = counted.as_ref().map_or(calendar.counts, |ids| ids.contains(&calendar.id));
    }
    calendars
}

/// Ids of the calendars that an administrator selected; `None` if the calendar system decides.
pub fn chosen_calendars(row: &Model) -> Option<Vec<String>> {
    row.counted_calendars.clone().and_then(|json| serde_json::from_value(json).ok())
}

/// Converts a list of calendars to its stored form.
pub fn calendars_to_json(calendars: &[CalendarListing]) -> Json {
    json!(calendars[..calendars.len().min(MAX)])
}

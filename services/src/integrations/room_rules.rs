//! Rules that distinguish rooms from people, for calendar systems without a room directory.

use domain::{Id, ids, may};
use entity::integration::Model;
use providers::RoomRule;
use sea_orm::{ColumnTrait, ExprTrait, QueryFilter, prelude::Json, sea_query::Expr};
use serde_json::json;

use super::{Integrations, find, provider, require_organisation_wide};
use crate::{Error, Refusal, Result, audit::AuditFacts, events::topic, proof::Allowed};

/// Maximum number of patterns in each list of a rule.
const MAX: usize = 50;
/// Longest pattern in characters.
const LONGEST: usize = 200;

impl Integrations {
    /// Sets the rules that distinguish rooms from people; `None` restores the operator's default rules. The next
    /// verification lists the rooms according to the new rules.
    ///
    /// The change is refused if the calendar system has a room directory, if a pattern is empty or too long, or if the
    /// integration has changed since `if_version`.
    pub async fn set_room_rules(
        &self,
        by: &Allowed<may::ServiceAccountEdit>,
        id: Id<ids::Integration>,
        rules: Option<RoomRule>,
        if_version: Option<i64>,
    ) -> Result<Model> {
        use entity::integration::{Column, update};
        let mut tx = self.services.begin(by.tenant()).await?;
        let row = find(&tx, id).await?;
        require_organisation_wide(&row)?;
        let connector = self.services.connectors.get(provider(&row)?);
        if connector.is_ok_and(|connector| connector.features().room_directory) {
            let message = "This calendar system has a room directory, so room rules do not apply.";
            return Err(Error::refuse("ROOM_RULES_NOT_USED", message));
        }
        let rules: Option<Json> = rules.map(|rules| checked(&rules).map(|()| json!(rules))).transpose()?;
        let changed = update(tx.tenant())
            .filter(Column::Id.eq(row.id))
            .filter(Column::Version.eq(if_version.unwrap_or(row.version)))
            .col_expr(Column::RoomRules, Expr::value(rules.clone()))
            .col_expr(Column::Version, Expr::col(Column::Version).add(1))
            .exec(tx.conn())
            .await?;
        if changed.rows_affected == 0 {
            let message = "This integration was changed in the meantime. Reload it, then repeat your change.";
            return Err(Refusal::new("VERSION_CONFLICT", message).at("ifVersion").into());
        }
        tx.add_event(topic::INTEGRATION, row.id);
        let facts = AuditFacts::for_change(json!(row.room_rules), json!(rules));
        tx.audit(&by.actor(), "integration.room_rules", id.to_string(), facts);
        let after = find(&tx, row.id).await?;
        tx.commit().await?;
        Ok(after)
    }
}

fn checked(rules: &RoomRule) -> Result<()> {
    let RoomRule { path_prefixes, name_prefixes, addresses, collections, mark } = rules;
    let lists = [path_prefixes, name_prefixes, addresses, collections];
    let is_form = |form: &String| {
        let length = form.chars().count();
        !form.trim().is_empty() && length <= LONGEST && !form.contains(char::is_control)
    };
    let fits = lists.iter().all(|list| list.len() <= MAX && list.iter().all(is_form));
    if fits && (mark.is_empty() || is_form(mark)) {
        return Ok(());
    }
    let message =
        format!("Give up to {MAX} entries in each list, each of 1 to {LONGEST} characters on one line.");
    let refusal = Refusal::new("ROOM_RULES_MALFORMED", message).at("rules");
    let most = lists.iter().map(|list| list.len()).max().unwrap_or_default();
    let forms = lists.into_iter().flatten().chain([mark]);
    let longest = forms.map(|form| form.chars().count()).max().unwrap_or_default();
    Err(if most > MAX { refusal.exceeding(MAX, most) } else { refusal.exceeding(LONGEST, longest) }.into())
}

/// The integration's own rules; `None` if the operator's default rules apply.
pub fn room_rules(row: &Model) -> Option<RoomRule> {
    row.room_rules.clone().and_then(|json| serde_json::from_value(json).ok())
}

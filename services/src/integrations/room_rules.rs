//! How rooms are told from people, where the calendar system itself has no directory of rooms.

use domain::{Allowed, Id, ProviderKind, ids};
use entity::integration::Model;
use providers::caldav::RoomRule;
use sea_orm::{ColumnTrait, ExprTrait, QueryFilter, prelude::Json, sea_query::Expr};
use serde_json::json;

use super::{Integrations, find, provider};
use crate::{Error, Refusal, Result, audit::Facts, events::topic};

/// How many forms one member of a rule has at most.
const MOST: usize = 50;
/// The longest form, in characters.
const LONGEST: usize = 200;

impl Integrations {
    /// Sets how rooms are told from people; `None` leaves it to the installation's own rule. The next verification lists
    /// the rooms anew.
    ///
    /// Refused where the calendar system has a directory of rooms, when a form is empty or too long, and when somebody
    /// changed the integration since `if_version`.
    pub async fn set_room_rules(
        &self,
        by: &Allowed,
        id: Id<ids::Integration>,
        rules: Option<RoomRule>,
        if_version: Option<i64>,
    ) -> Result<Model> {
        use entity::integration::{Column, update};
        let mut tx = self.services.begin(by.tenant().uuid()).await?;
        let row = find(&tx, id.uuid()).await?;
        if provider(&row)? != ProviderKind::CalDav {
            let message = "This calendar system lists its rooms itself.";
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
            let message = "Somebody changed this integration in the meantime. Read it again.";
            return Err(Refusal::new("VERSION_CONFLICT", message).at("ifVersion").into());
        }
        tx.event(topic::INTEGRATION, row.id);
        let facts = Facts::changed(json!(row.room_rules), json!(rules));
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
    let fits = lists.iter().all(|list| list.len() <= MOST && list.iter().all(is_form));
    if fits && (mark.is_empty() || is_form(mark)) {
        return Ok(());
    }
    let message =
        format!("A rule has up to {MOST} forms of each kind, each of 1 to {LONGEST} characters on one line.");
    let refusal = Refusal::new("ROOM_RULES_MALFORMED", message).at("rules");
    let most = lists.iter().map(|list| list.len()).max().unwrap_or_default();
    let forms = lists.into_iter().flatten().chain([mark]);
    let longest = forms.map(|form| form.chars().count()).max().unwrap_or_default();
    Err(if most > MOST { refusal.exceeding(MOST, most) } else { refusal.exceeding(LONGEST, longest) }.into())
}

/// How an integration's rooms are told from people; `None` where the installation's own rule serves.
pub fn room_rules(row: &Model) -> Option<RoomRule> {
    row.room_rules.clone().and_then(|json| serde_json::from_value(json).ok())
}

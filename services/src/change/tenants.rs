//! Writes the tenant's locale as its organisation's directory reports it.

use domain::{Zone, language};
use sea_orm::{ColumnTrait, EntityTrait, ExprTrait, QueryFilter, sea_query::Expr};
use serde_json::json;

use super::Writer;
use crate::{Result, audit::AuditFacts, calendars};

/// Time zone and language of a tenant, according to its organisation's directory. Existing values are kept, because a
/// person may have set them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TenantLocale {
    /// Time zone; ignored if it is not an IANA name.
    pub zone: Option<String>,
    /// Language; ignored if it is not a BCP 47 tag.
    pub language: Option<String>,
}

impl Writer<'_> {
    pub(super) async fn fill_locale(&mut self, locale: TenantLocale) -> Result<()> {
        use entity::tenant::Column;
        let zone = locale.zone.filter(|name| Zone::from_name(name).is_some());
        let language = locale.language.as_deref().and_then(language::parse_tag);
        for (column, key, value) in
            [(Column::TimeZone, "timeZone", zone), (Column::Language, "language", language)]
        {
            let Some(value) = value else { continue };
            if self.fill(column, &value).await? {
                if matches!(column, Column::TimeZone) {
                    calendars::invalidate_copies(self.txn, self.tenant, None).await?;
                }
                let subject = self.tenant.to_string();
                let facts = AuditFacts::for_change(json!({ key: null }), json!({ key: value }));
                let facts = facts.with_details(json!({ "from": "directory" }));
                self.audit(self.asked_by.to_owned(), "tenant.update", subject, facts);
            }
        }
        Ok(())
    }

    /// Sets a column of the tenant if it is null; returns `false` if it already has a value.
    async fn fill(&self, column: entity::tenant::Column, value: &str) -> Result<bool> {
        use entity::tenant::{Column, Entity};
        #[expect(clippy::disallowed_methods, reason = "the table of tenants begins with itself")]
        let filled = Entity::update_many()
            .filter(Column::Id.eq(self.tenant))
            .filter(column.is_null())
            .col_expr(column, Expr::value(value))
            .col_expr(Column::Version, Expr::col(Column::Version).add(1))
            .exec(self.txn)
            .await?;
        Ok(filled.rows_affected > 0)
    }
}

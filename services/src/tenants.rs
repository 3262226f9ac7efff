//! Tenants: customer organisations with their plan, features, data key and return URLs.
//!
//! Only the vendor's staff create and change tenants. A feature is available if the plan includes it and staff have
//! enabled it; every use case behind a feature first calls [`require_feature`].

#![expect(clippy::disallowed_methods, reason = "the table of tenants begins with itself")]

mod locale;
mod return_url;
mod systems;

use domain::{
    Id, ProviderKind, ids,
    state::{Feature, Plan},
    text::{self, LineMode, TextFault},
};
use entity::tenant::{ActiveModel, Column, Entity, Model};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, EntityTrait, ExprTrait, QueryFilter,
    prelude::Json,
    sea_query::{Expr, OnConflict},
};
use serde_json::json;

pub use self::locale::owner_zone;
pub(crate) use self::locale::validate_zone as checked_zone;
pub use self::systems::providers;
pub(crate) use self::systems::require_provider;
use crate::{
    Error, Page, PageArgs, Refusal, Result, Tx,
    audit::AuditFacts,
    calendars,
    grants::Connectors,
    page,
    proof::{Anyone, Member, Staff},
    roles, suspension,
};

/// Maximum length of a tenant's name, in characters.
const LONGEST_NAME: usize = 200;

crate::noun! {
    /// Customer organisations.
    Tenants
}

/// Fields of a new tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTenant {
    /// Display name.
    pub name: String,
    /// The plan for which the tenant pays.
    pub plan: Plan,
    /// Permitted return URLs: browsers may be redirected to each of these and to every URL below it.
    pub return_urls: Vec<String>,
    /// Default time zone as an IANA name.
    pub time_zone: Option<String>,
    /// Preferred language as a BCP 47 tag.
    pub language: Option<String>,
}

/// Fields of a tenant to change; omitted fields keep their value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TenantChange {
    /// New display name.
    pub name: Option<String>,
    /// New time zone; `Some(None)` clears it.
    pub time_zone: Option<Option<String>>,
    /// New language; `Some(None)` clears it.
    pub language: Option<Option<String>>,
    /// The calendar systems that the tenant may connect; `Some(None)` offers all of the installation's.
    pub providers: Option<Option<Vec<ProviderKind>>>,
}

impl Tenants {
    /// Creates a tenant with its data key and the standard roles.
    pub async fn create(&self, by: &Staff, new: NewTenant) -> Result<Model> {
        let return_urls = return_url::normalize_urls(&new.return_urls)?;
        if !return_urls.is_empty() {
            require_return_urls_by(by)?;
        }
        let name = validate_name(&new.name)?;
        let time_zone = new.time_zone.map(locale::validate_zone).transpose()?;
        let language = new.language.as_deref().map(locale::normalize_language).transpose()?;
        let id = self.services.ids.make::<ids::Tenant>();
        let mut tx = self.services.begin_as_staff(id).await?;
        let tenant = Model {
            id,
            name,
            plan: new.plan.into(),
            return_urls: json!(return_urls),
            time_zone,
            language,
            providers: None,
            data_key: self.services.secrets().new_data_key(tx.conn(), id).await?,
            data_key_rotation: None,
            erasing_since: None,
            version: 1,
            created_at: tx.now(),
        };
        Entity::insert(ActiveModel::from(tenant.clone())).exec_without_returning(tx.conn()).await?;
        roles::insert_standard_roles(&self.services.ids, &tx).await?;
        tx.audit(&by.actor(), "tenant.create", id.to_string(), AuditFacts::for_creation(audit_json(&tenant)));
        tx.commit().await?;
        Ok(tenant)
    }

    /// The caller's own tenant.
    pub async fn get(&self, by: &Member) -> Result<Model> {
        self.find(by.tenant()).await?.ok_or_else(|| Error::not_found("tenant"))
    }

    /// One page of all tenants.
    pub async fn list(&self, _by: &Staff, args: PageArgs) -> Result<Page<Model>> {
        page::read_page(Entity::find(), Column::Id, args, self.services.store.installation_connection()).await
    }

    /// The tenant with this id, not necessarily the caller's own.
    pub async fn by_id(&self, _by: &Staff, id: Id<ids::Tenant>) -> Result<Model> {
        self.find(id).await?.ok_or_else(|| Error::not_found("tenant"))
    }

    /// Changes a tenant, unless it has changed since `if_version`.
    pub async fn update(
        &self,
        by: &Staff,
        id: Id<ids::Tenant>,
        wanted: TenantChange,
        if_version: Option<i64>,
    ) -> Result<Model> {
        let (mut tx, before) = self.services.begin_locked_as_staff(by, id).await?;
        if if_version.is_some_and(|version| version != before.version) {
            let message = "This tenant was changed in the meantime. Reload it, then repeat your change.";
            return Err(Refusal::new("VERSION_CONFLICT", message).at("ifVersion").into());
        }
        let mut columns = Vec::new();
        if let Some(name) = wanted.name {
            columns.push((Column::Name, Expr::value(validate_name(&name)?)));
        }
        if let Some(zone) = wanted.time_zone {
            columns.push((Column::TimeZone, Expr::value(zone.map(locale::validate_zone).transpose()?)));
        }
        if let Some(language) = wanted.language {
            let language = language.as_deref().map(locale::normalize_language).transpose()?;
            columns.push((Column::Language, Expr::value(language)));
        }
        if let Some(providers) = wanted.providers {
            let providers =
                providers.map(|kinds| systems::stored(&self.services.connectors, &kinds)).transpose()?;
            columns.push((Column::Providers, Expr::value(providers)));
        }
        let after = change(&tx, columns).await?;
        if after.time_zone != before.time_zone {
            calendars::invalidate_copies(tx.conn(), tx.tenant(), None).await?;
        }
        tx.audit(
            &by.actor(),
            "tenant.update",
            id.to_string(),
            AuditFacts::for_change(audit_json(&before), audit_json(&after)),
        );
        tx.commit().await?;
        Ok(after)
    }

    /// Changes a tenant's plan. Integrations that the plan does not include are suspended immediately, and resumed once
    /// a plan includes them again.
    pub async fn set_plan(&self, by: &Staff, id: Id<ids::Tenant>, plan: Plan) -> Result<Model> {
        let (mut tx, before) = self.services.begin_locked_as_staff(by, id).await?;
        let tenant = change(&tx, [(Column::Plan, Expr::value(plan.as_str()))]).await?;
        suspension::apply_feature_changes(&mut tx, &by.actor()).await?;
        tx.audit(
            &by.actor(),
            "tenant.plan",
            id.to_string(),
            AuditFacts::for_change(audit_json(&before), audit_json(&tenant)),
        );
        tx.commit().await?;
        Ok(tenant)
    }

    /// Enables or disables a feature of a tenant. Integrations that need the feature are suspended immediately when it
    /// is disabled, and resumed when it is enabled.
    pub async fn set_feature(
        &self,
        by: &Staff,
        id: Id<ids::Tenant>,
        feature: Feature,
        on: bool,
    ) -> Result<Model> {
        let (mut tx, tenant) = self.services.begin_locked_as_staff(by, id).await?;
        let plan = tenant.plan.require()?;
        if on && !includes(plan, feature) {
            let message = format!("The plan {plan} does not include this. Change the plan to PLUS first.");
            return Err(Refusal::new("PLAN_LACKS_FEATURE", message).at("feature").into());
        }
        let changed = write_feature(&tx, by, feature, on).await?;
        suspension::apply_feature_changes(&mut tx, &by.actor()).await?;
        let facts = AuditFacts::for_change(json!(on != changed), json!(on))
            .with_details(json!({ "feature": feature.as_str() }));
        tx.audit(&by.actor(), "tenant.feature", id.to_string(), facts);
        let tenant = change(&tx, []).await?;
        tx.commit().await?;
        Ok(tenant)
    }

    /// Features that the caller's tenant can currently use.
    pub async fn features(&self, by: &Member) -> Result<Vec<Feature>> {
        self.usable(by.tenant()).await
    }

    /// Features that any tenant can currently use.
    pub async fn features_of(&self, _by: &Staff, tenant: Id<ids::Tenant>) -> Result<Vec<Feature>> {
        self.usable(tenant).await
    }

    async fn usable(&self, tenant: Id<ids::Tenant>) -> Result<Vec<Feature>> {
        let txn = self.services.read(tenant).await?;
        let Some(model) = Entity::find_by_id(tenant).one(&txn).await? else { return Ok(Vec::new()) };
        let rows = entity::tenant_feature::of(tenant).all(&txn).await?;
        // What a plan of a newer version includes is not known here.
        let Some(plan) = model.plan.known() else { return Ok(Vec::new()) };
        let known = rows.iter().filter_map(|row| row.feature.known());
        Ok(known.filter(|feature| includes(plan, *feature)).collect())
    }

    /// Replaces the tenant's return URLs, to which browsers may be redirected. The key needs every permission.
    pub async fn update_return_urls(
        &self,
        by: &Staff,
        id: Id<ids::Tenant>,
        urls: Vec<String>,
    ) -> Result<Model> {
        require_return_urls_by(by)?;
        let urls = return_url::normalize_urls(&urls)?;
        let (mut tx, before) = self.services.begin_locked_as_staff(by, id).await?;
        let tenant = change(&tx, [(Column::ReturnUrls, Expr::value(json!(urls)))]).await?;
        tx.audit(
            &by.actor(),
            "tenant.return_urls",
            id.to_string(),
            AuditFacts::for_change(audit_json(&before), audit_json(&tenant)),
        );
        tx.commit().await?;
        Ok(tenant)
    }

    /// Whether a browser may be redirected to a URL: the URL must be, or lie below, one of the tenant's return URLs.
    pub async fn allows_return_url(&self, _by: Anyone, tenant: Id<ids::Tenant>, url: &str) -> Result<bool> {
        let model = self.find(tenant).await?;
        Ok(model.is_some_and(|tenant| return_url::is_allowed(&tenant, url)))
    }

    /// Refuses a URL that [`Self::allows_return_url`] does not allow.
    pub(crate) async fn require_return_url(
        &self,
        conn: &impl ConnectionTrait,
        tenant: Id<ids::Tenant>,
        url: &str,
    ) -> Result<()> {
        let model = Entity::find_by_id(tenant).one(conn).await?;
        if model.is_some_and(|tenant| return_url::is_allowed(&tenant, url)) {
            return Ok(());
        }
        let message = "This return URL is not allowed. Ask the vendor to add it to the tenant's return URLs.";
        Err(Refusal::new("RETURN_URL_NOT_ALLOWED", message).at("returnUrl").into())
    }

    pub(crate) async fn find(&self, id: Id<ids::Tenant>) -> Result<Option<Model>> {
        Ok(Entity::find_by_id(id).one(self.services.store.installation_connection()).await?)
    }
}

/// Returns an error unless the tenant's plan includes the feature and staff have enabled it.
pub(crate) async fn require_feature(
    conn: &impl ConnectionTrait,
    tenant: Id<ids::Tenant>,
    feature: Feature,
) -> Result<()> {
    let model = Entity::find_by_id(tenant).one(conn).await?.ok_or_else(|| Error::not_found("tenant"))?;
    if !includes(model.plan.require()?, feature) {
        let message = "Your plan does not include connecting the whole company through a service account. \
                       It needs the plan PLUS.";
        return Err(Error::refuse("FEATURE_NOT_IN_PLAN", message));
    }
    let on = entity::tenant_feature::of(tenant)
        .filter(entity::tenant_feature::Column::Feature.eq(feature.as_str()))
        .one(conn)
        .await?;
    if on.is_none() {
        let message = "Connecting the whole company through a service account is not switched on for you. \
                       Ask your vendor to switch it on.";
        return Err(Error::refuse("FEATURE_OFF", message));
    }
    Ok(())
}

/// As [`require_provider`], for the tenant of a transaction.
pub(crate) async fn require_provider_of(
    connectors: &Connectors,
    tx: &Tx,
    provider: ProviderKind,
) -> Result<()> {
    let tenant = Entity::find_by_id(tx.tenant()).one(tx.conn()).await?;
    require_provider(connectors, &tenant.ok_or_else(|| Error::not_found("tenant"))?, provider)
}

/// Validates a display name: 1 to 200 characters on one line, at least one of them visible.
pub(crate) fn validate_name(name: &str) -> Result<String> {
    let name = name.trim();
    let refusal = |message: String| Refusal::new("NAME_MALFORMED", message).at("name");
    let rule = format!("A name has 1 to {LONGEST_NAME} characters on one line");
    match text::check_visible(name, LineMode::Line, LONGEST_NAME) {
        Ok(()) if name.is_empty() => Err(refusal(format!("{rule}.")).into()),
        Ok(()) => Ok(name.to_owned()),
        Err(TextFault::TooLong { found, limit }) => {
            Err(refusal(format!("{rule}.")).exceeding(limit, found).into())
        }
        Err(fault) => Err(refusal(format!("{rule}: {fault}.")).into()),
    }
}

fn includes(plan: Plan, feature: Feature) -> bool {
    match feature {
        Feature::ServiceAccount => plan == Plan::Plus,
    }
}

/// Stores whether a feature is enabled; returns whether this changed anything.
async fn write_feature(tx: &Tx, by: &Staff, feature: Feature, on: bool) -> Result<bool> {
    use entity::tenant_feature::{ActiveModel, Column, Entity, delete};
    if !on {
        let row = delete(tx.tenant()).filter(Column::Feature.eq(feature.as_str()));
        return Ok(row.exec(tx.conn()).await?.rows_affected > 0);
    }
    let row = ActiveModel {
        tenant_id: Set(tx.tenant()),
        feature: Set(feature.into()),
        enabled_by: Set(by.actor()),
        enabled_at: Set(tx.now()),
    };
    let inserted = Entity::insert(row)
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(tx.conn())
        .await?;
    Ok(inserted > 0)
}

/// Requires every permission, because the codes of all users who sign in are sent to return URLs.
fn require_return_urls_by(by: &Staff) -> Result<()> {
    roles::require_every(
        |permission| by.has_permission(permission),
        "The codes of users who sign in are sent to return URLs",
    )
}

/// The audit representation of a tenant.
fn audit_json(tenant: &Model) -> Json {
    json!({
        "name": tenant.name, "plan": tenant.plan, "returnUrls": tenant.return_urls, "timeZone": tenant.time_zone,
        "language": tenant.language, "providers": tenant.providers,
    })
}

async fn change(tx: &Tx, columns: impl IntoIterator<Item = (Column, Expr)>) -> Result<Model> {
    let mut statement = Entity::update_many()
        .filter(Column::Id.eq(tx.tenant()))
        .col_expr(Column::Version, Expr::col(Column::Version).add(1));
    for (column, value) in columns {
        statement = statement.col_expr(column, value);
    }
    statement.exec(tx.conn()).await?;
    let found = Entity::find_by_id(tx.tenant()).one(tx.conn()).await?;
    found.ok_or_else(|| Error::not_found("tenant"))
}

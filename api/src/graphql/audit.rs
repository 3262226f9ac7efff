//! What was done, by whom: the entries of the audit.

use async_graphql::{Context, Description, ID, InputObject, Json, Object};
use domain::{Permission, ids};
use services::{
    audit::{self, AuditFilter},
    entity::audit::Model,
};

use super::{
    context::{Ask, shown},
    failure::{Result, found},
    page::{args, connection},
    scalar::DateTime,
};

/// An act that changed something. Entries are never changed; each is chained to the one before by its hash, and the
/// operator can verify that none was altered or removed.
#[derive(Description, Debug, Clone)]
pub struct AuditEntry(Model);

impl From<Model> for AuditEntry {
    fn from(model: Model) -> Self {
        Self(model)
    }
}

#[Object(use_type_description)]
impl AuditEntry {
    /// The id; it begins with `aud_`.
    async fn id(&self) -> ID {
        shown::<ids::AuditEntry>(self.0.id)
    }

    /// Position in the chain, counted from 1 without gaps.
    async fn seq(&self) -> i64 {
        self.0.seq.unwrap_or_default()
    }

    /// When it was done.
    async fn at(&self) -> DateTime {
        self.0.at.into()
    }

    /// Who did it: the id of a user (`usr_`), of a vendor key (`key_`) or of an invitation (`lnk_`), the email address
    /// of an invited person, `operator` for the server's own command line, or the part of Muster that did it by itself.
    async fn actor(&self) -> &str {
        &self.0.actor
    }

    /// What was done, such as `user.update`.
    async fn action(&self) -> &str {
        &self.0.action
    }

    /// The id of what it was done to.
    async fn subject(&self) -> &str {
        &self.0.subject
    }

    /// The request by which it came, as its answer named it in the header `x-request-id`; the id of a run (`run_`) for
    /// what a workflow did, of a command (`cmd_`) for what the operator did; null for what Muster did by itself.
    async fn request_id(&self) -> Option<&str> {
        self.0.request.as_deref()
    }

    /// What was so before: only what the act changed. A secret appears as `"changed"`. Null when there was nothing.
    async fn old(&self) -> Option<Json<serde_json::Value>> {
        self.0.old_value.clone().map(Json)
    }

    /// What is so since: only what the act changed. A secret appears as `"changed"`. Null when there is nothing.
    async fn new(&self) -> Option<Json<serde_json::Value>> {
        self.0.new_value.clone().map(Json)
    }

    /// Facts that are neither the value before nor the one after.
    async fn details(&self) -> Json<serde_json::Value> {
        Json(self.0.details.clone())
    }

    /// SHA-256 over the entry and the hash of the one before, in hexadecimal digits.
    async fn hash(&self) -> String {
        audit::hash_of(&self.0)
    }
}

connection!(AuditEntry, Model, AuditEntryConnection, AuditEntryEdge, "entries of the audit", |row| {
    audit::cursor(row)
});

/// Which entries are wanted; what is absent does not matter.
#[derive(InputObject)]
pub struct AuditLogFilter {
    /// Only what this one did, as `AuditEntry.actor` says it.
    actor: Option<String>,
    /// Only acts of this kind, such as `user.update`.
    action: Option<String>,
    /// Only what was done to the thing with this id.
    subject: Option<ID>,
    /// Only what was done at this time or later.
    since: Option<DateTime>,
    /// Only what was done before this time.
    until: Option<DateTime>,
}

impl From<AuditLogFilter> for AuditFilter {
    fn from(filter: AuditLogFilter) -> Self {
        Self {
            actor: filter.actor,
            action: filter.action,
            subject: filter.subject.map(|id| id.0),
            since: filter.since.map(|at| at.0),
            until: filter.until.map(|at| at.0),
        }
    }
}

#[derive(Default)]
pub struct AuditQuery;

#[Object]
impl AuditQuery {
    /// What was done in the tenant, in the order in which it was done; `last` gives the latest. Needs `ROLE_EDIT`, which
    /// administrators have.
    async fn audit_log(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which entries are wanted; all when absent.")] filter: Option<AuditLogFilter>,
        #[graphql(desc = "The first so many, 1 to 100; 50 when neither is given.")] first: Option<i32>,
        #[graphql(desc = "The last so many, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Option<Result<AuditEntryConnection>> {
        found(async {
            let by = ctx.caller().allow(Permission::RoleEdit)?;
            let filter = filter.map(Into::into).unwrap_or_default();
            let page = ctx.services().audit().list(&by, filter, args(first, last, after, before)?).await?;
            Ok(AuditEntryConnection::of(page, None))
        })
        .await
    }

    /// What was done to the installation: vendor keys, signing keys, tenants and what the vendor's staff set for them,
    /// the audit itself. For the vendor's staff.
    async fn installation_audit_log(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which entries are wanted; all when absent.")] filter: Option<AuditLogFilter>,
        #[graphql(desc = "The first so many, 1 to 100; 50 when neither is given.")] first: Option<i32>,
        #[graphql(desc = "The last so many, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Option<Result<AuditEntryConnection>> {
        found(async {
            let by = ctx.caller().allow_staff()?;
            let filter = filter.map(Into::into).unwrap_or_default();
            let page = ctx
                .services()
                .audit()
                .list_installation(&by, filter, args(first, last, after, before)?)
                .await?;
            Ok(AuditEntryConnection::of(page, None))
        })
        .await
    }
}

//! Audit log: who changed what, and when.

use async_graphql::{Context, Description, ID, InputObject, Json, Object};
use domain::may;
use services::{
    audit::{self, AuditFilter},
    rows::audit::Model,
};

use super::{
    context::{ContextExt, format_id},
    failure::{Result, null_if_missing},
    page::{connection, parse_page_args},
    scalar::DateTime,
};

/// A recorded action that changed an object. Entries are immutable, and each contains the hash of the previous one, so
/// that the operator can verify that none was altered or removed.
#[derive(Description, Debug, Clone)]
pub struct AuditEntry(Model);

impl From<Model> for AuditEntry {
    fn from(model: Model) -> Self {
        Self(model)
    }
}

#[Object(use_type_description)]
impl AuditEntry {
    /// Identifier; starts with `aud_`.
    async fn id(&self) -> ID {
        format_id(self.0.id)
    }

    /// Sequence number in the hash chain, counted from 1 without gaps.
    async fn seq(&self) -> i64 {
        self.0.seq.unwrap_or_default()
    }

    /// Time of the action.
    async fn at(&self) -> DateTime {
        self.0.at.into()
    }

    /// Who performed the action: the id of a user (`usr_`), a vendor key (`key_`), an invitation (`lnk_`) or an OpenID
    /// issuer, `operator` for the server's command line, or the name of the Muster component that performed an
    /// automatic action.
    async fn actor(&self) -> &str {
        &self.0.actor
    }

    /// The kind of action, such as `user.update`.
    async fn action(&self) -> &str {
        &self.0.action
    }

    /// Identifier of the object that was changed.
    async fn subject(&self) -> &str {
        &self.0.subject
    }

    /// The request that caused the action, as returned in the response header `x-request-id`; for a workflow the id of
    /// its run (`run_`), for the operator's command line the id of the command (`cmd_`); null for an automatic action.
    async fn request_id(&self) -> Option<&str> {
        self.0.request.as_deref()
    }

    /// Previous values of the fields that changed; secrets appear as `"changed"`. Null if there were none.
    async fn old(&self) -> Option<Json<serde_json::Value>> {
        self.0.old_value.clone().map(Json)
    }

    /// New values of the fields that changed; secrets appear as `"changed"`. Null if there are none.
    async fn new(&self) -> Option<Json<serde_json::Value>> {
        self.0.new_value.clone().map(Json)
    }

    /// Additional details of the action, besides the old and new values.
    async fn details(&self) -> Json<serde_json::Value> {
        Json(self.0.details.clone())
    }

    /// SHA-256 hash of the entry and of the previous entry's hash, in hexadecimal.
    async fn hash(&self) -> String {
        audit::hash_hex(&self.0)
    }
}

connection!(AuditEntry, Model, AuditEntryConnection, AuditEntryEdge, "audit entries", |row| {
    audit::cursor(row)
});

/// Selects audit entries. An entry must match every field that is given.
#[derive(InputObject)]
pub struct AuditLogFilter {
    /// Only actions by this actor, written as in `AuditEntry.actor`.
    actor: Option<String>,
    /// Only this kind of action, such as `user.update`.
    action: Option<String>,
    /// Only changes of the object with this id.
    subject: Option<ID>,
    /// Only actions at or after this time.
    since: Option<DateTime>,
    /// Only actions before this time.
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
    /// The audit log of the tenant, oldest first; use `last` for the most recent entries. Needs `ROLE_EDIT`.
    async fn audit_log(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Selects entries; defaults to all.")] filter: Option<AuditLogFilter>,
        #[graphql(
            desc = "Number of items from the start, 1 to 100; defaults to 50 if neither `first` nor `last` is given."
        )]
        first: Option<i32>,
        #[graphql(desc = "Number of items from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Return only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Return only items before this cursor.")] before: Option<String>,
    ) -> Option<Result<AuditEntryConnection>> {
        null_if_missing(async {
            let by = ctx.caller().allow::<may::RoleEdit>()?;
            let filter = filter.map(Into::into).unwrap_or_default();
            let page = ctx
                .services()
                .audit()
                .list(&by, filter, parse_page_args(first, last, after, before)?)
                .await?;
            Ok(AuditEntryConnection::from_page(page, None))
        })
        .await
    }

    /// The audit log of the installation, oldest first: vendor keys, signing keys, tenants and their settings, and the
    /// audit log itself. Vendor staff only (`STAFF`).
    async fn installation_audit_log(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Selects entries; defaults to all.")] filter: Option<AuditLogFilter>,
        #[graphql(
            desc = "Number of items from the start, 1 to 100; defaults to 50 if neither `first` nor `last` is given."
        )]
        first: Option<i32>,
        #[graphql(desc = "Number of items from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Return only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Return only items before this cursor.")] before: Option<String>,
    ) -> Option<Result<AuditEntryConnection>> {
        null_if_missing(async {
            let by = ctx.caller().allow_staff()?;
            let filter = filter.map(Into::into).unwrap_or_default();
            let page = ctx
                .services()
                .audit()
                .list_installation(&by, filter, parse_page_args(first, last, after, before)?)
                .await?;
            Ok(AuditEntryConnection::from_page(page, None))
        })
        .await
    }
}

//! The audit log: who performed which action, with proof that the log has not been changed since.
//!
//! A use case records its actions with [`crate::Tx::audit`]; the entries are appended to their chains at the end of the
//! transaction ([`chain`]), so that an entry and its action are committed together or not at all. Each tenant has a
//! chain, and so has the installation. `muster audit` verifies, exports and prunes the chains as the database owner
//! ([`verify`], [`maintain`]); nodes only add and read entries.
//!
//! Entries contain no secrets: [`AuditFacts`] replaces them with `"changed"`, even if the caller forgets to.

mod canonical;
mod chain;
mod checkpoint;
mod key;
pub mod maintain;
pub mod verify;

use domain::{Id, Timestamp, ids, may};
use entity::audit::{Column, Model};
use sea_orm::{ColumnTrait, QueryFilter, prelude::Json};
use serde_json::json;
use uuid::Uuid;

pub use self::{
    canonical::export_line,
    checkpoint::{Checkpoint, create_checkpoints},
    key::{AuditKey, AuditKeyProvider},
};
pub(crate) use self::{
    canonical::hex,
    chain::{AuditRecord, append},
};
use crate::{
    Error, Page, PageArgs, Refusal, Result, page,
    proof::{Allowed, Staff},
};

/// The audit chain of the installation, in addition to those of the tenants.
pub const INSTALLATION_CHAIN: Id<ids::Tenant> = Id::nil();

/// The recorded actor of the operator's actions; corresponds to [`domain::CallerKind::Operator`].
pub const OPERATOR_ACTOR: &str = "operator";
/// The recorded actor of actions that the engine performs on its own.
pub(crate) const ENGINE_ACTOR: &str = "engine";

/// The recorded action of the end of an erasure, in the installation's chain: it says where the tenant's chain ended.
pub(crate) const ERASED_ACTION: &str = "tenant.erased";

/// Recorded in place of a secret that was changed.
const CHANGED: &str = "changed";

tokio::task_local! {
    static REQUEST: String;
}

/// Executes a future on behalf of a request, so that its audit entries contain the request's id.
///
/// Transports call this function once for each request, the engine for each step with the run's id, commands with an id
/// of their own. Tasks spawned within the future are not included.
pub async fn with_request_id<F: Future>(id: impl Into<String>, work: F) -> F::Output {
    REQUEST.scope(id.into(), work).await
}

/// The id of the request that is being processed; `None` outside of requests.
pub(crate) fn current_request_id() -> Option<String> {
    REQUEST.try_with(Clone::clone).ok()
}

/// Facts about an audited action: old values, new values, and further details.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditFacts {
    old: Option<Json>,
    new: Option<Json>,
    details: Json,
}

impl From<Json> for AuditFacts {
    fn from(details: Json) -> Self {
        let details = if details.is_null() { json!({}) } else { details };
        Self { old: None, new: None, details }
    }
}

impl AuditFacts {
    /// Creates the facts about a change of values. Members that are equal in both objects are omitted.
    pub fn for_change(old: Json, new: Json) -> Self {
        let (old, new) = match (old, new) {
            (Json::Object(mut old), Json::Object(mut new)) => {
                let same: Vec<String> = old
                    .iter()
                    .filter(|(key, value)| new.get(*key) == Some(value))
                    .map(|(key, _)| key.clone())
                    .collect();
                for key in same {
                    old.remove(&key);
                    new.remove(&key);
                }
                (Json::Object(old), Json::Object(new))
            }
            other => other,
        };
        Self { old: Some(old), new: Some(new), ..Self::from(Json::Null) }
    }

    /// Creates the facts about the creation of an object, with its values.
    pub fn for_creation(new: Json) -> Self {
        Self { new: Some(new), ..Self::from(Json::Null) }
    }

    /// Facts of the audit entry about the removal of an object: its old values.
    pub fn for_deletion(old: Json) -> Self {
        Self { old: Some(old), ..Self::from(Json::Null) }
    }

    /// Adds further details.
    #[must_use]
    pub fn with_details(self, details: Json) -> Self {
        Self { details, ..self }
    }
}

/// Selects audit entries. An entry must match every criterion that is specified.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Only actions by this actor.
    pub actor: Option<String>,
    /// Only actions of this kind.
    pub action: Option<String>,
    /// Only changes of the object with this id.
    pub subject: Option<String>,
    /// Only actions at or after this time.
    pub since: Option<Timestamp>,
    /// Only actions before this time.
    pub until: Option<Timestamp>,
}

crate::noun! {
    /// The audit log.
    Audit
}

impl Audit {
    /// Audit entries of the caller's tenant, in the order of the chain.
    pub async fn list(
        &self,
        by: &Allowed<may::RoleEdit>,
        filter: AuditFilter,
        args: PageArgs,
    ) -> Result<Page<Model>> {
        self.read(by.tenant(), filter, args).await
    }

    /// Entries of the installation's own chain.
    pub async fn list_installation(
        &self,
        _by: &Staff,
        filter: AuditFilter,
        args: PageArgs,
    ) -> Result<Page<Model>> {
        self.read(INSTALLATION_CHAIN, filter, args).await
    }

    async fn read(&self, chain: Id<ids::Tenant>, filter: AuditFilter, args: PageArgs) -> Result<Page<Model>> {
        let AuditFilter { actor, action, subject, since, until } = filter;
        let mut entries = entity::audit::of(chain).filter(Column::Seq.is_not_null());
        for (column, value) in [(Column::Actor, actor), (Column::Action, action), (Column::Subject, subject)]
        {
            if let Some(value) = value {
                entries = entries.filter(column.eq(value));
            }
        }
        if let Some(since) = since {
            entries = entries.filter(Column::At.gte(since));
        }
        if let Some(until) = until {
            entries = entries.filter(Column::At.lt(until));
        }
        let (after, before) = (seq_of(args.after, "after")?, seq_of(args.before, "before")?);
        let txn = self.services.read(chain).await?;
        page::read_page_by(entries, Column::Seq, (after, before), args, &txn).await
    }
}

/// The API cursor of an audit entry, derived from its position in the chain.
pub fn cursor(row: &Model) -> Uuid {
    Uuid::from_u64_pair(0, row.seq.unwrap_or_default().cast_unsigned())
}

fn seq_of(cursor: Option<Uuid>, field: &'static str) -> Result<Option<i64>> {
    let Some(cursor) = cursor else { return Ok(None) };
    let (high, low) = cursor.as_u64_pair();
    match i64::try_from(low) {
        Ok(seq) if high == 0 => Ok(Some(seq)),
        _ => Err(Refusal::new(
            "CURSOR_MALFORMED",
            "This cursor is not valid. Use a cursor that this list returned.",
        )
        .at(field)
        .into()),
    }
}

/// The hash of an entry in hexadecimal.
pub fn hash_hex(row: &Model) -> String {
    canonical::hex(row.hash.as_deref().unwrap_or_default())
}

/// The name of an audit chain in exports and commands.
pub fn chain_name(chain: Id<ids::Tenant>) -> String {
    match chain == INSTALLATION_CHAIN {
        true => "installation".to_owned(),
        false => chain.to_string(),
    }
}

/// The tenant whose audit chain has this name, [`INSTALLATION_CHAIN`] for `installation`; `None` if no chain can have
/// the name.
pub fn parse_chain_name(name: &str) -> Option<Id<ids::Tenant>> {
    match name {
        "installation" => Some(INSTALLATION_CHAIN),
        tenant => tenant.parse::<Id<ids::Tenant>>().ok(),
    }
}

fn unreadable() -> Error {
    Error::Unreadable { what: "audit_key" }
}

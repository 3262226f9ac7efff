//! Erasure of tenants and its receipts, for the vendor's staff.

use async_graphql::{Context, Description, ID, InputObject, Object, SimpleObject};
use services::rows::erasure_receipt::Model;

use crate::graphql::{
    context::{ContextExt, format_id, parse_id},
    failure::{Result, null_if_missing},
    page::{connection, parse_page_args},
    payload::{catch_refusals, payload},
    scalar::DateTime,
};

/// All that remains of an erased tenant: what was deleted, when and by whom.
#[derive(Description, Debug, Clone)]
pub struct ErasureReceipt(Model);

impl From<Model> for ErasureReceipt {
    fn from(model: Model) -> Self {
        Self(model)
    }
}

/// Number of rows that were deleted from one table.
#[derive(SimpleObject)]
pub struct ErasedRows {
    /// Name of the table.
    table: String,
    /// Number of rows.
    rows: u64,
}

#[Object(use_type_description)]
impl ErasureReceipt {
    /// Identifier that the tenant had; starts with `ten_`.
    async fn tenant_id(&self) -> ID {
        format_id(self.0.id)
    }

    /// Who requested the erasure: the id of a vendor key.
    async fn requested_by(&self) -> &str {
        &self.0.requested_by
    }

    /// Time at which the erasure was requested. From then on nobody acted within the tenant.
    async fn requested_at(&self) -> DateTime {
        self.0.requested_at.into()
    }

    /// Time at which the tenant's data keys were destroyed, which makes its secrets unreadable; null before.
    async fn keys_destroyed_at(&self) -> Option<DateTime> {
        self.0.key_destroyed_at.map(DateTime)
    }

    /// Time at which the tenant's last row was deleted; null while it is being erased.
    async fn finished_at(&self) -> Option<DateTime> {
        self.0.finished_at.map(DateTime)
    }

    /// Number of rows deleted so far, by table.
    async fn tables(&self) -> Vec<ErasedRows> {
        let tables = self.0.tables.as_object().into_iter().flatten();
        tables
            .map(|(table, rows)| ErasedRows { table: table.clone(), rows: rows.as_u64().unwrap_or_default() })
            .collect()
    }

    /// Position of the last entry in the tenant's audit log, which was deleted with the tenant; null before.
    async fn audit_position(&self) -> Option<i64> {
        self.0.audit_seq
    }

    /// Hash of the last entry in the tenant's audit log, in hexadecimal; null before. A checkpoint that was stored
    /// elsewhere contains the same hash for the same position.
    async fn audit_hash(&self) -> Option<String> {
        self.0.audit_hash.as_deref().map(services::departure::hash_hex)
    }
}

connection!(ErasureReceipt, Model, ErasureReceiptConnection, ErasureReceiptEdge, "erasure receipts", |row| {
    row.id.uuid()
});

#[derive(Default)]
pub struct ErasureQuery;

#[Object]
impl ErasureQuery {
    /// Finds the receipt of a tenant that was erased or is being erased; null if there is none. Vendor staff only
    /// (`STAFF`).
    async fn erasure_receipt(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Identifier that the tenant had.")] tenant_id: ID,
    ) -> Option<Result<ErasureReceipt>> {
        null_if_missing(async {
            let by = ctx.caller().allow_staff()?;
            let id = parse_id(&tenant_id, "tenant", "tenantId")?;
            Ok(ctx.services().tenants().erasure_receipt(&by, id).await?.into())
        })
        .await
    }

    /// Lists the receipts of erased tenants, in the order in which the tenants were created. Vendor staff only
    /// (`STAFF`).
    async fn erasure_receipts(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Number of items from the start, 1 to 100; defaults to 50 if neither `first` nor `last` is given."
        )]
        first: Option<i32>,
        #[graphql(desc = "Number of items from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Return only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Return only items before this cursor.")] before: Option<String>,
    ) -> Option<Result<ErasureReceiptConnection>> {
        null_if_missing(async {
            let by = ctx.caller().allow_staff()?;
            let args = parse_page_args(first, last, after, before)?;
            let page = ctx.services().tenants().erasure_receipts(&by, args).await?;
            Ok(ErasureReceiptConnection::from_page(page, None))
        })
        .await
    }
}

/// Selects the tenant to erase.
#[derive(InputObject)]
pub struct EraseTenantInput {
    /// Identifier of the tenant to erase.
    tenant_id: ID,
    /// The tenant's name, repeated as a confirmation.
    name: String,
}

payload! {
    /// Result of `eraseTenant`.
    EraseTenantPayload {
        /// The receipt, which is finished once nothing of the tenant is left; read it again with `erasureReceipt`.
        receipt: ErasureReceipt,
    }
}

#[derive(Default)]
pub struct ErasureMutation;

#[Object]
impl ErasureMutation {
    /// Erases a tenant for good. Its tokens, keys, invitations and sockets end at once. Then its calendar systems are
    /// disconnected, its data keys destroyed, and all its rows deleted, the audit log included. Repeat the mutation to
    /// resume an erasure that was stopped. Vendor staff only (`STAFF`).
    async fn erase_tenant(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Parameters of `eraseTenant`.")] input: EraseTenantInput,
    ) -> Result<EraseTenantPayload> {
        catch_refusals(async {
            let by = ctx.caller().allow_staff()?;
            let id = parse_id(&input.tenant_id, "tenant", "tenantId")?;
            let receipt = ctx.services().tenants().erase(&by, id, &input.name).await?;
            Ok(EraseTenantPayload::done(ErasureReceipt(receipt)))
        })
        .await
    }
}

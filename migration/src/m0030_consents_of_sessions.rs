//! Separates what a connect session stores: the consent that it hands over from the PKCE verifier, and the service account
//! that was typed from the account that signed in. A consent that waits for its run during the update has to be granted
//! again.

use sea_orm_migration::prelude::*;

use crate::ddl;

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0030_consents_of_sessions"
    }
}

const COLUMNS: &str = "
ALTER TABLE connect_session ADD COLUMN consent {bytes};
ALTER TABLE connect_session ADD COLUMN typed_account {json};";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl(manager, COLUMNS).await
    }
}

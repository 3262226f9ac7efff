//! How rooms are told from people, where the calendar system itself has no directory of rooms.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use domain::Permission;
use services::integrations::RoomRule;

use super::Integration;
use crate::graphql::{
    context::{Ask, named},
    failure::Result,
    payload::{answer, payload},
};

/// How rooms are told from people. One match makes a room; case does not matter.
#[derive(SimpleObject)]
pub struct RoomRules {
    /// Beginnings of the last part of a principal's path.
    path_prefixes: Vec<String>,
    /// Beginnings of the display name.
    name_prefixes: Vec<String>,
    /// Addresses: a whole one, one with `*` for any text, or `@` and a domain that only rooms have.
    addresses: Vec<String>,
    /// Paths of collections whose principals are all rooms.
    collections: Vec<String>,
    /// A mark in the description of the principal's calendar; empty for none.
    mark: String,
}

impl From<RoomRule> for RoomRules {
    fn from(rule: RoomRule) -> Self {
        let RoomRule { path_prefixes, name_prefixes, addresses, collections, mark } = rule;
        Self { path_prefixes, name_prefixes, addresses, collections, mark }
    }
}

/// How rooms are told from people: up to 50 forms of each kind, each of 1 to 200 characters.
#[derive(InputObject)]
pub struct RoomRulesInput {
    /// Beginnings of the last part of a principal's path.
    #[graphql(default)]
    path_prefixes: Vec<String>,
    /// Beginnings of the display name.
    #[graphql(default)]
    name_prefixes: Vec<String>,
    /// Addresses: a whole one, one with `*` for any text, or `@` and a domain that only rooms have.
    #[graphql(default)]
    addresses: Vec<String>,
    /// Paths of collections whose principals are all rooms, such as `/principals/resources/`.
    #[graphql(default)]
    collections: Vec<String>,
    /// A mark in the description of the principal's calendar, such as `CUTYPE=ROOM`; empty for none.
    #[graphql(default)]
    mark: String,
}

impl From<RoomRulesInput> for RoomRule {
    fn from(input: RoomRulesInput) -> Self {
        let RoomRulesInput { path_prefixes, name_prefixes, addresses, collections, mark } = input;
        Self { path_prefixes, name_prefixes, addresses, collections, mark }
    }
}

/// The room rules of an integration.
#[derive(InputObject)]
pub struct SetRoomRulesInput {
    /// The integration.
    integration_id: ID,
    /// The rules; null leaves it to the installation's own rule.
    rules: Option<RoomRulesInput>,
    /// The version that the change is based on: refused when somebody changed the integration since.
    if_version: Option<i64>,
}

payload! {
    /// What `setRoomRules` answers.
    SetRoomRulesPayload {
        /// The integration as it stands now. The next verification lists its rooms anew.
        integration: Integration,
    }
}

#[derive(Default)]
pub struct RoomRulesMutation;

#[Object]
impl RoomRulesMutation {
    /// Sets how rooms are told from people on a CalDAV server. Needs `SERVICE_ACCOUNT_EDIT`.
    async fn set_room_rules(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The integration and its rules.")] input: SetRoomRulesInput,
    ) -> Result<SetRoomRulesPayload> {
        answer(async {
            let by = ctx.caller().allow(Permission::ServiceAccountEdit)?;
            let id = named(&input.integration_id, "integration", "integrationId")?;
            let (rules, integrations) = (input.rules.map(RoomRule::from), ctx.services().integrations());
            let row = integrations.set_room_rules(&by, id, rules, input.if_version).await?;
            Ok(SetRoomRulesPayload::done(Integration(row)))
        })
        .await
    }
}

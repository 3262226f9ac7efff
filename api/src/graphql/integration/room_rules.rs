//! Rules that distinguish rooms from people, for calendar systems without a room directory.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use domain::may;
use services::integrations::RoomRule;

use super::Integration;
use crate::graphql::{
    context::{ContextExt, parse_id},
    failure::Result,
    payload::{catch_refusals, payload},
};

/// Rules that distinguish rooms from people on a CalDAV server. A principal that matches any of them is a room; case
/// is ignored.
#[derive(SimpleObject)]
pub struct RoomRules {
    /// Prefixes of the last segment of a room principal's path.
    path_prefixes: Vec<String>,
    /// Prefixes of a room's display name.
    name_prefixes: Vec<String>,
    /// Address patterns of rooms: a full address, an address with `*` for any text, or `@` and a domain used only by
    /// rooms.
    addresses: Vec<String>,
    /// Paths of collections that contain only room principals.
    collections: Vec<String>,
    /// Text in the description of a principal's calendar that marks it as a room; empty to ignore descriptions.
    mark: String,
}

impl From<RoomRule> for RoomRules {
    fn from(rule: RoomRule) -> Self {
        let RoomRule { path_prefixes, name_prefixes, addresses, collections, mark } = rule;
        Self { path_prefixes, name_prefixes, addresses, collections, mark }
    }
}

/// Rules that distinguish rooms from people: up to 50 entries in each list, each of 1 to 200 characters.
#[derive(InputObject)]
pub struct RoomRulesInput {
    /// Prefixes of the last segment of a room principal's path.
    #[graphql(default)]
    path_prefixes: Vec<String>,
    /// Prefixes of a room's display name.
    #[graphql(default)]
    name_prefixes: Vec<String>,
    /// Address patterns of rooms: a full address, an address with `*` for any text, or `@` and a domain used only by
    /// rooms.
    #[graphql(default)]
    addresses: Vec<String>,
    /// Paths of collections that contain only room principals, such as `/principals/resources/`.
    #[graphql(default)]
    collections: Vec<String>,
    /// Text in the description of a principal's calendar that marks it as a room, such as `CUTYPE=ROOM`; empty to
    /// ignore descriptions.
    #[graphql(default)]
    mark: String,
}

impl From<RoomRulesInput> for RoomRule {
    fn from(input: RoomRulesInput) -> Self {
        let RoomRulesInput { path_prefixes, name_prefixes, addresses, collections, mark } = input;
        Self { path_prefixes, name_prefixes, addresses, collections, mark }
    }
}

/// Selects an integration and its room rules.
#[derive(InputObject)]
pub struct SetRoomRulesInput {
    /// Identifier of the integration, which must use CalDAV.
    integration_id: ID,
    /// The new rules; null restores the operator's default rules.
    rules: Option<RoomRulesInput>,
    /// `version` of the integration as last read; refused with `VERSION_CONFLICT` if it has changed since.
    if_version: Option<i64>,
}

payload! {
    /// Result of `setRoomRules`.
    SetRoomRulesPayload {
        /// The updated integration. Its next verification finds the rooms by the new rules.
        integration: Integration,
    }
}

#[derive(Default)]
pub struct RoomRulesMutation;

#[Object]
impl RoomRulesMutation {
    /// Sets the rules that distinguish rooms from people on a CalDAV server. Needs `SERVICE_ACCOUNT_EDIT`.
    async fn set_room_rules(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Parameters of `setRoomRules`.")] input: SetRoomRulesInput,
    ) -> Result<SetRoomRulesPayload> {
        catch_refusals(async {
            let by = ctx.caller().allow::<may::ServiceAccountEdit>()?;
            let id = parse_id(&input.integration_id, "integration", "integrationId")?;
            let (rules, integrations) = (input.rules.map(RoomRule::from), ctx.services().integrations());
            let row = integrations.set_room_rules(&by, id, rules, input.if_version).await?;
            Ok(SetRoomRulesPayload::done(Integration(row)))
        })
        .await
    }
}

//! The GraphQL schema: one file per noun, merged here.
//!
//! A resolver checks the permission, calls a use case of [`services`] and converts the result. A request carries its
//! [`services::Caller`]; without one the caller is anonymous.

mod access_token;
mod audit;
mod availability;
mod booking;
mod campaign;
mod connection;
mod context;
mod departure;
mod directory;
mod enums;
mod failure;
mod integration;
mod invitation;
mod issuer;
mod key;
mod loader;
mod loaders;
mod node;
mod page;
mod payload;
mod reason;
mod role;
mod room;
mod run;
mod scalar;
mod subscription;
mod tenant;
mod user;
mod viewer;
mod watch;
mod workflow;

use async_graphql::{MergedObject, SDLExportOptions, SchemaBuilder};
use services::Services;

use crate::{mutation_access::MutationAccessExtension, response_budget::BudgetExtension};

use self::{
    access_token::{AccessTokenMutation, AccessTokenQuery},
    audit::AuditQuery,
    availability::AvailabilityQuery,
    booking::{BookingMutation, BookingQuery},
    campaign::{CampaignMutation, CampaignQuery},
    connection::{ConnectionMutation, ConnectionQuery},
    departure::{DepartureMutation, DepartureQuery, ErasureMutation, ErasureQuery},
    directory::DirectoryQuery,
    integration::{
        IntegrationMutation, IntegrationQuery, guide::GuideQuery, prerequisites::PrerequisiteQuery,
        room_rules::RoomRulesMutation,
    },
    invitation::InvitationQuery,
    issuer::{IssuerMutation, IssuerQuery},
    key::{KeyMutation, KeyQuery},
    loaders::LoadersExtension,
    node::{Node, NodeQuery},
    payload::UserError,
    role::{RoleMutation, RoleQuery},
    room::RoomQuery,
    run::{RunMutation, RunQuery},
    tenant::{TenantMutation, TenantQuery},
    user::{UserMutation, UserQuery},
    viewer::ViewerQuery,
    workflow::WorkflowQuery,
};

pub use self::subscription::Subscription;

// Merged in two steps: each noun nests the engine's futures one level deeper, and all in one row nest deeper than the
// compiler goes without being told.
#[derive(MergedObject, Default)]
struct PeopleQuery(ViewerQuery, NodeQuery, TenantQuery, ErasureQuery, UserQuery, RoleQuery);

#[derive(MergedObject, Default)]
struct AccessQuery(KeyQuery, AccessTokenQuery, IssuerQuery, InvitationQuery);

#[derive(MergedObject, Default)]
struct CalendarsQuery(
    IntegrationQuery,
    GuideQuery,
    PrerequisiteQuery,
    ConnectionQuery,
    DepartureQuery,
    RoomQuery,
    DirectoryQuery,
);

#[derive(MergedObject, Default)]
struct WorkQuery(AvailabilityQuery, BookingQuery, CampaignQuery, RunQuery, WorkflowQuery, AuditQuery);

/// Queries. If the caller lacks the permission for a field, the field is null and an error names the permission; the
/// other fields are returned.
#[derive(MergedObject, Default)]
pub struct Query(PeopleQuery, AccessQuery, CalendarsQuery, WorkQuery);

#[derive(MergedObject, Default)]
struct PeopleMutation(TenantMutation, ErasureMutation, UserMutation, RoleMutation);

#[derive(MergedObject, Default)]
struct AccessMutation(KeyMutation, AccessTokenMutation, IssuerMutation);

#[derive(MergedObject, Default)]
struct WorkMutation(
    IntegrationMutation,
    RoomRulesMutation,
    ConnectionMutation,
    DepartureMutation,
    BookingMutation,
    CampaignMutation,
    RunMutation,
);

/// Mutations. Each returns the changed object, or `userErrors` if the change was refused; work that takes longer
/// continues in the returned run.
#[derive(MergedObject, Default)]
pub struct Mutation(PeopleMutation, AccessMutation, WorkMutation);

/// The executable GraphQL schema, served by the transport.
pub type Schema = async_graphql::Schema<Query, Mutation, Subscription>;

/// Builds the executable schema over the use cases.
pub fn build_schema(services: Services) -> Schema {
    builder()
        .extension(BudgetExtension)
        .extension(MutationAccessExtension)
        .extension(LoadersExtension(services.clone()))
        .data(services)
        .finish()
}

/// The schema in GraphQL's schema definition language. Executes nothing, so it needs no services.
pub fn sdl() -> String {
    let options =
        SDLExportOptions::new().sorted_fields().sorted_arguments().sorted_enum_items().include_specified_by();
    builder().finish().sdl_with_options(options)
}

fn builder() -> SchemaBuilder<Query, Mutation, Subscription> {
    async_graphql::Schema::build(Query::default(), Mutation::default(), Subscription)
        .register_output_type::<Node>()
        .register_output_type::<UserError>()
}

//! The data loaders of a request.

use std::{collections::HashMap, hash::Hash, sync::Arc};

use async_graphql::{
    Request, Response, ServerResult, Value,
    extensions::{
        Extension, ExtensionContext, ExtensionFactory, NextExecute, NextPrepareRequest, NextResolve,
        ResolveInfo,
    },
};
use async_trait::async_trait;
use domain::{AnyId, Id, ids};
use services::{
    Caller, Services,
    channels::PushChannel,
    rows::{
        booking_change, booking_participant, connection, integration, role, room, run, service_account,
        tenant_user,
    },
};

use super::loader::Loader;
use crate::request::CurrentCaller;

/// The data loaders of one request, all limited to the request's tenant.
pub(super) struct Loaders {
    pub(super) users: Loader<Id<ids::User>, tenant_user::Model>,
    pub(super) rooms: Loader<Id<ids::Room>, room::Model>,
    pub(super) integrations: Loader<Id<ids::Integration>, integration::Model>,
    pub(super) connections: Loader<Id<ids::Connection>, connection::Model>,
    pub(super) runs: Loader<Id<ids::Run>, run::Model>,
    /// Connections by the user or room that owns the mailbox.
    pub(super) mailboxes: Loader<AnyId, Vec<connection::Model>>,
    /// Roles by the user to whom they are assigned.
    pub(super) roles: Loader<Id<ids::User>, Vec<role::Model>>,
    /// Push channels by mailbox, at most one each.
    pub(super) channels: Loader<Id<ids::Connection>, Vec<PushChannel>>,
    /// Service accounts by integration.
    pub(super) service_accounts: Loader<Id<ids::Integration>, Vec<service_account::Model>>,
    /// Participants by booking.
    pub(super) participants: Loader<Id<ids::Booking>, Vec<booking_participant::Model>>,
    /// Moves and cancellations by booking.
    pub(super) changes: Loader<Id<ids::Booking>, Vec<booking_change::Model>>,
}

/// Creates a loader of single models by their own ids: `one!(services, scope, keys => call)`.
macro_rules! one {
    ($services:ident, $scope:ident, $keys:ident => $call:expr) => {{
        let $services = $services.clone();
        Loader::new(move |$keys: Vec<_>| {
            let $services = $services.clone();
            async move {
                let Some($scope) = $scope else { return Ok(HashMap::new()) };
                Ok($call.await?.into_iter().map(|row| (row.id, row)).collect())
            }
        })
    }};
}

/// Creates a loader of lists of models, by the id of the object they belong to.
macro_rules! many {
    ($services:ident, $scope:ident, $keys:ident => $call:expr, $of:expr) => {{
        let $services = $services.clone();
        Loader::new(move |$keys: Vec<_>| {
            let $services = $services.clone();
            async move {
                let Some($scope) = $scope else { return Ok(HashMap::new()) };
                Ok(grouped($call.await?, $of))
            }
        })
    }};
}

impl Loaders {
    /// Loaders for the caller's tenant. For a caller without a tenant, they find nothing.
    fn new(services: &Services, caller: Option<&Caller>) -> Self {
        let scope = caller.and_then(|caller| caller.allow_member().ok()).map(|member| member.scope());
        Self {
            users: one!(services, scope, keys => services.users().by_ids(scope, &keys)),
            rooms: one!(services, scope, keys => services.rooms().by_ids(scope, &keys)),
            integrations: one!(services, scope, keys => services.integrations().by_ids(scope, &keys)),
            connections: one!(services, scope, keys => services.connections().by_ids(scope, &keys)),
            runs: one!(services, scope, keys => services.runs().by_ids(scope, &keys)),
            mailboxes: many!(services, scope, keys => services.connections().of_holders(scope, &keys), |row| {
                row.user_id.map(Id::any).or(row.room_id.map(Id::any))
            }),
            roles: {
                let services = services.clone();
                Loader::new(move |keys: Vec<_>| {
                    let services = services.clone();
                    async move {
                        let Some(scope) = scope else { return Ok(HashMap::new()) };
                        Ok(services.roles().of_users(scope, &keys).await?.into_iter().collect())
                    }
                })
            },
            channels: many!(services, scope, keys => services.channels().of_connections(scope, &keys), |row| {
                Some(row.connection)
            }),
            service_accounts: many!(services, scope, keys => services.service_accounts().of_integrations(scope, &keys), |row| {
                Some(row.integration_id)
            }),
            participants: many!(services, scope, keys => services.bookings().participants_of(scope, &keys), |row| {
                Some(row.booking_id)
            }),
            changes: many!(services, scope, keys => services.bookings().changes_of(scope, &keys), |row| {
                Some(row.booking_id)
            }),
        }
    }
}

fn grouped<K: Eq + Hash, V>(rows: Vec<V>, of: impl Fn(&V) -> Option<K>) -> HashMap<K, Vec<V>> {
    let mut groups: HashMap<K, Vec<V>> = HashMap::new();
    for row in rows {
        if let Some(key) = of(&row) {
            groups.entry(key).or_default().push(row);
        }
    }
    groups
}

/// Extension that creates the data loaders and the read transaction of every request.
pub(super) struct LoadersExtension(pub(super) Services);

impl ExtensionFactory for LoadersExtension {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self(self.0.for_request()))
    }
}

#[async_trait]
impl Extension for LoadersExtension {
    async fn prepare_request(
        &self,
        ctx: &ExtensionContext<'_>,
        request: Request,
        next: NextPrepareRequest<'_>,
    ) -> ServerResult<Request> {
        let caller = request.data.get(&std::any::TypeId::of::<CurrentCaller>());
        let caller = caller.and_then(|caller| caller.downcast_ref()).map(CurrentCaller::caller);
        let loaders = Loaders::new(&self.0, caller.as_deref());
        next.run(ctx, request.data(self.0.clone()).data(loaders)).await
    }

    /// Releases the database connection before the next root field of a mutation, because authenticating the caller
    /// again may need it.
    async fn resolve(
        &self,
        ctx: &ExtensionContext<'_>,
        info: ResolveInfo<'_>,
        next: NextResolve<'_>,
    ) -> ServerResult<Option<Value>> {
        let ends = info.path_node.parent.is_none() && info.parent_type == "Mutation";
        let resolved = next.run(ctx, info).await;
        if ends {
            self.0.end_read_transaction().await;
        }
        resolved
    }

    /// A subscription is executed anew for every event; no transaction stays open between events.
    async fn execute(
        &self,
        ctx: &ExtensionContext<'_>,
        operation_name: Option<&str>,
        next: NextExecute<'_>,
    ) -> Response {
        let response = next.run(ctx, operation_name).await;
        self.0.end_read_transaction().await;
        response
    }
}

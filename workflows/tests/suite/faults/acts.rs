//! What people do: the administrator before the connect page, whoever books, and the rooms.

use chrono::Duration;
use domain::{AccessLevel, Id, ProviderKind, TimeRange, Timestamp, ids, state::IntegrationState};
use sea_orm::{ColumnTrait, ConnectionTrait, QueryFilter, Statement};
use services::{
    Anyone,
    bookings::{NewBooking, NewTime},
    connect::{ConnectChoices, EnteredCredentials},
    integrations::NewIntegration,
    links::NewInvitation,
    users::NewUser,
};

use crate::faults::{setup::Setup, system::SERVICE};

/// An hour of the day after the setup's first.
pub fn at(hour: i64) -> Timestamp {
    let tuesday: Timestamp = "2026-06-02T00:00:00Z".parse().unwrap();
    tuesday + Duration::hours(hour)
}

/// The hour that begins then.
pub fn hour(from: i64) -> TimeRange {
    TimeRange::new(at(from), at(from + 1)).unwrap()
}

impl Setup {
    /// Registers the integration and orders its connection.
    pub async fn register(&self) {
        let new = NewIntegration {
            provider: ProviderKind::CalDav,
            name: "Office".to_owned(),
            access_level: AccessLevel::Full,
            scope_group: None,
            service_mailbox: Some(SERVICE.to_owned()),
            return_url: None,
        };
        let row = self.services.integrations().create(&self.admin().allow().unwrap(), new).await.unwrap();
        self.notes().integration = row.id;
    }

    /// The integration's row.
    pub async fn integration(&self) -> entity::integration::Model {
        let id = self.notes().integration;
        let rows = self
            .services
            .integrations()
            .by_ids(self.services.tenant_scope(self.tenant), &[id])
            .await
            .unwrap();
        rows.into_iter().next().unwrap()
    }

    /// What a signal of this name says: of the consent, where it lies.
    pub async fn payload(&self, name: &str) -> serde_json::Value {
        if name != "consented" {
            return serde_json::Value::Null;
        }
        let txn = self.services.store.read(self.tenant).await.unwrap();
        let sql = "SELECT id FROM connect_session ORDER BY created_at DESC LIMIT 1";
        let statement = Statement::from_string(txn.get_database_backend(), sql);
        let session: Id<ids::ConnectSession> =
            txn.query_one_raw(statement).await.unwrap().unwrap().try_get("", "id").unwrap();
        let server = "https://calendar.acme.example/";
        serde_json::json!({ "session": session, "by": "muster", "server": server })
    }

    /// The signals that wait for a run.
    pub async fn signals_of(&self, run: Id<ids::Run>) -> Vec<Id<ids::Row>> {
        let txn = self.services.store.read(self.tenant).await.unwrap();
        let rows = entity::signal::of(self.tenant).filter(entity::signal::Column::RunId.eq(run));
        rows.all(&txn).await.unwrap().into_iter().map(|signal| signal.id).collect()
    }

    /// The live runs of a workflow.
    pub async fn live(&self, workflow: &str) -> Vec<Id<ids::Run>> {
        use entity::run::{Column, of};
        let txn = self.services.store.read(self.tenant).await.unwrap();
        let rows = of(self.tenant).filter(Column::Workflow.eq(workflow));
        let rows = rows.filter(Column::FinishedAt.is_null()).all(&txn).await.unwrap();
        rows.into_iter().map(|run| run.id).collect()
    }

    /// The administrator follows the link and ticks the terms.
    pub async fn tick_the_terms(&self) {
        let link = NewInvitation {
            email: "admin@acme.example".to_owned(),
            return_url: None,
            integration: Some(self.notes().integration),
            roles: Vec::new(),
        };
        let (_, url) = self.services.links().invite(&self.admin().allow().unwrap(), link).await.unwrap();
        let token = url.rsplit('/').next().unwrap();
        let choice = ConnectChoices {
            provider: ProviderKind::CalDav,
            terms: true,
            privacy: true,
            access_level: AccessLevel::Full,
            service_mailbox: None,
        };
        let (cookie, _) = self.services.connect().submit_choices(Anyone, token, choice).await.unwrap();
        self.notes().cookie = cookie;
    }

    /// The administrator types the credentials.
    pub async fn consent(&self) {
        let cookie = self.notes().cookie.clone();
        let server = "https://calendar.acme.example/".to_owned();
        let typed = EnteredCredentials {
            server,
            user: "muster".to_owned(),
            password: "secret".to_owned().into(),
            service_account: None,
        };
        self.services.connect().submit_credentials(Anyone, &cookie, typed).await.unwrap();
    }

    /// The administrator goes on from page to page, as far as the run lets them: `false` when there is nothing to do
    /// now. `answers` says what follows the consent.
    pub async fn go_on_connecting(&self, answers: Answers) -> bool {
        if self.live("connect_integration").await.is_empty() {
            return false;
        }
        if self.once("terms") {
            self.tick_the_terms().await;
            return true;
        }
        if self.once("consent") {
            self.consent().await;
            return true;
        }
        let waits = self.integration().await.state == IntegrationState::AwaitingAuthorization;
        if answers == Answers::Nothing || !waits || !self.once("answer") {
            return false;
        }
        let cookie = self.notes().cookie.clone();
        match answers {
            Answers::Yes => self.services.connect().authorise(Anyone, &cookie).await.unwrap(),
            _ => self.services.connect().decline(Anyone, &cookie).await.unwrap(),
        };
        true
    }

    /// One more person, who is connected at once.
    pub async fn join(&self, address: &str) {
        let new = NewUser {
            email: address.to_owned(),
            name: address.to_owned(),
            calendar_address: Some(address.to_owned()),
            ..NewUser::default()
        };
        let user = self.services.users().create(&self.admin().allow().unwrap(), new).await.unwrap();
        self.notes().users.push(user.id);
    }

    /// The mailbox with this address.
    pub async fn mailbox(&self, address: &str) -> Id<ids::Connection> {
        use entity::connection::{Column, of};
        let txn = self.services.store.read(self.tenant).await.unwrap();
        of(self.tenant).filter(Column::Address.eq(address)).one(&txn).await.unwrap().unwrap().id
    }

    /// Books an hour for these people, the organiser first, and a room if it is named.
    pub async fn book(&self, people: &[usize], room: Option<&str>, from: i64) {
        let users: Vec<_> = people.iter().map(|index| self.notes().users[*index]).collect();
        let rooms = match room {
            None => Vec::new(),
            Some(address) => {
                use entity::room::{Column, of};
                let txn = self.services.store.read(self.tenant).await.unwrap();
                let row = of(self.tenant).filter(Column::Address.eq(address)).one(&txn).await;
                vec![row.unwrap().unwrap().id]
            }
        };
        let new = NewBooking {
            organiser: users[0],
            title: "Interview".to_owned(),
            description: String::new(),
            start: at(from),
            end: at(from + 1),
            zone: "UTC".to_owned(),
            users: users[1..].to_vec(),
            rooms,
            guests: Vec::new(),
            buffer_before_minutes: 0,
            buffer_after_minutes: 0,
            ignore_unknown: false,
            on_unreadable: services::availability::UnreadableItemPolicy::Offer,
            online_meeting: false,
        };
        let key = format!("book {from}");
        let receipt =
            self.services.bookings().create(&self.admin().allow().unwrap(), new, &key).await.unwrap();
        self.notes().bookings.push(receipt.booking.id);
    }

    /// The last booking.
    pub async fn booking(&self) -> entity::booking::Model {
        let id = *self.notes().bookings.last().unwrap();
        self.services.bookings().get(&self.admin().allow().unwrap(), id).await.unwrap()
    }

    /// Moves the last booking.
    pub async fn move_to(&self, from: i64) {
        let id = self.booking().await.id;
        let to = NewTime {
            start: at(from),
            end: at(from + 1),
            zone: None,
            ignore_unknown: false,
            on_unreadable: services::availability::UnreadableItemPolicy::Offer,
        };
        let key = format!("move {from}");
        self.services.bookings().move_to(&self.admin().allow().unwrap(), id, to, None, &key).await.unwrap();
    }

    /// Cancels the last booking.
    pub async fn cancel(&self) {
        let id = self.booking().await.id;
        self.services.bookings().cancel(&self.admin().allow().unwrap(), id, "Sorry", "cancel").await.unwrap();
    }
}

/// What an administrator does when the access is granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answers {
    Yes,
    No,
    Nothing,
}

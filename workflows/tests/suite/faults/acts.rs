//! What people do: the administrator before the connect page, whoever books, and the rooms.

use chrono::Duration;
use domain::{AccessLevel, Id, ProviderKind, TimeRange, Timestamp, ids, state::IntegrationState};
use providers::memory::Method;
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder};
use services::{
    Anyone,
    bookings::{NewBooking, NewTime},
    connect::{ConnectChoices, EnteredCredentials},
    integrations::NewIntegration,
    links::NewInvitation,
    users::NewUser,
};

use crate::faults::{
    setup::Setup,
    system::{SERVICE, away, out_of_scope},
};

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

    /// What a signal of this name says: of the consent, what the page reported.
    pub async fn payload(&self, name: &str) -> serde_json::Value {
        match name {
            "consented" => self.notes().consented.clone(),
            _ => serde_json::Value::Null,
        }
    }

    /// The payload of the newest signal with this name.
    async fn newest_payload(&self, name: &str) -> serde_json::Value {
        use entity::signal::{Column, of};
        let txn = self.services.store.read(self.tenant).await.unwrap();
        let rows = of(self.tenant).filter(Column::Name.eq(name)).order_by_desc(Column::Id);
        rows.one(&txn).await.unwrap().unwrap().payload
    }

    /// The signals that wait for a run.
    pub async fn signals_of(&self, run: Id<ids::Run>) -> Vec<Id<ids::Row>> {
        let txn = self.services.store.read(self.tenant).await.unwrap();
        let rows = entity::signal::of(self.tenant).filter(entity::signal::Column::RunId.eq(run));
        rows.all(&txn).await.unwrap().into_iter().map(|signal| signal.id).collect()
    }

    /// Enqueues what the reconciler of bookings would. Returns the number of runs.
    pub async fn enqueue_follow_ups(&self) -> usize {
        let bookings = self.services.bookings();
        bookings.enqueue_follow_ups(&self.services, self.tenant, 10).await.unwrap()
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
        self.choose(AccessLevel::Full).await;
    }

    /// The administrator follows a link, ticks the terms and chooses.
    async fn choose(&self, access_level: AccessLevel) {
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
            access_level: Some(access_level),
            service_mailbox: Some(SERVICE.to_owned()),
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
        let consented = self.newest_payload("consented").await;
        self.notes().consented = consented;
    }

    /// The administrator corrects an answer wherever the run is, and goes on to the end; the calendar system is away, or
    /// spreads a permission, for as long as that is needed.
    pub async fn correct_answers(&self) -> bool {
        use IntegrationState as S;
        if self.live("connect_integration").await.is_empty() {
            return false;
        }
        let (state, system) = (self.integration().await.state, &self.system);
        if self.once("terms") {
            system.refuse_requests(Method::Organisation, "", away());
            self.choose(AccessLevel::Full).await;
        } else if state == S::AwaitingConsent && self.once("consent") {
            self.consent().await;
        } else if state == S::AwaitingConsent && self.once("other choices") {
            self.choose(AccessLevel::Restricted).await;
        } else if state == S::AwaitingConsent && self.once("consent after other choices") {
            system.stop_refusing("");
            self.consent().await;
        } else if state == S::AwaitingAuthorization && self.once("consent before the authorisation") {
            self.consent().await;
        } else if state == S::AwaitingAuthorization && self.once("authorisation") {
            system.refuse_requests(Method::People, "", away());
            self.authorise().await;
        } else if state == S::Verifying && self.once("consent while it is verified") {
            system.stop_refusing("");
            self.consent().await;
        } else if state == S::AwaitingAuthorization && self.once("second authorisation") {
            system.refuse_requests(Method::People, "", out_of_scope());
            self.authorise().await;
        } else if state == S::AwaitingPropagation && self.once("consent while it spreads") {
            system.stop_refusing("");
            self.consent().await;
        } else if state == S::AwaitingAuthorization && self.once("last authorisation") {
            self.authorise().await;
        } else {
            return false;
        }
        true
    }

    async fn authorise(&self) {
        let cookie = self.notes().cookie.clone();
        self.services.connect().authorise(Anyone, &cookie).await.unwrap();
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

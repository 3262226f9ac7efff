//! How each scenario begins: what somebody does, or what the next period brings.

use domain::Message;
use providers::{ErrorKind, memory::Method};
use services::maintenance::RefreshSelection;

use crate::faults::{
    acts::hour,
    scenarios::{ANNA, DESK, RED, Scenario},
    setup::Setup,
    system::{SERVICE, lost, out_of_scope, refused},
};

impl Scenario {
    /// Performs the call that starts the scenario's workflow.
    pub async fn begin(self, setup: &Setup) {
        let (services, admin, system) = (&setup.services, setup.admin(), &setup.system);
        let integration = setup.notes().integration;
        match self {
            Self::Connect
            | Self::Spreading
            | Self::Corrected
            | Self::Declined
            | Self::Expired
            | Self::Unproven => {
                match self {
                    Self::Unproven => system.refuse_requests(Method::People, "", refused()),
                    Self::Spreading => system.refuse_requests(Method::People, "", out_of_scope()),
                    _ => {}
                }
                setup.register().await;
            }
            Self::Reconnect | Self::ReconnectUnproven => {
                if self == Self::ReconnectUnproven {
                    system.refuse_requests(Method::People, "", refused());
                }
                services.integrations().reconnect(&admin.allow().unwrap(), integration).await.unwrap();
            }
            Self::Verify | Self::ConsentLost => {
                if self == Self::ConsentLost {
                    system.refuse_requests(None, "*", lost());
                }
                services.integrations().verify(&admin.allow().unwrap(), integration).await.unwrap();
            }
            Self::Candidate | Self::CandidateRefused => {
                if self == Self::CandidateRefused {
                    system.refuse_requests(Method::Create, DESK, refused());
                }
                services
                    .service_accounts()
                    .propose_mailbox(&admin.allow().unwrap(), integration, DESK)
                    .await
                    .unwrap();
            }
            Self::Campaign => {
                drop(services.campaigns().start(&admin.allow().unwrap(), integration).await.unwrap());
            }
            Self::CampaignRetried => {
                let all = services
                    .campaigns()
                    .list(&admin.allow().unwrap(), services::PageArgs::default())
                    .await
                    .unwrap();
                let last = all.items.iter().map(|campaign| campaign.id).max().unwrap();
                services.campaigns().retry(&admin.allow().unwrap(), last).await.unwrap();
            }
            Self::Activate | Self::ActivateGone | Self::ActivateLost => {
                match self {
                    Self::ActivateGone => system.refuse_requests(None, ANNA, gone_mailbox()),
                    Self::ActivateLost => system.refuse_requests(None, "*", lost()),
                    _ => {}
                }
                let mailbox = setup.mailbox(ANNA).await;
                services.connections().activate(&admin.allow().unwrap(), mailbox).await.unwrap();
            }
            Self::Refresh | Self::CheckRevoked | Self::CheckRestored | Self::OpenChannel => {
                self.begin_upkeep(setup).await;
            }
            Self::DisconnectMailbox | Self::DisconnectIntegration | Self::EraseTenant => {
                self.begin_departure(setup).await;
            }
            other => other.begin_booking(setup).await,
        }
    }

    async fn begin_departure(self, setup: &Setup) {
        let (services, admin) = (&setup.services, setup.admin());
        match self {
            Self::DisconnectMailbox => {
                let mailbox = setup.mailbox(ANNA).await;
                services.connections().disconnect(&admin.allow().unwrap(), mailbox, None).await.unwrap();
            }
            Self::DisconnectIntegration => {
                let row = setup.integration().await;
                let integrations = services.integrations();
                integrations.disconnect(&admin.allow().unwrap(), row.id, row.version).await.unwrap();
            }
            _ => {
                let staff = setup.staff().await;
                services.tenants().erase(&staff, setup.tenant, "Acme").await.unwrap();
            }
        }
    }

    /// Enqueues what a reconciler would.
    async fn begin_upkeep(self, setup: &Setup) {
        let (services, tenant) = (&setup.services, setup.tenant);
        let upkeep = services.maintenance();
        let enqueued = match self {
            Self::Refresh => {
                let reread_after = services.settings.reread_after;
                setup.clock.advance(chrono::Duration::from_std(reread_after * 2).unwrap());
                upkeep.refresh_calendars(services, tenant, RefreshSelection::Healthy, 1).await
            }
            Self::OpenChannel => upkeep.open_channels(services, tenant, 1).await,
            _ => {
                if self == Self::CheckRevoked {
                    setup.system.refuse_requests(None, "*", lost());
                }
                upkeep.check_integrations(services, tenant).await
            }
        };
        assert_eq!(enqueued.unwrap(), 1);
    }

    async fn begin_booking(self, setup: &Setup) {
        let system = &setup.system;
        match self {
            Self::RoomAccepts
            | Self::RoomDeclines
            | Self::RoomSilent
            | Self::MoveBesideRoom
            | Self::CancelBesideRoom => setup.book(&[0, 1], Some(RED), 10).await,
            Self::Service => setup.book(&[2, 1], None, 10).await,
            Self::Move => setup.move_to(14).await,
            Self::MoveRefused => {
                system.refuse_requests(Method::Update, ANNA, refused());
                setup.move_to(14).await;
            }
            Self::MoveGone => {
                system.delete_written_events();
                setup.move_to(14).await;
            }
            Self::FollowGone | Self::FollowMoved => {
                match self {
                    Self::FollowGone => system.delete_written_events(),
                    _ => system.move_written_events(hour(14)),
                }
                assert_eq!(setup.enqueue_follow_ups().await, 1);
            }
            Self::SlotLost => {
                use entity::run::{Column, of};
                use sea_orm::{ColumnTrait, QueryFilter};
                let txn = setup.services.store.read(setup.tenant).await.unwrap();
                let moves = of(setup.tenant).filter(Column::Workflow.eq("move_booking"));
                let run = moves.one(&txn).await.unwrap().unwrap();
                drop(txn);
                setup.services.runs().retry(&setup.admin().allow().unwrap(), run.id).await.unwrap();
            }
            Self::Cancel => setup.cancel().await,
            Self::CancelRefused => {
                system.refuse_requests(Method::Cancel, ANNA, refused());
                setup.cancel().await;
            }
            Self::CancelEarly => {
                setup.book(&[0, 1], None, 10).await;
                setup.cancel().await;
            }
            _ => {
                match self {
                    Self::FoundLost => system.refuse_requests(None, ANNA, out_of_scope()),
                    Self::NoCalendar => {
                        system.refuse_requests(None, ANNA, out_of_scope());
                        system.refuse_requests(None, SERVICE, out_of_scope());
                    }
                    Self::Abandoned => system.refuse_requests(None, "*", lost()),
                    Self::Refused => system.refuse_requests(Method::Create, "*", refused()),
                    _ => {}
                }
                setup.book(&[0, 1], None, 10).await;
            }
        }
    }
}

/// The provider's error for a mailbox that does not exist.
fn gone_mailbox() -> providers::Error {
    let message = Message::verbatim("There is no such mailbox.");
    providers::Error::new(ErrorKind::NoMailbox, providers::Remedy::SkipMailbox, "404", message)
}

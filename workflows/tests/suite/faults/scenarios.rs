//! The paths through every workflow, failing ones included.
//!
//! What people and rooms do depends on what they see, never on the number of attempts: a scenario must end in the same
//! way whatever faults are planted on its way.

use domain::state::{Answer, BookingState, IntegrationState};
use providers::memory::Method;

use crate::faults::{
    acts::{Answers, hour},
    setup::{On, PEOPLE, Setup, Template},
    system::{ROOMS, lost, out_of_scope, refused},
    worker::{FaultPoint, Worker},
};

pub const ANNA: &str = PEOPLE[0];
const CARL: &str = PEOPLE[2];
pub const RED: &str = ROOMS[1];
/// The address of another service mailbox.
pub const DESK: &str = "desk@acme.example";
/// People who join later: one whose mailbox can only be read, and one whose mailbox is never reached.
const LATECOMERS: [&str; 2] = ["dora@acme.example", "erik@acme.example"];

/// One path. Booking scenarios begin in a connected organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    /// An organisation connects, from the terms to everybody's mailbox.
    Connect,
    /// The permission takes a while to propagate.
    Spreading,
    /// The administrator corrects the answers, in each state in which that is possible.
    Corrected,
    /// The administrator declines.
    Declined,
    /// The administrator never responds.
    Expired,
    /// The verification fails.
    Unproven,
    /// The organisation connects again.
    Reconnect,
    /// The organisation connects again, and the verification fails.
    ReconnectUnproven,
    /// A connected integration is verified again.
    Verify,
    /// Another service mailbox replaces the current one.
    Candidate,
    /// The proposed service mailbox fails verification.
    CandidateRefused,
    /// The verification finds that the consent is lost.
    ConsentLost,
    /// Everybody without an active mailbox is tried: one becomes active, one can only be read, one is not reached.
    Campaign,
    /// The failed items of a campaign are tried again.
    CampaignRetried,
    /// One mailbox is activated again.
    Activate,
    /// The activation finds that the mailbox no longer exists.
    ActivateGone,
    /// The activation finds that the consent is lost.
    ActivateLost,
    /// A calendar is read again.
    Refresh,
    /// A check finds that the consent was revoked.
    CheckRevoked,
    /// A check finds that the consent is restored.
    CheckRestored,
    /// A push channel is opened.
    OpenChannel,
    /// A mailbox with a push channel is disconnected.
    DisconnectMailbox,
    /// An integration with a booking and a push channel is disconnected.
    DisconnectIntegration,
    /// A tenant with a connected integration is erased.
    EraseTenant,
    /// A booking is written to its organiser's calendar.
    Write,
    /// The invited room accepts a booking.
    RoomAccepts,
    /// The invited room declines a booking.
    RoomDeclines,
    /// The invited room never responds to a booking.
    RoomSilent,
    /// A booking is written through the service account.
    Service,
    /// The organiser's mailbox is found lost, and the service account takes over.
    FoundLost,
    /// No calendar can be written to.
    NoCalendar,
    /// Writing a booking finds that the consent is lost.
    Abandoned,
    /// The calendar refuses the event.
    Refused,
    /// A booking is moved.
    Move,
    /// A booking is moved while it waits for its room.
    MoveBesideRoom,
    /// The calendar refuses the move.
    MoveRefused,
    /// A failed move is retried after somebody else has taken the time.
    SlotLost,
    /// Somebody has deleted the event before the move.
    MoveGone,
    /// Somebody has deleted the event of a booking.
    FollowGone,
    /// Somebody has moved the event of a booking.
    FollowMoved,
    /// A booking is cancelled.
    Cancel,
    /// A booking is cancelled while it waits for its room.
    CancelBesideRoom,
    /// A booking is cancelled before it is written.
    CancelEarly,
    /// The calendar refuses the cancellation.
    CancelRefused,
}

impl Scenario {
    /// Every scenario.
    pub const ALL: [Self; 44] = [
        Self::Connect,
        Self::Spreading,
        Self::Corrected,
        Self::Declined,
        Self::Expired,
        Self::Unproven,
        Self::Reconnect,
        Self::ReconnectUnproven,
        Self::Verify,
        Self::Candidate,
        Self::CandidateRefused,
        Self::ConsentLost,
        Self::Campaign,
        Self::CampaignRetried,
        Self::Activate,
        Self::ActivateGone,
        Self::ActivateLost,
        Self::Refresh,
        Self::CheckRevoked,
        Self::CheckRestored,
        Self::OpenChannel,
        Self::DisconnectMailbox,
        Self::DisconnectIntegration,
        Self::EraseTenant,
        Self::Write,
        Self::RoomAccepts,
        Self::RoomDeclines,
        Self::RoomSilent,
        Self::Service,
        Self::FoundLost,
        Self::NoCalendar,
        Self::Abandoned,
        Self::Refused,
        Self::Move,
        Self::MoveBesideRoom,
        Self::MoveRefused,
        Self::SlotLost,
        Self::MoveGone,
        Self::FollowGone,
        Self::FollowMoved,
        Self::Cancel,
        Self::CancelBesideRoom,
        Self::CancelEarly,
        Self::CancelRefused,
    ];

    pub fn is_connecting(self) -> bool {
        matches!(
            self,
            Self::Connect
                | Self::Spreading
                | Self::Corrected
                | Self::Declined
                | Self::Expired
                | Self::Unproven
        )
    }

    /// A template of the setup in which the scenario begins.
    pub async fn template(self, on: On) -> Template {
        let setup = Self::organisation(on).await;
        if !self.is_connecting() {
            Self::connected(&setup).await;
        }
        self.prepare(&setup).await;
        setup.leave().await
    }

    /// An organisation that has not connected anything.
    pub async fn organisation(on: On) -> Setup {
        let setup = Setup::new(on).await;
        setup.system.refuse_requests(None, CARL, out_of_scope());
        setup.system.add_simple_event(ANNA, None, "Lunch", hour(12));
        setup.system.add_simple_event(RED, None, "Lunch", hour(12));
        setup
    }

    /// Connects the organisation.
    pub async fn connected(setup: &Setup) {
        setup.register().await;
        Worker::new(setup, Self::Connect, Vec::new()).work_through().await;
        assert_eq!(setup.integration().await.state, IntegrationState::Active);
        setup.notes().done.clear();
    }

    /// Brings about what has happened before the scenario.
    pub async fn prepare(self, setup: &Setup) {
        let system = &setup.system;
        let settle = async || Worker::new(setup, Self::Write, Vec::new()).work_through().await;
        match self {
            Self::Campaign | Self::CampaignRetried => {
                for address in LATECOMERS {
                    system.refuse_requests(None, address, out_of_scope());
                    setup.join(address).await;
                }
                settle().await;
                system.stop_refusing(CARL);
                system.stop_refusing(LATECOMERS[0]);
                system.make_read_only(LATECOMERS[0]);
                if self == Self::CampaignRetried {
                    let integration = setup.notes().integration;
                    system.refuse_requests(None, CARL, out_of_scope());
                    setup
                        .services
                        .campaigns()
                        .start(&setup.admin().allow().unwrap(), integration)
                        .await
                        .unwrap();
                    settle().await;
                    system.stop_refusing(CARL);
                }
            }
            Self::CheckRestored => {
                system.refuse_requests(None, "*", lost());
                setup.services.maintenance().check_integrations(&setup.services, setup.tenant).await.unwrap();
                settle().await;
                assert_eq!(setup.integration().await.state, IntegrationState::Failing);
                system.stop_refusing("*");
            }
            Self::OpenChannel => system.change_features(|features| features.push = true),
            Self::DisconnectMailbox | Self::DisconnectIntegration | Self::EraseTenant => {
                system.change_features(|features| features.push = true);
                setup.services.maintenance().open_channels(&setup.services, setup.tenant, 1).await.unwrap();
                setup.book(&[0, 1], None, 10).await;
                settle().await;
            }
            Self::Move
            | Self::MoveRefused
            | Self::MoveGone
            | Self::FollowGone
            | Self::FollowMoved
            | Self::Cancel
            | Self::CancelRefused => {
                setup.book(&[0, 1], None, 10).await;
                settle().await;
            }
            Self::SlotLost => {
                setup.book(&[0], None, 10).await;
                settle().await;
                system.refuse_requests(Method::Update, ANNA, refused());
                setup.move_to(14).await;
                settle().await;
                setup.book(&[0], None, 14).await;
                settle().await;
                system.stop_refusing(ANNA);
            }
            _ => {}
        }
    }

    /// Whether to plant faults at this place; not where another scenario has the same step in the same situation.
    pub fn is_about(self, at: &FaultPoint) -> bool {
        let connects = at.workflow == "connect_integration";
        match self {
            Self::Spreading => connects && matches!(at.state.as_str(), "Verify" | "AwaitPropagation"),
            Self::Corrected => connects && at.state == "Correct",
            Self::Declined | Self::Expired => connects && (at.undoing || at.state == "AwaitAuthorization"),
            Self::Unproven | Self::ReconnectUnproven => connects && (at.undoing || at.state == "Verify"),
            Self::Reconnect => connects && matches!(at.state.as_str(), "Obtain" | "Verify" | "Activate"),
            Self::Connect => connects,
            Self::CampaignRetried => at.workflow == "campaign",
            Self::CancelEarly | Self::CancelBesideRoom => {
                at.workflow == "cancel_booking" || at.state == "AwaitRooms"
            }
            Self::MoveBesideRoom => {
                at.workflow == "move_booking"
                    || at.state == "AwaitRooms"
                    || (at.state == "Route" && at.turn > 1)
            }
            Self::RoomSilent | Self::RoomDeclines => at.state == "AwaitRooms",
            _ => true,
        }
    }

    /// Whether to cut requests; not where another scenario has the same ones at the same step, nor where a request that
    /// fails is a result, after which the next period has its turn.
    pub fn cuts(self) -> bool {
        let upkeep =
            matches!(self, Self::Refresh | Self::CheckRevoked | Self::CheckRestored | Self::OpenChannel);
        !upkeep
            && !matches!(
                self,
                Self::Spreading | Self::Corrected | Self::Reconnect | Self::Verify | Self::CandidateRefused
            )
    }

    /// What people and rooms do when nothing else moves; `false` if they do nothing either.
    pub async fn react(self, setup: &Setup) -> bool {
        match self {
            Self::Connect | Self::Unproven | Self::Reconnect | Self::ReconnectUnproven => {
                setup.go_on_connecting(Answers::Yes).await
            }
            Self::Spreading => {
                if setup.go_on_connecting(Answers::Yes).await {
                    return true;
                }
                let state = IntegrationState::AwaitingPropagation;
                let spreads = setup.integration().await.state == state;
                if spreads {
                    setup.system.stop_refusing("");
                }
                spreads && setup.once("spread")
            }
            Self::Corrected => setup.correct_answers().await,
            Self::Declined => setup.go_on_connecting(Answers::No).await,
            Self::Expired => setup.go_on_connecting(Answers::Nothing).await,
            // The next period looks again, if no run has looked yet.
            Self::FollowGone | Self::FollowMoved => {
                setup.live("follow_booking").await.is_empty() && setup.enqueue_follow_ups().await > 0
            }
            Self::RoomAccepts => setup.system.set_room_responses(Answer::Accepted),
            Self::RoomDeclines => setup.system.set_room_responses(Answer::Declined),
            Self::MoveBesideRoom => {
                if waits_for_its_room(setup).await && setup.once("move") {
                    setup.move_to(14).await;
                    return true;
                }
                setup.notes().done.contains("move")
                    && setup.live("move_booking").await.is_empty()
                    && setup.system.set_room_responses(Answer::Accepted)
            }
            Self::CancelBesideRoom => {
                let cancels = waits_for_its_room(setup).await && setup.once("cancel");
                if cancels {
                    setup.cancel().await;
                }
                cancels
            }
            _ => false,
        }
    }
}

async fn waits_for_its_room(setup: &Setup) -> bool {
    setup.booking().await.state == BookingState::RoomPending
}

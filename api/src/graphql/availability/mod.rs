//! Free times of people and rooms, and explanations why a time is not offered.

pub(super) mod input;

use async_graphql::{Context, Description, ID, Object, SimpleObject};
use domain::{Id, Zone, ids, may};
use services::availability::{self as free, Query};

use self::input::AvailabilityInput;
use super::{
    context::ContextExt,
    enums::ConnectedMailboxState,
    failure::{Result, null_if_missing},
    reason::Reason,
    room::{self, Room},
    scalar::DateTime,
    user::{self, User},
};
use crate::wording;

/// A user or room whose time can be booked.
#[derive(Description, Debug, Clone)]
pub struct Holder(free::Holder);

impl From<free::Holder> for Holder {
    fn from(holder: free::Holder) -> Self {
        Self(holder)
    }
}

impl Holder {
    fn user_id(&self) -> Option<Id<ids::User>> {
        self.0.user()
    }

    fn room_id(&self) -> Option<Id<ids::Room>> {
        self.0.room()
    }
}

#[Object(use_type_description)]
impl Holder {
    /// Identifier of the user (`usr_`) or room (`rom_`).
    async fn id(&self) -> ID {
        ID(self.0.to_string())
    }

    /// Display name; null if the user or room has been deleted.
    async fn name(&self, ctx: &Context<'_>) -> Option<Result<String>> {
        null_if_missing(async {
            let user = ctx.loaders().users.load_optional(self.user_id()).await?.map(|user| user.name);
            let room = ctx.loaders().rooms.load_optional(self.room_id()).await?.map(|room| room.name);
            Ok(user.or(room).ok_or_else(|| services::Error::not_found("holder"))?)
        })
        .await
    }

    /// The user; null for a room. Needs `USER_VIEW` unless the caller is that user.
    async fn user(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        user::load_referenced(ctx, self.user_id()).await
    }

    /// The room; null for a user.
    async fn room(&self, ctx: &Context<'_>) -> Option<Result<Room>> {
        room::load_referenced(ctx, self.room_id()).await
    }
}

/// Result of an availability search.
#[derive(SimpleObject)]
pub struct Availability {
    /// Slots at which every required participant is free, in chronological order.
    slots: Vec<Slot>,
    /// All participants of the search, with the state of their calendar data. If a participant's calendar is unknown,
    /// no slot is returned unless `onUnknown` is `IGNORE`.
    participants: Vec<ParticipantStatus>,
}

impl Availability {
    fn of(answer: free::SearchResult, zone: Option<&Zone>) -> Self {
        let participants = answer.participants.into_iter().map(|one| ParticipantStatus::of(one, zone));
        Self { slots: answer.slots.into_iter().map(Slot).collect(), participants: participants.collect() }
    }
}

/// A time that can be booked.
#[derive(Description)]
pub struct Slot(free::Slot);

#[Object(use_type_description)]
impl Slot {
    /// Start of the slot, without its buffers.
    async fn start(&self) -> DateTime {
        self.0.start.into()
    }

    /// End of the slot, without its buffers.
    async fn end(&self) -> DateTime {
        self.0.end.into()
    }

    /// Rooms free at that time, if the search asked for any one of several rooms; otherwise empty.
    async fn rooms(&self, ctx: &Context<'_>) -> Option<Result<Vec<Room>>> {
        let rooms = self.0.rooms.iter().map(|room: &Id<ids::Room>| ctx.loaders().rooms.load(*room));
        let rooms = futures::future::try_join_all(rooms).await;
        Some(rooms.map(|rooms| rooms.into_iter().flatten().map(Room::from).collect()))
    }
}

/// Whether Muster knows one participant's calendar, and how complete and recent the data is.
#[derive(SimpleObject)]
pub struct ParticipantStatus {
    /// The user or room to which the status applies.
    holder: Holder,
    /// State of the connection through which the calendar is read; null if the participant has no connection.
    connected_mailbox_state: Option<ConnectedMailboxState>,
    /// Time at which the calendar was last read; null if it has never been read.
    as_of: Option<DateTime>,
    /// Whether the calendar is known for the whole search window.
    known: bool,
    /// Number of unreadable items in the calendar that block no time because their times are unknown. With
    /// `onUnreadable: REFUSE` such items make the calendar unknown.
    unreadable: i32,
    /// Why the calendar is unknown; null if `known` is true.
    reason: Option<Reason>,
}

impl ParticipantStatus {
    fn of(status: free::ParticipantStatus, zone: Option<&Zone>) -> Self {
        Self {
            holder: Holder(status.holder),
            connected_mailbox_state: status.connection.as_ref().map(ConnectedMailboxState::from),
            as_of: status.as_of.map(DateTime),
            known: status.known,
            unreadable: status.unreadable,
            reason: status.reason.map(|reason| Reason::from_domain(&reason, zone)),
        }
    }
}

/// One of the reasons why a slot is not offered.
#[derive(SimpleObject)]
pub struct SlotRefusal {
    /// The user or room that is not available; null if the slot itself is not allowed, such as outside working hours.
    participant: Option<Holder>,
    /// Stable, machine-readable code; docs/errors.md lists all codes.
    code: &'static str,
    /// Human-readable explanation. Never reveals which event occupies the time.
    message: String,
    /// Time at which the participant's calendar was last read; null if it has never been read.
    as_of: Option<DateTime>,
}

impl SlotRefusal {
    fn of(why: free::Obstacle, zone: Option<&Zone>) -> Self {
        Self {
            participant: why.participant.map(Holder),
            code: why.code,
            message: wording::render_message_in(&why.message, zone),
            as_of: why.as_of.map(DateTime),
        }
    }
}

/// The time zone in which messages of a search result show times: that of the search.
fn readers_zone(query: &Query) -> Option<Zone> {
    Zone::from_name(&query.zone).filter(|zone| *zone != Zone::UTC)
}

#[derive(Default)]
pub struct AvailabilityQuery;

#[Object]
impl AvailabilityQuery {
    /// Finds slots at which all participants can meet, and reports the state of each participant's calendar data.
    /// Needs `AVAILABILITY_VIEW`.
    async fn availability(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Parameters of the search.")] input: AvailabilityInput,
    ) -> Option<Result<Availability>> {
        Some(
            async {
                let by = ctx.caller().allow::<may::AvailabilityView>()?;
                let query = Query::try_from(input)?;
                let found = ctx.services().availability().find(&by, &query).await?;
                Ok(Availability::of(found, readers_zone(&query).as_ref()))
            }
            .await,
        )
    }

    /// Explains why the slot that starts at `start` is not offered; empty if it is offered. Needs `AVAILABILITY_VIEW`.
    async fn explain_slot(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Parameters of the availability search that did not return the slot.")]
        input: AvailabilityInput,
        #[graphql(desc = "Start of the slot.")] start: DateTime,
    ) -> Option<Result<Vec<SlotRefusal>>> {
        Some(
            async {
                let by = ctx.caller().allow::<may::AvailabilityView>()?;
                let query = Query::try_from(input)?;
                let whys = ctx.services().availability().explain(&by, &query, start.0).await?;
                let zone = readers_zone(&query);
                Ok(whys.into_iter().map(|why| SlotRefusal::of(why, zone.as_ref())).collect())
            }
            .await,
        )
    }
}

//! When people and rooms are free, and why not at other times.

pub(super) mod input;

use async_graphql::{Context, Description, ID, Object, SimpleObject};
use domain::{Id, Permission, ids};
use services::availability::{self as free, Query};
use uuid::Uuid;

use self::input::AvailabilityInput;
use super::{
    context::Ask,
    failure::{Result, found},
    reason::Reason,
    room::{self, Room},
    scalar::DateTime,
    user::{self, User},
    words::ConnectionState,
};

/// Somebody or some room whose time is asked for.
#[derive(Description, Debug, Clone)]
pub struct Holder(free::Holder);

impl From<free::Holder> for Holder {
    fn from(holder: free::Holder) -> Self {
        Self(holder)
    }
}

impl Holder {
    fn user_id(&self) -> Option<Uuid> {
        self.0.is_user().then(|| self.0.uuid())
    }

    fn room_id(&self) -> Option<Uuid> {
        self.0.room().map(Id::uuid)
    }
}

#[Object(use_type_description)]
impl Holder {
    /// The id of the user or the room.
    async fn id(&self) -> ID {
        ID(self.0.to_string())
    }

    /// The name, for people. Null when the user or the room is gone.
    async fn name(&self, ctx: &Context<'_>) -> Option<Result<String>> {
        found(async {
            let user = ctx.loaders().users.load_some(self.user_id()).await?.map(|user| user.name);
            let room = ctx.loaders().rooms.load_some(self.room_id()).await?.map(|room| room.name);
            Ok(user.or(room).ok_or_else(|| services::Error::not_found("holder"))?)
        })
        .await
    }

    /// The user; null when it is a room. Needs `USER_VIEW`, or to be that user.
    async fn user(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        user::referred(ctx, self.user_id()).await
    }

    /// The room; null when it is a user.
    async fn room(&self, ctx: &Context<'_>) -> Option<Result<Room>> {
        room::referred(ctx, self.room_id()).await
    }
}

/// What a search answers.
#[derive(SimpleObject)]
pub struct Availability {
    /// The times at which everybody can meet, in order.
    slots: Vec<Slot>,
    /// Everybody who was asked for, and how well each calendar is known. A calendar that is not known refuses every
    /// slot, unless the search says otherwise.
    participants: Vec<ParticipantStatus>,
}

impl From<free::Answer> for Availability {
    fn from(answer: free::Answer) -> Self {
        Self {
            slots: answer.slots.into_iter().map(Slot).collect(),
            participants: answer.participants.into_iter().map(ParticipantStatus::from).collect(),
        }
    }
}

/// A time that is offered.
#[derive(Description)]
pub struct Slot(free::Slot);

#[Object(use_type_description)]
impl Slot {
    /// When it begins.
    async fn start(&self) -> DateTime {
        self.0.start.into()
    }

    /// When it ends.
    async fn end(&self) -> DateTime {
        self.0.end.into()
    }

    /// The rooms that are free then, where any of several would do.
    async fn rooms(&self, ctx: &Context<'_>) -> Option<Result<Vec<Room>>> {
        let rooms = self.0.rooms.iter().map(|room: &Id<ids::Room>| ctx.loaders().rooms.load(room.uuid()));
        let rooms = futures::future::try_join_all(rooms).await;
        Some(rooms.map(|rooms| rooms.into_iter().flatten().map(Room::from).collect()))
    }
}

/// What is known of one participant.
#[derive(SimpleObject)]
pub struct ParticipantStatus {
    /// Who.
    holder: Holder,
    /// The state of the connection that was read; null where there is none.
    connection_state: Option<ConnectionState>,
    /// When the calendar was last read; null when it never was.
    as_of: Option<DateTime>,
    /// Whether everything that was asked for is known.
    known: bool,
    /// How many items of the calendar cannot be read and block no time, because nothing is known of their times. With
    /// `onUnreadable: REFUSE` they make the calendar unknown.
    unreadable: i32,
    /// Why not; null when it is.
    reason: Option<Reason>,
}

impl From<free::ParticipantStatus> for ParticipantStatus {
    fn from(status: free::ParticipantStatus) -> Self {
        Self {
            holder: Holder(status.holder),
            connection_state: status.connection.map(ConnectionState::from),
            as_of: status.as_of.map(DateTime),
            known: status.known,
            unreadable: status.unreadable,
            reason: status.reason.map(Reason::from),
        }
    }
}

/// Why a time is not offered.
#[derive(SimpleObject)]
pub struct SlotRefusal {
    /// Who is in the way; null when the time itself is wrong.
    participant: Option<Holder>,
    /// The stable code; docs/errors.md explains each.
    code: &'static str,
    /// One sentence for a person. It does not say by what the time is taken.
    message: String,
    /// When the participant's calendar was last read; null when it never was.
    as_of: Option<DateTime>,
}

impl From<free::Why> for SlotRefusal {
    fn from(why: free::Why) -> Self {
        Self {
            participant: why.participant.map(Holder),
            code: why.code,
            message: why.message,
            as_of: why.as_of.map(DateTime),
        }
    }
}

#[derive(Default)]
pub struct AvailabilityQuery;

#[Object]
impl AvailabilityQuery {
    /// The times at which everybody can meet, and how well each calendar is known. Needs `AVAILABILITY_VIEW`.
    async fn availability(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who, when and how long.")] input: AvailabilityInput,
    ) -> Option<Result<Availability>> {
        Some(
            async {
                let by = ctx.caller().allow(Permission::AvailabilityView)?;
                let query = Query::try_from(input)?;
                Ok(ctx.services().availability().find(&by, &query).await?.into())
            }
            .await,
        )
    }

    /// Why the slot that begins at a time is not offered; empty when it is. Needs `AVAILABILITY_VIEW`.
    async fn explain_slot(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The search that does not offer it.")] input: AvailabilityInput,
        #[graphql(desc = "When the slot begins.")] start: DateTime,
    ) -> Option<Result<Vec<SlotRefusal>>> {
        Some(
            async {
                let by = ctx.caller().allow(Permission::AvailabilityView)?;
                let query = Query::try_from(input)?;
                let whys = ctx.services().availability().explain(&by, &query, start.0).await?;
                Ok(whys.into_iter().map(SlotRefusal::from).collect())
            }
            .await,
        )
    }
}

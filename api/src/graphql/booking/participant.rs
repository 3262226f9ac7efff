//! Participants of a booking and their responses.

use async_graphql::{Context, Description, Enum, Object};
use domain::{Id, ids};
use services::rows::booking_participant::Model;

use crate::graphql::{
    enums::Answer,
    failure::Result,
    room::{self, Room},
    scalar::EmailAddress,
    user::{self, User},
};

/// Role of a participant in a booking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum ParticipantKind {
    /// The user who organises the meeting.
    Organiser,
    /// Another user of the tenant.
    User,
    /// A meeting room.
    Room,
    /// A person from outside the tenant.
    Guest,
}

/// A person or room that takes part in a booking.
#[derive(Description)]
pub struct Participant {
    row: Model,
    organises: bool,
}

impl Participant {
    /// Converts a participant's row; `organiser` is the user who organised the booking.
    pub(super) fn from_row(row: Model, organiser: Id<ids::User>) -> Self {
        Self { organises: row.user_id == Some(organiser), row }
    }
}

#[Object(use_type_description)]
impl Participant {
    /// The participant's role in the booking.
    async fn kind(&self) -> ParticipantKind {
        match (self.row.room_id, self.row.user_id) {
            _ if self.organises => ParticipantKind::Organiser,
            (Some(_), _) => ParticipantKind::Room,
            (_, Some(_)) => ParticipantKind::User,
            (None, None) => ParticipantKind::Guest,
        }
    }

    /// Display name at the time the booking was created.
    async fn name(&self) -> &str {
        &self.row.name
    }

    /// Email address to which the invitation is sent; null if there is none.
    async fn address(&self) -> Option<EmailAddress> {
        (!self.row.address.is_empty()).then(|| self.row.address.clone().into())
    }

    /// The participant's response to the invitation.
    async fn answer(&self) -> Answer {
        (&self.row.answer).into()
    }

    /// The user; null for rooms and guests. Needs `USER_VIEW` unless the caller is that user.
    async fn user(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        user::load_referenced(ctx, self.row.user_id).await
    }

    /// The room; null for people.
    async fn room(&self, ctx: &Context<'_>) -> Option<Result<Room>> {
        room::load_referenced(ctx, self.row.room_id).await
    }
}

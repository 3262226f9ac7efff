//! Validates a user's fields before they are stored.

use domain::{Id, ids};
use std::collections::HashMap;

use entity::tenant_user::{Column, Model};
use sea_orm::{ColumnTrait, DbErr, ExprTrait, QueryFilter, prelude::Json};

use super::{NewUser, UserChange};
use crate::{
    Error, Refusal, Result, Tx,
    error::is_duplicate,
    tenants::{checked_zone, validate_name},
};

/// Parses an email address and converts it to lower case: `local@host`, without the quoted form of RFC 5321.
pub(crate) fn parse_email(text: &str, field: &'static str) -> Result<String> {
    let text = text.trim().to_lowercase();
    let is_local = |c: char| c.is_alphanumeric() || ".!#$%&'*+-/=?^_`{|}~".contains(c);
    let is_label = |label: &str| {
        let inside = label.chars().all(|c| c.is_alphanumeric() || c == '-');
        !label.is_empty() && label.len() <= 63 && inside && !label.starts_with('-') && !label.ends_with('-')
    };
    let well_formed = text.len() <= 254
        && text.split_once('@').is_some_and(|(local, host)| {
            let dots = local.starts_with('.') || local.ends_with('.') || local.contains("..");
            let local = !local.is_empty() && local.len() <= 64 && !dots && local.chars().all(is_local);
            local && host.split('.').all(is_label)
        });
    if well_formed {
        return Ok(text);
    }
    Err(Refusal::new("EMAIL_MALFORMED", "This is not an email address.").at(field).into())
}

/// Validates a new user and builds its row. `made_with` contains the permissions of the person who creates the user.
pub(super) fn new_row(id: Id<ids::User>, tx: &Tx, new: &NewUser, made_with: &Json) -> Result<Model> {
    Ok(Model {
        id,
        tenant_id: tx.tenant(),
        email: parse_email(&new.email, "email")?,
        email_set_with: made_with.clone(),
        name: validate_name(&new.name)?,
        calendar_address: address(new.calendar_address.as_deref())?,
        time_zone: zone(new.time_zone.clone())?,
        tokens_since: None,
        version: 1,
        created_at: tx.now(),
    })
}

/// Validates a change of a user and builds the changed row.
pub(super) fn apply_change(before: &Model, change: UserChange) -> Result<Model> {
    let kept = before.clone();
    Ok(Model {
        email: change.email.map_or(Ok(kept.email), |text| parse_email(&text, "email"))?,
        name: change.name.map_or(Ok(kept.name), |name| validate_name(&name))?,
        calendar_address: match change.calendar_address {
            None => kept.calendar_address,
            Some(text) => address(text.as_deref())?,
        },
        time_zone: change.time_zone.map_or(Ok(kept.time_zone), zone)?,
        email_set_with: kept.email_set_with,
        version: before.version + 1,
        ..*before
    })
}

/// Returns an error for the first user whose email or calendar address is already used, by another of these users or in
/// the database.
pub(super) async fn require_unique(
    tx: &Tx,
    users: &[Model],
) -> std::result::Result<(), (Option<usize>, Error)> {
    let mut seen = HashMap::new();
    for (index, user) in users.iter().enumerate() {
        if seen.insert((false, user.email.as_str()), index).is_some() {
            return Err((Some(index), email_taken()));
        }
        let Some(address) = user.calendar_address.as_deref() else { continue };
        if seen.insert((true, address), index).is_some() {
            return Err((Some(index), address_taken()));
        }
    }
    let emails = users.iter().map(|user| user.email.as_str());
    let addresses = users.iter().filter_map(|user| user.calendar_address.as_deref());
    let clash = Column::Email.is_in(emails).or(Column::CalendarAddress.is_in(addresses));
    let others = entity::tenant_user::of(tx.tenant()).filter(clash).all(tx.conn()).await;
    for other in others.map_err(|error| (None, error.into()))? {
        if let Some(index) = seen.get(&(false, other.email.as_str())) {
            return Err((Some(*index), email_taken()));
        }
        let address = other.calendar_address.as_deref().unwrap_or_default();
        if let Some(index) = seen.get(&(true, address)) {
            return Err((Some(*index), address_taken()));
        }
    }
    Ok(())
}

/// Converts the database's error into a refusal if another transaction has used the address since the check by
/// [`require_unique`].
pub(super) fn refuse_duplicate(error: DbErr) -> Error {
    match is_duplicate(&error) {
        true if error.to_string().contains("address") => address_taken(),
        true => email_taken(),
        false => error.into(),
    }
}

/// Whether the user is a participant of any booking.
pub(super) async fn has_bookings(tx: &Tx, user: &Model) -> Result<bool> {
    use entity::{booking, booking_participant};
    let organises =
        booking::of(tx.tenant()).filter(booking::Column::OrganiserId.eq(user.id)).one(tx.conn()).await?;
    if organises.is_some() {
        return Ok(true);
    }
    let participant = booking_participant::Column::UserId.eq(user.id);
    Ok(booking_participant::of(tx.tenant()).filter(participant).one(tx.conn()).await?.is_some())
}

fn address(text: Option<&str>) -> Result<Option<String>> {
    text.map(|text| parse_email(text, "calendarAddress")).transpose()
}

fn zone(name: Option<String>) -> Result<Option<String>> {
    name.map(checked_zone).transpose()
}

fn email_taken() -> Error {
    Refusal::new("EMAIL_TAKEN", "A user with this email address already exists.").at("email").into()
}

fn address_taken() -> Error {
    let message = "This mailbox already belongs to another user.";
    Refusal::new("ADDRESS_TAKEN", message).at("calendarAddress").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_at_sign_and_plain_parts() {
        for good in
            ["Anna@Acme.example", "a.b+c@mail.acme.example", "o'neill@acme.example", "jürgen@müller.example"]
        {
            assert!(parse_email(good, "email").is_ok(), "{good}");
        }
        for bad in [
            "",
            "anna",
            "@acme.example",
            "anna@",
            "a b@acme.example",
            "a@b@c",
            "a@-b.example",
            "a@b..c",
            ".a@b.c",
        ] {
            assert!(parse_email(bad, "email").is_err(), "{bad}");
        }
        assert_eq!(parse_email(" Anna@Acme.Example ", "email").unwrap(), "anna@acme.example");
    }
}

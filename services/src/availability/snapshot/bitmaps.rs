//! Reads what a snapshot consists of: bitmaps or events of the calendar copies, and the occupancy table.

use std::collections::BTreeMap;

use domain::{AnyId, BusyKind, BusyTime, Id, TimeRange, bitmap::Bitmap, ids};
use sea_orm::{ColumnTrait, ConnectionTrait, QueryFilter};

use super::SnapshotScope;
use crate::Result;

/// The content of one connection's calendar copy.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) busy: Vec<BusyTime>,
    pub(super) bits: Option<Bitmap>,
}

pub(super) type Copies = BTreeMap<Id<ids::Connection>, Known>;

pub(super) async fn bitmaps(
    txn: &impl ConnectionTrait,
    tenant: Id<ids::Tenant>,
    of: &[Id<ids::Connection>],
    wanted: SnapshotScope<'_>,
) -> Result<Copies> {
    use entity::busy_bitmap::Column;
    let mut select = entity::busy_bitmap::of(tenant).filter(Column::ConnectionId.is_in(of.iter().copied()));
    if !wanted.tentative_is_busy {
        select = select.filter(Column::Plane.eq(BusyKind::Busy.as_str()));
    }
    let mut copies = Copies::new();
    for row in select.all(txn).await? {
        // Damaged or foreign bits cover nothing, so they count as unknown.
        let plane = Bitmap::from_bytes(&row.bits).unwrap_or_else(Bitmap::unknown);
        let copy = copies.entry(row.connection_id).or_default();
        copy.bits = Some(match copy.bits.take() {
            None => plane,
            Some(bits) => both(bits, &plane),
        });
    }
    // A connection that was read has its bitmaps; one without them is not known.
    for connection in of {
        copies.entry(*connection).or_default().bits.get_or_insert_with(Bitmap::unknown);
    }
    Ok(copies)
}

/// Merges two bitmaps of one calendar, such as those of busy and tentative events; unknown unless they cover the same
/// range.
fn both(mut bits: Bitmap, plane: &Bitmap) -> Bitmap {
    let fits = bits.window() == plane.window() && bits.union(plane).is_ok();
    if fits { bits } else { Bitmap::unknown() }
}

pub(super) async fn events(
    txn: &impl ConnectionTrait,
    tenant: Id<ids::Tenant>,
    of: &[Id<ids::Connection>],
    wanted: SnapshotScope<'_>,
) -> Result<Copies> {
    use entity::calendar_event::Column;
    let mut select = entity::calendar_event::of(tenant)
        .filter(Column::ConnectionId.is_in(of.iter().copied()))
        .filter(Column::StartAt.lt(wanted.reach.end))
        .filter(Column::EndAt.gt(wanted.reach.start))
        .filter(Column::Busy.is_not_null());
    if let Some(uid) = wanted.except.and_then(|booking| booking.event_uid.clone()) {
        select = select.filter(Column::Uid.ne(uid));
    }
    let mut copies: Copies = of.iter().map(|connection| (*connection, Known::default())).collect();
    for row in select.all(txn).await? {
        // A word that only a newer version knows takes the time too.
        let kind = row.busy.and_then(|busy| busy.known()).unwrap_or(BusyKind::Busy);
        if kind == BusyKind::Tentative && !wanted.tentative_is_busy {
            continue;
        }
        if let (Some(range), Some(copy)) =
            (TimeRange::new(row.start_at, row.end_at), copies.get_mut(&row.connection_id))
        {
            copy.busy.push(BusyTime { range, kind });
        }
    }
    Ok(copies)
}

pub(super) async fn occupancy(
    txn: &impl ConnectionTrait,
    tenant: Id<ids::Tenant>,
    holders: &[AnyId],
    wanted: SnapshotScope<'_>,
) -> Result<BTreeMap<AnyId, Vec<TimeRange>>> {
    use entity::occupancy::Column;
    let mut select = entity::occupancy::of(tenant)
        .filter(Column::Holder.is_in(holders.iter().copied()))
        .filter(Column::StartAt.lt(wanted.reach.end))
        .filter(Column::EndAt.gt(wanted.reach.start));
    if let Some(booking) = wanted.except {
        select = select.filter(Column::BookingId.ne(booking.id));
    }
    let mut occupied: BTreeMap<AnyId, Vec<TimeRange>> = BTreeMap::new();
    for row in select.all(txn).await? {
        occupied.entry(row.holder).or_default().extend(TimeRange::new(row.start_at, row.end_at));
    }
    Ok(occupied)
}

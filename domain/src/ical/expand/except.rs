//! Occurrences excluded from a series (EXDATE).

use std::collections::HashSet;

use chrono::{NaiveDate, NaiveDateTime};

use crate::{
    Zone,
    ical::{event::Event, moment::Moment},
    time::Timestamp,
};

/// The excluded occurrences of a series.
pub(super) struct ExceptionDates {
    instants: HashSet<Timestamp>,
    days: HashSet<NaiveDate>,
    walls: HashSet<NaiveDateTime>,
    owner: Zone,
}

impl ExceptionDates {
    pub(super) fn from_master(master: &Event, owner: &Zone) -> Self {
        let mut except = Self {
            instants: HashSet::new(),
            days: HashSet::new(),
            walls: HashSet::new(),
            owner: owner.clone(),
        };
        for at in &master.except {
            match at {
                at if master.start.is_date() => drop(except.days.insert(at.day(owner))),
                Moment::Date(day) => drop(except.days.insert(*day)),
                // A time without a zone means the wall of the series, whatever its zone.
                Moment::Floating(wall) | Moment::Unzoned(wall) => drop(except.walls.insert(*wall)),
                at => except.instants.extend(at.instant(owner)),
            }
        }
        except
    }

    pub(super) fn excludes(&self, start: &Moment, original: Timestamp) -> bool {
        let wall = start.wall_time();
        // In a series in UTC a day may be the owner's: near midnight nobody knows which occurrence is meant.
        let is_clear =
            || !matches!(start, Moment::Utc(_)) || self.owner.local(original).date() == wall.date();
        self.instants.contains(&original)
            || self.walls.contains(&wall)
            || (self.days.contains(&wall.date()) && is_clear())
    }
}

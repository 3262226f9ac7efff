//! Plans the meetings of a generated organisation.

use std::collections::BTreeMap;

use chrono::{Datelike as _, Days, NaiveDate, NaiveTime, TimeDelta};
use domain::Timestamp;

use super::Random;
use crate::{
    fixture::{MeetingFixture, RoomFixture, UserFixture},
    microsoft::graph::zones::Zone,
    model::ShowAs,
};

const SUBJECTS: [&str; 12] = [
    "Roadmap",
    "Budget review",
    "One to one",
    "Design session",
    "Customer call",
    "Hiring",
    "Retrospective",
    "Incident review",
    "Planning",
    "Quarterly numbers",
    "Onboarding",
    "Demo",
];

const TEAM: usize = 7;

/// Number of half-hours between nine and five.
const HALVES: usize = 16;

/// Schedules meetings at times when all participants are free.
pub(super) struct Planner<'a> {
    users: Vec<&'a str>,
    rooms: Vec<&'a str>,
    zone: Zone,
    random: &'a mut Random,
    taken: BTreeMap<(String, NaiveDate), u32>,
    events: Vec<MeetingFixture>,
}

impl<'a> Planner<'a> {
    pub(super) fn new(
        users: &'a [UserFixture],
        rooms: &'a [RoomFixture],
        zone: Zone,
        random: &'a mut Random,
    ) -> Self {
        Self {
            users: users.iter().map(|user| user.address.as_str()).collect(),
            rooms: rooms.iter().map(|room| room.address.as_str()).collect(),
            zone,
            random,
            taken: BTreeMap::new(),
            events: Vec::new(),
        }
    }

    pub(super) fn plan(mut self, from: NaiveDate, weeks: u64) -> Vec<MeetingFixture> {
        let days = (0..weeks * 7).filter_map(|offset| from.checked_add_days(Days::new(offset)));
        for day in days.filter(|day| day.weekday().num_days_from_monday() < 5) {
            self.absences(day);
            self.team_meetings(day);
            for index in 0..self.users.len() {
                for _ in 0..self.random.below(3) {
                    self.meeting(index, day);
                }
            }
        }
        self.events
    }

    /// Makes one in fifty people absent for a day.
    fn absences(&mut self, day: NaiveDate) {
        for index in 0..self.users.len() {
            if self.random.below(50) != 0 {
                continue;
            }
            let who = self.users[index];
            self.taken.insert((who.to_owned(), day), u32::MAX);
            let midnight = day.and_time(NaiveTime::MIN);
            let (start, end) =
                (self.zone.instant(midnight), self.zone.instant(midnight + TimeDelta::days(1)));
            let event = Self::event(who, "Out of office", (start, end));
            self.events.push(MeetingFixture { show_as: ShowAs::Oof, all_day: true, ..event });
        }
    }

    /// Schedules team meetings on Mondays and Thursdays at nine.
    fn team_meetings(&mut self, day: NaiveDate) {
        if !matches!(day.weekday().num_days_from_monday(), 0 | 3) {
            return;
        }
        let users = self.users.clone();
        for team in users.chunks(TEAM) {
            let here: Vec<&str> = team.iter().copied().filter(|who| self.free(who, day, 0b1)).collect();
            if let Some((lead, guests)) = here.split_first().filter(|(_, guests)| !guests.is_empty()) {
                self.book(lead, guests, day, (0, 1), "Team meeting");
            }
        }
    }

    /// Schedules a meeting of one person with some others, if they have a common free time.
    fn meeting(&mut self, organizer: usize, day: NaiveDate) {
        let length = 1 + self.random.below(3);
        let start = 1 + self.random.below(HALVES - length);
        let mask = mask(start, length);
        let who = self.users[organizer];
        if !self.free(who, day, mask) {
            return;
        }
        let mut guests = Vec::new();
        for _ in 0..self.random.below(4) {
            let guest = self.users[self.random.below(self.users.len())];
            if guest != who && !guests.contains(&guest) && self.free(guest, day, mask) {
                guests.push(guest);
            }
        }
        if !self.rooms.is_empty() && self.random.below(5) < 2 {
            let room = self.rooms[self.random.below(self.rooms.len())];
            if self.free(room, day, mask) {
                guests.push(room);
            }
        }
        let subject =
            if guests.is_empty() { "Focus time" } else { SUBJECTS[self.random.below(SUBJECTS.len())] };
        self.book(who, &guests, day, (start, length), subject);
    }

    fn book(
        &mut self,
        who: &str,
        guests: &[&str],
        day: NaiveDate,
        (start, length): (usize, usize),
        subject: &str,
    ) {
        for address in guests.iter().copied().chain([who]) {
            *self.taken.entry((address.to_owned(), day)).or_default() |= mask(start, length);
        }
        let nine = day.and_time(NaiveTime::MIN) + TimeDelta::hours(9);
        let at = |half: usize| self.zone.instant(nine + TimeDelta::minutes(30 * half as i64));
        let event = Self::event(who, subject, (at(start), at(start + length)));
        let alone = guests.is_empty();
        let event = match self.random.below(12) {
            0 if alone => {
                MeetingFixture { sensitivity: "private".to_owned(), subject: "Doctor".to_owned(), ..event }
            }
            1 if alone => MeetingFixture { show_as: ShowAs::Tentative, ..event },
            2 if alone => MeetingFixture { show_as: ShowAs::Free, ..event },
            _ => event,
        };
        self.events.push(MeetingFixture {
            attendees: guests.iter().map(|guest| (*guest).to_owned()).collect(),
            ..event
        });
    }

    fn event(who: &str, subject: &str, (start, end): (Timestamp, Timestamp)) -> MeetingFixture {
        MeetingFixture {
            mailbox: who.to_owned(),
            subject: subject.to_owned(),
            start,
            end,
            show_as: ShowAs::Busy,
            sensitivity: "normal".to_owned(),
            all_day: false,
            attendees: Vec::new(),
        }
    }

    fn free(&self, address: &str, day: NaiveDate, mask: u32) -> bool {
        self.taken.get(&(address.to_owned(), day)).is_none_or(|taken| taken & mask == 0)
    }
}

fn mask(start: usize, length: usize) -> u32 {
    ((1 << length) - 1) << start
}

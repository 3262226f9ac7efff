//! The people of the directory, by walking it.
//!
//! Exchange's web services cannot list users, but they tell up to a hundred whose address begins with some letters.
//! So the tree of beginnings is walked in the order of its letters: a beginning that has too many is split by its next
//! letter. Everybody is told once, under the beginning of the primary address; the cursor is the next beginning, so
//! the order is stable whoever comes or goes meanwhile. Addresses that begin with other letters than those of
//! [`LETTERS`] are not found, nor are mailboxes hidden from the address lists.

use super::Exchange;
use crate::{Page, Person, Result, Session};

/// The letters of addresses, in their order.
const LETTERS: &[u8] = b"&'+-.0123456789=@_abcdefghijklmnopqrstuvwxyz~";
/// How many people make a page, give or take the last beginning.
const ENOUGH: usize = 100;
/// How many requests one page may take.
const REQUESTS: usize = 64;
/// No beginning is longer; an address is whole by then.
const LONGEST: usize = 128;

impl Exchange {
    /// One page of people; `after` is the beginning to go on with.
    pub(super) async fn walk_people(&self, session: &Session, after: Option<&str>) -> Result<Page<Person>> {
        let rooms = match after {
            None => self.fresh_rooms(session).await?,
            Some(_) => self.known_rooms(session).await?,
        };
        let mut items = Vec::new();
        let mut next = Some(after.map_or_else(|| first(""), str::to_owned));
        for _ in 0..REQUESTS {
            let Some(start) = next.clone().filter(|_| items.len() < ENOUGH) else { break };
            let told = self.resolve(session, &format!("smtp:{start}")).await?;
            if told.cut && start.len() < LONGEST {
                next = Some(first(&start));
                continue;
            }
            // Those who match by another address come under the beginning of their primary one.
            let here = told.found.into_iter().filter_map(|one| {
                let id = one.address.to_ascii_lowercase();
                let is_room = rooms.binary_search_by(|room| room.id.as_str().cmp(&id)).is_ok();
                let is_account = id == session.account.to_ascii_lowercase() && !session.own;
                (id.starts_with(&start) && !is_room && !is_account).then_some(Person {
                    id,
                    address: one.address,
                    name: one.name,
                    organisation: None,
                })
            });
            items.extend(here);
            next = following(&start);
        }
        Ok(Page { items, next })
    }
}

/// The first of the longer beginnings.
fn first(start: &str) -> String {
    format!("{start}{}", char::from(LETTERS[0]))
}

/// The beginning after this one and all longer ones; `None` after the last.
fn following(start: &str) -> Option<String> {
    let mut start = start.as_bytes().to_vec();
    while let Some(last) = start.pop() {
        let position = LETTERS.iter().position(|letter| *letter == last)?;
        if let Some(letter) = LETTERS.get(position + 1) {
            start.push(*letter);
            return String::from_utf8(start).ok();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_walk_goes_over_every_letter_and_ends() {
        let mut seen = Vec::new();
        let mut next = Some(first(""));
        while let Some(start) = next {
            next = if start == "b" { Some(first("b")) } else { following(&start) };
            seen.push(start);
        }
        assert_eq!(seen.len(), LETTERS.len() * 2, "all letters, and all after the one that was split");
        assert!(seen.is_sorted(), "{seen:?}");
        assert_eq!(following("b~").as_deref(), Some("c"));
        assert_eq!(following("~~"), None);
        assert_eq!(following("nonsense!"), None, "a cursor that was not ours ends");
    }
}

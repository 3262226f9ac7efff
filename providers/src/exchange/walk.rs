//! Lists the people in the directory by searching for address prefixes.
//!
//! Exchange Web Services cannot list users, but they return up to a hundred users whose address begins with a prefix.
//! The tree of prefixes is therefore traversed in alphabetical order; a prefix with too many matches is extended by
//! one letter. Each person is returned once, under a prefix of the primary email address; the cursor is the next
//! prefix, so that the order is stable when users are added or removed meanwhile. Addresses that contain other
//! characters than those in [`LETTERS`], and mailboxes hidden from address lists, are not found.

use super::Exchange;
use crate::{Page, Person, Result, Session};

/// The characters of addresses, in the order in which they are searched.
const LETTERS: &[u8] = b"&'+-.0123456789=@_abcdefghijklmnopqrstuvwxyz~";
/// Approximate number of people per page.
const ENOUGH: usize = 100;
/// Maximum number of requests per page.
const REQUESTS: usize = 64;
/// Maximum length of a prefix.
const LONGEST: usize = 128;

impl Exchange {
    /// One page of people; `after` is the prefix to continue with.
    pub(super) async fn list_people(&self, session: &Session, after: Option<&str>) -> Result<Page<Person>> {
        let rooms = match after {
            None => self.fetch_rooms(session).await?,
            Some(_) => self.cached_rooms(session).await?,
        };
        let mut items = Vec::new();
        let mut next = Some(after.map_or_else(|| first(""), str::to_owned));
        for _ in 0..REQUESTS {
            let Some(start) = next.clone().filter(|_| items.len() < ENOUGH) else { break };
            let told = self.resolve_name(session, &format!("smtp:{start}")).await?;
            if told.cut && start.len() < LONGEST {
                next = Some(first(&start));
                continue;
            }
            // People who match by another address are listed under the prefix of their primary one.
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

/// The first prefix that is one letter longer.
fn first(start: &str) -> String {
    format!("{start}{}", char::from(LETTERS[0]))
}

/// The first prefix after this one and all its extensions; `None` after the last.
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

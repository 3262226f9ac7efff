//! The rules by which principals become mailboxes.

/// What a CalDAV server does not say by itself. The defaults suit a server whose principals lie side by side below
/// the address that the administrator gives.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// Which principal a mail address means, and the other way round.
    pub addresses: AddressRule,
    /// Which principals are rooms.
    pub rooms: RoomRule,
}

/// Maps mail addresses to principals.
///
/// A server that publishes mail addresses (`calendar-user-address-set`) is believed. Otherwise the last part of a
/// principal's path is its address where it holds an `@`, and is put before `@` and the domain where not.
#[derive(Debug, Clone)]
pub struct AddressRule {
    /// Paths below the server's address at which a mailbox is looked for, in this order, before the list of
    /// principals is searched. `{address}` stands for the whole address, `{local}` for what is before the `@`;
    /// `{local}` is tried only for addresses of the domain below, so nobody is mistaken for a namesake elsewhere.
    pub paths: Vec<String>,
    /// The mail domain of principals whose name holds none. Without it: the domain of the service account's
    /// address, and where that has none, the host of the server.
    pub domain: Option<String>,
}

impl Default for AddressRule {
    fn default() -> Self {
        Self { paths: vec!["{address}/".to_owned(), "{local}/".to_owned()], domain: None }
    }
}

/// Tells rooms from people. One match makes a room. A server that publishes `calendar-user-type` is believed first.
#[derive(Debug, Clone)]
pub struct RoomRule {
    /// Beginnings of the last part of a principal's path, without regard to case.
    pub path_prefixes: Vec<String>,
    /// Beginnings of the display name, without regard to case.
    pub name_prefixes: Vec<String>,
    /// A mark in the principal's `calendar-description`. Fields beside it, separated by semicolons, are read too:
    /// `CUTYPE=ROOM;CAPACITY=8;BUILDING=Main;FLOOR=2;EQUIPMENT=Screen,Whiteboard`.
    pub mark: String,
}

impl Default for RoomRule {
    fn default() -> Self {
        Self {
            path_prefixes: vec!["room-".to_owned(), "room.".to_owned()],
            name_prefixes: vec!["Room ".to_owned()],
            mark: "CUTYPE=ROOM".to_owned(),
        }
    }
}

impl RoomRule {
    /// Whether a principal is a room. `kind` is its `calendar-user-type`.
    pub(super) fn matches(&self, segment: &str, name: &str, description: &str, kind: Option<&str>) -> bool {
        if let Some(kind) = kind {
            return kind.eq_ignore_ascii_case("ROOM") || kind.eq_ignore_ascii_case("RESOURCE");
        }
        let begins = |text: &str, prefix: &String| {
            text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        };
        self.path_prefixes.iter().any(|prefix| begins(segment, prefix))
            || self.name_prefixes.iter().any(|prefix| begins(name, prefix))
            || description.split(';').any(|field| field.trim().eq_ignore_ascii_case(&self.mark))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_is_known_by_any_of_its_marks() {
        let rule = RoomRule::default();
        assert!(rule.matches("room-atlas@corp.test", "Atlas", "", None));
        assert!(rule.matches("Room.Atlas", "", "", None));
        assert!(rule.matches("atlas", "Room Atlas", "", None));
        assert!(rule.matches("atlas", "Atlas", "CAPACITY=8; cutype=room", None));
        assert!(rule.matches("atlas", "Atlas", "", Some("ROOM")));
        assert!(!rule.matches("ada@corp.test", "Ada Roomer", "", None));
        assert!(!rule.matches("room-mate@corp.test", "", "", Some("INDIVIDUAL")));
    }
}

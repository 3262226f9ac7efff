//! Rules that map principals to mailboxes.

use serde::{Deserialize, Serialize};

/// Settings that a CalDAV server does not provide itself. The defaults suit a server whose principals are siblings
/// below the configured URL.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// How mail addresses and principals correspond.
    pub addresses: AddressRule,
    /// Which principals are rooms.
    pub rooms: RoomRule,
}

/// Maps mail addresses to principals.
///
/// Mail addresses that the server publishes (`calendar-user-address-set`) take precedence. Otherwise the last
/// segment of a principal's path is its address if it contains an `@`, and else the part before the `@` of an
/// address in the configured domain.
#[derive(Debug, Clone)]
pub struct AddressRule {
    /// Paths, below the server's URL, at which a mailbox is looked up, in this order, before the list of principals is
    /// searched. `{address}` stands for the whole address, `{local}` for the part before the `@`; `{local}` is tried
    /// only for addresses in `domain`, so that a user is not mistaken for a namesake in another domain.
    pub paths: Vec<String>,
    /// Mail domain of principals whose name contains none. Defaults to the domain of the service account's address,
    /// otherwise to the server's host name.
    pub domain: Option<String>,
}

impl Default for AddressRule {
    fn default() -> Self {
        Self { paths: vec!["{address}/".to_owned(), "{local}/".to_owned()], domain: None }
    }
}

/// Rules that distinguish rooms from people. A principal that matches any of them is a room; case is ignored. A
/// published `calendar-user-type` of ROOM or RESOURCE also identifies a room; INDIVIDUAL is that property's default
/// and is ignored (RFC 6638 section 2.4.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RoomRule {
    /// Prefixes of the last segment of a room principal's path.
    pub path_prefixes: Vec<String>,
    /// Prefixes of a room's display name.
    pub name_prefixes: Vec<String>,
    /// Address patterns of rooms: a full address, an address with `*` for any text, or `@` and a domain used only
    /// by rooms.
    pub addresses: Vec<String>,
    /// Paths of collections that contain only room principals, such as `/principals/resources/`.
    pub collections: Vec<String>,
    /// Text in a principal's `calendar-description` that identifies a room; empty to ignore descriptions. Further
    /// fields, separated by semicolons, are read as well:
    /// `CUTYPE=ROOM;CAPACITY=8;BUILDING=Main;FLOOR=2;EQUIPMENT=Screen,Whiteboard`.
    pub mark: String,
}

impl Default for RoomRule {
    fn default() -> Self {
        Self {
            path_prefixes: vec!["room-".to_owned(), "room.".to_owned()],
            name_prefixes: vec!["Room ".to_owned()],
            addresses: Vec::new(),
            collections: Vec::new(),
            mark: "CUTYPE=ROOM".to_owned(),
        }
    }
}

/// The properties of a principal that the rules examine.
#[derive(Debug, Clone, Copy)]
pub(super) struct PrincipalFacts<'a> {
    /// Decoded path of the principal.
    pub path: &'a str,
    /// Last segment of the path.
    pub segment: &'a str,
    /// Display name of the principal.
    pub name: &'a str,
    /// Mail addresses of the principal.
    pub addresses: &'a [String],
    /// Value of `calendar-description`.
    pub description: &'a str,
    /// Value of `calendar-user-type`.
    pub kind: Option<&'a str>,
}

impl RoomRule {
    /// Whether a principal is a room.
    pub(super) fn matches(&self, facts: PrincipalFacts<'_>) -> bool {
        let is_kind = |kind: &str| ["ROOM", "RESOURCE"].iter().any(|room| kind.eq_ignore_ascii_case(room));
        let begins = |text: &str, prefix: &String| {
            !prefix.is_empty()
                && text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        };
        let below = |collection: &String| {
            let collection = collection.trim_matches('/');
            !collection.is_empty() && begins(facts.path.trim_start_matches('/'), &format!("{collection}/"))
        };
        let field = |field: &str| !self.mark.is_empty() && field.trim().eq_ignore_ascii_case(&self.mark);
        facts.kind.is_some_and(is_kind)
            || self.path_prefixes.iter().any(|prefix| begins(facts.segment, prefix))
            || self.name_prefixes.iter().any(|prefix| begins(facts.name, prefix))
            || self.addresses.iter().any(|form| facts.addresses.iter().any(|one| has_form(one, form)))
            || self.collections.iter().any(below)
            || facts.description.split(';').any(field)
    }
}

/// Whether an email address matches a pattern in which one `*` matches any characters.
fn has_form(address: &str, form: &str) -> bool {
    let (address, form) = (address.to_ascii_lowercase(), form.trim().to_ascii_lowercase());
    let (start, end) = match form.split_once('*') {
        Some(parts) => parts,
        None if form.starts_with('@') => ("", form.as_str()),
        None => return address == form,
    };
    address.len() >= start.len() + end.len() && address.starts_with(start) && address.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOBODY: PrincipalFacts<'static> =
        PrincipalFacts { path: "/p/x/", segment: "x", name: "", addresses: &[], description: "", kind: None };

    #[test]
    fn a_room_is_known_by_any_of_its_marks() {
        let rule = RoomRule::default();
        for room in [
            PrincipalFacts { segment: "room-atlas@corp.test", ..NOBODY },
            PrincipalFacts { segment: "Room.Atlas", ..NOBODY },
            PrincipalFacts { name: "Room Atlas", ..NOBODY },
            PrincipalFacts { description: "CAPACITY=8; cutype=room", ..NOBODY },
            PrincipalFacts { kind: Some("ROOM"), ..NOBODY },
            PrincipalFacts { kind: Some("resource"), ..NOBODY },
            // The property's default does not contradict the other rules.
            PrincipalFacts { segment: "room-atlas", kind: Some("INDIVIDUAL"), ..NOBODY },
        ] {
            assert!(rule.matches(room), "{room:?}");
        }
        for person in [
            PrincipalFacts { name: "Ada Roomer", ..NOBODY },
            PrincipalFacts { kind: Some("INDIVIDUAL"), ..NOBODY },
            PrincipalFacts { kind: Some("GROUP"), ..NOBODY },
            NOBODY,
        ] {
            assert!(!rule.matches(person), "{person:?}");
        }
    }

    #[test]
    fn an_operators_rule_names_rooms_by_address_and_by_collection() {
        let rule: RoomRule = serde_json::from_str(
            r#"{"addresses": ["atlas@corp.test", "*@rooms.corp.test", "@halls.test", "r-*@corp.test"],
                "collections": ["/principals/resources"], "pathPrefixes": ["", "saal"], "mark": ""}"#,
        )
        .unwrap();
        assert_eq!(rule.name_prefixes, RoomRule::default().name_prefixes, "what is not named stays");
        for address in ["Atlas@corp.test", "x@rooms.corp.test", "y@halls.test", "R-1@corp.test"] {
            assert!(rule.matches(PrincipalFacts { addresses: &[address.to_owned()], ..NOBODY }), "{address}");
        }
        for address in ["ada@corp.test", "x@corp.test", "r-1@else.test"] {
            assert!(
                !rule.matches(PrincipalFacts { addresses: &[address.to_owned()], ..NOBODY }),
                "{address}"
            );
        }
        assert!(rule.matches(PrincipalFacts { path: "/Principals/resources/7/", ..NOBODY }));
        assert!(!rule.matches(PrincipalFacts { path: "/principals/resources-of-ada/", ..NOBODY }));
        assert!(rule.matches(PrincipalFacts { segment: "Saal 3", ..NOBODY }));
    }
}

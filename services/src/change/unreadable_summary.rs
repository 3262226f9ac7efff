//! Summary of the unreadable items of a calendar, stored with its connection.

use std::collections::BTreeMap;

use domain::UnreadableItem;
use sea_orm::prelude::Json;

/// Maximum number of examples stored for a calendar.
const EXAMPLES: usize = 20;
/// Maximum length of a stored UID in characters. The UID identifies the item to a person; it is never used for
/// look-ups.
const LONGEST_UID: usize = 255;

/// Summary of one calendar's unreadable items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UnreadableSummary {
    /// Number of unreadable items.
    pub count: i32,
    /// Number of unreadable items that block no time.
    pub unknown: i32,
    /// Examples of unreadable items, those that block no time first; the selection does not depend on the order of the
    /// items.
    pub examples: Json,
}

impl UnreadableSummary {
    /// Summarises the unreadable items of a calendar. An item that is reported several times counts once; it blocks
    /// time only if every report says so.
    pub fn from_items(items: &[UnreadableItem]) -> Self {
        let mut distinct: BTreeMap<&str, &UnreadableItem> = BTreeMap::new();
        for item in items {
            let known = distinct.entry(&item.uid).or_insert(item);
            if (item.blocks, item.reason) < (known.blocks, known.reason) {
                *known = item;
            }
        }
        let mut items: Vec<&UnreadableItem> = distinct.into_values().collect();
        items.sort_by_key(|item| item.blocks);
        let unknown = items.iter().filter(|item| !item.blocks).count();
        let examples: Vec<UnreadableItem> = items.iter().take(EXAMPLES).map(|item| example(item)).collect();
        Self {
            count: i32::try_from(items.len()).unwrap_or(i32::MAX),
            unknown: i32::try_from(unknown).unwrap_or(i32::MAX),
            examples: serde_json::to_value(examples).unwrap_or_default(),
        }
    }
}

/// An item as it is stored, with its UID on one line.
fn example(item: &UnreadableItem) -> UnreadableItem {
    let uid = item.uid.chars().filter(|c| !c.is_control()).take(LONGEST_UID).collect();
    UnreadableItem { uid, ..item.clone() }
}

#[cfg(test)]
mod tests {
    use domain::UnreadableReason as Why;

    use super::*;

    fn item(uid: &str, reason: Why, blocks: bool) -> UnreadableItem {
        UnreadableItem { uid: uid.to_owned(), reason, blocks }
    }

    #[test]
    fn an_item_counts_once_and_the_order_of_reading_does_not_matter() {
        let items = [
            item("b", Why::Recurrence, true),
            item("a", Why::Recurrence, true),
            item("a", Why::NoTimes, false),
            item("c", Why::Malformed, true),
            item("a", Why::TimeZone, true),
        ];
        let mark = UnreadableSummary::from_items(&items);
        assert_eq!((mark.count, mark.unknown), (3, 1));
        let uids: Vec<_> = mark.examples.as_array().unwrap().iter().map(|one| one["uid"].clone()).collect();
        assert_eq!(uids, ["a", "b", "c"], "what blocks nothing comes first");
        assert_eq!(mark.examples[0]["reason"], "NO_TIMES");
        let backwards: Vec<_> = items.iter().rev().cloned().collect();
        assert_eq!(UnreadableSummary::from_items(&backwards), mark);
    }

    #[test]
    fn many_items_are_counted_and_few_are_kept() {
        let items: Vec<_> =
            (0..1_000).map(|n| item(&format!("{n:0>400}\0\n"), Why::Malformed, n % 2 == 0)).collect();
        let mark = UnreadableSummary::from_items(&items);
        assert_eq!((mark.count, mark.unknown), (1_000, 500));
        let kept: Vec<UnreadableItem> = serde_json::from_value(mark.examples).unwrap();
        assert_eq!(kept.len(), EXAMPLES);
        for one in kept {
            assert!(one.uid.chars().count() <= LONGEST_UID && !one.uid.contains(char::is_control), "{one:?}");
            assert!(!one.blocks);
        }
    }

    #[test]
    fn a_clean_reading_has_the_mark_of_no_item() {
        assert_eq!(
            UnreadableSummary::from_items(&[]),
            UnreadableSummary { count: 0, unknown: 0, examples: serde_json::json!([]) }
        );
    }
}

//! Pagination by cursor connections, as Relay defines them.

use async_graphql::SimpleObject;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use services::{Page, PageArgs, Refusal};
use uuid::Uuid;

use super::failure::Result;

/// Where a page of a list begins and ends, and whether more items precede or follow it.
#[derive(Debug, Clone, SimpleObject)]
pub struct PageInfo {
    /// Whether items follow the last item of this page.
    has_next_page: bool,
    /// Whether items precede the first item of this page.
    has_previous_page: bool,
    /// Cursor of the first item; null for an empty page.
    start_cursor: Option<String>,
    /// Cursor of the last item; null for an empty page.
    end_cursor: Option<String>,
}

impl PageInfo {
    /// Page information with the cursors of the first and last item.
    pub(super) fn from_page<T>(page: &Page<T>, cursor: impl Fn(&T) -> String) -> Self {
        Self {
            has_next_page: page.has_next,
            has_previous_page: page.has_previous,
            start_cursor: page.items.first().map(&cursor),
            end_cursor: page.items.last().map(cursor),
        }
    }
}

/// The opaque cursor of an item, made from its id.
pub(super) fn encode_cursor(id: Uuid) -> String {
    BASE64.encode(id.as_bytes())
}

/// Converts the pagination arguments of a field and decodes their cursors.
pub(super) fn parse_page_args(
    first: Option<i32>,
    last: Option<i32>,
    after: Option<String>,
    before: Option<String>,
) -> Result<PageArgs> {
    // What is negative is as wrong as zero; the use case says so.
    let size = |size: i32| u64::try_from(size).unwrap_or_default();
    Ok(PageArgs {
        first: first.map(size),
        last: last.map(size),
        after: after.map(|text| decode_cursor(&text, "after")).transpose()?,
        before: before.map(|text| decode_cursor(&text, "before")).transpose()?,
    })
}

fn decode_cursor(text: &str, field: &'static str) -> Result<Uuid> {
    let bytes = BASE64.decode(text).ok().and_then(|bytes| Uuid::from_slice(&bytes).ok());
    let wrong = || {
        Refusal::new("CURSOR_MALFORMED", "This cursor is not valid. Use a cursor that this list returned.")
            .at(field)
    };
    Ok(bytes.ok_or_else(wrong)?)
}

/// Returns one page of a list that has been read completely.
pub(super) fn paginate<T>(items: Vec<T>, id: impl Fn(&T) -> Uuid, args: PageArgs) -> Result<Page<T>> {
    let total = items.len();
    let (size, backwards) = size(args)?;
    let position = |wanted: Uuid| items.iter().position(|item| id(item) == wanted);
    let begin = args.after.and_then(position).map_or(0, |index| index + 1);
    let end = args.before.and_then(position).unwrap_or(total).max(begin);
    let (begin, end) = if backwards {
        (end.saturating_sub(size).max(begin), end)
    } else {
        (begin, begin.saturating_add(size).min(end))
    };
    let items = items.into_iter().skip(begin).take(end - begin).collect();
    Ok(Page { items, has_next: end < total, has_previous: begin > 0 })
}

fn size(args: PageArgs) -> Result<(usize, bool)> {
    let (size, backwards) = match (args.first, args.last) {
        (Some(_), Some(_)) => {
            return Err(Refusal::new("PAGE_AMBIGUOUS", "Specify either first or last, not both.").into());
        }
        (None, Some(last)) => (last, true),
        (first, None) => (first.unwrap_or(50), false),
    };
    match usize::try_from(size) {
        Ok(size @ 1..=100) => Ok((size, backwards)),
        _ => {
            let refusal = Refusal::new("PAGE_SIZE", "A page has 1 to 100 items.");
            Err(refusal.exceeding(100_u64, size).into())
        }
    }
}

/// Declares the connection and edge types for an object that wraps a model.
macro_rules! connection {
    ($node:ident, $model:ty, $connection:ident, $edge:ident, $many:literal, $id:expr) => {
        #[doc = concat!("One page of ", $many, ".")]
        #[derive(async_graphql::SimpleObject)]
        pub struct $connection {
            /// The items of the page with their cursors.
            edges: Vec<$edge>,
            /// The items of the page without their cursors.
            nodes: Vec<$node>,
            /// Position of the page in the list.
            page_info: $crate::graphql::page::PageInfo,
            /// Number of items in the whole list; null if counting them would be too expensive.
            total_count: Option<u64>,
        }

        #[doc = concat!("One item of a list of ", $many, ", with its cursor.")]
        #[derive(async_graphql::SimpleObject)]
        pub struct $edge {
            /// Opaque cursor for `after` and `before`.
            cursor: String,
            /// The item at this cursor.
            node: $node,
        }

        impl $connection {
            pub(in $crate::graphql) fn from_page(
                page: services::Page<$model>,
                total_count: Option<u64>,
            ) -> Self {
                use $crate::graphql::page::{PageInfo, encode_cursor};
                let id: fn(&$model) -> uuid::Uuid = $id;
                let page_info = PageInfo::from_page(&page, |model| encode_cursor(id(model)));
                let nodes = page.items.iter().cloned().map($node::from).collect();
                let edge = |model: $model| $edge { cursor: encode_cursor(id(&model)), node: model.into() };
                Self { edges: page.items.into_iter().map(edge).collect(), nodes, page_info, total_count }
            }
        }
    };
}
pub(super) use connection;

#[cfg(test)]
mod tests {
    use super::*;

    fn page(first: Option<u64>, last: Option<u64>, after: Option<u128>, before: Option<u128>) -> Page<u128> {
        let args =
            PageArgs { first, last, after: after.map(Uuid::from_u128), before: before.map(Uuid::from_u128) };
        paginate((1..=5).collect(), |n| Uuid::from_u128(*n), args).unwrap()
    }

    #[test]
    fn a_cursor_comes_back_as_the_id_it_was_made_of() {
        let id = Uuid::from_u128(7);
        assert_eq!(parse_page_args(Some(3), None, Some(encode_cursor(id)), None).unwrap().after, Some(id));
        assert!(parse_page_args(None, None, Some("bkg_1".to_owned()), None).is_err());
    }

    #[test]
    fn a_slice_knows_what_lies_on_both_sides() {
        let whole = page(None, None, None, None);
        assert_eq!((whole.items.len(), whole.has_previous, whole.has_next), (5, false, false));
        let middle = page(Some(2), None, Some(2), None);
        assert_eq!((middle.items, middle.has_previous, middle.has_next), (vec![3, 4], true, true));
        let last = page(None, Some(2), None, None);
        assert_eq!((last.items, last.has_previous, last.has_next), (vec![4, 5], true, false));
        let before = page(None, Some(2), None, Some(4));
        assert_eq!((before.items, before.has_previous, before.has_next), (vec![2, 3], true, true));
        assert!(page(Some(5), None, Some(5), None).items.is_empty());
    }

    #[test]
    fn a_page_of_a_slice_holds_one_to_a_hundred() {
        for first in [0, 101] {
            let args = PageArgs { first: Some(first), ..PageArgs::default() };
            assert!(paginate(vec![1_u128], |n| Uuid::from_u128(*n), args).is_err(), "{first}");
        }
    }
}

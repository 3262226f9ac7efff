//! Pages of lists: arguments and results.

use sea_orm::{ColumnTrait, EntityTrait, ModelTrait, QueryFilter, QueryOrder, QuerySelect, Select};
use uuid::Uuid;

use crate::{Error, Refusal, Result};

/// Number of items on a page if the caller does not specify a size.
pub const DEFAULT_PAGE_SIZE: u64 = 50;

/// Selects a page of a list, by the ids that its cursors represent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PageArgs {
    /// Number of items from the start, 1 to 100; defaults to [`DEFAULT_PAGE_SIZE`] if neither `first` nor `last` is
    /// given.
    pub first: Option<u64>,
    /// Number of items from the end, 1 to 100; not together with `first`.
    pub last: Option<u64>,
    /// Return only items after this id.
    pub after: Option<Uuid>,
    /// Return only items before this id.
    pub before: Option<Uuid>,
}

/// One page of a list, in the order of the ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items of the page, at most 100, in the order of the ids.
    pub items: Vec<T>,
    /// Whether items follow the last item.
    pub has_next: bool,
    /// Whether items precede the first item.
    pub has_previous: bool,
}

impl<T> Page<T> {
    /// Converts the items of the page.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(f).collect(),
            has_next: self.has_next,
            has_previous: self.has_previous,
        }
    }
}

impl PageArgs {
    /// The size of the page, and whether the page is taken from the end of the list.
    fn size(self) -> Result<(u64, bool)> {
        let (size, backwards) = match (self.first, self.last) {
            (Some(_), Some(_)) => {
                return Err(Error::refuse("PAGE_AMBIGUOUS", "Specify either first or last, not both."));
            }
            (None, Some(last)) => (last, true),
            (first, None) => (first.unwrap_or(DEFAULT_PAGE_SIZE), false),
        };
        if (1..=100).contains(&size) {
            return Ok((size, backwards));
        }
        Err(Refusal::new("PAGE_SIZE", "A page has 1 to 100 items.").exceeding(100_u64, size).into())
    }
}

/// Reads one page of a query, ordered by `id`.
pub(crate) async fn read_page<E, C>(
    select: Select<E>,
    id: C,
    args: PageArgs,
    conn: &impl sea_orm::ConnectionTrait,
) -> Result<Page<E::Model>>
where
    E: EntityTrait,
    E::Model: ModelTrait + Send + Sync,
    C: ColumnTrait,
{
    read_page_by(select, id, (args.after, args.before), args, conn).await
}

/// Reads one page of a query, ordered by a column and limited to a range of its values.
pub(crate) async fn read_page_by<E, C, V>(
    select: Select<E>,
    id: C,
    (after, before): (Option<V>, Option<V>),
    args: PageArgs,
    conn: &impl sea_orm::ConnectionTrait,
) -> Result<Page<E::Model>>
where
    E: EntityTrait,
    E::Model: ModelTrait + Send + Sync,
    C: ColumnTrait,
    V: Into<sea_orm::Value>,
{
    let (size, backwards) = args.size()?;
    let mut select = select;
    if let Some(after) = after {
        select = select.filter(id.gt(after));
    }
    if let Some(before) = before {
        select = select.filter(id.lt(before));
    }
    select = if backwards { select.order_by_desc(id) } else { select.order_by_asc(id) };
    let mut items = select.limit(size + 1).all(conn).await?;
    let more = items.len() as u64 > size;
    items.truncate(size as usize);
    if backwards {
        items.reverse();
        return Ok(Page { items, has_next: args.before.is_some(), has_previous: more });
    }
    Ok(Page { items, has_next: more, has_previous: args.after.is_some() })
}

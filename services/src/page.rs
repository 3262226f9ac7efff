//! Pages of a list: what is asked for, and what is answered.

use sea_orm::{ColumnTrait, EntityTrait, ModelTrait, QueryFilter, QueryOrder, QuerySelect, Select};
use uuid::Uuid;

use crate::{Error, Refusal, Result};

/// Which part of a list is wanted, by the ids that its cursors stand for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PageArgs {
    /// The first so many, 1 to 100.
    pub first: Option<u64>,
    /// The last so many, 1 to 100.
    pub last: Option<u64>,
    /// Only what comes after this id.
    pub after: Option<Uuid>,
    /// Only what comes before this id.
    pub before: Option<Uuid>,
}

/// One page of a list, in the order of the ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The members.
    pub items: Vec<T>,
    /// Whether there is more behind the last member.
    pub has_next: bool,
    /// Whether there is more before the first member.
    pub has_previous: bool,
}

impl<T> Page<T> {
    /// The same page of something else.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(f).collect(),
            has_next: self.has_next,
            has_previous: self.has_previous,
        }
    }
}

impl PageArgs {
    /// The size of the page and whether it is counted from the end.
    fn size(self) -> Result<(u64, bool)> {
        let (size, backwards) = match (self.first, self.last) {
            (Some(_), Some(_)) => {
                return Err(Error::refuse(
                    "PAGE_AMBIGUOUS",
                    "Ask for the first or for the last, not for both.",
                ));
            }
            (None, Some(last)) => (last, true),
            (first, None) => (first.unwrap_or(50), false),
        };
        if (1..=100).contains(&size) {
            return Ok((size, backwards));
        }
        Err(Refusal::new("PAGE_SIZE", "A page holds 1 to 100 members.").exceeding(100_u64, size).into())
    }
}

/// Reads one page of a selection, ordered by `id`.
pub(crate) async fn read<E, C>(
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
    read_by(select, id, (args.after, args.before), args, conn).await
}

/// Reads one page of a selection, ordered by a column and bounded by two of its values.
pub(crate) async fn read_by<E, C, V>(
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

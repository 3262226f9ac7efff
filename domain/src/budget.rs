//! Limits the work spent on parsing data from a provider.
//!
//! Anybody who can add an event to a calendar controls its content, so the work for parsing one item must be limited.
//! Work is counted in steps of about the same size (a line parsed, a day examined) where it is done, because a busy
//! thread cannot be stopped from outside. An item that exceeds its budget is marked as unreadable and counts as busy.

/// Budget of parsing steps, shared by the items of one provider response.
#[derive(Debug, Clone)]
pub struct ParseBudget {
    shared: u64,
    item: u64,
    spent: u64,
}

impl ParseBudget {
    /// Number of parsing steps that the items of one response share, in addition to the steps reserved for each item.
    const SHARED: u64 = 1_000_000;
    /// Maximum number of parsing steps for one item of a response.
    const ITEM: u64 = 250_000;
    /// Parsing steps reserved for each item, so that a few costly items do not use up the budget of the others: enough
    /// for one day in each week of two years.
    const OWN: u64 = 200;

    /// Creates the full budget for one provider response.
    pub const fn for_provider_response() -> Self {
        Self { shared: Self::SHARED, item: 0, spent: 0 }
    }

    /// Starts the budget of the next item.
    pub const fn start_item(&mut self) {
        self.item = 0;
    }

    /// Spends parsing steps; returns `false` if too few are left, in which case the item must be abandoned.
    pub const fn spend(&mut self, steps: u64) -> bool {
        let item = self.item.saturating_add(steps);
        let beyond = item.saturating_sub(Self::OWN).saturating_sub(self.item.saturating_sub(Self::OWN));
        if item > Self::ITEM || beyond > self.shared {
            return false;
        }
        self.item = item;
        self.shared -= beyond;
        self.spent += steps;
        true
    }

    /// Parsing steps spent so far, over all items of the response.
    pub const fn spent(&self) -> u64 {
        self.spent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_item_ends_at_its_own_bound() {
        let mut budget = ParseBudget::for_provider_response();
        assert!(budget.spend(ParseBudget::ITEM));
        assert!(!budget.spend(1));
        budget.start_item();
        assert!(budget.spend(1));
        assert_eq!(budget.spent(), ParseBudget::ITEM + 1);
    }

    #[test]
    fn costly_items_leave_every_other_one_its_own_steps() {
        let mut budget = ParseBudget::for_provider_response();
        for _ in 0..10 {
            budget.start_item();
            while budget.spend(1_000) {}
        }
        budget.start_item();
        assert!(!budget.spend(ParseBudget::ITEM), "what is shared has been used");
        assert!(budget.spend(ParseBudget::OWN), "what is its own has not");
        assert!(!budget.spend(ParseBudget::OWN));
    }
}

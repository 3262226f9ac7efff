//! The parts of a mixed redirect.

use providers::{
    google::{OWN_CONSENTED_PATH as GOOGLE_OWN_CONSENTED_PATH, SIGNED_IN_PATH as GOOGLE_SIGNED_IN_PATH},
    microsoft::{CONSENTED_PATH, OWN_CONSENTED_PATH, SIGNED_IN_PATH},
};

use super::flows::Flow;

/// The attempt to which a part of a redirect belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The attempt under test.
    Own,
    /// Another attempt of the same tenant, in another browser.
    Colleagues,
    /// An attempt of another tenant.
    Strangers,
    /// A value that was used before.
    Used,
    /// The part is missing.
    Nobodys,
    /// A value that was never issued.
    MadeUp,
    /// The part twice: first of the attempt under test, second of the other tenant's attempt.
    OwnThenStrangers,
    /// The part twice: first of the other tenant's attempt, second of the attempt under test.
    StrangersThenOwn,
}

use Whose::{Colleagues, MadeUp, Nobodys, Own, OwnThenStrangers, Strangers, StrangersThenOwn, Used};

/// A redirect, described by the attempt to which each part belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variant {
    pub cookie: Whose,
    pub state: Whose,
    /// The code or, for an organisation's consent, the organisation.
    pub proof: Whose,
    /// The person who signed in at the provider.
    pub account: Whose,
    pub path: &'static str,
}

/// Every path to which a provider redirects a browser.
pub const PATHS: [&str; 5] =
    [SIGNED_IN_PATH, CONSENTED_PATH, OWN_CONSENTED_PATH, GOOGLE_SIGNED_IN_PATH, GOOGLE_OWN_CONSENTED_PATH];

const COOKIES: [Whose; 6] = [Own, Colleagues, Strangers, Nobodys, MadeUp, StrangersThenOwn];
const PARTS: [Whose; 8] =
    [Own, Colleagues, Strangers, Used, Nobodys, MadeUp, OwnThenStrangers, StrangersThenOwn];

impl Variant {
    /// Whether all parts belong to one attempt, so that the redirect must be accepted.
    fn is_whole(self, flow: Flow) -> bool {
        let one = [Own, Colleagues, Strangers].contains(&self.cookie);
        // Colleagues connect the same organisation.
        let is_same = flow == Flow::Consent && self.cookie == Colleagues && self.proof == Own;
        one && self.state == self.cookie
            && (self.proof == self.cookie || is_same)
            && self.account == Own
            && self.path == flow.path()
    }
}

/// All variants of a flow, each of which must be refused.
pub fn all(flow: Flow) -> Vec<Variant> {
    let mut variants = Vec::new();
    for cookie in COOKIES {
        for state in PARTS {
            for proof in PARTS {
                let variant = Variant { cookie, state, proof, account: Own, path: flow.path() };
                variants.push(variant);
            }
        }
    }
    // Redirects that are complete except that another person signed in, and complete redirects at other paths.
    for cookie in [Own, Colleagues, Strangers] {
        let whole = Variant { cookie, state: cookie, proof: cookie, account: Own, path: flow.path() };
        variants.extend(flow.accounts().iter().map(|account| Variant { account: *account, ..whole }));
        variants.extend(PATHS.map(|path| Variant { path, ..whole }));
    }
    variants.retain(|variant| !variant.is_whole(flow));
    variants
}

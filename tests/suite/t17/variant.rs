//! What a mixed answer is made of.

use services::connect::{CONSENTED, GOOGLE_OWN_CONSENTED, GOOGLE_SIGNED_IN, OWN_CONSENTED, SIGNED_IN};

use super::flows::Flow;

/// Whose a part of an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The attempt's itself.
    Own,
    /// Another attempt's of the same tenant, in another browser.
    Colleagues,
    /// Another tenant's.
    Strangers,
    /// One that was used.
    Used,
    /// None.
    Nobodys,
    /// One that nobody ever made.
    MadeUp,
    /// The attempt's itself, and then the stranger's.
    OwnThenStrangers,
    /// The stranger's, and then the attempt's itself.
    StrangersThenOwn,
}

use Whose::{Colleagues, MadeUp, Nobodys, Own, OwnThenStrangers, Strangers, StrangersThenOwn, Used};

/// An answer, by whose its parts are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variant {
    pub cookie: Whose,
    pub state: Whose,
    /// The code, or at an organisation's consent the organisation.
    pub proof: Whose,
    /// Who signed in at the provider.
    pub account: Whose,
    pub path: &'static str,
}

/// Every path to which a provider sends a browser back.
pub const PATHS: [&str; 5] = [SIGNED_IN, CONSENTED, OWN_CONSENTED, GOOGLE_SIGNED_IN, GOOGLE_OWN_CONSENTED];

const COOKIES: [Whose; 6] = [Own, Colleagues, Strangers, Nobodys, MadeUp, StrangersThenOwn];
const PARTS: [Whose; 8] =
    [Own, Colleagues, Strangers, Used, Nobodys, MadeUp, OwnThenStrangers, StrangersThenOwn];

impl Variant {
    /// Whether its parts belong together: the answer of one attempt as it is.
    fn is_whole(self, flow: Flow) -> bool {
        let one = [Own, Colleagues, Strangers].contains(&self.cookie);
        // A colleague's organisation is the same.
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
    // Somebody else signs in, everything else as it should be; and whole answers at other paths.
    for cookie in [Own, Colleagues, Strangers] {
        let whole = Variant { cookie, state: cookie, proof: cookie, account: Own, path: flow.path() };
        variants.extend(flow.accounts().iter().map(|account| Variant { account: *account, ..whole }));
        variants.extend(PATHS.map(|path| Variant { path, ..whole }));
    }
    variants.retain(|variant| !variant.is_whole(flow));
    variants
}

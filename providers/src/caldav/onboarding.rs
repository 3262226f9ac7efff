//! Connecting: a login on a server of the customer's.

use super::CalDav;
use crate::{ConsentShape, Onboarding};

impl Onboarding for CalDav {
    fn consent_shape(&self) -> ConsentShape {
        ConsentShape::Login { finds_server: false }
    }
}

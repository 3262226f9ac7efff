//! Connecting with a login on the customer's own server.

use super::CalDav;
use crate::{ConsentShape, Onboarding};

impl Onboarding for CalDav {
    fn consent_shape(&self) -> ConsentShape {
        ConsentShape::Login { finds_server: false }
    }
}

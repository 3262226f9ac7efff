//! T16: sign-in by an external OpenID issuer, end to end with the real npm `oidc-provider`, and attacks on it: against
//! that provider, and by an issuer that answers whatever an attacker likes. Nothing is accepted, nothing is bound, and
//! every refusal has a code.

mod bearer;
mod bearer_cases;
mod end_to_end;
pub mod evil;
mod exchange;
pub mod forge;
mod pages;
mod pages_cases;
mod provider;
mod real;
mod registration;
mod rotation;
mod scene;
mod visitor;

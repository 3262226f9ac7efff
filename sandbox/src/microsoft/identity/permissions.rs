//! The permissions that the sandbox supports, and the scopes by which clients request them.

use std::collections::BTreeSet;

use super::failure::Failure;

/// The resource that all permissions belong to.
pub const GRAPH_RESOURCE: &str = "https://graph.microsoft.com";

/// The application permissions of an application registered without a list.
pub const DEFAULT_PERMISSIONS: [&str; 4] =
    ["Calendars.ReadWrite", "User.Read.All", "Place.Read.All", "MailboxSettings.Read"];

/// Name, whether only administrators may grant it as a delegated permission, and the text of consent pages.
const KNOWN: [(&str, bool, &str); 16] = [
    ("openid", false, "Sign you in"),
    ("profile", false, "View your basic profile"),
    ("email", false, "View your e-mail address"),
    ("offline_access", false, "Keep the access that you give it"),
    ("User.Read", false, "Sign in and read your profile"),
    ("User.Read.All", true, "Read everybody's profile"),
    ("Directory.Read.All", true, "Read the directory"),
    ("Organization.Read.All", true, "Read information about the organisation"),
    ("RoleManagement.Read.Directory", true, "Read who holds which role"),
    ("Place.Read.All", true, "Read all rooms"),
    ("MailboxSettings.Read", false, "Read mailbox settings"),
    ("Calendars.ReadBasic", false, "Read times of calendars"),
    ("Calendars.ReadBasic.All", true, "Read times of all calendars"),
    ("Calendars.Read", false, "Read calendars"),
    ("Calendars.ReadWrite", false, "Read and write calendars"),
    ("Calendars.ReadWrite.Shared", false, "Read and write calendars that are shared"),
];

/// Human-readable description of a permission.
pub fn describe_permission(name: &str) -> &'static str {
    KNOWN.iter().find(|known| known.0 == name).map_or("Something the sandbox does not know", |known| known.2)
}

/// Whether only an administrator may grant the permission.
pub fn needs_admin_consent(name: &str) -> bool {
    KNOWN.iter().any(|known| known.0 == name && known.1)
}

/// Whether the name is a scope of OpenID Connect and not a permission.
pub fn is_openid(name: &str) -> bool {
    matches!(name, "openid" | "profile" | "email" | "offline_access")
}

/// The permissions that a `scope` parameter requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestedScopes {
    /// All permissions with which the application is configured (`.default`).
    Default,
    /// The permissions named one by one.
    These(BTreeSet<String>),
}

/// Parses a `scope` parameter.
pub fn parse_scope(scope: &str) -> Result<RequestedScopes, Failure> {
    let mut names = BTreeSet::new();
    let mut default = false;
    for part in scope.split_whitespace() {
        let name = part.strip_prefix(GRAPH_RESOURCE).and_then(|rest| rest.strip_prefix('/')).unwrap_or(part);
        if name == ".default" {
            default = true;
        } else if KNOWN.iter().any(|known| known.0 == name) {
            names.insert(name.to_owned());
        } else {
            return Err(Failure::new(
                70011,
                format!(
                    "The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid. The scope {part} is not valid."
                ),
            ));
        }
    }
    match (default, names.iter().all(|name| is_openid(name))) {
        (true, true) => Ok(RequestedScopes::Default),
        (true, false) => {
            Err(Failure::new(70011, ".default scope can't be combined with resource-specific scopes."))
        }
        (false, _) if names.is_empty() => Err(Failure::missing_parameter("scope")),
        (false, _) => Ok(RequestedScopes::These(names)),
    }
}

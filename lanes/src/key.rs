//! Keys of rate limits; each key begins with the owner of the limit.

use std::net::IpAddr;

use domain::{AnyId, Id, ProviderKind, ids};

/// The key of a rate limit. It always begins with the owner of the limit, so that a limit is shared only by callers who
/// have proven ownership, and not by anybody who merely enters the same server, account or organisation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(String);

impl Key {
    /// The key of a limit that applies to one integration. Used until the organisation is verified, and for customers'
    /// own servers.
    pub fn of_integration(tenant: Id<ids::Tenant>, integration: Id<ids::Integration>) -> Self {
        Self(format!("tenant/{}/integration/{}", tenant.uuid().simple(), integration.uuid().simple()))
    }

    /// The key of a limit that applies to an organisation at its provider. The caller must have read the organisation's
    /// binding, which proves that the organisation belongs to exactly one tenant.
    pub fn of_organisation(provider: ProviderKind, organisation: &str) -> Self {
        Self(format!("organisation/{}/{}", plain(provider.as_str()), plain(organisation)))
    }

    /// The key of the quota for the requests of a tenant to Muster.
    pub fn of_tenant(tenant: Id<ids::Tenant>) -> Self {
        Self(format!("tenant/{}", tenant.uuid().simple()))
    }

    /// The key of the quota of an authenticated user or vendor key, within one tenant or without a tenant.
    pub fn of_caller(tenant: Option<Id<ids::Tenant>>, caller: AnyId) -> Self {
        let tenant = tenant.map_or_else(String::new, |tenant| tenant.uuid().simple().to_string());
        Self(format!("caller/{tenant}/{}", caller.uuid().simple()))
    }

    /// The key of the quota of unauthenticated requests from an IP address.
    pub fn of_ip_address(address: IpAddr) -> Self {
        Self(format!("address/{}", plain(&address.to_string())))
    }

    /// The key of a sub-limit of this limit, such as for one mailbox. The name, which anybody could have entered, is
    /// appended to the owner's key.
    #[must_use]
    pub fn with_sub_limit(&self, kind: &'static str, name: &str) -> Self {
        Self(format!("{}/{kind}/{}", self.0, plain(&name.to_lowercase())))
    }

    /// The key as stored in Redis.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Escapes all characters that have a special meaning in a key or in Redis.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'@' => {
                plain.push(char::from(byte));
            }
            other => plain.extend(format!("%{other:02x}").chars()),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn organisation(id: &str) -> Key {
        Key::of_organisation(ProviderKind::Microsoft365, id)
    }

    #[test]
    fn a_key_begins_with_its_owner() {
        let (tenant, integration) = (Id::from_uuid(Uuid::from_u128(1)), Id::from_uuid(Uuid::from_u128(2)));
        let key = Key::of_integration(tenant, integration);
        assert_eq!(
            key.with_sub_limit("mailbox", "Ada@acme.example").as_str(),
            "tenant/00000000000000000000000000000001/integration/00000000000000000000000000000002\
             /mailbox/ada@acme.example"
        );
        assert_eq!(organisation("9188").as_str(), "organisation/MICROSOFT_365/9188");
    }

    #[test]
    fn no_name_of_a_part_leads_to_another_key() {
        let key = Key::of_integration(Id::nil(), Id::nil());
        let names = ["a", "a/mailbox/b", "a}", "{a", "a%2f", "a/", "", "ä", "a\0", "a:places", "../a", "a b"];
        let mut keys: Vec<Key> = names.iter().map(|name| key.with_sub_limit("mailbox", name)).collect();
        keys.extend([
            key.with_sub_limit("mailbox", "a").with_sub_limit("mailbox", "b"),
            key.clone(),
            organisation("a"),
        ]);
        keys.extend([organisation("a/mailbox/b"), organisation("a").with_sub_limit("mailbox", "b")]);
        let count = keys.len();
        for key in &keys {
            let is_plain = |c: char| c.is_ascii_alphanumeric() || "./-_@%".contains(c);
            assert!(key.as_str().chars().all(is_plain), "{key:?}");
        }
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), count);
    }
}

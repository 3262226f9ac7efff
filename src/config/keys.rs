//! The master keys of the configuration.

use std::collections::BTreeSet;

use domain::Ids;
use secrecy::{ExposeSecret, SecretString};
use services::Vault;

/// Rejects malformed, non-random and duplicate keys.
pub(super) fn check(present: &SecretString, former: &[SecretString]) -> Result<(), &'static str> {
    let key = read(present).ok_or("master_key must be 64 hexadecimal digits (32 random bytes).")?;
    let mut seen = BTreeSet::from([key]);
    for key in former {
        let key = read(key);
        let key = key.ok_or("Each of former_master_keys must be 64 hexadecimal digits (32 random bytes).")?;
        if !seen.insert(key) {
            return Err("The same key appears twice in master_key and former_master_keys.");
        }
    }
    match seen.iter().all(is_random) {
        true => Ok(()),
        false => Err("A master key is not random. Make one with: openssl rand -hex 32"),
    }
}

/// Creates the vault with these keys, which have already been validated.
pub(super) fn vault(
    present: &SecretString,
    former: &[SecretString],
    ids: Ids,
) -> Result<Vault, &'static str> {
    let malformed = "A master key is malformed.";
    let former: Option<Vec<[u8; 32]>> = former.iter().map(read).collect();
    Ok(Vault::with_former(read(present).ok_or(malformed)?, &former.ok_or(malformed)?, ids))
}

fn read(key: &SecretString) -> Option<[u8; 32]> {
    let text = key.expose_secret();
    let mut key = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (index, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[index * 2..index * 2 + 2], 16).ok()?;
    }
    Some(key)
}

/// Whether a key looks random. Fewer than one in 10^13 random keys has fewer than 16 different bytes or constant
/// differences; keys that people type often do.
fn is_random(key: &[u8; 32]) -> bool {
    let values: BTreeSet<u8> = key.iter().copied().collect();
    let step = key[1].wrapping_sub(key[0]);
    values.len() >= 16 && key.windows(2).any(|pair| pair[1].wrapping_sub(pair[0]) != step)
}

//! URLs of resources.

use url::Url;

use crate::{Error, ErrorKind, Remedy, Result, messages};

/// A URL below `base`; each part becomes one percent-encoded segment.
pub(crate) fn url_below(base: &Url, parts: &[&str]) -> Result<Url> {
    let malformed = || {
        Error::new(
            ErrorKind::Invalid,
            Remedy::Never,
            "MALFORMED_ADDRESS",
            messages::malformed_address_or_id(),
        )
    };
    // Dot segments would be removed, and the request would address a different resource.
    if parts.iter().any(|part| part.is_empty() || part.chars().all(|c| c == '.')) {
        return Err(malformed());
    }
    let mut url = base.clone();
    url.path_segments_mut().map_err(|()| malformed())?.pop_if_empty().extend(parts);
    Ok(url)
}

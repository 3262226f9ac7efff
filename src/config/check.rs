//! Combinations of settings with which a node does not start.

use super::{Config, Error, Microsoft, Role, database_url, keys};

impl Config {
    /// Rejects invalid combinations of settings.
    pub fn check(&self) -> Result<(), Error> {
        let sqlite = self.database_url.starts_with("sqlite:");
        let memory = self.queue_url == "memory:";
        let whole = self.roles.contains(&Role::Api) && self.roles.contains(&Role::Worker);
        if self.roles.is_empty() {
            return Err(Error::Impossible("Give the node at least one role: api, worker, or both."));
        }
        if sqlite && !memory {
            return Err(Error::Impossible(
                "An SQLite database belongs to one process: use queue_url = \"memory:\" with it, or PostgreSQL with Redis.",
            ));
        }
        if memory && !whole {
            return Err(Error::Impossible(
                "Without Redis a node must have both roles, api and worker: no other node receives its hints.",
            ));
        }
        let urls = [
            ("database_url", Some(&self.database_url)),
            ("engine_database_url", self.engine_database_url.as_ref()),
            ("migration_url", self.migration_url.as_ref()),
        ];
        for (key, url) in urls {
            url.map_or(Ok(()), |url| database_url::check(key, url))?;
        }
        keys::check(&self.master_key, &self.former_master_keys).map_err(Error::Impossible)?;
        let kept = [self.keep_runs_days, self.keep_failed_runs_days, self.keep_events_days];
        if kept.iter().any(|days| *days < 2) {
            return Err(Error::Impossible(
                "Keep runs and events for at least two days: repeated requests need them for one day.",
            ));
        }
        let none = self.requests_at_once == 0 || self.connections_per_address == 0;
        if !self.rate_limits.refills() || none {
            return Err(Error::Impossible(
                "A rate limit needs at least one second, requests_at_once at least one request, and \
                 connections_per_address at least one connection.",
            ));
        }
        if self.only_documents && self.documents_file.is_none() {
            return Err(Error::Impossible("only_documents needs a documents_file: nothing would run."));
        }
        if !self.allowed_hosts.iter().all(|host| is_canonical_host(host)) {
            return Err(Error::Impossible(
                "allowed_hosts takes host names and IP addresses in their usual form, without a scheme, brackets or a port.",
            ));
        }
        if !self.allowed_origins.iter().all(|origin| is_origin(origin)) {
            return Err(Error::Impossible(
                "allowed_origins takes origins such as https://app.example.com: scheme, host and port, in lower case and \
                 without a path.",
            ));
        }
        let is_loopback = match self.public_url.host() {
            Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        if self.public_url.scheme() != "https" && !(self.public_url.scheme() == "http" && is_loopback) {
            return Err(Error::Impossible("public_url must begin with https:// (or http:// on loopback)."));
        }
        if let Some(google) = &self.google {
            google.check().map_err(Error::Impossible)?;
        }
        match &self.microsoft {
            Some(Microsoft { client_secret: None, certificate_file: None, .. }) => Err(Error::Impossible(
                "Microsoft needs a credential: microsoft.client_secret, or certificate_file and private_key_file.",
            )),
            _ => Ok(()),
        }
    }
}

/// Whether an origin is written as browsers send it.
fn is_origin(text: &str) -> bool {
    let origin = url::Url::parse(text).map(|url| url.origin());
    origin.is_ok_and(|origin| origin.is_tuple() && origin.ascii_serialization() == text)
}

/// Whether a host is written as it stands in a URL, where it is looked for; IPv6 addresses without brackets.
fn is_canonical_host(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    match host.parse::<std::net::Ipv6Addr>() {
        Ok(address) => address.to_string() == host,
        Err(_) => {
            url::Host::parse(&host).is_ok_and(|parsed| parsed.to_string() == host && !host.contains('['))
        }
    }
}

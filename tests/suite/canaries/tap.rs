//! A record of the traffic between the server and a provider.

use std::sync::{Arc, Mutex};

use url::Url;

use crate::harness::proxy;

/// The recorded traffic, one text for each direction of each connection.
#[derive(Debug, Clone, Default)]
pub struct Tap(Arc<Mutex<Vec<Vec<u8>>>>);

impl Tap {
    /// Listens in front of a server; returns the address to call instead.
    pub fn before(&self, server: &Url) -> Url {
        let tap = self.clone();
        let at = proxy::start(server.socket_addrs(|| None).unwrap()[0], move |_| {
            let own = tap.0.lock().unwrap().len();
            tap.0.lock().unwrap().push(Vec::new());
            let tap = tap.clone();
            Box::new(move |bytes| tap.0.lock().unwrap()[own].extend_from_slice(bytes))
        });
        format!("http://{at}/").parse().unwrap()
    }

    /// All recorded traffic.
    pub fn said(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap().join(&b'\n')).into_owned()
    }
}

//! A proxy between the server and a provider that records the traffic.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

use url::Url;

/// The recorded traffic, one text for each direction of each connection.
#[derive(Debug, Clone, Default)]
pub struct Tap(Arc<Mutex<Vec<Vec<u8>>>>);

impl Tap {
    /// Listens in front of a server; returns the address to call instead. The threads end with their connections, and
    /// the listener with the process.
    pub fn before(&self, server: &Url) -> Url {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let target = server.socket_addrs(|| None).unwrap()[0];
        let tap = self.clone();
        std::thread::spawn(move || {
            for inwards in listener.incoming().map_while(Result::ok) {
                let Ok(outwards) = TcpStream::connect(target) else { continue };
                for (from, to) in [(&inwards, &outwards), (&outwards, &inwards)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let tap = tap.clone();
                    std::thread::spawn(move || tap.copy(from, to));
                }
            }
        });
        at
    }

    fn copy(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut buffer = vec![0; 64 * 1024];
        let own = {
            let mut all = self.0.lock().unwrap();
            all.push(Vec::new());
            all.len() - 1
        };
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            self.0.lock().unwrap()[own].extend_from_slice(&buffer[..count]);
            if to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    }

    /// All recorded traffic.
    pub fn said(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap().join(&b'\n')).into_owned()
    }
}

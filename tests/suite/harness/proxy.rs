//! A TCP proxy whose traffic a test can watch or hold back.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
};

/// One direction of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    ToServer,
    ToClient,
}

/// Sees bytes before they are passed on.
pub type Observer = Box<dyn FnMut(&[u8]) + Send>;

/// Listens in front of a server and returns the address to connect to instead. `observe` makes one observer for each
/// direction of each connection. The threads end with their connections, and the listener with the process.
pub fn start(server: SocketAddr, observe: impl Fn(Direction) -> Observer + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let Ok(server) = TcpStream::connect(server) else { continue };
            for (from, to, direction) in
                [(&client, &server, Direction::ToServer), (&server, &client, Direction::ToClient)]
            {
                let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                let observer = observe(direction);
                std::thread::spawn(move || copy(from, to, observer));
            }
        }
    });
    address
}

fn copy(mut from: TcpStream, mut to: TcpStream, mut observer: Observer) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        observer(&buffer[..count]);
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

//! The ports of a development server: one for itself, the next one for the sandbox.

use std::{io, net::TcpListener};

use crate::app::Error;

/// The first port that is tried if none was given.
const FIRST: u16 = 4000;
/// How many pairs of ports are tried.
const PAIRS: u16 = 100;

/// A bound port for the server, and a free one for the sandbox; 0 stands for any.
pub(super) type Ports = (TcpListener, u16);

/// Binds a port. Without a choice, the first free pair from 4000 on; 0 selects any. A port that was chosen and is taken,
/// or whose next one is, is named in the error.
pub(super) fn bind(chosen: Option<u16>) -> Result<Ports, Error> {
    match chosen {
        Some(0) => Ok((listen(0)?, 0)),
        Some(port) => pair(port),
        None => {
            let mut first = None;
            for port in (FIRST..).step_by(2).take(PAIRS.into()) {
                match pair(port) {
                    Ok(ports) => return Ok(ports),
                    Err(error) => drop(first.get_or_insert(error)),
                }
            }
            Err(first.unwrap_or_else(|| Error::Dev("No free port was found.".to_owned())))
        }
    }
}

fn pair(port: u16) -> Result<Ports, Error> {
    let listener = listen(port).map_err(|error| taken(port, "the server", &error))?;
    let next = port.checked_add(1).ok_or_else(|| {
        Error::Dev(format!(
            "The sandbox needs the port after {port}, and there is none. Choose a lower --port."
        ))
    })?;
    drop(listen(next).map_err(|error| taken(next, "the sandbox", &error))?);
    Ok((listener, next))
}

fn listen(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind(("127.0.0.1", port))
}

fn taken(port: u16, whose: &str, error: &io::Error) -> Error {
    if error.kind() == io::ErrorKind::AddrInUse {
        return Error::Dev(format!(
            "Port {port}, which {whose} needs, is used by another program. Choose another one with --port."
        ));
    }
    Error::Dev(format!("Port {port}, which {whose} needs, cannot be opened: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_was_chosen_and_is_taken_is_named() {
        let other = listen(0).unwrap();
        let port = other.local_addr().unwrap().port();
        let error = bind(Some(port)).unwrap_err().to_string();
        assert!(error.contains(&format!("Port {port}, which the server needs")), "{error}");
        let error = bind(Some(port - 1)).unwrap_err().to_string();
        assert!(error.contains(&format!("Port {port}, which the sandbox needs")), "{error}");
        let error = bind(Some(u16::MAX)).unwrap_err().to_string();
        assert!(error.contains("lower --port"), "{error}");
    }

    #[test]
    fn without_a_choice_free_ports_are_found() {
        let (first, next) = bind(None).unwrap();
        let port = first.local_addr().unwrap().port();
        assert_eq!(next, port + 1);
        let (second, _) = bind(None).unwrap();
        assert_ne!(second.local_addr().unwrap().port(), port, "it is taken now");
    }
}

//! Closes connections whose client is too slow in sending the head of a request.
//!
//! actix can limit the time for the first head of a connection, and the silence after a response, to about half a
//! second; but its timers end with the first byte of the next head, so that half a head would keep its connection open
//! for ever. Therefore its timers are switched off, and this stream ends when no request is in progress and the client
//! is late: actix then reads the end of the stream and closes the connection.
//!
//! Nor does actix limit how long a client may leave a response or WebSocket message unread; the stream fails when the
//! client reads less than a minimum number of bytes in a configured time. And actix limits the connections of a node,
//! not those of one IP address.
//!
//! actix reads the rest of a refused body for a while, so that the client can read the response. A client that sends
//! fast enough would keep the connection and its thread busy with that, so the stream ends when much more arrives than
//! a head.

use std::{
    cell::{Cell, RefCell},
    future::Future as _,
    io,
    net::IpAddr,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

use crate::holder_counts::CountGuard;

/// Maximum number of bytes that may arrive while no request is in progress: a head, or the rest of a refused body.
const BETWEEN_REQUESTS: usize = 512 * 1024;

/// Activity of a connection, shared by its stream and its requests.
#[derive(Debug, Default)]
pub(crate) struct ConnectionActivity {
    requests: Cell<usize>,
    /// A request has ended and the stream has not noticed yet.
    has_ended: Cell<bool>,
    is_upgraded: Cell<bool>,
    /// Counts towards the connections of the client address until the connection is upgraded or closed.
    connection_count: RefCell<Option<CountGuard<IpAddr>>>,
}

impl ConnectionActivity {
    /// Marks a request as in progress until the returned guard is dropped.
    pub(crate) fn begin_request(self: &Rc<Self>) -> RequestGuard {
        self.requests.set(self.requests.get() + 1);
        RequestGuard(Rc::clone(self))
    }

    /// Marks the connection as upgraded to another protocol, which has its own limits.
    pub(crate) fn mark_upgraded(&self) {
        self.is_upgraded.set(true);
        self.connection_count.take();
    }

    /// Marks the upgraded protocol as ended: further input counts towards the time limit between two requests.
    pub(crate) fn mark_closed(&self) {
        self.is_upgraded.set(false);
        self.has_ended.set(true);
    }

    fn waits_for_a_head(&self) -> bool {
        self.requests.get() == 0 && !self.is_upgraded.get()
    }
}

/// Guard of a request that is in progress.
#[derive(Debug)]
pub(crate) struct RequestGuard(Rc<ConnectionActivity>);

impl Drop for RequestGuard {
    fn drop(&mut self) {
        self.0.requests.set(self.0.requests.get() - 1);
        self.0.has_ended.set(true);
    }
}

/// Time limits for a client, between two requests and while it reads a response.
#[derive(Debug, Clone, Copy)]
pub(super) struct ClientTimeouts {
    /// Limit from the first byte of a head to its end; for the first head, from the start of the connection.
    pub(super) head: Duration,
    /// Limit from a response to the first byte of the next head.
    pub(super) idle: Duration,
    /// How long a client may read less than `least` bytes of a pending response.
    pub(super) unread: Duration,
    /// Bytes that a client must read within `unread`.
    pub(super) least: usize,
}

/// Measures how fast a client reads the bytes sent to it.
#[derive(Debug, Default)]
struct ReadProgress {
    /// Since when the client has been slower than the server, and the number of bytes read since then.
    behind: Option<(Instant, usize)>,
    /// Whether the next bytes to be sent had to wait for the client.
    has_waited: bool,
}

impl ReadProgress {
    /// Records that the client read some bytes; `all` if nothing is left to send.
    fn record_read(&mut self, bytes: usize, all: bool, least: usize) {
        let had_waited = std::mem::take(&mut self.has_waited);
        if let Some((_, taken)) = &mut self.behind {
            *taken = taken.saturating_add(bytes);
            // Bytes that are accepted at once show that the client keeps up again.
            if *taken >= least || (all && !had_waited) {
                self.behind = None;
            }
        }
    }

    /// Records that the client currently accepts no bytes; returns the time at which it is to be disconnected.
    fn record_wait(&mut self, now: Instant, limit: Duration) -> Instant {
        self.has_waited = true;
        self.behind.get_or_insert((now, 0)).0 + limit
    }
}

/// A stream that ends when its client exceeds a time limit.
pub(super) struct DeadlineStream<T> {
    stream: T,
    activity: Rc<ConnectionActivity>,
    timeouts: ClientTimeouts,
    /// Whether the time limit for the head is running.
    has_begun: bool,
    /// Bytes that arrived while no request was in progress.
    unasked: usize,
    deadline: Pin<Box<Sleep>>,
    progress: ReadProgress,
    /// Timer after which the client is disconnected; runs while the client reads too little.
    unread: Option<Pin<Box<Sleep>>>,
}

impl<T> DeadlineStream<T> {
    /// Wraps the stream of a newly accepted connection, which counts towards the limit of its IP address.
    pub(super) fn new(
        stream: T,
        timeouts: ClientTimeouts,
        connection_count: Option<CountGuard<IpAddr>>,
    ) -> Self {
        let deadline = Box::pin(sleep_until(Instant::now() + timeouts.head));
        let activity = Rc::new(ConnectionActivity {
            connection_count: RefCell::new(connection_count),
            ..ConnectionActivity::default()
        });
        Self {
            stream,
            activity,
            timeouts,
            has_begun: true,
            unasked: 0,
            deadline,
            progress: ReadProgress::default(),
            unread: None,
        }
    }

    /// The activity that the connection's requests share.
    pub(super) fn activity(&self) -> &Rc<ConnectionActivity> {
        &self.activity
    }

    fn extend(&mut self, time: Duration) {
        self.deadline.as_mut().reset(Instant::now() + time);
    }

    /// Restarts the time limit for the next head.
    fn start_anew(&mut self) {
        self.has_begun = false;
        self.extend(self.timeouts.idle);
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for DeadlineStream<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.activity.has_ended.replace(false) {
            this.unasked = 0;
            this.start_anew();
        }
        if this.unasked > BETWEEN_REQUESTS && this.activity.waits_for_a_head() {
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        if let Poll::Ready(read) = Pin::new(&mut this.stream).poll_read(cx, buffer) {
            if this.activity.waits_for_a_head() {
                this.unasked += buffer.filled().len() - before;
                if !this.has_begun {
                    this.has_begun = true;
                    this.extend(this.timeouts.head);
                }
            } else {
                this.unasked = 0;
            }
            return Poll::Ready(read);
        }
        let is_late = this.activity.waits_for_a_head() && this.deadline.as_mut().poll(cx).is_ready();
        if is_late { Poll::Ready(Ok(())) } else { Poll::Pending }
    }
}

impl<T> DeadlineStream<T> {
    /// Whether the client has read too little for too long; otherwise registers for the time limit.
    fn is_too_slow(&mut self, cx: &mut Context<'_>) -> bool {
        let due = self.progress.record_wait(Instant::now(), self.timeouts.unread);
        let unread = self.unread.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if unread.deadline() != due {
            unread.as_mut().reset(due);
        }
        unread.as_mut().poll(cx).is_ready()
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for DeadlineStream<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write(cx, bytes) {
            Poll::Ready(Ok(written)) => {
                self.start_anew();
                let least = self.timeouts.least;
                self.progress.record_read(written, written == bytes.len(), least);
                Poll::Ready(Ok(written))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending if self.is_too_slow(cx) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Sends to a client for twenty seconds and returns the second in which it is disconnected. The list contains the
    /// number of bytes that the client reads at each step: seven is everything offered, zero is nothing for one
    /// second.
    fn given_up_after(takes: &[usize]) -> Option<u32> {
        let (begin, mut progress) = (Instant::now(), ReadProgress::default());
        let mut takes = takes.iter().copied();
        for second in 0..20 {
            let now = begin + second * SECOND;
            while let Some(bytes @ 1..) = takes.next() {
                progress.record_read(bytes, bytes == 7, 100);
            }
            if progress.record_wait(now, 5 * SECOND) <= now {
                return Some(second);
            }
        }
        None
    }

    #[test]
    fn a_client_that_takes_a_byte_now_and_then_is_given_up() {
        assert_eq!(given_up_after(&[]), Some(5), "nothing");
        assert_eq!(given_up_after(&[1, 0].repeat(20)), Some(5), "a byte a second");
        assert_eq!(given_up_after(&[30, 0].repeat(20)), None, "thirty bytes a second");
    }

    #[test]
    fn a_client_that_keeps_up_again_begins_anew() {
        // The client falls behind, reads what had waited, then all that is offered, and falls behind again.
        assert_eq!(given_up_after(&[0, 0, 1, 7, 0]), Some(7));
        assert_eq!(given_up_after(&[0, 0, 200, 0]), Some(7), "the client read enough");
        // Reading what had waited does not show that the client keeps up.
        assert_eq!(given_up_after(&[0, 0, 7, 0]), Some(5));
    }
}

//! Closes connections whose client is too slow in sending the head of a request.
//!
//! actix can limit the time for the first head of a connection, and the silence after a response, to about half a
//! second; but its timers end with the first byte of the next head, so that half a head would keep its connection open
//! for ever. Therefore its timers are switched off, and this stream ends when no request is in progress and the client
//! is late: actix then reads the end of the stream and closes the connection.
//!
//! Nor does actix limit how long a client may leave a response unread, on a socket either; the stream then fails.
//!
//! actix reads the rest of a refused body for a while, so that the client can read the response. A client that sends fast
//! enough would keep the connection and its thread busy with that, so the stream ends when much more arrives than a head.

use std::{
    cell::Cell,
    future::Future as _,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

/// How much may come while no request is under way: a head, or the rest of a body that nobody wants.
const BETWEEN_REQUESTS: usize = 512 * 1024;

/// Activity of a connection, shared by its stream and its requests.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    requests: Cell<usize>,
    /// A request has ended and the stream has not noticed yet.
    has_ended: Cell<bool>,
    is_upgraded: Cell<bool>,
}

impl Activity {
    /// Marks a request as in progress until the returned guard is dropped.
    pub(crate) fn begin(self: &Rc<Self>) -> UnderWay {
        self.requests.set(self.requests.get() + 1);
        UnderWay(Rc::clone(self))
    }

    /// Marks the connection as upgraded: another protocol with its own limits takes over.
    pub(crate) fn upgrade(&self) {
        self.is_upgraded.set(true);
    }

    /// The other protocol has ended.
    pub(crate) fn close(&self) {
        self.is_upgraded.set(false);
        self.has_ended.set(true);
    }

    fn waits_for_a_head(&self) -> bool {
        self.requests.get() == 0 && !self.is_upgraded.get()
    }
}

/// Guard of a request that is in progress.
#[derive(Debug)]
pub(crate) struct UnderWay(Rc<Activity>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.requests.set(self.0.requests.get() - 1);
        self.0.has_ended.set(true);
    }
}

/// Time limits for a client between two requests.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// Limit from the first byte of a head to its end; for the first head, from the start of the connection.
    pub(super) head: Duration,
    /// Limit from a response to the first byte of the next head.
    pub(super) idle: Duration,
    /// How long a client may read nothing of a response.
    pub(super) unread: Duration,
}

/// A stream that ends when its client is late.
pub(super) struct Watched<T> {
    stream: T,
    activity: Rc<Activity>,
    patience: Patience,
    /// Whether the time for the head is running.
    has_begun: bool,
    /// How much has come while no request was under way.
    unasked: usize,
    deadline: Pin<Box<Sleep>>,
    /// Timer that runs while the client reads nothing.
    unread: Option<Pin<Box<Sleep>>>,
}

impl<T> Watched<T> {
    /// Wraps the stream of a newly accepted connection.
    pub(super) fn new(stream: T, patience: Patience) -> Self {
        let deadline = Box::pin(sleep_until(Instant::now() + patience.head));
        let activity = Rc::default();
        Self { stream, activity, patience, has_begun: true, unasked: 0, deadline, unread: None }
    }

    /// The activity that the connection's requests share.
    pub(super) fn activity(&self) -> &Rc<Activity> {
        &self.activity
    }

    fn extend(&mut self, time: Duration) {
        self.deadline.as_mut().reset(Instant::now() + time);
    }

    /// Restarts the time for the next head.
    fn start_anew(&mut self) {
        self.has_begun = false;
        self.extend(self.patience.idle);
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Watched<T> {
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
                    this.extend(this.patience.head);
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

impl<T: AsyncWrite + Unpin> AsyncWrite for Watched<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if written.is_ready() {
            self.start_anew();
            self.unread = None;
            return written;
        }
        let patience = self.patience.unread;
        let unread = self.unread.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + patience)));
        match unread.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
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

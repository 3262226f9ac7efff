//! Refuses WebSocket frames that are too large as soon as their length is known, and too many frames.
//!
//! The parser of actix compares a frame with its limit only after the whole frame has arrived, so that a client could
//! fill the memory of a node with one frame. This stream in front of the parser reads the heads of frames (RFC 6455,
//! section 5.2) and fails at the first length above the limit. It counts them, too: pings, pongs and `complete`
//! messages are not charged to a quota, so that a client could otherwise send any number of them.

use std::{io::ErrorKind, time::Duration};

use actix_web::{dev, error::PayloadError};
use actix_ws::ProtocolError;
use bytes::{Buf as _, Bytes};
use futures::{Stream, StreamExt as _};
use tokio::time::Instant;

use super::close::CloseCause;

/// Maximum length of a frame's head in bytes: two bytes, an extended length of eight, a mask of four.
const LONGEST_HEAD: usize = 14;

/// Number of frames that a client may send at once.
const FRAME_BURST: u32 = 500;
/// Interval at which a client may send one more frame.
const FRAME_INTERVAL: Duration = Duration::from_millis(50);

/// Rate of recent frames, stored as the time at which all of them would be due.
#[derive(Debug)]
struct FrameRate(Instant);

impl FrameRate {
    /// Counts a frame; returns whether it is within the rate.
    fn permits(&mut self, now: Instant) -> bool {
        self.0 = self.0.max(now) + FRAME_INTERVAL;
        self.0 - now <= FRAME_INTERVAL * FRAME_BURST
    }
}

/// Position in a sequence of frames.
#[derive(Debug, Default)]
struct Frames {
    /// Bytes of an incomplete head.
    head: [u8; LONGEST_HEAD],
    /// Number of bytes in `head`.
    known: usize,
    /// Bytes of the current frame that have not arrived yet.
    remaining: u64,
}

/// Passes the bytes through; fails at a frame of more than `limit` bytes or if there are too many frames.
pub(super) fn limit_frames(inbound: dev::Payload, limit: usize) -> dev::Payload {
    let (mut frames, mut rate) = (Frames::default(), FrameRate(Instant::now()));
    let limited = inbound.map(move |chunk| {
        let chunk = chunk?;
        let now = Instant::now();
        frames.fit(&chunk, limit as u64, || rate.permits(now))?;
        Ok(chunk)
    });
    dev::Payload::Stream { payload: Box::pin(limited) as std::pin::Pin<Box<dyn Stream<Item = _>>> }
}

/// The reason for closing the socket if a frame or message was too large, or if there were too many.
pub(super) fn close_cause(error: &ProtocolError) -> Option<CloseCause> {
    let error = match error {
        ProtocolError::Overflow => return Some(CloseCause::TooLarge),
        ProtocolError::Io(error) => error,
        _ => return None,
    };
    match error.get_ref().and_then(|cause| cause.downcast_ref::<PayloadError>()) {
        Some(PayloadError::Overflow) => Some(CloseCause::TooLarge),
        Some(PayloadError::Io(error)) if error.kind() == ErrorKind::QuotaExceeded => {
            Some(CloseCause::TooManyFrames)
        }
        _ => None,
    }
}

impl Frames {
    /// Parses the frame heads in a chunk; fails if a frame that begins in the chunk exceeds the limit, or is not
    /// permitted.
    fn fit(
        &mut self,
        chunk: &Bytes,
        limit: u64,
        mut is_permitted: impl FnMut() -> bool,
    ) -> Result<(), PayloadError> {
        let mut chunk = chunk.clone();
        while chunk.has_remaining() {
            if self.remaining > 0 {
                let skipped = usize::try_from(self.remaining).unwrap_or(usize::MAX).min(chunk.len());
                chunk.advance(skipped);
                self.remaining -= skipped as u64;
                continue;
            }
            self.head[self.known] = chunk.get_u8();
            self.known += 1;
            if let Some(length) = self.length() {
                if length > limit {
                    return Err(PayloadError::Overflow);
                }
                if !is_permitted() {
                    return Err(PayloadError::Io(ErrorKind::QuotaExceeded.into()));
                }
                (self.known, self.remaining) = (0, length);
            }
        }
        Ok(())
    }

    /// Length of the payload, once the head is complete.
    fn length(&self) -> Option<u64> {
        let [_, second, extended @ ..] = &self.head;
        let mask = if second & 0x80 == 0 { 0 } else { 4 };
        let (length, bytes) = match second & 0x7f {
            127 => (u64::from_be_bytes(extended[..8].try_into().ok()?), 8),
            126 => (u64::from(u16::from_be_bytes([extended[0], extended[1]])), 2),
            short => (u64::from(short), 0),
        };
        (self.known >= 2 + bytes + mask).then_some(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A masked frame.
    fn frame(length: usize) -> Vec<u8> {
        let head = match length {
            0..126 => vec![0x81, 0x80 | length as u8],
            126..=0xffff => [&[0x81, 0xfe], (length as u16).to_be_bytes().as_slice()].concat(),
            _ => [&[0x81, 0xff], (length as u64).to_be_bytes().as_slice()].concat(),
        };
        [head, vec![0xff; 4 + length]].concat()
    }

    /// Whether the limit accepts these bytes; asserts that their division into chunks makes no difference.
    fn fits(bytes: &[u8], limit: u64) -> bool {
        let verdicts: Vec<bool> = [1, 2, 3, 7, 64, bytes.len()]
            .into_iter()
            .map(|size| {
                let mut frames = Frames::default();
                bytes
                    .chunks(size)
                    .all(|chunk| frames.fit(&Bytes::copy_from_slice(chunk), limit, || true).is_ok())
            })
            .collect();
        assert!(verdicts.iter().all(|verdict| *verdict == verdicts[0]), "{verdicts:?}");
        verdicts[0]
    }

    #[test]
    fn frames_are_counted_and_the_count_fades() {
        let now = Instant::now();
        let mut rate = FrameRate(now);
        assert_eq!((0..1_000).filter(|_| rate.permits(now)).count(), FRAME_BURST as usize);
        let mut rate = FrameRate(now);
        let steadily = (0..10_000).all(|count| rate.permits(now + FRAME_INTERVAL * count));
        assert!(steadily, "who sends no more than one at a time may go on for ever");
        let later = now + FRAME_INTERVAL * 20_000;
        assert_eq!((0..1_000).filter(|_| rate.permits(later)).count(), FRAME_BURST as usize);
    }

    #[test]
    fn a_frame_is_refused_by_its_head_alone_and_wherever_it_stands() {
        let lengths = [0, 1, 125, 126, 1_000, 0xffff, 0x1_0000];
        let all: Vec<u8> = lengths.iter().flat_map(|length| frame(*length)).collect();
        assert!(fits(&all, 0x1_0000));
        assert!(!fits(&all, 0xffff), "the last one is too large");
        for length in lengths.into_iter().filter(|length| *length > 0) {
            let head = frame(length).len() - length;
            assert!(!fits(&frame(length)[..head], length as u64 - 1), "{length}");
            assert!(fits(&frame(length)[..head], length as u64), "{length}");
        }
        let endless = [[0x81, 0xff].as_slice(), &u64::MAX.to_be_bytes(), &[0; 4]].concat();
        assert!(!fits(&endless, 64 * 1024));
        assert!(fits(&[0x81, 0x02, b'{', b'}', 0x81, 0x00], 2), "without masks, too");
    }
}

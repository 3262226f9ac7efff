//! Measures the processor time and memory that a release build needs to parse hostile provider responses.
//!
//! Prints one row per input, and fails if one takes more than 100 ms of processor time or 16 MB beyond the response
//! itself. Started by `scripts/bench hostile`.

use std::{fmt::Write as _, process::ExitCode, time::Instant};

use peak_alloc::PeakAlloc;
use providers::fuzzing;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Maximum processor time for one input, in milliseconds.
const MOST_MS: f64 = 100.0;
/// Maximum memory for one input, in bytes.
const MOST_BYTES: usize = 16_000_000;
/// Maximum body size that the HTTP client accepts, in bytes.
const BODY: usize = 16 * 1024 * 1024;

type Reader = fn(&[u8]) -> bool;

fn main() -> ExitCode {
    let mut failed = false;
    println!("{:<44} {:>9} {:>8} {:>9}  answer", "input", "size", "ms", "memory");
    for (name, body, read) in inputs() {
        assert!(body.len() <= BODY, "{name} would not be let in");
        MEMORY.reset_peak_usage();
        let before = MEMORY.current_usage();
        let began = processor_ms();
        let is_read = read(&body);
        let (ms, bytes) = (processor_ms() - began, MEMORY.peak_usage().saturating_sub(before));
        let is_over = ms > MOST_MS || bytes > MOST_BYTES;
        failed |= is_over;
        let megabytes = |bytes: usize| format!("{:.1} MB", bytes as f64 / 1e6);
        let answer = if is_read { "read" } else { "refused" };
        let verdict = if is_over { "  TOO MUCH" } else { "" };
        println!(
            "{name:<44} {:>9} {ms:>8.1} {:>9}  {answer}{verdict}",
            megabytes(body.len()),
            megabytes(bytes)
        );
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Processor time of this thread in milliseconds; if the system does not report it, elapsed time.
fn processor_ms() -> f64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = told.and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
    match nanoseconds {
        Some(nanoseconds) => nanoseconds as f64 / 1e6,
        None => {
            static BEGAN: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
            BEGAN.elapsed().as_secs_f64() * 1e3
        }
    }
}

fn repeated(start: &str, part: &str, end: &str, times: usize) -> Vec<u8> {
    let fits = (BODY - start.len() - end.len()) / part.len();
    format!("{start}{}{end}", part.repeat(times.min(fits))).into_bytes()
}

fn numbered(start: &str, part: impl Fn(usize) -> String, end: &str, times: usize) -> Vec<u8> {
    let mut text = start.to_owned();
    for n in 0..times {
        // Writing to a String cannot fail.
        let _ = write!(text, "{}", part(n));
    }
    text.push_str(end);
    text.truncate(BODY);
    text.into_bytes()
}

fn inputs() -> Vec<(&'static str, Vec<u8>, Reader)> {
    let mut all = xml();
    all.extend(json());
    all
}

fn xml() -> Vec<(&'static str, Vec<u8>, Reader)> {
    let dav = "<D:multistatus xmlns:D='DAV:'>";
    let member = "<D:response><D:href>/c/e.ics</D:href><D:propstat><D:prop><D:getetag>\"1\"</D:getetag></D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>";
    let (multistatus, soap): (Reader, Reader) = (fuzzing::parse_multistatus, fuzzing::parse_soap);
    let item = "<t:CalendarItem xmlns:t='http://schemas.microsoft.com/exchange/services/2006/types'><t:ItemId Id='a'/></t:CalendarItem>";
    vec![
        ("xml: 500,000 elements with attributes", repeated("<a>", "<b c='1' d='2'/>", "</a>", 500_000), soap),
        ("xml: 4,000,000 elements", repeated("<a>", "<b/>", "</a>", 4_000_000), soap),
        (
            "xml: one element with 1,000,000 attributes",
            numbered("<a", |n| format!(" k{n}='v'"), "/>", 1_000_000),
            soap,
        ),
        ("xml: 1,000,000 namespaces", numbered("<a", |n| format!(" xmlns:n{n}='u'"), "/>", 1_000_000), soap),
        (
            "xml: 60 namespaces on 200,000 elements",
            repeated("<a>", "<x:b xmlns:x='u' xmlns:y='v' xmlns:z='w'/>", "</a>", 200_000),
            soap,
        ),
        ("xml: 500,000 names", numbered("<a>", |n| format!("<n{n}/>"), "</a>", 500_000), soap),
        ("xml: 5,000,000 deep", repeated("", "<a>", "", 5_000_000), soap),
        ("xml: entities of its own", b"<!DOCTYPE a [<!ENTITY b 'cccc'>]><a>&b;</a>".to_vec(), soap),
        ("xml: 3,000,000 references", repeated("<a>", "&#13;", "</a>", 3_000_000), soap),
        ("xml: 16 MB of text", repeated("<a>", "x", "</a>", BODY), soap),
        ("xml: 11 MB of text", repeated("<a>", "x", "</a>", 11_000_000), soap),
        ("xml: 16 MB of line breaks", repeated("<a>", "\r", "</a>", BODY), soap),
        ("xml: 16 MB of comments", repeated("<a>", "<!-- -->", "</a>", BODY), soap),
        ("xml: 16 MB that are not UTF-8", [b"<a>".as_slice(), &vec![0xFC; BODY - 7], b"</a>"].concat(), soap),
        ("xml: 3 MB that are not UTF-8", [b"<a>".as_slice(), &vec![0xFC; 3_000_000], b"</a>"].concat(), soap),
        ("multistatus: 20,000 members", repeated(dav, member, "</D:multistatus>", 20_000), multistatus),
        ("multistatus: as many as fit", repeated(dav, member, "</D:multistatus>", BODY), multistatus),
        ("soap: as many items as fit", repeated("<a>", item, "</a>", BODY), soap),
    ]
}

fn json() -> Vec<(&'static str, Vec<u8>, Reader)> {
    let (graph, google): (Reader, Reader) = (fuzzing::parse_graph, fuzzing::parse_google);
    let event = r#"{"id":"1","showAs":"busy","isAllDay":false,"start":{"dateTime":"2026-12-08T09:00:00","timeZone":"UTC"},"end":{"dateTime":"2026-12-08T10:00:00","timeZone":"UTC"}},"#;
    let days = r#"{"id":"1","start":{"date":"2026-12-08"},"end":{"date":"2026-12-09"}},"#;
    let attendee = r#"{"emailAddress":{"address":"a@b.test"}},"#;
    let list = r#"{"value":["#;
    vec![
        ("json: 16,000,000 deep", repeated("", "[", "", BODY), graph),
        ("json: 8,000,000 numbers", repeated(list, "0,", "0]}", BODY), graph),
        ("json: 5,000,000 objects", repeated(list, "{},", "{}]}", BODY), graph),
        ("json: a number of 16 MB", repeated(list, "9", "]}", BODY), graph),
        ("json: a text of 16 MB", repeated(r#"{"value":[{"subject":""#, "x", "\"}]}", BODY), graph),
        (
            "json: a text of 16 MB in escapes",
            repeated(r#"{"value":[{"subject":""#, "\\u0041", "\"}]}", BODY),
            graph,
        ),
        (
            "json: halves of surrogate pairs",
            repeated(r#"{"value":[{"subject":""#, "\\ud800", "\"}]}", BODY),
            graph,
        ),
        (
            "json: 1,000,000 members of one object",
            numbered("{", |n| format!("\"k{n}\":0,"), "\"value\":[]}", 1_000_000),
            graph,
        ),
        ("graph: 5,000 events", repeated(list, event, "{}]}", 4_990), graph),
        ("graph: as many events as fit", repeated(list, event, "{}]}", BODY), graph),
        (
            "graph: an event with 60,000 attendees",
            repeated(r#"{"value":[{"id":"1","attendees":["#, attendee, "{}]}]}", 60_000),
            graph,
        ),
        ("google: 5,000 events", repeated(r#"{"items":["#, days, "{}]}", 4_990), google),
        (
            "google: as many busy times as fit",
            repeated(
                r#"{"calendars":{"ada@corp.test":{"busy":["#,
                r#"{"start":"2026-12-08T09:00:00Z","end":"2026-12-08T10:00:00Z"},"#,
                "{}]}}}",
                BODY,
            ),
            google,
        ),
    ]
}

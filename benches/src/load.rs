//! Clients that generate load on an HTTP server: each client sends its next request when the response to the previous
//! one has arrived.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    task::JoinSet,
};

use crate::Result;

/// Measurements of the clients.
#[derive(Debug, Default)]
pub struct LoadReport {
    /// Responses within the measured time, per second.
    pub per_second: f64,
    /// All responses, including those before and after the measured time.
    pub answers: u64,
    /// Response times in microseconds, sorted, for responses within the measured time.
    pub took: Vec<u64>,
}

impl LoadReport {
    /// A percentile of the response times, in milliseconds.
    pub fn percentile(&self, percent: usize) -> f64 {
        percentile(&self.took, percent)
    }
}

/// A percentile of sorted microseconds, in milliseconds.
pub fn percentile(sorted: &[u64], percent: usize) -> f64 {
    let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(at).map_or(f64::NAN, |micros| *micros as f64 / 1000.0)
}

/// A persistent connection.
pub struct Client {
    stream: BufReader<TcpStream>,
    host: SocketAddr,
}

impl Client {
    /// Opens a connection.
    pub async fn connect(host: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(host).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream), host })
    }

    /// Sends a POST and returns the response body; any status other than 2xx is an error.
    pub async fn post(&mut self, path: &str, body: &str) -> Result<Vec<u8>> {
        let kind = if body.is_empty() {
            ""
        } else {
            "content-type: application/json\r\naccept: application/json\r\n"
        };
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\n{kind}content-length: {}\r\n\r\n{body}",
            self.host,
            body.len()
        );
        self.stream.get_mut().write_all(head.as_bytes()).await?;
        let status = self.line().await?;
        let (mut length, mut chunked) = (0, false);
        loop {
            let line = self.line().await?.to_ascii_lowercase();
            match line.split_once(':') {
                Some(("content-length", value)) => length = value.trim().parse()?,
                Some(("transfer-encoding", value)) => chunked = value.trim() == "chunked",
                _ if line.is_empty() => break,
                _ => {}
            }
        }
        let body = if chunked { self.chunks().await? } else { self.exactly(length).await? };
        if status.split(' ').nth(1).is_some_and(|code| code.starts_with('2')) {
            return Ok(body);
        }
        Err(format!("{path}: {status}: {}", String::from_utf8_lossy(&body)).into())
    }

    async fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line).await? == 0 {
            return Err("the server closed the connection".into());
        }
        line.truncate(line.trim_end().len());
        Ok(line)
    }

    async fn exactly(&mut self, length: usize) -> Result<Vec<u8>> {
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await?;
        Ok(body)
    }

    async fn chunks(&mut self) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let length = usize::from_str_radix(&self.line().await?, 16)?;
            body.extend(self.exactly(length).await?);
            self.line().await?;
            if length == 0 {
                return Ok(body);
            }
        }
    }
}

/// Sends requests with this number of clients: a warm-up of a fifth of the time, then the measured time.
pub async fn measure_throughput(
    host: SocketAddr,
    path: &'static str,
    clients: usize,
    time: Duration,
) -> Result<LoadReport> {
    let begin = Instant::now() + time / 5;
    let end = begin + time;
    let mut tasks = JoinSet::new();
    for _ in 0..clients {
        tasks.spawn(async move {
            let mut client = Client::connect(host).await?;
            let (mut answers, mut took) = (0, Vec::new());
            loop {
                let sent = Instant::now();
                if sent >= end {
                    return Ok::<_, crate::Error>((answers, took));
                }
                client.post(path, "").await?;
                answers += 1;
                let now = Instant::now();
                if now >= begin && now < end {
                    took.push((now - sent).as_micros() as u64);
                }
            }
        });
    }
    let mut load = LoadReport::default();
    while let Some(done) = tasks.join_next().await {
        let (answers, took) = done??;
        load.answers += answers;
        load.took.extend(took);
    }
    load.took.sort_unstable();
    load.per_second = load.took.len() as f64 / time.as_secs_f64();
    Ok(load)
}

/// Sends requests at a steady rate, however slow the responses are; returns the numbers in the response bodies, sorted.
pub async fn send_at_rate(
    host: SocketAddr,
    path: &'static str,
    rate: f64,
    time: Duration,
) -> Result<Vec<u64>> {
    let mut beat = tokio::time::interval(Duration::from_secs_f64(1.0 / rate));
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
    let end = Instant::now() + time;
    let mut idle: Vec<Client> = Vec::new();
    let mut tasks = JoinSet::new();
    let mut numbers = Vec::new();
    while Instant::now() < end {
        beat.tick().await;
        while let Some(done) = tasks.try_join_next() {
            let (client, number) = done??;
            idle.push(client);
            numbers.push(number);
        }
        let client = idle.pop();
        tasks.spawn(async move {
            let mut client = match client {
                Some(client) => client,
                None => Client::connect(host).await?,
            };
            let body = client.post(path, "").await?;
            let number: u64 = std::str::from_utf8(&body)?.parse()?;
            Ok::<_, crate::Error>((client, number))
        });
    }
    while let Some(done) = tasks.join_next().await {
        numbers.push(done??.1);
    }
    numbers.sort_unstable();
    Ok(numbers)
}

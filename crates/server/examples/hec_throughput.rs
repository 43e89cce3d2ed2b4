//! Measures how many events a second the collector stores: connections that each send batches, one after
//! the other, and wait for the disk each time.
//!
//! `cargo run --release -p spilltrail-server --example hec_throughput [CONNECTIONS] [SECONDS] [EVENTS] [gzip]`
//!
//! The senders are threads of the same process, so that they take a part of the processors.

#![expect(clippy::print_stdout, reason = "it is what the program is for")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use spilltrail_lake::{Wal, WalOptions, WalReader};
use spilltrail_server::hec::{Collector, Options, Token, Tokens, WalInbox};
use spilltrail_server::{LogAudit, Plain, ServeOptions, TokenHash, serve};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// An event like those of CloudTrail, about 1.1 KB.
fn event(number: u64) -> String {
    let filler = "arn:aws:iam::123456789012:user/somebody ".repeat(18);
    format!(
        r#"{{"time":1680000000.{:03},"sourcetype":"aws:cloudtrail","event":{{"eventVersion":"1.08","eventSource":"s3.amazonaws.com","eventName":"GetObject","awsRegion":"us-east-1","sourceIPAddress":"10.0.{}.{}","eventID":"{number:032x}","requestParameters":{{"key":"{:x}"}},"userAgent":"{filler}","readOnly":true}}}}"#,
        number % 1000,
        number / 256 % 256,
        number % 256,
        number.wrapping_mul(0x9e37_79b9_7f4a_7c15),
    )
}

fn request(sender: u64, events: u64, is_gzip: bool) -> Result<Vec<u8>, Failure> {
    let body: String = (0..events).map(|number| event(sender << 32 | number)).collect();
    let (body, encoding) = if is_gzip {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(body.as_bytes())?;
        (encoder.finish()?, "gzip")
    } else {
        (body.into_bytes(), "identity")
    };
    let head = format!(
        "POST /services/collector HTTP/1.1\r\nHost: x\r\nAuthorization: Splunk t\r\nContent-Encoding: {encoding}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    Ok([head.into_bytes(), body].concat())
}

/// Sends the same batch until a time, and returns how often it was stored.
fn send(address: SocketAddr, request: &[u8], until: Instant) -> Result<u64, Failure> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut sent = 0;
    while Instant::now() < until {
        stream.write_all(request)?;
        let (mut line, mut length) = (String::new(), 0);
        reader.read_line(&mut line)?;
        let is_stored = line.contains(" 200 ");
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line)?;
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse()?;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        if !is_stored {
            return Err(String::from_utf8_lossy(&body).into());
        }
        sent += 1;
    }
    Ok(sent)
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: u64| -> Result<u64, Failure> {
        Ok(arguments.get(at).map(|text| text.parse()).transpose()?.unwrap_or(default))
    };
    let (connections, seconds, events) = (number(0, 8)?, number(1, 5)?, number(2, 100)?);
    let is_gzip = arguments.get(3).is_some_and(|text| text == "gzip");

    let folder = tempfile::tempdir()?;
    let path = folder.path().join("wal.sqlite");
    let inbox = Arc::new(WalInbox::new(Arc::new(Wal::open(&path, WalOptions::default())?)));
    let tokens = Tokens::new(vec![Token::new("t", TokenHash::of("t"), 0)])?;
    let collector =
        Collector::new(inbox, tokens, Arc::new(LogAudit), Arc::default(), Options::new(|| 0));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))?;
    let address = listener.local_addr()?;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let served =
        runtime.spawn(serve(listener, Plain, collector.router(), ServeOptions::default(), async {
            let _ = stopped.await;
        }));

    let requests: Result<Vec<Vec<u8>>, Failure> =
        (0..connections).map(|sender| request(sender, events, is_gzip)).collect();
    let requests = requests?;
    let start = Instant::now();
    let until = start + Duration::from_secs(seconds);
    let sent = std::thread::scope(|scope| {
        let senders: Vec<_> = requests
            .iter()
            .map(|request| scope.spawn(move || send(address, request, until)))
            .collect();
        senders.into_iter().try_fold(0, |sum, sender| {
            let sent = sender.join().map_err(|_| "a sender panicked")?;
            sent.map(|sent| sum + sent)
        })
    })?;
    let took = start.elapsed().as_secs_f64();
    drop(stop);
    runtime.block_on(served)?;

    let stored = WalReader::open(&path)?.size()?;
    if stored.events != sent * events {
        return Err(
            format!("{} events were sent, {} are stored", sent * events, stored.events).into()
        );
    }
    let bytes: usize = requests.iter().map(Vec::len).sum();
    let megabytes = bytes as f64 / connections as f64 * sent as f64 / 1e6;
    println!(
        "{connections} connections, batches of {events}{}: {:.0} events/s, {:.0} requests/s, {:.0} MB/s as sent",
        if is_gzip { " with gzip" } else { "" },
        stored.events as f64 / took,
        sent as f64 / took,
        megabytes / took,
    );
    Ok(())
}

//! An S3 server for tests, which lists and returns objects and fails on request.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

/// A failure of a request for an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Status 503, which asks the client for fewer requests.
    SlowDown,
    /// Another status.
    Status(u16),
    /// The connection is closed without a response.
    Reset,
    /// The request is read and never answered.
    Silence,
    /// The body ends after this many bytes of the requested ones.
    CutAfter(usize),
}

/// A running server, which stops when it is dropped.
pub(crate) struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Vec<u8>>,
    /// Failures of the next requests for each key; if the flag is true, the last failure repeats.
    faults: HashMap<String, (Vec<Fault>, bool)>,
    page: usize,
    /// Responses are held back until this many requests wait; then this is 0.
    gather: usize,
    running: usize,
    log: Log,
    is_over: bool,
}

/// The requests that the server received.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log {
    /// The listed prefixes, with their delimiter.
    pub(crate) listed: Vec<String>,
    /// The requested keys, with the range.
    pub(crate) gets: Vec<String>,
    /// The highest number of concurrent requests for objects.
    pub(crate) most_running: usize,
    /// Number of requests with the requester-pays header. `signed` counts the signed requests.
    pub(crate) payers: usize,
    pub(crate) signed: usize,
}

impl Server {
    /// Starts a server with these objects in the bucket `logs`.
    pub(crate) fn new(objects: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        shared.state.lock().unwrap().objects = objects.into_iter().collect();
        shared.state.lock().unwrap().page = 1000;
        let accepting = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if accepting.state.lock().unwrap().is_over {
                    return;
                }
                let (Ok(stream), shared) = (stream, accepting.clone()) else { continue };
                std::thread::spawn(move || {
                    // Errors of the connection are expected when a client disconnects.
                    let _ = serve(&stream, &shared);
                    let _ = stream.shutdown(Shutdown::Both);
                });
            }
        });
        Self { address, shared }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Makes the next requests for a key fail, one request for each fault.
    pub(crate) fn fail(&self, key: &str, faults: &[Fault]) {
        self.set_faults(key, faults, false);
    }

    /// Makes all requests for a key fail.
    pub(crate) fn fail_always(&self, key: &str, fault: Fault) {
        self.set_faults(key, &[fault], true);
    }

    fn set_faults(&self, key: &str, faults: &[Fault], forever: bool) {
        let faults = (faults.iter().rev().copied().collect(), forever);
        self.shared.state.lock().unwrap().faults.insert(key.to_owned(), faults);
    }

    /// Sets the number of keys in one page of a listing.
    pub(crate) fn set_page(&self, page: usize) {
        self.shared.state.lock().unwrap().page = page;
    }

    /// Holds back responses for objects until `requests` requests wait.
    pub(crate) fn gather(&self, requests: usize) {
        self.shared.state.lock().unwrap().gather = requests;
    }

    pub(crate) fn log(&self) -> Log {
        self.shared.state.lock().unwrap().log.clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.state.lock().unwrap().is_over = true;
        // Wakes the accepting thread, so that it sees that the server is over.
        let _ = TcpStream::connect(self.address);
    }
}

struct Request {
    method: String,
    key: String,
    query: HashMap<String, String>,
    headers: HashMap<String, String>,
}

fn serve(stream: &TcpStream, shared: &Shared) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    while let Some(request) = read_request(&mut reader)? {
        let goes_on = if request.query.contains_key("list-type") {
            list(stream, shared, &request)?;
            true
        } else {
            object(stream, shared, &request)?
        };
        if !goes_on {
            break;
        }
    }
    Ok(())
}

fn read_request(reader: &mut BufReader<&TcpStream>) -> std::io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut headers = HashMap::new();
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header)? <= 2 {
            break;
        }
        if let Some((name, value)) = header.split_once(':') {
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    let path = decode(path);
    let key = path.trim_start_matches('/').split_once('/').map_or("", |(_, key)| key);
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    Ok(Some(Request {
        method: method.to_owned(),
        key: key.to_owned(),
        query: pairs.map(|(name, value)| (name.to_owned(), decode(value))).collect(),
        headers,
    }))
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let digits = [rest.next().unwrap_or(b'0'), rest.next().unwrap_or(b'0')];
                let digits = std::str::from_utf8(&digits).unwrap();
                bytes.push(u8::from_str_radix(digits, 16).unwrap());
            }
            b'+' => bytes.push(b' '),
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).unwrap()
}

fn list(stream: &TcpStream, shared: &Shared, request: &Request) -> std::io::Result<()> {
    let parameter = |name: &str| request.query.get(name).cloned().unwrap_or_default();
    let (prefix, delimiter) = (parameter("prefix"), parameter("delimiter"));
    let after = parameter("continuation-token");
    let mut state = shared.state.lock().unwrap();
    state.log.listed.push(format!("{prefix}{}", if delimiter.is_empty() { "**" } else { "*" }));
    let fault = next_fault(&mut state, &format!("list {prefix}"));
    let mut entries: BTreeMap<String, Option<usize>> = BTreeMap::new();
    for (key, bytes) in state.objects.range(prefix.clone()..) {
        let Some(rest) = key.strip_prefix(&prefix) else { break };
        match rest.split_once('/').filter(|_| !delimiter.is_empty()) {
            Some((folder, _)) => entries.insert(format!("{prefix}{folder}/"), None),
            None => entries.insert(key.clone(), Some(bytes.len())),
        };
    }
    let page = state.page;
    drop(state);
    if let Some(Fault::Status(status)) = fault {
        return respond_error(stream, status, false);
    }
    if fault == Some(Fault::Silence) {
        return wait_for_end(stream).map(|_| ());
    }
    if fault == Some(Fault::SlowDown) {
        return respond_error(stream, 503, false);
    }
    let rest: Vec<_> = entries.into_iter().filter(|(name, _)| *name > after).collect();
    let mut xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult>".to_owned();
    for (name, size) in rest.iter().take(page) {
        xml += &match size {
            None => format!("<CommonPrefixes><Prefix>{name}</Prefix></CommonPrefixes>"),
            Some(size) => format!(
                "<Contents><Key>{name}</Key><LastModified>2026-03-17T00:00:00.000Z</LastModified>\
                 <ETag>\"e\"</ETag><Size>{size}</Size></Contents>"
            ),
        };
    }
    if let Some((last, _)) = rest.get(page.wrapping_sub(1)).filter(|_| rest.len() > page) {
        xml += &format!("<NextContinuationToken>{last}</NextContinuationToken>");
    }
    xml += "</ListBucketResult>";
    respond(stream, "200 OK", "", xml.as_bytes(), xml.len(), false)
}

fn next_fault(state: &mut State, key: &str) -> Option<Fault> {
    let (faults, forever) = state.faults.get_mut(key)?;
    if *forever { faults.last().copied() } else { faults.pop() }
}

/// Responds to a request for an object; returns false if the connection must be closed.
fn object(stream: &TcpStream, shared: &Shared, request: &Request) -> std::io::Result<bool> {
    let is_head = request.method == "HEAD";
    let mut state = shared.state.lock().unwrap();
    if !is_head {
        let range = request.headers.get("range").map(|range| format!(" {range}"));
        state.log.gets.push(format!("{}{}", request.key, range.unwrap_or_default()));
        state.log.payers += usize::from(request.headers.contains_key("x-amz-request-payer"));
        state.log.signed += usize::from(request.headers.contains_key("authorization"));
        state.running += 1;
        state.log.most_running = state.log.most_running.max(state.running);
        if state.running >= state.gather {
            state.gather = 0;
            shared.changed.notify_all();
        }
        while state.gather > 0 {
            state = shared.changed.wait(state).unwrap();
        }
        state.running -= 1;
    }
    let fault = if is_head { None } else { next_fault(&mut state, &request.key) };
    let bytes = state.objects.get(&request.key).cloned();
    drop(state);
    match fault {
        Some(Fault::Reset) => return Ok(false),
        Some(Fault::SlowDown) => return respond_error(stream, 503, is_head).map(|()| true),
        Some(Fault::Status(status)) => {
            return respond_error(stream, status, is_head).map(|()| true);
        }
        Some(Fault::Silence) => return wait_for_end(stream),
        Some(Fault::CutAfter(_)) | None => {}
    }
    let Some(bytes) = bytes else { return respond_error(stream, 404, is_head).map(|()| true) };
    let range = request.headers.get("range").and_then(|range| {
        let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
        Some((first.parse::<usize>().ok()?, last.parse::<usize>().ok()?.min(bytes.len() - 1)))
    });
    let (status, head, body) = match range {
        Some((first, last)) => (
            "206 Partial Content",
            format!("Content-Range: bytes {first}-{last}/{}\r\n", bytes.len()),
            &bytes[first..=last],
        ),
        None => ("200 OK", String::new(), &bytes[..]),
    };
    let sent = match fault {
        Some(Fault::CutAfter(count)) => &body[..count.min(body.len())],
        _ => body,
    };
    respond(stream, status, &head, sent, body.len(), is_head)?;
    Ok(sent.len() == body.len())
}

/// Waits until the client closes the connection, and returns false.
fn wait_for_end(mut stream: &TcpStream) -> std::io::Result<bool> {
    std::io::copy(&mut stream, &mut std::io::sink()).map(|_| false)
}

fn respond_error(stream: &TcpStream, status: u16, is_head: bool) -> std::io::Result<()> {
    let code = match status {
        403 => "AccessDenied",
        404 => "NoSuchKey",
        503 => "SlowDown",
        _ => "InternalError",
    };
    let xml = format!("<Error><Code>{code}</Code><Message>no</Message></Error>");
    respond(stream, &format!("{status} No"), "", xml.as_bytes(), xml.len(), is_head)
}

fn respond(
    mut stream: &TcpStream,
    status: &str,
    head: &str,
    body: &[u8],
    length: usize,
    is_head: bool,
) -> std::io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nETag: \"e\"\r\n\
         Last-Modified: Tue, 17 Mar 2026 00:00:00 GMT\r\n{head}\r\n"
    );
    stream.write_all(head.as_bytes())?;
    if !is_head {
        stream.write_all(body)?;
    }
    stream.flush()
}

/// Reads all of a stream.
pub(crate) fn read_all(mut reader: impl Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).map(|_| bytes)
}

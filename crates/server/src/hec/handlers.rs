//! What the paths of the collector do.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::Instant;

use axum::body::Bytes;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use serde::Deserialize;

use super::auth::{Refused, authorize, secret};
use super::body::{BodyOptions, BodyReader};
use super::channels::{ChannelKey, Place, Room};
use super::collector::Collector;
use super::envelope::{Envelope, Names};
use super::inbox::InboxError;
use super::ingest::{Arrived, Ingest, NotTaken, To};
use super::query::Query;
use super::reply::{Code, Reply};
use super::split::Splitter;
use super::time::microseconds;
use super::tokens::{Token, Tokens};
use crate::audit::{Part, Refusal, RefusalReason};
use crate::ids::RequestId;
use crate::serve::ClientAddress;

/// The header that names a channel.
const CHANNEL: &str = "x-splunk-request-channel";

/// The most bytes of a request for acknowledgements.
const MAX_ACK_BYTES: u64 = 1 << 20;

/// The bytes of an object that are not its event: names, fields and escapes.
const ENVELOPE_BYTES: usize = 64 << 10;

/// How events are in a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// JSON objects.
    Event,
    /// Lines.
    Raw,
}

/// Why reading a body ends early.
enum Stop {
    /// An event is wrong: those before it are stored.
    AtEvent(Code),
    /// The request is: nothing more of it is stored.
    Request(Reply),
}

impl From<Reply> for Stop {
    fn from(reply: Reply) -> Self {
        Self::Request(reply)
    }
}

/// Takes events.
pub(super) async fn take(collector: &Collector, form: Form, request: Request) -> Reply {
    let (parts, body) = request.into_parts();
    let (mut body, unreadable) = BodyReader::new(&parts.headers, body, collector.options.body);
    let reply = match unreadable {
        // Whoever has no token is told that first.
        Some(reply) => admitted(collector, &parts, &collector.tokens()).err().unwrap_or(reply),
        None => take_body(collector, form, &parts, &mut body).await,
    };
    if reply.is_of_wrong_request() {
        refuse(collector, &parts, RefusalReason::Invalid, None);
    }
    body.drain().await;
    reply
}

async fn take_body(
    collector: &Collector,
    form: Form,
    parts: &Parts,
    body: &mut BodyReader,
) -> Reply {
    let tokens = collector.tokens();
    let (query, token) = match admitted(collector, parts, &tokens) {
        Ok(admitted) => admitted,
        Err(reply) => return reply,
    };
    let Ok(_permit) = collector.requests.try_acquire() else { return Code::ServerBusy.into() };
    let place = if token.use_ack {
        match place(collector, &parts.headers, &query, token) {
            Ok(place) => Some(place),
            Err(code) => return code.into(),
        }
    } else {
        None
    };
    let options = &collector.options;
    let share = collector.budget.share();
    let limits = (options.max_event, options.part_bytes);
    let to = To {
        inbox: &*collector.inbox,
        metrics: &collector.metrics,
        clock: options.clock,
        request: parts.extensions.get::<RequestId>().cloned().unwrap_or_default(),
    };
    let mut ingest = Ingest::new(to, token, share, limits);
    let taken = match form {
        Form::Event => {
            // Escapes make the text of an event longer than it is.
            let most = options.max_event.saturating_mul(2).saturating_add(ENVELOPE_BYTES);
            read(body, Splitter::json(most), &mut ingest, &Objects).await
        }
        Form::Raw => match Lines::new(&query, token) {
            Ok(lines) => read(body, Splitter::lines(options.max_event), &mut ingest, &lines).await,
            Err(code) => Err(Stop::Request(code.into())),
        },
    };
    match taken {
        Ok(()) if ingest.count() == 0 => Code::NoData.into(),
        Ok(()) => match finish(&mut ingest, place).await {
            Ok(ack) => Reply::taken(ack),
            Err(reply) => reply,
        },
        Err(Stop::AtEvent(code)) => {
            let number = ingest.count();
            match ingest.store().await {
                Ok(()) => Reply::of_event(code, number),
                Err(reply) => reply,
            }
        }
        Err(Stop::Request(reply)) => reply,
    }
}

/// Stores the last part; returns the number under which to ask whether it is stored, if the token asks.
async fn finish(ingest: &mut Ingest<'_>, place: Option<Place>) -> Result<Option<u64>, Reply> {
    match place {
        Some(place) => {
            let answer = ingest.append().await?;
            Ok(Some(place.take(answer, Instant::now())))
        }
        None => ingest.store().await.map(|()| None),
    }
}

/// Makes events of what a body is cut into.
trait Reading {
    fn push(&self, piece: &[u8], ingest: &mut Ingest<'_>) -> Result<(), NotTaken>;
}

/// Reads a body to its end, and stores a part whenever it is full.
async fn read(
    body: &mut BodyReader,
    mut splitter: Splitter,
    ingest: &mut Ingest<'_>,
    reading: &impl Reading,
) -> Result<(), Stop> {
    while let Some(chunk) = body.next().await? {
        let chunk: Bytes = chunk;
        let mut left = &chunk[..];
        while let Some(piece) = splitter.next(&mut left).map_err(Stop::AtEvent)? {
            push(piece, ingest, reading).await?;
        }
        ingest.claim(splitter.held())?;
        // Other requests get their turn, even if this one never has to wait for its sender.
        tokio::task::consume_budget().await;
    }
    if let Some(piece) = splitter.end().map_err(Stop::AtEvent)? {
        push(piece, ingest, reading).await?;
    }
    Ok(())
}

async fn push(piece: &[u8], ingest: &mut Ingest<'_>, reading: &impl Reading) -> Result<(), Stop> {
    let stop = |not_taken| match not_taken {
        NotTaken::Wrong(code) => Stop::AtEvent(code),
        // An empty part takes any event that is not too long.
        NotTaken::PartIsFull => Stop::AtEvent(Code::InvalidDataFormat),
    };
    match reading.push(piece, ingest) {
        Ok(()) if ingest.is_part_full() => ingest.store().await.map_err(Stop::Request),
        Ok(()) => Ok(()),
        Err(NotTaken::PartIsFull) => {
            ingest.store().await?;
            reading.push(piece, ingest).map_err(stop)
        }
        Err(wrong) => Err(stop(wrong)),
    }
}

/// JSON objects around events.
struct Objects;

impl Reading for Objects {
    fn push(&self, piece: &[u8], ingest: &mut Ingest<'_>) -> Result<(), NotTaken> {
        let envelope = Envelope::parse(piece).map_err(NotTaken::Wrong)?;
        ingest.push(&Arrived {
            text: envelope.text.as_bytes(),
            time: envelope.time,
            names: &envelope.names,
            fields: envelope.fields,
        })
    }
}

/// Lines, with names and a time from the query for all of them.
struct Lines<'a> {
    names: Names<'a>,
    time: Option<i64>,
}

impl<'a> Lines<'a> {
    fn new(query: &'a Query, token: &Token) -> Result<Self, Code> {
        let name = |name| query.get(name).map(Cow::Borrowed);
        let names = Names {
            index: name("index"),
            sourcetype: name("sourcetype"),
            source: name("source"),
            host: name("host"),
        };
        let names = names.checked()?;
        if names.index.as_ref().is_some_and(|index| !token.allows(index)) {
            return Err(Code::IncorrectIndex);
        }
        let time = query.get("time").filter(|time| !time.is_empty());
        let time =
            time.map(|time| microseconds(time).ok_or(Code::InvalidDataFormat)).transpose()?;
        Ok(Self { names, time })
    }
}

impl Reading for Lines<'_> {
    fn push(&self, piece: &[u8], ingest: &mut Ingest<'_>) -> Result<(), NotTaken> {
        let Self { names, time } = self;
        ingest.push(&Arrived { text: piece, time: *time, names, fields: None })
    }
}

/// Tells which requests of a channel are stored.
pub(super) async fn ack(collector: &Collector, request: Request) -> Reply {
    let (parts, body) = request.into_parts();
    let options = BodyOptions {
        max_bytes: MAX_ACK_BYTES,
        max_inflated: MAX_ACK_BYTES,
        ..collector.options.body
    };
    let (mut body, unreadable) = BodyReader::new(&parts.headers, body, options);
    let reply = match ack_body(collector, &parts, &mut body, unreadable).await {
        Ok(reply) | Err(reply) => reply,
    };
    body.drain().await;
    reply
}

async fn ack_body(
    collector: &Collector,
    parts: &Parts,
    body: &mut BodyReader,
    unreadable: Option<Reply>,
) -> Result<Reply, Reply> {
    #[derive(Deserialize)]
    struct Asked {
        acks: BTreeSet<u64>,
    }
    let tokens = collector.tokens();
    let (query, token) = admitted(collector, parts, &tokens)?;
    if !token.use_ack {
        return Err(Code::AckDisabled.into());
    }
    let key = channel(&parts.headers, &query, token)?;
    if let Some(reply) = unreadable {
        return Err(reply);
    }
    let Ok(_permit) = collector.requests.try_acquire() else {
        return Err(Code::ServerBusy.into());
    };
    let mut text = Vec::new();
    while let Some(chunk) = body.next().await? {
        text.extend_from_slice(&chunk);
    }
    if text.trim_ascii().is_empty() {
        return Err(Code::NoData.into());
    }
    let asked: Asked = serde_json::from_slice(&text).map_err(|_| Code::InvalidDataFormat)?;
    Ok(Reply::Acks(collector.channels.ask(key, &asked.acks, Instant::now())))
}

/// Tells whether events can be stored at present. No token is needed, but one that is shown must be good.
pub(super) fn health(collector: &Collector, request: &Request) -> Reply {
    if collector.is_shutting_down() {
        return Code::ShuttingDown.into();
    }
    let query = Query::parse(request.uri().query());
    let tokens = collector.tokens();
    match secret(request.headers(), &query) {
        Ok(None) => {}
        Ok(Some(secret)) => match tokens.find(&secret) {
            Some(token) if token.enabled => {}
            Some(_) => return Code::HealthTokenDisabled.into(),
            None => return Code::HealthInvalidToken.into(),
        },
        Err(_) => return Code::HealthInvalidToken.into(),
    }
    let inbox = &collector.inbox;
    let events = match inbox.trouble() {
        Some(_) => Room::None,
        None if inbox.is_nearly_full() => Room::Little,
        None => Room::Enough,
    };
    let acks =
        if query.is_set("ack") { collector.channels.room(Instant::now()) } else { Room::Enough };
    let code = match (events, acks) {
        (Room::None, Room::None) => Code::QueuesFullAckUnavailable,
        (Room::None, _) => Code::QueuesFull,
        (_, Room::None) => Code::AckUnavailable,
        (Room::Little, _) => Code::QueueNearCapacity,
        (_, Room::Little) => Code::AckNearCapacity,
        (Room::Enough, Room::Enough) => Code::Healthy,
    };
    code.into()
}

/// Returns the query and the token of a request that may go on.
fn admitted<'a>(
    collector: &Collector,
    parts: &Parts,
    tokens: &'a Tokens,
) -> Result<(Query, &'a Token), Reply> {
    if collector.is_shutting_down() {
        return Err(Code::ShuttingDown.into());
    }
    let query = Query::parse(parts.uri.query());
    match authorize(&parts.headers, &query, tokens) {
        Ok(token) => Ok((query, token)),
        Err(Refused { code, reason, token }) => {
            refuse(collector, parts, reason, token);
            Err(code.into())
        }
    }
}

/// Tells of a request that is refused.
fn refuse(collector: &Collector, parts: &Parts, reason: RefusalReason, token: Option<String>) {
    let address = ClientAddress::of(&parts.extensions);
    let refusal = Refusal { part: Part::Collector, address, reason, token, untold: 0 };
    collector.audit.refused(refusal, Instant::now());
}

/// Returns the channel of a request.
fn channel(headers: &HeaderMap, query: &Query, token: &Token) -> Result<ChannelKey, Code> {
    let header = headers.get(CHANNEL).map(|value| value.to_str());
    let header = header.transpose().map_err(|_| Code::InvalidDataChannel)?;
    let text = header.or_else(|| query.get("channel")).map(str::trim_ascii);
    let text = text.filter(|text| !text.is_empty()).ok_or(Code::DataChannelMissing)?;
    ChannelKey::parse(token.hash, text).ok_or(Code::InvalidDataChannel)
}

/// Reserves a place for the acknowledgement of a request.
fn place(
    collector: &Collector,
    headers: &HeaderMap,
    query: &Query,
    token: &Token,
) -> Result<Place, Code> {
    let key = channel(headers, query, token)?;
    match collector.inbox.trouble() {
        // Its sender would wait for an acknowledgement that does not come.
        Some(InboxError::Full) => return Err(Code::QueuesFull),
        Some(InboxError::Failed(_)) => return Err(Code::InternalServerError),
        Some(InboxError::Busy | InboxError::Closed) | None => {}
    }
    collector.channels.reserve(key, Instant::now())
}

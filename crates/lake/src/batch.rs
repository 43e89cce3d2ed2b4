//! Batches: events of one origin, compressed together.
//!
//! Before compression, each event is its head, its time, its fields and its text. The head is a number
//! of variable length, as in LEB128: the length of the text times four, plus one if there is a time, and
//! two if there are fields. A time has eight bytes, and the text of fields has its length in front.

use crate::error::BatchError;

/// The most bytes of a batch before compression, and so of one event with its head.
pub const MAX_BATCH_BYTES: usize = 16 << 20;

/// The most events of a batch. As rows of a table, each takes memory however short it is.
pub const MAX_BATCH_EVENTS: u64 = 100_000;

/// The level of compression: twice as fast as the default, for a tenth more bytes. The events are
/// compressed again when they are moved to tables.
const LEVEL: i32 = 1;

const HAS_TIME: u64 = 1;
const HAS_FIELDS: u64 = 2;

/// Where events are from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Origin {
    /// The index.
    pub index: String,
    /// The sourcetype, if the sender names it.
    pub sourcetype: Option<String>,
    /// The source, if the sender names it.
    pub source: Option<String>,
    /// The host, if the sender names it.
    pub host: Option<String>,
    /// The format in which the texts of the events are read, by its name. Empty if nobody has looked at
    /// them yet: a text may then hold several events.
    pub format: String,
}

/// One event as it arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event<'a> {
    /// The text, byte for byte.
    pub raw: &'a [u8],
    /// The time that the sender gives, in microseconds since the epoch; `None` leaves it to the text.
    pub time: Option<i64>,
    /// The fields that the sender gives beside the text, as a JSON object.
    pub fields: Option<&'a str>,
}

/// Events of one origin, compressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Where the events are from.
    pub origin: Origin,
    /// The number of events.
    pub events: u64,
    /// The number of bytes before compression.
    pub bytes: u64,
    pub(crate) body: Vec<u8>,
}

/// Collects the events of a batch.
#[derive(Debug)]
pub struct BatchBuilder {
    origin: Origin,
    events: u64,
    body: Vec<u8>,
}

impl BatchBuilder {
    /// Creates an empty batch.
    #[must_use]
    pub fn new(origin: Origin) -> Self {
        Self { origin, events: 0, body: Vec::new() }
    }

    /// Returns the number of bytes so far, before compression.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.body.len()
    }

    /// Returns true if there are no events.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events == 0
    }

    /// Adds an event.
    ///
    /// # Errors
    /// Fails with [`BatchError::Full`] if it belongs into the next batch, and with
    /// [`BatchError::TooLong`] if no batch can hold it. The batch stays as it was.
    pub fn push(&mut self, event: Event<'_>) -> Result<(), BatchError> {
        if self.events >= MAX_BATCH_EVENTS {
            return Err(BatchError::Full);
        }
        let before = self.body.len();
        let fields = event.fields.map(str::as_bytes);
        let flag = |is_set: bool, flag: u64| if is_set { flag } else { 0 };
        let flags = flag(event.time.is_some(), HAS_TIME) | flag(fields.is_some(), HAS_FIELDS);
        // The length of anything in memory is less than 2^62.
        push_number(&mut self.body, ((event.raw.len() as u64) << 2) | flags);
        if let Some(time) = event.time {
            self.body.extend_from_slice(&time.to_le_bytes());
        }
        if let Some(fields) = fields {
            push_number(&mut self.body, fields.len() as u64);
            self.body.extend_from_slice(fields);
        }
        let bytes = self.body.len() - before + event.raw.len();
        if bytes > MAX_BATCH_BYTES || before + bytes > MAX_BATCH_BYTES {
            self.body.truncate(before);
            return Err(if bytes > MAX_BATCH_BYTES {
                BatchError::TooLong { bytes, most: MAX_BATCH_BYTES }
            } else {
                BatchError::Full
            });
        }
        self.body.extend_from_slice(event.raw);
        self.events += 1;
        Ok(())
    }

    /// Compresses the events.
    ///
    /// # Errors
    /// Fails if there is no memory for the compressor.
    pub fn finish(self) -> Result<Batch, BatchError> {
        let Self { origin, events, body } = self;
        let compressed = compressed(&body).map_err(|_| BatchError::NoMemory)?;
        Ok(Batch { origin, events, bytes: body.len() as u64, body: compressed })
    }
}

/// Compresses bytes, with a checksum, so that no damage passes for an event.
fn compressed(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut compressor = zstd::bulk::Compressor::new(LEVEL)?;
    compressor.include_checksum(true)?;
    compressor.compress(bytes)
}

impl Batch {
    /// Returns the number of bytes after compression.
    #[must_use]
    pub fn compressed_bytes(&self) -> usize {
        self.body.len()
    }

    /// Returns the events.
    ///
    /// # Errors
    /// Fails if the stored bytes are damaged.
    pub fn events(&self) -> Result<Events, BatchError> {
        let Some(bytes) = usize::try_from(self.bytes).ok().filter(|n| *n <= MAX_BATCH_BYTES) else {
            return Err(BatchError::Damaged("it claims more bytes than a batch can have"));
        };
        let body = zstd::bulk::decompress(&self.body, bytes);
        let body = body.map_err(|_| BatchError::Damaged("it cannot be decompressed"))?;
        if body.len() != bytes {
            return Err(BatchError::Damaged("it has fewer bytes than it claims"));
        }
        Ok(Events { body, left: self.events })
    }
}

/// The events of a batch, decompressed.
#[derive(Debug)]
pub struct Events {
    body: Vec<u8>,
    /// The number of events that the batch claims.
    left: u64,
}

impl Events {
    /// Calls `take` with each event, in the order of arrival.
    ///
    /// # Errors
    /// Fails if the bytes are damaged. The events before the damage were taken.
    pub fn each<'a>(&'a self, mut take: impl FnMut(Event<'a>)) -> Result<(), BatchError> {
        let mut rest = self.body.as_slice();
        for _ in 0..self.left {
            let event = next(&mut rest).ok_or(BatchError::Damaged("an event is cut off"))?;
            take(event);
        }
        if rest.is_empty() { Ok(()) } else { Err(BatchError::Damaged("it has more events")) }
    }
}

fn next<'a>(rest: &mut &'a [u8]) -> Option<Event<'a>> {
    let head = number(rest)?;
    let time = match head & HAS_TIME {
        0 => None,
        _ => Some(i64::from_le_bytes(take(rest, 8)?.try_into().ok()?)),
    };
    let fields = match head & HAS_FIELDS {
        0 => None,
        _ => {
            let length = usize::try_from(number(rest)?).ok()?;
            Some(std::str::from_utf8(take(rest, length)?).ok()?)
        }
    };
    let raw = take(rest, usize::try_from(head >> 2).ok()?)?;
    Some(Event { raw, time, fields })
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}

fn push_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn number(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(rest, 1)?[0];
        let bits = u64::from(byte & 0x7f);
        if shift == 63 && bits > 1 {
            return None;
        }
        number |= bits << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text of an event, its time and its fields.
    type Owned = (Vec<u8>, Option<i64>, Option<String>);

    fn collected(batch: &Batch) -> Result<Vec<Owned>, BatchError> {
        let mut found = Vec::new();
        batch.events()?.each(|event| {
            found.push((event.raw.to_vec(), event.time, event.fields.map(str::to_owned)));
        })?;
        Ok(found)
    }

    fn batch(events: &[Event<'_>]) -> Batch {
        let mut builder = BatchBuilder::new(Origin { index: "main".into(), ..Origin::default() });
        events.iter().for_each(|event| builder.push(*event).unwrap());
        builder.finish().unwrap()
    }

    #[test]
    fn events_come_back_byte_for_byte() {
        let plain = |raw| Event { raw, time: None, fields: None };
        let long = vec![b'x'; 100_000];
        let events = [
            plain(b"{\"a\": 1}\r\n".as_slice()),
            plain(b""),
            plain(&[0, 255, b'\n']),
            plain(&long),
            Event { time: Some(-1), ..plain(b"past") },
            Event { fields: Some("{}"), ..plain(b"fields") },
            Event { time: Some(i64::MAX), fields: Some("{\"k\":\"\u{e9}\"}"), raw: b"both" },
        ];
        let found = collected(&batch(&events)).unwrap();
        let expected =
            events.map(|event| (event.raw.to_vec(), event.time, event.fields.map(str::to_owned)));
        assert_eq!(found, expected);
        assert_eq!(collected(&batch(&[])).unwrap(), []);
    }

    #[test]
    fn a_batch_has_a_limit() {
        let mut builder = BatchBuilder::new(Origin::default());
        let (half, longest) = (vec![b'x'; MAX_BATCH_BYTES / 2], vec![b'x'; MAX_BATCH_BYTES - 4]);
        fn event(raw: &[u8]) -> Event<'_> {
            Event { raw, time: None, fields: None }
        }
        assert_eq!(builder.push(event(&half)), Ok(()));
        let before = builder.bytes();
        assert_eq!(builder.push(event(&half)), Err(BatchError::Full));
        assert_eq!(builder.bytes(), before);
        let too_long = vec![b'x'; MAX_BATCH_BYTES];
        // The length takes four bytes, and that of the fields one.
        let most = MAX_BATCH_BYTES;
        let error = builder.push(event(&too_long));
        assert_eq!(error, Err(BatchError::TooLong { bytes: most + 4, most }));
        let error = builder.push(Event { fields: Some("{}"), ..event(&too_long) });
        assert_eq!(error, Err(BatchError::TooLong { bytes: most + 7, most }));
        assert_eq!(builder.bytes(), before);
        let batch = builder.finish().unwrap();
        assert_eq!(batch.events, 1);
        assert_eq!(collected(&batch).unwrap()[0].0, half);
        let mut builder = BatchBuilder::new(Origin::default());
        assert_eq!(builder.push(event(&longest)), Ok(()));
        let mut builder = BatchBuilder::new(Origin::default());
        for _ in 0..MAX_BATCH_EVENTS {
            assert_eq!(builder.push(event(b"x")), Ok(()));
        }
        assert_eq!(builder.push(event(b"x")), Err(BatchError::Full));
        assert_eq!(builder.finish().unwrap().events, MAX_BATCH_EVENTS);
    }

    /// Whatever the disk gives back, reading ends with events or an error.
    #[test]
    fn damage_is_told() {
        let whole = batch(&[
            Event { raw: b"one two three", time: Some(5), fields: Some("{\"a\":1}") },
            Event { raw: b"four five six", time: None, fields: None },
        ]);
        for at in 0..whole.body.len() {
            for bit in 0..8 {
                let mut damaged = whole.clone();
                damaged.body[at] ^= 1 << bit;
                // A bit of the frame's head has no meaning.
                let found = collected(&damaged);
                assert!(found.is_err() || found == collected(&whole), "bit {bit} of byte {at}");
            }
        }
        for (change, expected) in [
            ((|batch| batch.events = 1) as fn(&mut Batch), "it has more events"),
            (|batch| batch.events = 3, "an event is cut off"),
            (|batch| batch.bytes += 1, "it has fewer bytes than it claims"),
            (|batch| batch.bytes = u64::MAX, "it claims more bytes than a batch can have"),
            (|batch| batch.bytes -= 1, "it cannot be decompressed"),
            (|batch| batch.body.truncate(5), "it cannot be decompressed"),
        ] {
            let mut damaged = whole.clone();
            change(&mut damaged);
            assert_eq!(collected(&damaged), Err(BatchError::Damaged(expected)));
        }
    }
}

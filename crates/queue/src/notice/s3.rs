//! Records that S3 sends itself. Their keys are encoded.

use serde_json::Value;

use super::key::{self, Damage};
use super::{ObjectRef, Record, Sequencer, Skipped};

/// Reads a record. Versions are ignored: the newest one is read.
pub(super) fn read(record: &Value) -> Result<Record, Damage> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let event = record.get("eventName").and_then(Value::as_str);
    let event = event.ok_or_else(|| Damage::of_record("expected a text as `eventName`"))?;
    // Rules are written with `s3:` in front, and some servers repeat that.
    let kind = event.strip_prefix("s3:").unwrap_or(event);
    if !kind.starts_with("ObjectCreated:") {
        return Ok(Record::Skipped(Skipped::of_event(event)));
    }
    let bucket = record.pointer("/s3/bucket/name").and_then(Value::as_str);
    let bucket = bucket.ok_or_else(|| Damage::of_record("expected a text as `s3.bucket.name`"))?;
    let object = record.pointer("/s3/object").unwrap_or(&Value::Null);
    let key = object.get("key").and_then(Value::as_str);
    let key = key.ok_or_else(|| Damage::of_record("expected a text as `s3.object.key`"))?;
    Ok(Record::Object(ObjectRef {
        bucket: key::bucket(bucket)?,
        key: key::decoded(key)?,
        size: object.get("size").and_then(Value::as_u64),
        etag: object.get("eTag").and_then(text).filter(|tag| tag.len() <= key::MOST_KEY),
        sequencer: object.get("sequencer").and_then(Value::as_str).and_then(Sequencer::parse),
    }))
}

//! Events of S3 that EventBridge passes on. Their keys are written as they are.

use serde_json::Value;

use super::key::{self, Damage};
use super::{ObjectRef, Record, Sequencer, Skipped};

/// Reads the `detail` of an event of the given kind.
pub(super) fn read(kind: &str, detail: &Value) -> Result<Record, Damage> {
    if kind != "Object Created" {
        return Ok(Record::Skipped(Skipped::of_event(kind)));
    }
    let bucket = detail.pointer("/bucket/name").and_then(Value::as_str);
    let bucket =
        bucket.ok_or_else(|| Damage::of_record("expected a text as `detail.bucket.name`"))?;
    let object = detail.get("object").unwrap_or(&Value::Null);
    let text = |name: &str| object.get(name).and_then(Value::as_str);
    let key = text("key");
    let key = key.ok_or_else(|| Damage::of_record("expected a text as `detail.object.key`"))?;
    Ok(Record::Object(ObjectRef {
        bucket: key::bucket(bucket)?,
        key: key::plain(key)?,
        size: object.get("size").and_then(Value::as_u64),
        etag: text("etag").filter(|tag| tag.len() <= key::MOST_KEY).map(str::to_owned),
        sequencer: text("sequencer").and_then(Sequencer::parse),
    }))
}

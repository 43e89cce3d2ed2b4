//! Keys that CloudTrail tells by SNS. They are written as they are, and nothing else is told.

use serde_json::Value;

use super::key::{self, Damage};
use super::{ObjectRef, Record};

/// Reads one of the keys of a message.
pub(super) fn read(bucket: &str, key: &Value) -> Result<Record, Damage> {
    let key = key.as_str();
    let key = key.ok_or_else(|| Damage::of_record("expected texts in `s3ObjectKey`"))?;
    Ok(Record::Object(ObjectRef {
        bucket: key::bucket(bucket)?,
        key: key::plain(key)?,
        size: None,
        etag: None,
        sequencer: None,
    }))
}

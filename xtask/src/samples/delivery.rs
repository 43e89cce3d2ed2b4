//! Packs events into files as CloudTrail delivers them: one object per account, region and hour.

use std::collections::BTreeMap;
use std::io::Write;

use anyhow::Result;
use flate2::{Compression, GzBuilder};
use serde_json::{Value, json};

use super::Day;

const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Returns the paths of the files, relative to the samples folder, and their bytes.
///
/// The name of an object contains its delivery time, a few minutes after the hour, so the last
/// events of the day are in the folder of the next day. Events in an object are in random order, as
/// in CloudTrail.
pub(super) fn pack(day: &mut Day) -> Result<Vec<(String, Vec<u8>)>> {
    let mut objects: BTreeMap<(&str, &str, u64), Vec<&Value>> = BTreeMap::new();
    for event in &day.events {
        let key = (event.account, event.region.as_str(), event.at / 3600);
        objects.entry(key).or_default().push(&event.record);
    }
    let mut files = Vec::new();
    for ((account, region, hour), mut records) in objects {
        day.random.shuffle(&mut records);
        let suffix = day.random.text(LETTERS, 16);
        let minute = day.random.between(1, 2) * 5;
        let (date, hour) = if hour == 23 { (18, 0) } else { (17, hour + 1) };
        let path = format!(
            "AWSLogs/{account}/CloudTrail/{region}/2026/03/{date}/\
             {account}_CloudTrail_{region}_202603{date}T{hour:02}{minute:02}Z_{suffix}.json.gz"
        );
        files.push((path, compress(&json!({ "Records": records }))?));
    }
    Ok(files)
}

/// Compresses a document without a timestamp, so that equal logs produce equal files.
fn compress(document: &Value) -> Result<Vec<u8>> {
    let mut encoder =
        GzBuilder::new().mtime(0).operating_system(255).write(Vec::new(), Compression::best());
    encoder.write_all(document.to_string().as_bytes())?;
    Ok(encoder.finish()?)
}

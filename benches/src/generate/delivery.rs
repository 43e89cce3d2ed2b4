//! Files as CloudTrail delivers them, or the same events in files of any size.

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use flate2::{Compression, GzBuilder};

use super::world::{Account, REGIONS};
use super::{Files, time_text};
use crate::random::Random;

/// CloudTrail delivers about every five minutes.
const INTERVAL: u64 = 300;

const HEAD: &[u8] = br#"{"Records":["#;
const TAIL: &[u8] = b"]}";

/// What was written so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// How many files.
    pub files: u64,
    /// How many bytes of JSON are in them.
    pub bytes_json: u64,
    /// How many bytes the files have.
    pub bytes_gz: u64,
}

/// The files that are being filled: one for each account and region.
#[derive(Debug)]
pub(super) struct Delivery<'a> {
    folder: &'a Path,
    files: Files,
    seed: u64,
    lanes: Vec<Lane>,
    pub(super) written: Written,
}

#[derive(Debug)]
struct Lane {
    account: String,
    region: &'static str,
    body: Vec<u8>,
    events: u64,
    /// When the last of its events was delivered.
    delivered: u64,
}

impl<'a> Delivery<'a> {
    pub(super) fn new(folder: &'a Path, files: Files, seed: u64, accounts: &[Account]) -> Self {
        let lanes = accounts.iter().flat_map(|account| {
            REGIONS.iter().map(|(region, _)| Lane {
                account: account.id.clone(),
                region,
                body: Vec::new(),
                events: 0,
                delivered: 0,
            })
        });
        Self { folder, files, seed, lanes: lanes.collect(), written: Written::default() }
    }

    /// Adds a record. They must come in the order of their delivery.
    pub(super) fn push(
        &mut self,
        (account, region): (usize, usize),
        delivered: u64,
        record: &str,
    ) -> Result<()> {
        let index = account * REGIONS.len() + region;
        let lane = &self.lanes[index];
        let is_over = match self.files {
            Files::AsDelivered => lane.delivered / INTERVAL != delivered / INTERVAL,
            Files::Of(events) => lane.events >= events,
        };
        if is_over && lane.events > 0 {
            self.close(index)?;
        }
        let lane = &mut self.lanes[index];
        lane.body.extend_from_slice(if lane.events == 0 { HEAD } else { b"," });
        lane.body.extend_from_slice(record.as_bytes());
        lane.events += 1;
        lane.delivered = delivered;
        Ok(())
    }

    /// Writes what is left.
    pub(super) fn finish(&mut self) -> Result<()> {
        for index in 0..self.lanes.len() {
            if self.lanes[index].events > 0 {
                self.close(index)?;
            }
        }
        Ok(())
    }

    fn close(&mut self, index: usize) -> Result<()> {
        let lane = &mut self.lanes[index];
        lane.body.extend_from_slice(TAIL);
        let path = {
            let end = (lane.delivered / INTERVAL + 1) * INTERVAL;
            let mut random = Random::new(self.seed, "file", self.written.files);
            let (account, region) = (&lane.account, lane.region);
            let time = time_text(end);
            let (date, clock) = (time[..10].replace('-', "/"), time[11..16].replace(':', ""));
            let stamp = format!("{}T{clock}Z", date.replace('/', ""));
            self.folder.join(format!(
                "AWSLogs/{account}/CloudTrail/{region}/{date}/{account}_CloudTrail_{region}_{stamp}_{}.json.gz",
                random.upper(16)
            ))
        };
        let bytes = compress(&lane.body)?;
        self.written.files += 1;
        self.written.bytes_json += lane.body.len() as u64;
        self.written.bytes_gz += bytes.len() as u64;
        lane.body.clear();
        lane.events = 0;
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)
                .with_context(|| format!("making the folder `{}`", parent.display()))?;
        }
        fs::write(&path, bytes).with_context(|| format!("writing `{}`", path.display()))
    }
}

/// Compresses without a time, so that equal logs make equal files.
fn compress(text: &[u8]) -> Result<Vec<u8>> {
    let mut encoder =
        GzBuilder::new().mtime(0).operating_system(255).write(Vec::new(), Compression::default());
    encoder.write_all(text)?;
    Ok(encoder.finish()?)
}

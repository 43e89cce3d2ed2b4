//! What is in generated logs, and what detections must find in them: `ground_truth.json`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::calls::Call;
use super::delivery::Written;
use super::plants::Fires;
use super::world::{Account, REGIONS};
use super::{Event, Recipe, time_text};

/// Seconds of a group of reads.
const SPAN: u64 = 600;

/// Counts while events are written.
#[derive(Debug, Default)]
pub(super) struct Truth {
    names: BTreeMap<String, u64>,
    /// Time, account, person, address: one for one with the group's values, because no two people of
    /// an account are alike.
    reads: BTreeMap<(u64, usize, usize, usize), u64>,
    bursts: BTreeSet<(u64, usize, usize, usize)>,
    tasks: BTreeMap<TaskKey, Seen>,
    images: BTreeMap<(usize, usize, usize), Image>,
    errors: u64,
    repeated: u64,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct TaskKey {
    account: usize,
    person: usize,
    region: usize,
    source: String,
    destination: String,
    error: &'static str,
}

#[derive(Debug, Default)]
struct Image {
    seen: Seen,
    accounts: BTreeSet<String>,
    status: BTreeSet<&'static str>,
}

#[derive(Debug, Default)]
struct Seen {
    count: u64,
    times: BTreeSet<u64>,
}

impl Seen {
    fn see(&mut self, at: u64) {
        self.count += 1;
        self.times.insert(at);
    }

    fn first_and_last(&self) -> [String; 2] {
        let first = self.times.first().copied().unwrap_or_default();
        [first, self.times.last().copied().unwrap_or_default()].map(time_text)
    }
}

impl Truth {
    /// Counts an event of ordinary traffic, or one more delivery of it.
    pub(super) fn see(&mut self, event: &Event, call: &Call, accounts: &[Account], again: bool) {
        *self.names.entry(call.name.clone()).or_default() += 1;
        self.errors += u64::from(event.error.is_some());
        self.repeated += u64::from(again);
        let person = &accounts[event.account].people[event.person];
        // `stats … by` leaves out what has no value.
        if call.name == "GetObject" && person.arn.is_some() && person.principal.is_some() {
            let key = (event.at / SPAN * SPAN, event.account, event.person, event.address);
            *self.reads.entry(key).or_default() += 1;
        }
    }

    /// Counts what a planted event adds to the answers.
    pub(super) fn plant(&mut self, event: &Event, fires: &Fires) {
        match fires {
            Fires::Nothing => {}
            Fires::Burst => {
                let begin = event.at / SPAN * SPAN;
                self.bursts.insert((begin, event.account, event.person, event.address));
            }
            Fires::DataSync { source, destination } => {
                let key = TaskKey {
                    account: event.account,
                    person: event.person,
                    region: event.region,
                    source: source.clone(),
                    destination: destination.clone(),
                    error: event.error.map_or("success", |(code, _)| code),
                };
                self.tasks.entry(key).or_default().see(event.at);
            }
            Fires::Ami { accounts, is_public } => {
                let key = (event.account, event.person, event.region);
                let image = self.images.entry(key).or_default();
                image.seen.see(event.at);
                image.accounts.extend(accounts.iter().cloned());
                image.status.insert(if *is_public { "Public AMI" } else { "Not Public" });
            }
        }
    }

    /// Returns it all as it is written beside the logs.
    pub(super) fn document(&self, recipe: &Recipe, files: Written, accounts: &[Account]) -> Value {
        let group = |key: &(u64, usize, usize, usize)| {
            let account = &accounts[key.1];
            let person = &account.people[key.2];
            let ids = (person.arn.clone().unwrap_or_default(), person.principal.clone());
            (account, person, &person.addresses[key.3], ids.0, ids.1.unwrap_or_default())
        };
        let rows = self.reads.iter().map(|(key, count)| {
            let (account, person, ip, arn, principal) = group(key);
            format!("{}|{ip}|{}|{}|{arn}|{principal}|{count}", key.0, account.id, person.kind)
        });
        let bursts: Vec<Value> = self
            .bursts
            .iter()
            .map(|key| {
                let (account, person, ip, arn, principal) = group(key);
                json!({
                    "time": time_text(key.0), "src_ip": ip, "aws_account_id": account.id,
                    "user_type": person.kind, "user_arn": arn, "principalId": principal,
                    "count": self.reads.get(key),
                })
            })
            .collect();
        let total: u64 = self.names.values().sum();
        json!({
            "flags": recipe.document(),
            "totals": {
                "records": total, "files": files.files, "bytes_json": files.bytes_json,
                "bytes_gz": files.bytes_gz, "distinct_event_names": self.names.len(),
                "errors": self.errors, "delivered_again": self.repeated,
            },
            "event_names": self.names,
            "getobject": {
                "groups": self.reads.len(),
                "events": self.reads.values().sum::<u64>(),
                "sha256_of_sorted_rows": digest(rows),
                "planted_bursts": bursts,
            },
            "datasync": { "rows": self.task_rows(accounts) },
            "ami": { "rows": self.image_rows(accounts) },
        })
    }

    fn task_rows(&self, accounts: &[Account]) -> Vec<Value> {
        let row = |(key, seen): (&TaskKey, &Seen)| {
            let account = &accounts[key.account];
            let person = &account.people[key.person];
            let [first, last] = seen.first_and_last();
            json!({
                "src_ip": person.addresses[0], "aws_account_id": account.id,
                "awsRegion": REGIONS[key.region].0, "eventName": "CreateTask",
                "destinationLocationArn": key.destination, "sourceLocationArn": key.source,
                "userAgent": person.agents[0].text, "user_arn": person.arn,
                "principalId": person.principal, "errorCode": key.error, "count": seen.count,
                "firstTime": first, "lastTime": last,
            })
        };
        self.tasks.iter().map(row).collect()
    }

    fn image_rows(&self, accounts: &[Account]) -> Vec<Value> {
        let row = |(key, image): (&(usize, usize, usize), &Image)| {
            let account = &accounts[key.0];
            let person = &account.people[key.1];
            let [first, last] = image.seen.first_and_last();
            let is_public = image.status.contains("Public AMI");
            let groups: &[&str] = if is_public { &["all"] } else { &[] };
            json!({
                "src_ip": person.addresses[0], "region": REGIONS[key.2].0,
                "eventName": "ModifyImageAttribute", "userAgent": person.agents[0].text,
                "user_arn": person.arn, "aws_account_id": account.id,
                "principalId": person.principal, "count": image.seen.count,
                "firstTime": first, "lastTime": last, "accounts_added": image.accounts,
                "group_added": groups, "ami_status": image.status,
            })
        };
        self.images.iter().map(row).collect()
    }
}

/// Returns the SHA-256 of rows, sorted and with line ends between them.
pub fn digest(rows: impl IntoIterator<Item = String>) -> String {
    let mut rows: Vec<String> = rows.into_iter().collect();
    rows.sort_unstable();
    let hash = Sha256::digest(rows.join("\n").as_bytes());
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

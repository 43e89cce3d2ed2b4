//! What programs answered, compared with what is planted: a figure without a right answer is none.
//!
//! `hunt` prints findings, the scripts for other engines print one object; both come to the same rows
//! here. The truth is what [`crate::generate`] wrote, or a file in the same form beside other logs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use serde_json::Value;

use crate::generate::{TRUTH_FILE, digest};

/// The three detections that every engine here can be asked for.
pub const DETECTIONS: [&str; 3] = [DATASYNC, AMI, READS];
const DATASYNC: &str = "AWS Exfiltration via DataSync Task";
const AMI: &str = "AWS AMI Attribute Modification for Exfiltration";
/// Its groups, before they are scored, are compared too.
pub const READS: &str = "AWS Exfiltration via Anomalous GetObject API Activity";

/// Column names: in the truth, and where a result has another one.
type Column = (&'static str, &'static [&'static str]);

const PRINCIPAL: Column = ("principalId", &["userIdentity.principalId"]);

const DATASYNC_COLUMNS: [Column; 13] = [
    ("src_ip", &[]),
    ("aws_account_id", &[]),
    ("awsRegion", &[]),
    ("eventName", &[]),
    ("destinationLocationArn", &[]),
    ("sourceLocationArn", &[]),
    ("userAgent", &[]),
    ("user_arn", &[]),
    PRINCIPAL,
    ("errorCode", &[]),
    ("count", &[]),
    ("firstTime", &[]),
    ("lastTime", &[]),
];

/// Published content leaves some columns without a name of their own.
const AMI_COLUMNS: [Column; 13] = [
    ("src_ip", &[]),
    ("region", &[]),
    ("eventName", &[]),
    ("userAgent", &[]),
    ("user_arn", &[]),
    ("aws_account_id", &[]),
    PRINCIPAL,
    ("count", &[]),
    ("firstTime", &[]),
    ("lastTime", &[]),
    ("accounts_added", &[]),
    ("group_added", &["values(group_added)"]),
    ("ami_status", &["values(ami_status)"]),
];

const READS_COLUMNS: [Column; 7] = [
    ("time", &["_time"]),
    ("src_ip", &[]),
    ("aws_account_id", &[]),
    ("user_type", &[]),
    ("user_arn", &[]),
    PRINCIPAL,
    ("count", &[]),
];

type Row = Vec<String>;

/// What is in the logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// How many events.
    pub records: u64,
    /// How many bytes of JSON.
    pub bytes_json: u64,
    /// How many files.
    pub files: u64,
    /// How many events of each name, if it is known.
    pub names: BTreeMap<String, u64>,
    answer: Answer,
    groups: u64,
    digest: String,
}

/// The rows of the three detections.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    datasync: Vec<Row>,
    ami: Vec<Row>,
    /// The groups of reads that were found improbable; of the truth, those that are planted.
    flagged: BTreeSet<Row>,
}

impl Expected {
    /// Reads the truth of a folder of logs.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(TRUTH_FILE);
        let text = fs::read_to_string(&path)
            .with_context(|| format!("reading what is planted, `{}`", path.display()))?;
        let truth: Value =
            serde_json::from_str(&text).with_context(|| format!("reading `{}`", path.display()))?;
        Self::of(&truth).with_context(|| format!("in `{}`", path.display()))
    }

    /// Takes the truth apart.
    pub fn of(truth: &Value) -> Result<Self> {
        let number = |path: &str| {
            truth.pointer(path).and_then(Value::as_u64).with_context(|| format!("no `{path}`"))
        };
        let text = |path: &str| {
            truth.pointer(path).and_then(Value::as_str).with_context(|| format!("no `{path}`"))
        };
        let rows = |path: &str| {
            truth.pointer(path).and_then(Value::as_array).with_context(|| format!("no `{path}`"))
        };
        let names = truth["event_names"].as_object().into_iter().flatten();
        Ok(Self {
            records: number("/totals/records")?,
            bytes_json: number("/totals/bytes_json")?,
            files: number("/totals/files")?,
            names: names
                .filter_map(|(name, count)| Some((name.clone(), count.as_u64()?)))
                .collect(),
            answer: Answer {
                datasync: sorted(rows("/datasync/rows")?, &DATASYNC_COLUMNS),
                ami: sorted(rows("/ami/rows")?, &AMI_COLUMNS),
                flagged: reads(rows("/getobject/planted_bursts")?),
            },
            groups: number("/getobject/groups")?,
            digest: text("/getobject/sha256_of_sorted_rows")?.to_owned(),
        })
    }

    /// Compares the rows of the three detections.
    #[must_use]
    pub fn check(&self, answer: &Answer) -> Verdict {
        let mut wrong = Vec::new();
        let pairs = [
            ("DataSync", &self.answer.datasync, &answer.datasync),
            ("AMI", &self.answer.ami, &answer.ami),
        ];
        for (name, expected, found) in pairs {
            if expected != found {
                let right = expected.iter().filter(|row| found.contains(row)).count();
                let (all, more) = (expected.len(), found.len() - right.min(found.len()));
                wrong.push(format!("{name}: {right} of {all} rows, {more} others"));
            }
        }
        let missed = self.answer.flagged.difference(&answer.flagged).count();
        if missed > 0 {
            wrong.push(format!("{missed} of {} bursts missed", self.answer.flagged.len()));
        }
        Verdict { wrong }
    }

    /// Compares the groups of reads, each written as `time|address|account|type|arn|principal|count`.
    #[must_use]
    pub fn check_groups(&self, groups: Vec<String>) -> Verdict {
        let found = groups.len() as u64;
        if digest(groups) == self.digest {
            return Verdict::default();
        }
        let groups = self.groups;
        Verdict {
            wrong: vec![format!("{found} of {groups} groups of reads, or with other counts")],
        }
    }

    /// Compares a number of events.
    #[must_use]
    pub fn check_count(expected: u64, found: Option<u64>) -> Verdict {
        if found == Some(expected) {
            return Verdict::default();
        }
        let found = found.map_or("none".to_owned(), |found| found.to_string());
        Verdict { wrong: vec![format!("{found} events counted, not {expected}")] }
    }
}

/// What came of a comparison.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    wrong: Vec<String>,
}

impl Verdict {
    /// Adds what another comparison found; what is known already is not said again.
    pub fn merge(&mut self, other: Self) {
        for reason in other.wrong {
            if !self.wrong.contains(&reason) {
                self.wrong.push(reason);
            }
        }
    }

    /// Returns the verdict that an answer could not be read.
    #[must_use]
    pub fn unreadable(error: &anyhow::Error) -> Self {
        Self { wrong: vec![format!("{error:#}")] }
    }

    /// Returns true if nothing was wrong.
    #[must_use]
    pub fn is_right(&self) -> bool {
        self.wrong.is_empty()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.wrong.is_empty() {
            f.write_str("right")
        } else {
            f.write_str(&self.wrong.join("; "))
        }
    }
}

impl Answer {
    /// Reads the findings of a hunt, one object a line.
    pub fn of_hunt(text: &str) -> Result<Self> {
        let mut results: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
        for line in text.lines() {
            let finding: Value = serde_json::from_str(line).context("reading a finding")?;
            let name = finding["detection"]["name"].as_str().unwrap_or_default();
            if let Some(known) = DETECTIONS.iter().find(|known| **known == name) {
                results.entry(*known).or_default().push(finding["result"].clone());
            }
        }
        let of = |name: &str| results.get(name).map(Vec::as_slice).unwrap_or_default();
        Ok(Self {
            datasync: sorted(of(DATASYNC), &DATASYNC_COLUMNS),
            ami: sorted(of(AMI), &AMI_COLUMNS),
            flagged: reads(of(READS)),
        })
    }

    /// Reads what a script for another engine printed.
    pub fn of_peer(text: &str) -> Result<Self> {
        let answer: Value = serde_json::from_str(text).context("reading the answer")?;
        let of = |key: &str| {
            answer[key].as_array().with_context(|| format!("`{key}` is not in the answer"))
        };
        Ok(Self {
            datasync: sorted(of("datasync")?, &DATASYNC_COLUMNS),
            ami: sorted(of("ami")?, &AMI_COLUMNS),
            flagged: reads(of("flagged")?),
        })
    }
}

/// Reads groups of reads out of a search's rows, one object a line.
pub fn groups_of_search(text: &str) -> Result<Vec<String>> {
    text.lines()
        .map(|line| {
            let row: Value = serde_json::from_str(line).context("reading a row")?;
            ensure!(row.is_object(), "a row is no object");
            Ok(cells(&row, &READS_COLUMNS).join("|"))
        })
        .collect()
}

/// Adds up a column of a search's rows.
pub fn sum_of(text: &str, column: &str) -> Option<u64> {
    text.lines().map(|line| serde_json::from_str::<Value>(line).ok()?.get(column)?.as_u64()).sum()
}

fn sorted(rows: &[Value], columns: &[Column]) -> Vec<Row> {
    let mut rows: Vec<Row> = rows.iter().map(|row| cells(row, columns)).collect();
    rows.sort_unstable();
    rows
}

fn reads(rows: &[Value]) -> BTreeSet<Row> {
    rows.iter().map(|row| cells(row, &READS_COLUMNS)).collect()
}

fn cells(row: &Value, columns: &[Column]) -> Row {
    let cell = |(name, others): &Column| {
        let mut names = std::iter::once(name).chain(others.iter());
        let value = names.find_map(|name| row.get(*name)).unwrap_or(&Value::Null);
        let text = cell_text(value);
        match *name {
            "time" => epoch(&text),
            "firstTime" | "lastTime" => text.trim_end_matches('Z').to_owned(),
            _ => text,
        }
    };
    columns.iter().map(cell).collect()
}

/// A list is a set here: what is in it counts, not where. A list of one is its value, as with SPL.
fn cell_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: BTreeSet<String> = items.iter().map(cell_text).collect();
            items.into_iter().collect::<Vec<_>>().join(",")
        }
        other => other.to_string(),
    }
}

fn epoch(text: &str) -> String {
    match text.parse::<Timestamp>() {
        Ok(time) => time.as_second().to_string(),
        Err(_) => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn truth() -> Value {
        json!({
            "totals": { "records": 10, "bytes_json": 100, "files": 1 },
            "event_names": { "GetObject": 4 },
            "getobject": {
                "groups": 1, "sha256_of_sorted_rows": digest(["600|1.2.3.4|1|IAMUser|a|p|3".into()]),
                "planted_bursts": [{
                    "time": "1970-01-01T00:10:00Z", "src_ip": "1.2.3.4", "aws_account_id": "1",
                    "user_type": "IAMUser", "user_arn": "a", "principalId": "p", "count": 3,
                }],
            },
            "datasync": { "rows": [] },
            "ami": { "rows": [{
                "src_ip": "1.2.3.4", "principalId": "p", "count": 2, "firstTime": "2026-03-02T00:00:00Z",
                "accounts_added": ["2", "1"], "group_added": ["all"], "ami_status": [],
            }] },
        })
    }

    fn hunt(count: u64) -> String {
        let image = json!({ "detection": { "name": AMI }, "result": {
            "src_ip": "1.2.3.4", "userIdentity.principalId": "p", "count": count,
            "firstTime": "2026-03-02T00:00:00", "accounts_added": ["1", "2"],
            "values(group_added)": "all",
        } });
        let reads = json!({ "detection": { "name": READS }, "result": {
            "_time": 600, "src_ip": "1.2.3.4", "aws_account_id": "1", "user_type": "IAMUser",
            "user_arn": "a", "userIdentity.principalId": "p", "count": 3,
        } });
        let other = json!({ "detection": { "name": "another" }, "result": {} });
        format!("{image}\n{other}\n{reads}\n")
    }

    #[test]
    fn a_right_answer_is_right_whatever_its_columns_are_called() {
        let expected = Expected::of(&truth()).unwrap();
        let verdict = expected.check(&Answer::of_hunt(&hunt(2)).unwrap());
        assert!(verdict.is_right(), "{verdict}");
        assert_eq!(verdict.to_string(), "right");
        let row = r#"{"_time":600,"src_ip":"1.2.3.4","aws_account_id":"1","user_type":"IAMUser","user_arn":"a","userIdentity.principalId":"p","count":3}"#;
        assert!(expected.check_groups(groups_of_search(row).unwrap()).is_right());
        let peer = json!({ "datasync": [], "ami": truth()["ami"]["rows"],
            "flagged": truth()["getobject"]["planted_bursts"] });
        assert!(expected.check(&Answer::of_peer(&peer.to_string()).unwrap()).is_right());
    }

    #[test]
    fn a_wrong_answer_is_told() {
        let expected = Expected::of(&truth()).unwrap();
        let mut verdict = expected.check(&Answer::of_hunt(&hunt(3)).unwrap());
        assert_eq!(verdict.to_string(), "AMI: 0 of 1 rows, 1 others");
        verdict.merge(expected.check(&Answer::default()));
        assert_eq!(
            verdict.to_string(),
            "AMI: 0 of 1 rows, 1 others; AMI: 0 of 1 rows, 0 others; 1 of 1 bursts missed"
        );
        assert!(!expected.check_groups(vec![]).is_right());
        assert_eq!(Expected::check_count(3, None).to_string(), "none events counted, not 3");
        assert!(Answer::of_hunt("no json").is_err());
        assert!(Answer::of_peer("{}").is_err());
        assert_eq!(sum_of("{\"count\":2}\n{\"count\":3}", "count"), Some(5));
        assert_eq!(sum_of("{\"n\":2}", "count"), None);
    }
}

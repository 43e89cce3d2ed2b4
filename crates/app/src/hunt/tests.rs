//! Tests of hunts over a folder of logs and content, without a terminal.

use async_trait::async_trait;
use serde_json::{Value, json};
use spilltrail_content::BuiltinPack;
use spilltrail_detect::Status;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::options::{ContentOptions, RunOptions};
use crate::select::Selection;

/// A sink that records the events of a hunt.
#[derive(Default)]
struct Notes {
    said: Vec<String>,
    findings: Vec<Value>,
    /// Number of findings after which the sink returns an error.
    limit: Option<usize>,
    /// Token that the sink cancels after the first finding.
    cancel: Option<CancellationToken>,
}

#[async_trait]
impl HuntSink for Notes {
    async fn event(&mut self, event: HuntEvent<'_>) -> Result<(), sink::SinkError> {
        self.said.push(match event {
            HuntEvent::Listed { files, .. } => format!("{files} files"),
            HuntEvent::LogsRead => "read".to_owned(),
            HuntEvent::Finding(finding) => {
                self.findings.push(serde_json::to_value(&finding)?);
                if self.limit.is_some_and(|limit| self.findings.len() > limit) {
                    return Err("full".into());
                }
                if let Some(cancel) = &self.cancel {
                    cancel.cancel();
                    tokio::task::yield_now().await;
                }
                format!("finding of {}", finding.detection.name)
            }
            HuntEvent::DetectionFinished { detection, report } => {
                format!("{}: {}", detection.name, report.status)
            }
        });
        Ok(())
    }
}

/// A temporary folder that contains `logs/` and `content/`.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        let records: Vec<Value> = [("CreateKey", "ann"), ("CreateKey", "bob"), ("ListKeys", "bob")]
            .iter()
            .enumerate()
            .map(|(minute, (name, user))| {
                json!({
                    "eventVersion": "1.10",
                    "eventTime": format!("2026-03-10T09:0{minute}:00Z"),
                    "eventSource": "kms.amazonaws.com",
                    "eventName": name,
                    "eventID": format!("event-{minute}"),
                    "userIdentity": {"type": "IAMUser", "arn": format!("arn:user/{user}")},
                })
            })
            .collect();
        folder.write("logs/a.json", &json!({ "Records": records }).to_string());
        folder.detection(1, "Key Made", "eventName=CreateKey | stats count by user_arn");
        folder.detection(2, "Key Gone", "eventName=DeleteKey | stats count by user_arn");
        folder
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn detection(&self, number: u32, name: &str, search: &str) {
        let yaml = format!(
            "name: {name}\nid: 00000000-0000-4000-8000-00000000000{number}\nversion: 1\n\
             date: '2026-01-01'\nauthor: us\nstatus: production\ntype: TTP\n\
             description: Looks for it.\nsearch: {}\nhow_to_implement: Send the logs.\n\
             known_false_positives: Habit.\nreferences: []\n\
             tags: {{analytic_story: [Keys], asset_type: AWS Account, mitre_attack_id: [T1098], \
             security_domain: threat, product: [Splunk Enterprise]}}\n",
            json!(search),
        );
        self.write(&format!("content/detections/d{number}.yml"), &yaml);
    }

    fn content(&self) -> Content {
        let options = ContentOptions {
            folders: vec![self.0.path().join("content")],
            builtin: BuiltinPack::LeftOut,
            ..ContentOptions::default()
        };
        Content::load(&options).unwrap()
    }

    fn options(&self, earliest: Option<&str>) -> HuntOptions {
        let time = TimeOptions { earliest: earliest.map(str::to_owned), ..TimeOptions::default() };
        HuntOptions {
            logs: vec![self.0.path().join("logs").display().to_string()],
            run: RunOptions { time, ..RunOptions::default() },
            ..HuntOptions::default()
        }
    }

    fn hunt(&self, options: &HuntOptions, notes: &mut Notes) -> Result<Summary, AppError> {
        let content = self.content();
        let hunt = hunt(&content, options, notes);
        run(hunt)
    }
}

fn named(name: &str) -> Selection {
    Selection { detections: vec![name.to_owned()], ..Selection::default() }
}

/// Runs a future on a thread of a multi-threaded runtime, as a server does.
fn run<T: Send>(future: impl Future<Output = T> + Send) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    runtime.block_on(future)
}

#[test]
fn findings_come_as_their_detections_finish_and_the_summary_at_the_end() {
    let folder = Folder::new();
    let mut notes = Notes::default();
    let summary = folder.hunt(&folder.options(None), &mut notes).unwrap();
    assert_eq!(
        notes.said,
        [
            "1 files",
            "read",
            "finding of Key Made",
            "finding of Key Made",
            "Key Made: fired",
            "Key Gone: no such events",
        ]
    );
    assert_eq!(notes.findings[0]["result"], json!({"user_arn": "arn:user/ann", "count": 1}));
    assert_eq!(notes.findings[0]["evidence"]["event_ids"], json!(["event-0"]));
    assert_eq!((summary.files, summary.events, summary.findings), (1, 3, 2));
    // Nine o'clock, two minutes and one second.
    assert_eq!(summary.now, Some(1_773_133_321.0));
    let statuses: Vec<&Status> = summary.detections.iter().map(|report| &report.status).collect();
    assert_eq!(statuses, [&Status::Fired, &Status::NoSuchEvents]);
    assert_eq!((summary.passes.len(), summary.unread.len()), (1, 0));
}

#[test]
fn a_range_that_moves_with_the_clock_ends_at_the_newest_event() {
    let folder = Folder::new();
    let mut notes = Notes::default();
    folder.hunt(&folder.options(Some("-90s")), &mut notes).unwrap();
    assert_eq!(notes.findings.len(), 1);
    assert_eq!(notes.findings[0]["result"]["user_arn"], "arn:user/bob");
}

#[test]
fn a_sink_that_takes_no_more_ends_the_hunt() {
    let folder = Folder::new();
    let mut notes = Notes { limit: Some(1), ..Notes::default() };
    let error = folder.hunt(&folder.options(None), &mut notes).unwrap_err();
    let AppError::Sink { done, .. } = error else { panic!("{error}") };
    assert_eq!((done.detections, done.finished, done.findings), (2, 0, 2));
    assert_eq!(notes.said, ["1 files", "read", "finding of Key Made"]);
}

#[test]
fn a_hunt_that_is_cancelled_says_what_was_done() {
    let folder = Folder::new();
    let options = folder.options(None);
    let mut notes = Notes { cancel: Some(options.run.cancel.clone()), ..Notes::default() };
    let error = folder.hunt(&options, &mut notes).unwrap_err();
    let AppError::Cancelled(done) = error else { panic!("{error}") };
    let (files, events) = ((done.files, done.files_read), done.events);
    assert_eq!((files, events), ((1, 1), 3));
    assert_eq!((done.detections, done.finished, done.findings), (2, 0, 1));
    assert_eq!(notes.said, ["1 files", "read"]);

    // A hunt that is canceled before it starts does nothing.
    let error = folder.hunt(&options, &mut notes).unwrap_err();
    let AppError::Cancelled(done) = error else { panic!("{error}") };
    assert_eq!(*done, Done::default());
}

#[test]
fn what_is_asked_for_wrongly_is_an_error_of_the_user() {
    let folder = Folder::new();
    let plain = folder.options(None);
    let unknown = HuntOptions { select: named("Key Maid"), ..plain.clone() };
    let nowhere = HuntOptions { logs: vec!["/nowhere/at/all".to_owned()], ..plain.clone() };
    for (options, message) in [
        (unknown, "there is no detection `Key Maid`; did you mean `Key Made`?"),
        (nowhere, "there is no log to read"),
        (folder.options(Some("soon")), "earliest: `soon` is not a time modifier"),
    ] {
        let error = folder.hunt(&options, &mut Notes::default()).unwrap_err();
        assert!(error.to_string().starts_with(message), "{error}");
        assert_eq!(error.class(), crate::Class::User, "{error}");
    }
}

#[test]
fn a_scan_is_explained_without_reading() {
    let folder = Folder::new();
    let content = folder.content();
    let plan = run(explain::explain_scan(&content, &folder.options(None))).unwrap();
    assert_eq!(plan.sets, 2);
    let made = &plan.detections[0];
    assert_eq!((made.name.as_str(), made.is_waiting), ("Key Made", false));
    let names = made.asked[0].event_names.as_ref().unwrap();
    assert_eq!(names.iter().collect::<Vec<_>>(), ["CreateKey"]);
}

#[test]
fn bins_that_are_aligned_to_now_are_aligned_to_the_newest_event() {
    let folder = Folder::new();
    let search = "eventName=CreateKey | bin _time span=10m aligntime=-30m | stats count by _time";
    folder.detection(3, "Key Times", search);
    let options = HuntOptions { select: named("Key Times"), ..folder.options(None) };
    let mut notes = Notes::default();
    folder.hunt(&options, &mut notes).unwrap();
    // The current time is one second after the newest event. Bins start 30 minutes before it, and
    // every ten minutes from there.
    assert_eq!(notes.findings.len(), 1);
    assert_eq!(notes.findings[0]["result"], json!({"_time": 1_773_132_721, "count": 2}));
}

#[test]
fn times_of_a_search_go_before_the_range_of_the_run() {
    let folder = Folder::new();
    let file = "123456789012_CloudTrail_us-east-1_20260310T0910Z_AbCdEfGhIjKlMnOp.json";
    let path = folder.0.path().join("logs");
    let inside = path.join("AWSLogs/123456789012/CloudTrail/us-east-1/2026/03/10");
    std::fs::create_dir_all(&inside).unwrap();
    std::fs::rename(path.join("a.json"), inside.join(file)).unwrap();
    for (term, count) in [
        ("earliest=1773133200 latest=1773133320", 2),
        ("latest=1773133260", 1),
        (
            "[| makeresults | eval earliest=1773133200, latest=1773133320 | fields earliest latest]",
            2,
        ),
        (
            "[| makeresults | eval earliest=1773133200, latest=1773133260 | fields earliest latest]",
            1,
        ),
        ("[| makeresults | eval latest=1773133260 | return latest]", 1),
        ("[| makeresults | eval latest=1773133260 | table latest | format]", 1),
        ("[| makeresults | eval user_arn=\"*\" | fields user_arn]", 0),
        ("user_arn=*", 0),
    ] {
        let search = format!("eventName=CreateKey {term} | stats count by user_arn");
        folder.detection(3, "Key Times", &search);
        // The range starts a month after the events and the date in the path of the file. The
        // current time is set, so that the files are not searched for the newest event.
        let mut options =
            HuntOptions { select: named("Key Times"), ..folder.options(Some("1775800000")) };
        options.run.time.now = Some("1775900000".to_owned());
        let mut notes = Notes::default();
        let result = folder.hunt(&options, &mut notes);
        assert!(result.is_ok() || count == 0, "{search}: {:?}", result.err());
        assert_eq!(notes.findings.len(), count, "{search}");
    }
}

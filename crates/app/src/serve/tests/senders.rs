//! Detections run on what senders say that their events are.

use std::time::Duration;

use super::*;
use crate::hunt::hunt;
use crate::hunt::sink::{HuntEvent, HuntSink, SinkError};
use crate::options::{HuntOptions, Lake, ReadOptions, RunOptions};

/// A detection runs if events may have the sourcetype that it asks for: who gives them one says so.
#[test]
fn detections_run_on_the_sourcetypes_that_come_in() {
    let folder = tempfile::tempdir().unwrap();
    let detections = folder.path().join("content/detections");
    fs::create_dir_all(&detections).unwrap();
    let input = InputOptions {
        name: "okta".to_owned(),
        logs: Vec::new(),
        queue: None,
        index: "main".to_owned(),
        sourcetype: Some("okta:im".to_owned()),
        every: Duration::from_mins(1),
        days: None,
        dedup: false,
        s3: S3Options::default(),
    };
    for (asked, named, inputs, runs) in [
        ("aws:cloudtrail", &[][..], vec![], true),
        ("httpevent", &[], vec![], true),
        ("Okta:*", &[], vec![], false),
        ("Okta:*", &["other", "okta:im"], vec![], true),
        ("okta:im", &[], vec![input], true),
    ] {
        let text = DETECTION.replace("aws:cloudtrail", asked);
        fs::write(detections.join("keys_made.yml"), text).unwrap();
        let options = ServeOptions {
            sourcetypes: named.iter().map(|name| (*name).to_owned()).collect(),
            inputs,
            ..options(folder.path())
        };
        let content = Content::load(&options.content).unwrap();
        let SchedulePlan { scheduled, left_out } = schedules_of(&content, &options).unwrap();
        let counts = (scheduled.len(), left_out.len());
        assert_eq!(counts, if runs { (1, 0) } else { (0, 1) }, "{asked}");
    }
}

/// A search for events of any product: a sourcetype, and a source that no file has.
fn of_product(asked: &str) -> String {
    let with_times =
        "  scheduling: {cron_schedule: '0 * * * *', earliest_time: -1h, latest_time: now}\n";
    let detection = DETECTION.replace("sourcetype=aws:cloudtrail eventName=CreateAccessKey", asked);
    format!("{detection}deployment:\n  name: each hour\n  type: TTP\n{with_times}")
}

/// Collects the names of findings.
#[derive(Default)]
struct Names(Vec<String>);

#[async_trait::async_trait]
impl HuntSink for Names {
    async fn event(&mut self, event: HuntEvent<'_>) -> Result<(), SinkError> {
        if let HuntEvent::Finding(finding) = event {
            self.0.push(finding.detection.name);
        }
        Ok(())
    }
}

/// What comes in under a name of its sender is found, by the server and by a hunt over its lake, before and
/// after it is moved to the table.
#[tokio::test(flavor = "multi_thread")]
async fn events_of_senders_are_looked_at() {
    let rows = r#"{"user_name": "ann", "EventCode": "4624", "tag": "x"}"#;
    let cloudtrail = r#"{"eventVersion":"1.08","userIdentity":{"type":"IAMUser","userName":"ann"},"eventSource":"iam.amazonaws.com","eventName":"CreateAccessKey"}"#;
    for (asked, sourcetype, text) in [
        ("sourcetype=\"okta:im\"", Some("okta:im"), rows),
        ("sourcetype=okta:im EventCode=4624 tag=x", Some("okta:im"), rows),
        ("source=\"WinEventLog:Security\"", Some("okta:im"), rows),
        ("sourcetype=httpevent Accepted", None, r#"{"user_name": "ann"} Accepted"#),
        // The case of a sourcetype that is known does not matter, or its fields would not be there.
        ("sourcetype=aws:cloudtrail", Some("AWS:CloudTrail"), cloudtrail),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let detections = folder.path().join("content/detections");
        fs::create_dir_all(&detections).unwrap();
        fs::write(detections.join("keys_made.yml"), of_product(&asked.replace('\'', "''")))
            .unwrap();
        let options =
            ServeOptions { sourcetypes: vec!["okta:im".to_owned()], ..options(folder.path()) };
        let mut simulation = Simulation::with(folder, options, START).await;
        let origin = Origin {
            sourcetype: sourcetype.map(Into::into),
            source: Some("WinEventLog:Security".into()),
            ..Origin::default()
        };
        for hour in [0, 1] {
            let time = START.plus(hour * HOUR + HOUR / 2);
            simulation.arrive_from(origin.clone(), Some(time), &[text.to_owned()]).await;
            if hour == 1 {
                simulation.move_all().await;
            }
            simulation.scheduler.tick(START.plus((hour + 1) * HOUR + 900)).await.unwrap();
            assert_eq!(simulation.counted().len(), 1 + hour as usize, "{asked}");
        }
        let told = simulation.told.0.lock().unwrap().join("\n");
        assert!(!told.contains("NoEvents"), "{asked}: {told}");
        let lake = Lake::of_events(simulation.server.runner.folder.path().to_owned());
        let read = ReadOptions { lake: Some(lake), ..ReadOptions::default() };
        let options = HuntOptions {
            run: RunOptions { read, ..RunOptions::default() },
            ..HuntOptions::default()
        };
        let mut found = Names::default();
        let content = simulation.server.content().get();
        hunt(&content, &options, &mut found).await.unwrap();
        assert_eq!(found.0, ["Keys Made"], "{asked}");
    }
}

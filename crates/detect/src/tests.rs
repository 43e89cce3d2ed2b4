//! Tests of detections over rows in memory: statuses, outcomes, evidence.

mod checker;
mod ranges;
mod stored;

use std::collections::HashMap;
use std::sync::Arc;

use jiff::tz::TimeZone;
use serde_json::Value as Json;
use spilltrail_content::{ContentSet, Detection};
use spilltrail_diagnostic::{Code, Severity};
use spilltrail_event::{TimeBounds, Value};
use spilltrail_search::context::{Cancel, LookupStore, LookupTable, SearchContext};
use spilltrail_search::events::memory::MemoryEvents;
use spilltrail_search::rows::Row;
use spilltrail_search::run as search;

use crate::{AnalyzedContent, DetectionRun, Finding, Missing, Status, run};

const EVENTS: &str = r#"
{"_time":100,"eventID":"e1","eventName":"Get","user":"ann","src_ip":"192.0.2.1","bucket":"b1"}
{"_time":200,"eventID":"e2","eventName":"Get","user":"bob","src_ip":"192.0.2.2","bucket":"b2"}
{"_time":300,"eventID":"e3","eventName":"Get","user":"ann","src_ip":"192.0.2.3","bucket":"b2"}
{"_time":400,"eventID":"e4","eventName":"Put","user":"cyd","src_ip":"192.0.2.4"}
"#;

/// The settings of a test's detection, apart from its search.
struct Written {
    detection_type: &'static str,
    search: &'static str,
    message: &'static str,
}

/// A run and the findings that it sent.
#[derive(Debug)]
struct Ran {
    outcome: DetectionRun,
    findings: Vec<Finding>,
}

impl std::ops::Deref for Ran {
    type Target = DetectionRun;

    fn deref(&self) -> &DetectionRun {
        &self.outcome
    }
}

impl Default for Written {
    fn default() -> Self {
        Self {
            detection_type: "TTP",
            search: "eventName=Get | stats count max(_time) as lastTime values(src_ip) as src_ip by user",
            message: "$user$ came from $src_ip$ to $bucket$",
        }
    }
}

impl Written {
    fn load(&self) -> (ContentSet, Detection) {
        let yaml = format!(
            "name: Reads\nid: 0f8fad5b-d9cb-469f-a165-70867728950e\nversion: 3\ndate: '2026-01-01'\n\
             author: us\nstatus: production\ntype: {}\ndescription: Finds reads.\nsearch: {}\n\
             how_to_implement: send the logs\nknown_false_positives: none known\nreferences: []\n\
             drilldown_searches:\n- name: All of $user$\n  search: 'user=$user$ | stats count'\n  \
             earliest_offset: $info_min_time$\n  latest_offset: $info_max_time$\n\
             rba:\n  message: {}\n  risk_objects:\n  - {{field: user, type: user, score: 40}}\n  \
             - {{field: src_ip, type: system, score: 70}}\n  threat_objects:\n  \
             - {{field: src_ip, type: ip_address}}\n\
             tags: {{analytic_story: [Theft], asset_type: AWS Account, mitre_attack_id: [T1530], \
             security_domain: threat, product: [Splunk Enterprise]}}\n",
            self.detection_type,
            serde_json::to_string(self.search).unwrap(),
            serde_json::to_string(self.message).unwrap(),
        );
        let yaml: &'static str = Box::leak(yaml.into_boxed_str());
        let lookup =
            "name: known_users\ndescription: Users.\nlookup_type: kvstore\nfields: [user]\n";
        let files =
            Box::leak(Box::new([("detections/reads.yml", yaml), ("lookups/known.yml", lookup)]));
        let (content, problems) = ContentSet::from_embedded(files);
        assert!(content.detections.len() == 1, "{problems:?}");
        let detection = content.detections[0].clone();
        (content, detection)
    }

    fn run(&self, events: &str) -> Ran {
        self.run_in(&context(events))
    }

    fn run_in(&self, context: &SearchContext) -> Ran {
        let (content, detection) = self.load();
        let content = AnalyzedContent::new(Arc::new(content));
        // The channel holds one message, so this also tests that a run waits for the receiver.
        let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
        let (outcome, findings) = block_on(async {
            let running = run(&detection, &content, context, "run-1", sender);
            let receiving = async {
                let mut findings = Vec::new();
                while let Some(few) = receiver.recv().await {
                    findings.extend(few);
                }
                findings
            };
            futures::join!(running, receiving)
        });
        assert_eq!(outcome.findings, findings.len() as u64);
        Ran { outcome, findings }
    }
}

/// The lookups of the tests: their rows (one has a row, two are empty), and whether they were
/// provided.
#[derive(Debug)]
struct Lookups(HashMap<&'static str, (usize, bool)>);

impl LookupStore for Lookups {
    fn read(&self, name: &str) -> Result<Option<Arc<LookupTable>>, String> {
        Ok(self.0.get(name).map(|(rows, is_given)| {
            Arc::new(LookupTable {
                columns: vec!["user".into(), "known".into()],
                rows: vec![vec!["ann".into(), "yes".into()]; *rows].into(),
                case_sensitive: true,
                max_matches: 1000,
                is_given: *is_given,
                ..LookupTable::default()
            })
        }))
    }

    fn write(&self, _: &str, _: LookupTable) -> Result<(), String> {
        Ok(())
    }
}

fn context(events: &str) -> SearchContext {
    let rows = events.lines().filter(|line| !line.is_empty()).map(row).collect();
    SearchContext {
        session: search::session(64 << 20).unwrap(),
        events: Arc::new(MemoryEvents::new(rows)),
        lookups: Arc::new(Lookups(HashMap::from([
            ("full", (1, true)),
            ("empty", (0, true)),
            ("collection", (0, false)),
        ]))),
        tables: None,
        geo: None,
        macros: Arc::new(spilltrail_spl::MacroSet::builtin()),
        knowledge: Arc::default(),
        now: 1000.0,
        zone: TimeZone::UTC,
        cancel: Cancel::default(),
        range: TimeBounds::default(),
        observations: Arc::default(),
    }
}

fn row(line: &str) -> Row {
    let Json::Object(object) = serde_json::from_str(line).unwrap() else { panic!("{line}") };
    let text = |json: Json| match json {
        Json::String(text) => text,
        other => other.to_string(),
    };
    object
        .into_iter()
        .map(|(name, json)| {
            let value = match json {
                Json::Array(items) => {
                    Value::multi(items.into_iter().map(|item| text(item).into()).collect())
                }
                Json::Number(number) if name == "_time" => Value::Number(number.as_f64().unwrap()),
                other => Value::text(text(other)),
            };
            (name, value)
        })
        .collect()
}

#[test]
fn lookups_that_content_fills() {
    let search = "eventName=Get | stats count by user | outputlookup seen.csv";
    let (content, _) = Written { search, ..Written::default() }.load();
    let content = AnalyzedContent::new(Arc::new(content));
    for (name, is_filled) in [("seen", true), ("seen.csv", true), ("unseen", false)] {
        assert_eq!(content.fills_lookup(name), is_filled, "{name}");
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn found<'a>(run: &'a Ran, user: &str) -> &'a Finding {
    let is_it =
        |finding: &&Finding| finding.result.get("user") == Some(&Value::text(user.to_owned()));
    run.findings.iter().find(is_it).unwrap_or_else(|| panic!("no finding about {user}: {run:?}"))
}

/// Returns the ids of the events that match a search.
fn events_of(text: &str, events: &str) -> Vec<String> {
    let context = context(events);
    let rows = block_on(async {
        let prepared = search::prepare(text, None, &context).await.unwrap();
        prepared.collect(&context).await.unwrap()
    });
    let mut ids: Vec<String> =
        rows.iter().map(|row| row["eventID"].to_text().unwrap().into_owned()).collect();
    ids.sort();
    ids
}

#[test]
fn every_status() {
    let cases = [
        ("eventName=Get | stats count by user", Status::Fired),
        ("eventName=Get | stats count by user | where count>5", Status::Clean),
        ("eventName=Gone | stats count by user", Status::NoSuchEvents),
        (
            "eventName=Gone NOT [search eventName=Get | fields user] | stats count by user",
            Status::NoSuchEvents,
        ),
        (
            "eventName=Get | stats count by user arn zone",
            Status::CannotFire(Missing { fields: vec!["arn".into(), "zone".into()], rows: 3 }),
        ),
        // Only the rows that are grouped lack the field.
        (
            "eventName=* | where isnull(bucket) | stats count by bucket",
            Status::CannotFire(Missing { fields: vec!["bucket".into()], rows: 1 }),
        ),
        // A row that no event is behind is no finding.
        ("eventName=Gone | stats count", Status::NoSuchEvents),
        ("eventName=Gone | stats count | eval user=\"ann\"", Status::NoSuchEvents),
        ("eventName=Get | where user=\"dan\" | stats count", Status::Clean),
        ("eventName=Get | stats count by user | where count>5 | stats count", Status::Clean),
        ("eventName=Get | stats count", Status::Fired),
        ("| tstats count where eventName=Gone", Status::NoSuchEvents),
        (
            "eventName=Gone | stats count | appendcols [search eventName=Get | stats count as gets]",
            Status::Fired,
        ),
        (
            "eventName=Get | stats count by user | appendpipe [where user=\"dan\" | stats count] | where isnotnull(user)",
            Status::Fired,
        ),
        // The subsearch found nothing to look for.
        (
            "eventName=Put [search eventName=Gone | fields user] | stats count by user",
            Status::EmptySubsearch,
        ),
        (
            "eventName=Put [| inputlookup empty | fields user] | stats count by user",
            Status::NoBaseline(vec!["empty".into()]),
        ),
        ("eventName=Gone | search [search eventName=Gone | fields user]", Status::NoSuchEvents),
        ("eventName=Get | lookup full user OUTPUT known | stats count by user", Status::Fired),
        (
            "eventName=Get | lookup empty user OUTPUT known | stats count by user known",
            Status::NoBaseline(vec!["empty".into()]),
        ),
        // Nothing reads what the lookup adds.
        ("eventName=Get | lookup empty user OUTPUT known | stats count by user", Status::Fired),
        (
            "eventName=Get | lookup empty user | stats count by user",
            Status::NoBaseline(vec!["empty".into()]),
        ),
        (
            "eventName=Gone | lookup empty user OUTPUT known | stats count by user",
            Status::NoSuchEvents,
        ),
        ("eventName=Get | search NOT [| inputlookup full | fields user]", Status::Fired),
        ("eventName=Get | search NOT [| inputlookup empty | fields user]", Status::Fired),
        ("eventName=Get NOT ([inputlookup empty.csv | fields user] OR user=ann)", Status::Fired),
        (
            "eventName=Get | search NOT (zone=9 NOT [| inputlookup empty | fields user])",
            Status::NoBaseline(vec!["empty".into()]),
        ),
        (
            "eventName=Get | search NOT [search user=ann | inputlookup append=t empty | fields user]",
            Status::NoBaseline(vec!["empty".into()]),
        ),
        (
            "eventName=Get | search NOT [| inputlookup full | lookup empty user OUTPUT known as k | where isnull(k) | fields user]",
            Status::NoBaseline(vec!["empty".into()]),
        ),
        (
            "eventName=Get | search NOT [| inputlookup empty | fields user] | lookup empty user OUTPUT known",
            Status::NoBaseline(vec!["empty".into()]),
        ),
        // Nobody provided these tables, so they are not empty on purpose.
        (
            "eventName=Get | search NOT [| inputlookup collection | fields user]",
            Status::NoBaseline(vec!["collection".into()]),
        ),
        // Nothing defines these lookups; the second one has the name of another with mistakes in it.
        (
            "eventName=Get | search NOT [| inputlookup nowhere | fields user]",
            Status::NoBaseline(vec!["nowhere".into()]),
        ),
        ("eventName=Get | search NOT [| inputlookup known_usres | fields user]", Status::Failed),
        (
            "eventName=Get | lookup known_usres user OUTPUT known | stats count by user",
            Status::Failed,
        ),
        (
            "eventName=Gone | lookup known_usres user OUTPUT known | stats count by user",
            Status::NoSuchEvents,
        ),
        // The detection's own list of what it found before is empty at first.
        (
            "eventName=Get | search NOT [| inputlookup later | fields user] | outputlookup append=t later",
            Status::Fired,
        ),
        (
            "eventName=Get | search NOT [| inputlookup empty | fields user] | fields user | outputlookup append=t empty.csv",
            Status::Fired,
        ),
        // Here it says what to look for.
        (
            "eventName=Get | search [| inputlookup later | fields user] | outputlookup append=t later",
            Status::NoBaseline(vec!["later".into()]),
        ),
        ("eventName=Get | frobnicate user", Status::Unsupported),
        ("eventName=Get | stats", Status::Failed),
        ("eventName=Get | where count >", Status::Failed),
        ("| makeresults | eval user=\"ann\"", Status::Fired),
        ("| makeresults | where 1=2", Status::Clean),
    ];
    for (search, expected) in cases {
        let run = Written { search, ..Written::default() }.run(EVENTS);
        assert_eq!(run.status, expected, "{search}: {:?}", run.messages);
        assert_eq!(run.findings.is_empty(), expected != Status::Fired, "{search}");
    }
}

#[test]
fn a_misspelled_lookup_is_told_once_with_the_nearest_name() {
    let search = "eventName=Get | lookup known_usres user OUTPUT known | stats count by user";
    let run = Written { search, ..Written::default() }.run(EVENTS);
    let told: Vec<_> =
        run.messages.iter().map(|told| (told.severity, told.help.as_deref())).collect();
    assert_eq!(
        told,
        [(Severity::Error, Some("did you mean `known_users`?"))],
        "{:?}",
        run.messages
    );
    assert_eq!(run.messages[0].labels.len(), 1);
}

#[test]
fn matched_events_are_those_of_the_first_search() {
    let search = "eventName=Put [search eventName=* | stats count by eventName | fields eventName] | stats count by user";
    let run = Written { search, ..Written::default() }.run(EVENTS);
    assert_eq!((run.matched_events, run.rows), (Some(1), 1));
}

#[test]
fn the_type_decides_what_a_result_becomes() {
    for (detection_type, notable, score) in [
        ("TTP", true, Some(70)),
        ("Anomaly", false, Some(70)),
        ("Correlation", true, None),
        ("Hunting", false, None),
    ] {
        let run = Written { detection_type, ..Written::default() }.run(EVENTS);
        let finding = found(&run, "bob");
        assert_eq!((finding.notable, finding.risk_score), (notable, score), "{detection_type}");
        assert_eq!(finding.notable_text.is_some(), notable, "{detection_type}");
        assert_eq!(finding.risk_objects.is_empty(), score.is_none(), "{detection_type}");
        assert_eq!(finding.threat_objects.is_empty(), score.is_none(), "{detection_type}");
    }
}

#[test]
fn each_value_is_an_object_and_an_absent_field_is_none() {
    let run = Written::default().run(EVENTS);
    let objects = |user: &str| -> Vec<(String, u32)> {
        let objects = found(&run, user).risk_objects.iter();
        objects.map(|object| (object.value.clone(), object.score)).collect()
    };
    let expected = [("ann", 40), ("192.0.2.1", 70), ("192.0.2.3", 70)];
    assert_eq!(objects("ann"), expected.map(|(value, score)| (value.to_owned(), score)));
    assert_eq!(found(&run, "ann").threat_objects.len(), 2);
    assert_eq!(
        found(&run, "ann").risk_message.as_deref(),
        Some("ann came from 192.0.2.1, 192.0.2.3 to (no value)")
    );

    let search = "eventName=Get | stats count by user";
    let run = Written { search, ..Written::default() }.run(EVENTS);
    assert_eq!(found(&run, "ann").risk_objects.len(), 1);
    let warned = run.messages.iter().filter(|message| message.code == Code::RISK_FIELD).count();
    assert_eq!(warned, 1, "{:?}", run.messages);
}

/// The form that `fieldformat` gives to a field is for people; findings are about its value.
#[test]
fn findings_have_values_and_not_their_forms() {
    let counted = "eventName=Get | stats count max(_time) as lastTime by user";
    let formatted = format!(
        "{counted} | fieldformat user=\"user \".user | fieldformat lastTime=strftime(lastTime, \"%F\")"
    );
    let runs = [counted, &*formatted.leak()]
        .map(|search| Written { search, ..Written::default() }.run(EVENTS));
    let about = |run: &Ran| -> Vec<_> {
        let findings = run.findings.iter();
        let about = findings.map(|finding| {
            let objects = finding.risk_objects.iter().map(|object| object.value.clone());
            (
                objects.collect::<Vec<_>>(),
                finding.id.clone(),
                finding.last_seen,
                finding.evidence.event_ids.clone(),
                finding.result.get("user").cloned(),
            )
        });
        about.collect()
    };
    let [plain, formatted] = runs.each_ref().map(about);
    assert_eq!(plain.len(), 2);
    assert_eq!(plain, formatted);
}

#[test]
fn time_is_that_of_the_row_or_of_its_newest_event() {
    for (search, expected) in [
        ("eventName=Get | stats max(_time) as lastTime min(_time) as firstTime by user", 300.0),
        ("eventName=Get | stats min(_time) as firstTime by user", 100.0),
        ("eventName=Get | stats max(_time) as _time by user", 300.0),
        ("eventName=Get | stats count by user", 300.0),
        (
            "eventName=Get | stats max(_time) as t by user | eval lastTime=strftime(t, \"%Y-%m-%dT%H:%M:%S\"), time=5 | fields - t",
            300.0,
        ),
    ] {
        let run = Written { search, ..Written::default() }.run(EVENTS);
        assert_eq!(found(&run, "ann").time, Some(expected), "{search}");
    }
}

#[test]
fn evidence_names_the_events_and_finds_them_again() {
    let cases = [
        ("eventName=Get OR eventName=Put | stats count by user", "ann", &["e1", "e3"][..]),
        ("eventName=Get | eval who=upper(user) | stats count by who user bucket", "bob", &["e2"]),
        ("eventName=Get | rename bucket as place | stats count by user place", "bob", &["e2"]),
        ("eventName=Get | fields user | stats count by user", "bob", &["e2"]),
        (
            "eventName=Get | stats count by user bucket | stats dc(bucket) as n by user",
            "ann",
            &["e1", "e3"],
        ),
        ("eventName=Get | sort user | table user eventID", "bob", &["e2"]),
        ("eventName=Get user=bob", "bob", &["e2"]),
    ];
    for (search, user, expected) in cases {
        let run = Written { search, ..Written::default() }.run(EVENTS);
        let evidence = &found(&run, user).evidence;
        let mut ids = evidence.event_ids.clone();
        ids.sort();
        assert_eq!(ids, expected, "{search}");
        let again = events_of(&evidence.search, EVENTS);
        assert_eq!(again, expected, "{search}: {}", evidence.search);
    }
}

#[test]
fn evidence_is_bounded_and_told_apart_by_time() {
    let many: String = (0..50)
        .map(|n| {
            format!(
                "{{\"_time\":{},\"eventID\":\"e{n}\",\"eventName\":\"Get\",\"user\":\"ann\"}}\n",
                n * 10
            )
        })
        .collect();
    let run =
        Written { search: "eventName=Get | stats count by user", ..Written::default() }.run(&many);
    assert_eq!(found(&run, "ann").evidence.event_ids.len(), 20);

    let search = "eventName=Get | eval _time=if(_time<250, 0, 250) | stats count by _time user";
    let run = Written { search, ..Written::default() }.run(&many);
    assert_eq!(run.findings.len(), 2);
    for finding in &run.findings {
        assert_eq!(
            events_of(&finding.evidence.search, &many).len(),
            25,
            "{}",
            finding.evidence.search
        );
    }
}

#[test]
fn values_cannot_break_out_of_the_searches_they_are_put_in() {
    for value in [
        r#"x" | delete index=* "#,
        r#"x\" OR user=* "#,
        "x` all `",
        "x] [search *",
        "$user$ $src_ip$",
        r"back\slash\\",
        "line\nend",
        "*",
    ] {
        let event = serde_json::json!({
            "_time": 1, "eventID": "evil", "eventName": "Get", "user": value, "src_ip": "192.0.2.9",
        });
        let events = format!("{EVENTS}{event}\n");
        let search = "eventName=Get | stats count by user src_ip";
        let run = Written { search, ..Written::default() }.run(&events);
        let finding = found(&run, value);
        assert_eq!(finding.evidence.event_ids, ["evil"], "{value:?}");
        assert_eq!(
            events_of(&finding.evidence.search, &events),
            ["evil"],
            "{}",
            finding.evidence.search
        );
        let message = finding.risk_message.as_deref().unwrap();
        assert_eq!(message, format!("{value} came from 192.0.2.9 to (no value)"));
        let drilldown = &finding.notable_text.as_ref().unwrap().drilldowns[0].search;
        let (pipeline, problems) = spilltrail_spl::parse(drilldown);
        assert!(problems.is_empty(), "{drilldown}: {problems:?}");
        assert_eq!(pipeline.commands.len(), 2, "{drilldown}");
    }
}

#[test]
fn a_finding_is_the_object_that_programs_read() {
    let run = Written::default().run(EVENTS);
    let json = serde_json::to_value(found(&run, "bob")).unwrap();
    assert_eq!(json["detection"]["type"], "TTP");
    assert_eq!(json["detection"]["version"], 3);
    assert_eq!(json["result"]["count"], 1);
    assert_eq!(json["time"], 200);
    assert_eq!(
        json["risk_objects"][0],
        serde_json::json!({"field":"user","type":"user","value":"bob","score":40})
    );
    assert_eq!(json["threat_objects"][0]["value"], "192.0.2.2");
    assert_eq!(json["annotations"]["mitre_attack"][0], "T1530");
    assert_eq!(json["notable"], true);
    assert_eq!(json["rule_title"], "Reads");
    assert_eq!(json["severity"], "high");
    assert_eq!(json["drilldowns"][0]["search"], "user=\"bob\" | stats count");
    assert_eq!(json["evidence"]["event_ids"][0], "e2");
    assert_eq!(json["schema_version"], 1);
    assert_eq!(json["run_id"], "run-1");
    assert_eq!((&json["first_seen"], &json["last_seen"]), (&200.into(), &200.into()));
    assert_eq!(json["evidence"]["events"], 1);
    let keys: Vec<&String> = json.as_object().unwrap().keys().collect();
    assert!(
        keys.contains(&&"nes_fields".to_owned()) && !keys.contains(&&"notable_text".to_owned())
    );

    let hunting = Written { detection_type: "Hunting", ..Written::default() }.run(EVENTS);
    let json = serde_json::to_value(found(&hunting, "bob")).unwrap();
    assert_eq!(json["risk_score"], Json::Null);
    assert_eq!(json.get("rule_title"), None);
}

//! Tests that every registered code is raised by some user input or by some failure of a run.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use datafusion::catalog::TableProvider;
use datafusion::common::DataFusionError;
use spilltrail_content::{BuiltinPack, ContentSet};
use spilltrail_detect::{AnalyzedContent, run as run_detection};
use spilltrail_diagnostic::{Code, Diagnostic, REGISTRY};
use spilltrail_event::{Demand, Field, Predicate, ScanRequest, TimeBounds, Value};
use spilltrail_search::analysis::analyze;
use spilltrail_search::context::{Cancel, LookupStore, LookupTable, SearchContext};
use spilltrail_search::error::from_engine;
use spilltrail_search::events::EventSource;
use spilltrail_search::events::memory::MemoryEvents;
use spilltrail_search::rows::Row;
use spilltrail_search::run;
use spilltrail_spl::{MacroDefinition, MacroSet};

/// An input that raises a code.
enum Input {
    /// A search over two events.
    Search(&'static str),
    /// A search that says something else than it seems to.
    Doubtful(&'static str),
    /// The search of a detection, and how many times its events can be read.
    Detection(&'static str, usize),
    /// Files of a content folder.
    Content(&'static [(&'static str, &'static str)]),
    /// An empty content folder.
    EmptyFolder,
    /// A failure of the engine.
    Engine(DataFusionError),
}

use Input::{Content, Detection, Doubtful, EmptyFolder, Engine, Search};

const ANOMOLY: &str = "name: D\nid: 0f8fad5b-d9cb-469f-a165-70867728950e\nversion: 1\n\
    date: '2026-01-01'\nauthor: us\nstatus: production\ntype: Anomoly\ndescription: Finds.\n\
    search: '*'\nhow_to_implement: no\nknown_false_positives: no\nreferences: []\n\
    tags: {analytic_story: [S], asset_type: A, mitre_attack_id: [T1530], \
    security_domain: threat, product: [Splunk Enterprise]}\n";

/// The codes that only the command line raises. The examples on their pages raise them, which
/// `crates/cli/tests/documents/errors.rs` tests.
const OF_THE_COMMAND_LINE: [Code; 11] = [
    Code::CONFIGURATION,
    Code::NO_RISK,
    Code::NO_TEXT,
    Code::DAMAGED_TABLE,
    Code::NO_LOGS,
    Code::NOT_FED,
    Code::DAMAGED,
    Code::NO_EVENTS,
    Code::LEFT_OUT,
    Code::UNTIMED,
    Code::UNKNOWN_EVENT_TYPE,
];

const MACRO: &str = "name: m\ndefinition: index=a\n";

async fn cases() -> Vec<(Code, Input)> {
    let task = tokio::spawn(std::future::pending::<()>());
    task.abort();
    let canceled = Box::new(task.await.expect_err("it was aborted"));
    let deep = format!("* | eval a={}1{}", "(".repeat(300), ")".repeat(300)).leak();
    vec![
        (Code::UNBALANCED, Search("a=\"b")),
        (Code::EMPTY_COMMAND, Search("a=1 | | head")),
        (Code::BAD_TIME_MODIFIER, Search("earliest=soon")),
        (Code::EXPECTED, Search("* | where a=>1")),
        (Code::TRAILING_TEXT, Search("* | where a=1 2")),
        (Code::CHAINED_COMPARISON, Search("* | where a<b<c")),
        (Code::UNEXPECTED_END, Search("* | where a=")),
        (Code::TOO_DEEP, Search(deep)),
        (Code::UNKNOWN_MACRO, Search("`nothing`")),
        (Code::MACRO_ARGUMENT, Search("`twice(a=1, a=2)`")),
        (Code::MACRO_DEPTH, Search("`endless`")),
        (Code::UNSUPPORTED_COMMAND, Search("* | frobnicate")),
        (Code::UNKNOWN_COMMAND, Search("* | statz count")),
        (Code::UNSUPPORTED_FUNCTION, Search("* | stats rate_sum(a)")),
        (Code::UNKNOWN_FUNCTION, Search("* | eval a=frobnicate(1)")),
        (Code::UNSUPPORTED_OPTION, Search("* | makemv setsv=true a")),
        (Code::BAD_OPTION, Search("* | head limit=few")),
        (Code::BAD_ARGUMENT, Search("* | eval a=upper()")),
        (Code::NOT_GENERATING, Search("* | makeresults")),
        (Code::BAD_REGEX, Search("* | rex field=a \"(\"")),
        (Code::DOTTED_NAME, Search("* | eval b=user.name")),
        (Code::MISSING_LOOKUP, Search("| inputlookup nothing")),
        (Code::NO_EFFECT, Search("* | stats dedup_splitvals=true count")),
        (Code::MISSING_ARGUMENT, Search("* | bin span=1m")),
        (Code::UNSUPPORTED_SYNTAX, Search("* | extract access")),
        (Code::LIMIT, Search("* [| makeresults count=10001 | streamstats count as a | fields a]")),
        (Code::NO_GEOIP, Search("* | iplocation a")),
        (Code::MEMORY_LIMIT, Engine(DataFusionError::ResourcesExhausted("pool".to_owned()))),
        (Code::DISK, Engine(DataFusionError::IoError(io::ErrorKind::StorageFull.into()))),
        (Code::INTERNAL, Engine(DataFusionError::Internal("no".to_owned()))),
        (Code::CANCELED, Engine(DataFusionError::ExecutionJoin(canceled))),
        (Code::UNORDERED, Search("* | sort 0 n | streamstats time_window=1m count")),
        (Code::LOOKUP_NOT_WRITTEN, Search("* | outputlookup readonly")),
        (Code::TOO_LARGE, Search("* | eval a=mvjoin(mvrange(0,100000),printf(\"%900s\",\"\"))")),
        (Code::NO_ROWS, Search("a=nosuch | require")),
        (Code::LOST_FIELD, Doubtful("* | stats count as n by a | where count > 1")),
        (Code::LOWER_CASE_OPERATOR, Doubtful("a=1 or b=2")),
        (Code::NOT_SPL, Doubtful("a=1 stats count by b")),
        (Code::QUOTES, Doubtful("a='b'")),
        (Code::NEVER_MET, Doubtful("* | where \"a\"=\"b\"")),
        (Code::WILDCARD, Doubtful("* | where like(a, \"b*\")")),
        (Code::OTHER_NAME, Doubtful("eventSource=s3")),
        (
            Code::NULL_GROUP,
            Doubtful(
                "sourcetype=aws:cloudtrail eventName=PutBucketPolicy eventSource=s3.amazonaws.com | stats count by user_arn errorMessage",
            ),
        ),
        (
            Code::ANY_SERVICE,
            Doubtful("sourcetype=aws:cloudtrail eventName=CreateUser | stats count by user_arn"),
        ),
        (
            Code::SHORT_WINDOW,
            Doubtful(
                "sourcetype=aws:cloudtrail eventName=StopLogging earliest=-5m | stats count by user_arn",
            ),
        ),
        (
            Code::NEAR_LIMIT,
            Doubtful(
                "sourcetype=aws:cloudtrail eventName=DeleteTrail | join user_arn [search eventName=CreateAccessKey | fields user_arn] | stats count by user_arn",
            ),
        ),
        (
            Code::SHADOWED,
            Doubtful(
                "sourcetype=aws:cloudtrail eventName=CreateAccessKey | stats count values(user) as user by user_arn | rename user_arn as user",
            ),
        ),
        (
            Code::TEXT_AND_NUMBER,
            Doubtful(
                "* | stats max(_time) as t by user_arn | convert ctime(t) | where t > relative_time(now(), \"-1d\")",
            ),
        ),
        (Code::UNKNOWN_MODEL, Search("| tstats count from datamodel=Nothing")),
        (Code::YAML, Content(&[("macros/m.yml", "name: [")])),
        (Code::DUPLICATE_CONTENT, Content(&[("macros/m.yml", MACRO), ("macros/n.yml", MACRO)])),
        (Code::RISK_FIELD, Detection("* | stats count", usize::MAX)),
        (Code::NO_CONTENT, EmptyFolder),
        (
            Code::UNKNOWN_KEY,
            Content(&[("macros/m.yml", "name: m\ndefinition: a\nargumnets: [b]\n")]),
        ),
        (Code::UNKNOWN_VALUE, Content(&[("detections/d.yml", ANOMOLY)])),
        (Code::UNREADABLE, Search("| inputlookup unreadable")),
        (Code::EVIDENCE, Detection("* | stats count by user", 1)),
    ]
}

#[tokio::test]
async fn every_code_is_raised() {
    let mut raised = BTreeSet::new();
    for (code, input) in cases().await {
        let found = match input {
            Search(text) => search(text).await,
            Doubtful(text) => analyze(text, &MacroSet::default()).doubts_without_logs(&[], true),
            Detection(text, reads) => detection(text, reads).await,
            Content(files) => problems(ContentSet::from_embedded(files).1),
            EmptyFolder => {
                let folder = tempfile::tempdir().expect("a temporary folder");
                let folders = [PathBuf::from(folder.path())];
                problems(ContentSet::load(&folders, BuiltinPack::LeftOut).1)
            }
            Engine(error) => vec![from_engine(&error)],
        };
        let codes: Vec<Code> = found.iter().map(|diagnostic| diagnostic.code).collect();
        assert!(codes.contains(&code), "{code}: {found:?}");
        raised.insert(code);
    }
    raised.extend(OF_THE_COMMAND_LINE);
    let registered = REGISTRY.iter().map(|entry| entry.code).collect();
    assert_eq!(raised, registered);
}

fn problems(problems: Vec<spilltrail_content::ContentProblem>) -> Vec<Diagnostic> {
    problems.into_iter().map(|problem| problem.diagnostic).collect()
}

/// Returns all diagnostics of a search.
async fn search(text: &str) -> Vec<Diagnostic> {
    let context = context(usize::MAX);
    let mut found = match run::prepare(text, None, &context).await {
        Ok(prepared) => prepared.collect(&context).await.err().into_iter().collect(),
        Err(diagnostics) => diagnostics,
    };
    found.extend(context.observations.messages());
    found
}

/// Returns all diagnostics of the run of a detection.
async fn detection(text: &str, reads: usize) -> Vec<Diagnostic> {
    let yaml = format!(
        "name: D\nid: 0f8fad5b-d9cb-469f-a165-70867728950e\nversion: 1\ndate: '2026-01-01'\n\
         author: us\nstatus: production\ntype: TTP\ndescription: Finds.\nsearch: '{text}'\n\
         how_to_implement: no\nknown_false_positives: no\nreferences: []\n\
         rba:\n  message: m\n  risk_objects:\n  - {{field: user, type: user, score: 4}}\n  \
         threat_objects: []\n\
         tags: {{analytic_story: [S], asset_type: A, mitre_attack_id: [T1530], \
         security_domain: threat, product: [Splunk Enterprise]}}\n"
    );
    let files = Box::leak(Box::new([("detections/d.yml", &*yaml.leak())]));
    let (content, problems) = ContentSet::from_embedded(files);
    let content = AnalyzedContent::new(Arc::new(content));
    let detection = content.set.detections.first().unwrap_or_else(|| panic!("{problems:?}"));
    let (sender, mut receiver) = tokio::sync::mpsc::channel(8);
    let run = run_detection(detection, &content, &context(reads), "run", sender).await;
    assert!(receiver.recv().await.is_some(), "{run:?}");
    run.messages
}

/// Events that can be read a limited number of times.
#[derive(Debug)]
struct Events {
    events: MemoryEvents,
    left: AtomicUsize,
}

#[async_trait]
impl EventSource for Events {
    async fn fields(
        &self,
        predicate: &Predicate,
        demand: &Demand,
    ) -> Result<Vec<Field>, DataFusionError> {
        self.events.fields(predicate, demand).await
    }

    async fn table(
        &self,
        request: &ScanRequest,
    ) -> Result<Arc<dyn TableProvider>, DataFusionError> {
        let left = self.left.fetch_sub(1, Ordering::Relaxed);
        if left == 0 {
            return Err(io::Error::from(io::ErrorKind::PermissionDenied).into());
        }
        self.events.table(request).await
    }

    fn indexed_fields(&self) -> Option<Vec<String>> {
        None
    }
}

/// A store without lookups: reading fails for `unreadable…`, and writing fails for `readonly…`.
#[derive(Debug)]
struct Lookups;

impl LookupStore for Lookups {
    fn read(&self, name: &str) -> Result<Option<Arc<LookupTable>>, String> {
        if name.starts_with("unreadable") { Err("no access".to_owned()) } else { Ok(None) }
    }

    fn write(&self, name: &str, _: LookupTable) -> Result<(), String> {
        if name.starts_with("readonly") { Err("no access".to_owned()) } else { Ok(()) }
    }
}

fn context(reads: usize) -> SearchContext {
    let event = |time: f64, n: &'static str| -> Row {
        [
            ("_time", Value::Number(time)),
            ("user", Value::text("ann")),
            ("user.name", Value::text("Ann")),
            ("n", Value::text(n)),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
    };
    let mut macros = MacroSet::builtin();
    macros.insert(definition("endless", &[], "`endless`"));
    macros.insert(definition("twice", &["a", "b"], "x=$a$ y=$b$"));
    let events = MemoryEvents::new(vec![event(200.0, "1"), event(300.0, "2"), event(250.0, "3")]);
    SearchContext {
        session: run::session(64 << 20).expect("a session"),
        events: Arc::new(Events { events, left: AtomicUsize::new(reads) }),
        lookups: Arc::new(Lookups),
        tables: None,
        geo: None,
        macros: Arc::new(macros),
        knowledge: std::sync::Arc::default(),
        now: 1000.0,
        zone: jiff::tz::TimeZone::UTC,
        cancel: Cancel::default(),
        range: TimeBounds::default(),
        observations: Arc::default(),
    }
}

fn definition(name: &str, arguments: &[&str], definition: &str) -> MacroDefinition {
    MacroDefinition {
        name: name.to_owned(),
        arguments: arguments.iter().map(|name| (*name).to_owned()).collect(),
        definition: definition.to_owned(),
        is_eval: false,
        validation: None,
        error_message: None,
        origin: "a test".to_owned(),
    }
}

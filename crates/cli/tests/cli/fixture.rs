//! A temporary folder with logs and content, in which tests run the binary.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

/// Exit status and output of a run of the binary.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) status: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Run {
    pub(crate) fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self {
            status: output.status.code().unwrap_or(-1),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }

    /// Parses each line of standard output as JSON.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let read =
            |line: &str| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        self.out.lines().map(read).collect()
    }
}

/// A temporary folder that contains `logs/` and `content/`.
pub(crate) struct Fixture(TempDir);

/// Returns an event of the user `ann`, with these members instead of or besides the usual ones.
pub(crate) fn call(minute: u32, source: &str, name: &str, more: Value) -> Value {
    let mut event = json!({
        "eventVersion": "1.10",
        "eventTime": format!("2026-03-10T09:0{minute}:00Z"),
        "eventSource": source,
        "eventName": name,
        "awsRegion": "eu-west-1",
        "sourceIPAddress": "192.0.2.1",
        "userAgent": "aws-cli",
        "eventID": format!("event-{minute}"),
        "eventType": "AwsApiCall",
        "recipientAccountId": "111122223333",
        "userIdentity": {
            "type": "IAMUser",
            "principalId": "AIDA1",
            "userName": "ann",
            "accountId": "111122223333",
            "arn": "arn:aws:iam::111122223333:user/ann",
        },
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        event[key] = value.clone();
    }
    event
}

impl Fixture {
    /// Creates the folder with four events, and one detection for each possible status.
    pub(crate) fn new() -> Self {
        let fixture = Self::empty();
        let records = [
            event(0, "CreateKey", "ann", "192.0.2.1"),
            event(1, "CreateKey", "ann", "192.0.2.1"),
            event(2, "CreateKey", "bob", "192.0.2.2"),
            event(3, "ListKeys", "bob", "192.0.2.2"),
        ];
        fixture.write("logs/a.json", &json!({ "Records": records }).to_string());
        let by = "stats count min(_time) as firstTime max(_time) as lastTime";
        let rba = "rba:\n  message: $user_arn$ made $count$ keys from $src_ip$\n  risk_objects:\n  \
                   - {field: user_arn, type: user, score: 56}\n  threat_objects:\n  \
                   - {field: src_ip, type: ip_address}\n";
        fixture.detection(
            1,
            "Key Made",
            "TTP",
            &format!("eventName=CreateKey | {by} by user_arn src_ip"),
            rba,
        );
        fixture.detection(
            2,
            "Many Lists",
            "Hunting",
            "eventName=ListKeys | stats count by user_arn | where count>9",
            "",
        );
        fixture.detection(
            3,
            "Key Gone",
            "Anomaly",
            "eventName=DeleteKey | stats count by user_arn",
            "",
        );
        fixture.detection(
            4,
            "Key Shared",
            "Anomaly",
            "eventName=CreateKey | stats count by grantee",
            "",
        );
        fixture
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn detection(&self, number: u32, name: &str, kind: &str, search: &str, more: &str) {
        let yaml = format!(
            "name: {name}\nid: 00000000-0000-4000-8000-00000000000{number}\nversion: 1\n\
             date: '2026-01-01'\nauthor: us\nstatus: production\ntype: {kind}\n\
             description: Looks for it.\nsearch: {}\nhow_to_implement: Send the logs.\n\
             known_false_positives: Habit.\nreferences: []\n{more}\
             tags: {{analytic_story: [Keys], asset_type: AWS Account, mitre_attack_id: [T1098], \
             security_domain: threat, product: [Splunk Enterprise]}}\n",
            json!(search),
        );
        self.write(&format!("content/detections/d{number}.yml"), &yaml);
    }

    /// Returns a folder without logs, and with an empty content folder.
    pub(crate) fn empty() -> Self {
        let fixture = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir(fixture.path("content")).unwrap();
        fixture
    }

    /// Returns the path of a file in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs the binary in the folder, with `content/` as its only content.
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        self.run_builtin(&[arguments, &["--content", "content", "--no-builtin"]].concat())
    }

    /// Starts the binary like [`Fixture::run`], with pipes for its input and outputs, and with
    /// `temporary/` as its folder for temporary files.
    pub(crate) fn spawn(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    /// Returns the names of the entries of `temporary/`.
    pub(crate) fn temporary_files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.path("temporary")).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// Returns a command that runs the binary, not started yet. Adds the content options if the
    /// subcommand accepts them.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        std::fs::create_dir_all(self.path("temporary")).unwrap();
        let mut command = self.bare(arguments);
        let without_content = ["help", "--help", "man", "completions", "fmt", "replay", "ingest"];
        if !without_content.contains(&arguments[0]) {
            command.args(["--content", "content", "--no-builtin"]);
        }
        command.env("TMPDIR", self.path("temporary"));
        command
    }

    /// Returns a command that runs the binary with the built-in pack, not started yet.
    pub(crate) fn bare(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_spilltrail"));
        command
            .args(arguments)
            .current_dir(self.0.path())
            .env("COLUMNS", "80")
            .env("NO_COLOR", "1")
            .env("SPILLTRAIL_CONFIG", "")
            .stdin(Stdio::null());
        command
    }

    /// Runs the binary in the folder, with the built-in pack.
    pub(crate) fn run_builtin(&self, arguments: &[&str]) -> Run {
        Run::of(self.bare(arguments).output().unwrap())
    }

    /// Runs the binary in the folder, with the built-in pack and these environment variables.
    pub(crate) fn run_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Run {
        Run::of(self.bare(arguments).envs(variables.iter().copied()).output().unwrap())
    }

    /// Runs the binary in the folder, with the built-in pack, on a screen of this width.
    pub(crate) fn run_at_width(&self, width: &str, arguments: &[&str]) -> Run {
        Run::of(self.bare(arguments).env("COLUMNS", width).output().unwrap())
    }

    /// Runs the binary in the folder, with `content/` as its only content and with `input` piped to
    /// its standard input.
    pub(crate) fn run_piped(&self, arguments: &[&str], input: &str) -> Run {
        let mut child = self.spawn(arguments);
        let pipe = child.stdin.take();
        let output = std::thread::scope(|scope| {
            // The program may end before it has read all input.
            scope.spawn(|| pipe.map(|mut pipe| pipe.write_all(input.as_bytes())));
            child.wait_with_output().unwrap()
        });
        Run::of(output)
    }
}

fn event(minute: u32, name: &str, user: &str, address: &str) -> Value {
    json!({
        "eventVersion": "1.10",
        "eventTime": format!("2026-03-10T09:0{minute}:00Z"),
        "eventSource": "kms.amazonaws.com",
        "eventName": name,
        "awsRegion": "eu-west-1",
        "sourceIPAddress": address,
        "userAgent": "aws-cli",
        "eventID": format!("event-{minute}"),
        "eventType": "AwsApiCall",
        "recipientAccountId": "111122223333",
        "userIdentity": {
            "type": "IAMUser",
            "userName": user,
            "accountId": "111122223333",
            "arn": format!("arn:aws:iam::111122223333:user/{user}"),
        },
    })
}

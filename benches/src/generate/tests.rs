//! Equal recipes give equal bytes, and the truth is what is in them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use walkdir::WalkDir;

use super::*;

const SMALL: Recipe = Recipe { events: 1500, days: 2, seed: 11, files: Files::Of(200) };

/// Returns files by path, and all records in them.
fn read(folder: &Path) -> (BTreeMap<String, Vec<u8>>, Vec<Value>) {
    let (mut files, mut records) = (BTreeMap::new(), Vec::new());
    for entry in WalkDir::new(folder).sort_by_file_name() {
        let entry = entry.unwrap();
        if !entry.file_type().is_file() {
            continue;
        }
        let bytes = fs::read(entry.path()).unwrap();
        let path = entry.path().strip_prefix(folder).unwrap().to_string_lossy().into_owned();
        if path.ends_with(".json.gz") {
            let mut text = String::new();
            flate2::read::GzDecoder::new(&*bytes).read_to_string(&mut text).unwrap();
            let mut document: Value = serde_json::from_str(&text).unwrap();
            records.append(document["Records"].as_array_mut().unwrap());
        }
        files.insert(path, bytes);
    }
    (files, records)
}

fn write(recipe: &Recipe) -> (Value, BTreeMap<String, Vec<u8>>, Vec<Value>) {
    let folder = tempfile::tempdir().unwrap();
    let truth = generate(recipe, folder.path()).unwrap();
    let (files, records) = read(folder.path());
    (truth, files, records)
}

#[test]
fn equal_recipes_give_equal_bytes() {
    let first = write(&SMALL).1;
    assert!(first == write(&SMALL).1);
    assert!(first != write(&Recipe { seed: 12, ..SMALL }).1);
    let path = first.keys().next().unwrap();
    assert!(path.starts_with("AWSLogs/") && path.contains("/CloudTrail/"), "{path}");
}

#[test]
fn files_of_any_size_have_the_same_events() {
    let texts = |recipe: &Recipe| {
        let (truth, files, records) = write(recipe);
        let mut texts: Vec<String> = records.iter().map(Value::to_string).collect();
        texts.sort_unstable();
        (files.len(), texts, truth["getobject"].clone())
    };
    let delivered = texts(&Recipe { files: Files::AsDelivered, ..SMALL });
    let few = texts(&SMALL);
    let many = texts(&Recipe { files: Files::Of(2), ..SMALL });
    assert!(few.0 < delivered.0 && few.0 < many.0);
    assert!(delivered.1 == few.1 && few.1 == many.1);
    assert!(delivered.2 == few.2 && few.2 == many.2);
}

/// Counts once more, from what was written and without the generator's own types.
#[test]
fn the_truth_is_what_is_in_the_files() {
    let (truth, files, records) = write(&SMALL);
    assert_eq!(records.len(), 1500);
    assert_eq!(truth["totals"]["records"], 1500);
    assert_eq!(truth["totals"]["files"], files.len() - 1);
    let mut names: BTreeMap<&str, u64> = BTreeMap::new();
    let mut groups: BTreeMap<String, u64> = BTreeMap::new();
    let (mut tasks, mut images) = (BTreeSet::new(), [0, 0]);
    for record in &records {
        let text = |path: &str| record.pointer(path).and_then(Value::as_str);
        let name = text("/eventName").unwrap();
        *names.entry(name).or_default() += 1;
        let who = text("/userIdentity/arn").zip(text("/userIdentity/principalId"));
        if let (Some((arn, principal)), "GetObject") = (who, name) {
            let time: Timestamp = text("/eventTime").unwrap().parse().unwrap();
            let bin = time.as_second() / 600 * 600;
            let (ip, kind) =
                (text("/sourceIPAddress").unwrap(), text("/userIdentity/type").unwrap());
            let account = text("/recipientAccountId").unwrap();
            *groups.entry(format!("{bin}|{ip}|{account}|{kind}|{arn}|{principal}")).or_default() +=
                1;
        }
        let source = text("/requestParameters/sourceLocationArn");
        if let (Some(source), "CreateTask") = (source, name) {
            tasks.insert((source, text("/errorCode")));
        }
        let items = record.pointer("/requestParameters/launchPermission/add/items");
        let items = items.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        if items.iter().any(|item| item["userId"].is_string() || item["group"] == "all") {
            images[0] += 1;
        }
        images[1] += u64::from(name == "ModifyImageAttribute");
    }
    assert_eq!(truth["event_names"], json!(names));
    assert_eq!(truth["getobject"]["groups"], groups.len());
    let rows = groups.iter().map(|(key, count)| format!("{key}|{count}"));
    assert_eq!(truth["getobject"]["sha256_of_sorted_rows"], digest(rows));
    for burst in truth["getobject"]["planted_bursts"].as_array().unwrap() {
        let arn = burst["user_arn"].as_str().unwrap();
        let found = groups.iter().filter(|(key, _)| key.contains(arn)).map(|(_, count)| *count);
        assert!(found.clone().any(|count| burst["count"] == count && count >= 60), "{burst}");
    }
    assert_eq!(truth["datasync"]["rows"].as_array().map(Vec::len), Some(tasks.len()));
    let rows = truth["ami"]["rows"].as_array().unwrap();
    let counted: u64 = rows.iter().map(|row| row["count"].as_u64().unwrap()).sum();
    // Five of nine changes of an account and day open an image.
    assert_eq!((counted, images), (20, [20, 36]));
}

#[test]
fn records_look_like_cloudtrails() {
    let recipe = Recipe { events: 8000, days: 1, ..SMALL };
    let (truth, _, records) = write(&recipe);
    let size = truth["totals"]["bytes_json"].as_u64().unwrap() / 8000;
    assert!((1100..1300).contains(&size), "{size} bytes a record");
    let reads = truth["event_names"]["GetObject"].as_u64().unwrap();
    assert!((400..720).contains(&reads), "{reads} reads");
    let failed = records.iter().filter(|record| record["errorCode"].is_string()).count();
    assert!((150..360).contains(&failed), "{failed} errors");
    let kinds: BTreeSet<&str> =
        records.iter().filter_map(|record| record["userIdentity"]["type"].as_str()).collect();
    assert!(kinds.len() >= 8, "{kinds:?}");
    assert!(truth["totals"]["distinct_event_names"].as_u64().unwrap() > 400);
}

#[test]
fn what_cannot_be_made_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let message = |recipe: Recipe| generate(&recipe, folder.path()).unwrap_err().to_string();
    assert!(message(Recipe { events: 10, ..SMALL }).starts_with("`--events` must be at least"));
    assert!(message(Recipe { days: 0, ..SMALL }).starts_with("`--days` must be"));
    assert!(message(Recipe { days: 9999, ..SMALL }).starts_with("`--days` must be"));
    assert!(message(Recipe { files: Files::Of(0), ..SMALL }).contains("`--files-of`"));
}

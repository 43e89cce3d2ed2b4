//! The searches whose plans travel.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use serde_json::{Map, Value};
use spilltrail_app::{
    Content, ContentOptions, Input, RunOptions, SearchOptions, SearchText, TimeOptions,
};
use spilltrail_search::commands::COMMANDS;
use tempfile::TempDir;

/// The clock of cases that say nothing about it.
const NOW: &str = "1700000000";

/// Where the rows of a plan come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Runs {
    /// They are part of the plan.
    Rows,
    /// They are read where the plan runs.
    Files,
}

/// A search.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) content: Arc<Content>,
    pub(super) options: SearchOptions,
    pub(super) runs: Runs,
    /// Holds the files of the case.
    _folder: Option<TempDir>,
}

/// Returns the examples in the documentation of commands.
pub(super) fn examples() -> Result<Vec<Case>> {
    let mut content = Content::load(&ContentOptions::default())?;
    // The examples of `savedsearch` run these.
    let set = Arc::get_mut(&mut content.set).context("the content is not shared yet")?;
    set.macros.insert_search("Denied calls", "errorCode=AccessDenied");
    set.macros.insert_search("Calls of a user", "user=$name$");
    let content = Arc::new(content);
    let mut cases = Vec::new();
    for doc in COMMANDS.iter().map(|entry| entry.doc) {
        for example in doc.examples {
            let folder = tempfile::tempdir()?;
            let options = with_rows(example.search, example.events, time(None), folder.path())?;
            cases.push(Case {
                name: format!("{}: {}", doc.name, example.search),
                content: content.clone(),
                options,
                runs: Runs::Rows,
                _folder: Some(folder),
            });
        }
    }
    Ok(cases)
}

/// Returns the built-in detections over the samples.
pub(super) fn builtin_detections() -> Result<Vec<Case>> {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../samples/AWSLogs");
    detections_of(&ContentOptions::default(), &[samples])
}

/// Returns the detections of the folders of content in `corpus`, over its logs.
pub(super) fn detections(corpus: &Path) -> Result<Vec<Case>> {
    let mut logs: Vec<PathBuf> = Vec::new();
    let mut contents: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(corpus)? {
        let path = entry?.path();
        match path.join("detections").is_dir() {
            true => contents.push(path),
            false if path.is_dir() && !path.ends_with("expected") => logs.push(path),
            false => {}
        }
    }
    logs.sort();
    contents.sort();
    let mut cases = Vec::new();
    for folder in contents {
        let options = ContentOptions { folders: vec![folder], ..ContentOptions::default() };
        cases.extend(detections_of(&options, &logs)?);
    }
    Ok(cases)
}

fn detections_of(options: &ContentOptions, logs: &[PathBuf]) -> Result<Vec<Case>> {
    let content = Arc::new(Content::load(options)?);
    let named: Vec<String> = logs.iter().map(|path| path.display().to_string()).collect();
    let case = |name: &String| Case {
        name: name.clone(),
        content: content.clone(),
        options: SearchOptions {
            search: SearchText::Detection(name.clone()),
            input: Input::Logs(named.clone()),
            run: RunOptions { time: time(None), ..RunOptions::default() },
            ..SearchOptions::default()
        },
        runs: Runs::Files,
        _folder: None,
    };
    Ok(content.set.detections.iter().map(|detection| case(&detection.name)).collect())
}

/// Returns the cases of a folder of YAML files.
pub(super) fn golden(folder: &Path) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for file in files(folder)? {
        let text = fs::read_to_string(&file)?;
        let read: Value =
            serde_yaml_ng::from_str(&text).with_context(|| file.display().to_string())?;
        for case in read.as_array().into_iter().flatten() {
            if case["spl"].is_string() && case["kind"] != "macro_expand" {
                cases.push(golden_case(case)?);
            }
        }
    }
    Ok(cases)
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else if path.extension().is_some_and(|end| end == "yml") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn golden_case(case: &Value) -> Result<Case> {
    let folder = tempfile::tempdir()?;
    let text = |value: &Value| match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    let context = &case["context"];
    let time = TimeOptions {
        earliest: text(&context["earliest"]),
        latest: text(&context["latest"]),
        now: text(&context["now"]).or(Some(NOW.to_owned())),
        zone: text(&case["tz"]).or(text(&context["tz"])).unwrap_or_else(|| "UTC".to_owned()),
    };
    let rows = case["input"].as_array().map(|rows| rows.iter().map(Value::to_string).collect());
    let rows: Vec<String> = rows.unwrap_or_default();
    let spl = case["spl"].as_str().unwrap_or_default();
    let options = with_rows(spl, &rows.join("\n"), time, folder.path())?;
    let folders = content_of(case, folder.path())?;
    let content = Content::load(&ContentOptions { folders, ..ContentOptions::default() })?;
    Ok(Case {
        name: text(&case["id"]).unwrap_or_default(),
        content: Arc::new(content),
        options,
        runs: Runs::Rows,
        _folder: Some(folder),
    })
}

/// Writes the macros and lookups of a case as a folder of content.
fn content_of(case: &Value, folder: &Path) -> Result<Vec<PathBuf>> {
    let content = folder.join("content");
    let (macros, lookups) = (content.join("macros"), content.join("lookups"));
    fs::create_dir_all(&macros)?;
    fs::create_dir_all(&lookups)?;
    let written = [&case["macros"], &case["context"]["macros"]];
    for (number, written) in written.iter().filter_map(|list| list.as_array()).flatten().enumerate()
    {
        let mut body = written.as_object().cloned().unwrap_or_default();
        if let Some(arguments) = body.remove("args") {
            let list = arguments.as_str().map(|text| text.split(',').map(str::trim).collect());
            body.insert("arguments".to_owned(), list.unwrap_or(arguments));
        }
        body.insert("description".to_owned(), "a case".into());
        write_yaml(&macros.join(format!("{number}.yml")), &body)?;
    }
    for (name, lookup) in case["lookups"].as_object().into_iter().flatten() {
        let mut body = lookup.as_object().cloned().unwrap_or_default();
        let csv = body.remove("csv").unwrap_or_default();
        fs::write(lookups.join(format!("{name}.csv")), csv.as_str().unwrap_or_default())?;
        body.insert("name".to_owned(), name.as_str().into());
        body.insert("filename".to_owned(), format!("{name}.csv").into());
        body.insert("description".to_owned(), "a case".into());
        write_yaml(&lookups.join(format!("{name}.yml")), &body)?;
    }
    Ok(vec![content])
}

/// JSON is YAML.
fn write_yaml(path: &Path, body: &Map<String, Value>) -> Result<()> {
    Ok(fs::write(path, serde_json::to_string(body)?)?)
}

fn time(now: Option<&str>) -> TimeOptions {
    TimeOptions { now: Some(now.unwrap_or(NOW).to_owned()), ..TimeOptions::default() }
}

fn with_rows(spl: &str, rows: &str, time: TimeOptions, folder: &Path) -> Result<SearchOptions> {
    let path = folder.join("rows.ndjson");
    fs::write(&path, rows)?;
    Ok(SearchOptions {
        search: SearchText::Spl(spl.to_owned()),
        input: Input::Rows(path),
        run: RunOptions { time, ..RunOptions::default() },
        ..SearchOptions::default()
    })
}

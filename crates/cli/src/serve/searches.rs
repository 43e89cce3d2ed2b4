//! Searches and indexes for the API.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::tz::TimeZone;
use serde_json::Value as Json;
use spilltrail_app::{
    self as app, CancellationToken, CurrentContent, Input, Lake, ReadOptions, RunOptions,
    SearchOptions, SearchText, TimeOptions,
};
use spilltrail_diagnostic::{Code, Diagnostic, Severity};
use spilltrail_search::rows::json;
use spilltrail_search::stack;
use spilltrail_server::api::{
    IndexInfo, Indexes, More, SearchFailure, SearchMessage, SearchOutput, SearchProgress,
    SearchRequest, SearchSeverity, Searches,
};
use tokio::runtime::Handle;

use crate::explain::{self, Listener};

/// How often it is told how far a search is.
const PROGRESS_EVERY: Duration = Duration::from_millis(500);

/// The lake of the server, for those who search it.
#[derive(Debug)]
pub(super) struct ServedLake {
    pub(super) folder: app::DataFolder,
    pub(super) content: CurrentContent,
    pub(super) zone: String,
    pub(super) geoip: Option<PathBuf>,
    pub(super) memory_limit: Option<usize>,
    pub(super) threads: Option<usize>,
    pub(super) runtime: Handle,
}

impl ServedLake {
    fn options(&self, request: &SearchRequest, cancel: CancellationToken) -> SearchOptions {
        SearchOptions {
            search: SearchText::Spl(request.search.clone()),
            until: None,
            input: Input::Logs(Vec::new()),
            run: RunOptions {
                time: TimeOptions {
                    earliest: request.earliest.clone(),
                    latest: request.latest.clone(),
                    now: None,
                    zone: self.zone.clone(),
                },
                read: ReadOptions {
                    lake: Some(Lake {
                        folder: self.folder.path().to_owned(),
                        // What somebody asks for is searched, whatever events there can be.
                        served: Some(BTreeSet::new()),
                    }),
                    threads: self.threads,
                    ..ReadOptions::default()
                },
                lookups: Some(self.folder.lookups()),
                geoip: self.geoip.clone(),
                memory_limit: self.memory_limit,
                cancel,
            },
        }
    }

    async fn search(
        &self,
        request: &SearchRequest,
        output: &SearchOutput,
    ) -> Result<(), app::AppError> {
        let cancel = CancellationToken::new();
        let options = self.options(request, cancel.clone());
        let zone = options.run.time.time_zone()?;
        let content = self.content.get();
        let work = async {
            let search = app::search(&content, &options).await?;
            let told = async {
                loop {
                    tokio::time::sleep(PROGRESS_EVERY).await;
                    output.progress(progress(&search));
                }
            };
            let outcome = tokio::select! {
                outcome = rows(&search, (self.folder.path(), &zone), output) => outcome,
                () = told => Ok(()),
            };
            output.progress(progress(&search));
            outcome
        };
        tokio::select! {
            outcome = work => outcome,
            () = output.cancelled() => {
                cancel.cancel();
                Ok(())
            }
        }
    }
}

/// Returns how far a search is.
fn progress(search: &app::Search) -> SearchProgress {
    let (files, all_files) = search.files().unzip();
    let read = search.read().unwrap_or_default();
    SearchProgress {
        events: read.events,
        bytes: read.bytes_read,
        files: files.unwrap_or_default(),
        all_files,
    }
}

/// Hands over the rows of a search, and what there is to say of them.
async fn rows(
    search: &app::Search,
    (folder, zone): (&Path, &TimeZone),
    output: &SearchOutput,
) -> Result<(), app::AppError> {
    let mut rows = search.run().await?;
    let (mut is_empty, mut without) = (true, BTreeSet::new());
    without.extend(rows.fields().into_iter().map(|field| field.name));
    output.fields(rows.fields().into_iter().map(|field| field.name));
    'rows: while let Some(batch) = rows.next().await? {
        for row in batch.rows() {
            let Json::Object(members) = json::object(&row) else { continue };
            is_empty = false;
            if !without.is_empty() {
                without.retain(|name| !members.contains_key(name));
            }
            if let More::Enough = output.row(&members) {
                break 'rows;
            }
        }
    }
    rows.messages().iter().for_each(|diagnostic| tell(output, diagnostic));
    let found = explain::Found { is_empty, misses_values: is_empty || !without.is_empty() };
    explain::explain(search, found, zone, &mut Told(output)).await?;
    for (name, reason) in app::damaged_inputs(folder) {
        output.message(SearchMessage {
            severity: SearchSeverity::Warning,
            code: Some(Code::UNREADABLE.to_string()),
            text: format!("{name}: {reason}"),
        });
    }
    for unread in search.unread().iter().filter(|unread| unread.is_damage()) {
        let reasons = unread.reasons.join("; ");
        output.message(SearchMessage {
            severity: SearchSeverity::Warning,
            code: unread.kind.code().map(|code| code.to_string()),
            text: format!("{}: {reasons}", unread.name),
        });
    }
    Ok(())
}

/// Tells whoever asks for the job.
struct Told<'o>(&'o SearchOutput);

impl Listener for Told<'_> {
    fn diagnostics(&mut self, diagnostics: &[Diagnostic]) {
        diagnostics.iter().for_each(|diagnostic| tell(self.0, diagnostic));
    }

    fn note(&mut self, text: &str) {
        let text = text.to_owned();
        self.0.message(SearchMessage { severity: SearchSeverity::Info, code: None, text });
    }
}

/// Tells a message with its help. A program has the text of the search, and no place to point to.
fn tell(output: &SearchOutput, diagnostic: &Diagnostic) {
    let help = diagnostic.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
    output.message(SearchMessage {
        severity: match diagnostic.severity {
            Severity::Warning => SearchSeverity::Warning,
            _ => SearchSeverity::Error,
        },
        code: Some(diagnostic.code.to_string()),
        text: format!("{}{help}", diagnostic.message),
    });
}

impl Searches for ServedLake {
    fn run(&self, request: &SearchRequest, output: &SearchOutput) -> Result<(), SearchFailure> {
        let failed = |error: &dyn std::fmt::Display| SearchFailure { message: error.to_string() };
        // Searches are planned on the thread that waits for them.
        std::thread::scope(|scope| {
            let builder = std::thread::Builder::new().stack_size(stack::STACK_BYTES);
            let work = || self.runtime.block_on(self.search(request, output));
            let thread = builder.spawn_scoped(scope, work).map_err(|error| failed(&error))?;
            match thread.join() {
                Ok(Ok(())) => Ok(()),
                Ok(Err(error)) => {
                    if let app::AppError::Search { diagnostics } = &error {
                        diagnostics.iter().for_each(|diagnostic| tell(output, diagnostic));
                        return Err(failed(&"the search cannot run to its end"));
                    }
                    Err(failed(&error))
                }
                Err(_) => Err(failed(&"the search ended with a bug")),
            }
        })
    }
}

impl Indexes for ServedLake {
    fn list(&self) -> Result<Vec<IndexInfo>, String> {
        let sizes = self.runtime.block_on(app::index_sizes(self.folder.path()));
        let sizes = sizes.map_err(|error| error.to_string())?;
        let info = |(name, size): (String, app::IndexUse)| IndexInfo {
            name,
            events: size.events,
            bytes: size.bytes,
            files: size.files,
            waiting: size.waiting,
            first: size.first,
            last: size.last,
        };
        Ok(sizes.into_iter().map(info).collect())
    }
}

//! The `search` command: runs a search and prints its rows.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use jiff::tz::TimeZone;
use spilltrail_app::{AppError, CancellationToken, Input, Search};

use crate::arguments::{Profile, SearchOptions};
use crate::hunt::costs;
use crate::output::{CANNOT_WRITE, RowWriter, is_broken_pipe};
use crate::{content, explain, report, status};

pub(crate) async fn run(options: SearchOptions, cancel: CancellationToken) -> Result<ExitCode> {
    let Some(asked) = options.search(cancel) else {
        bail!("no search given; example: spilltrail search 'eventName=CreateTask' ./AWSLogs")
    };
    if let (Input::Logs(logs), [name]) = (&asked.input, options.positionals.as_slice())
        && logs.is_empty()
        && Path::new(name).try_exists().unwrap_or(false)
    {
        bail!(
            "no search given: `{name}` is a file or folder; `spilltrail search '*' {name}` shows its \
             events"
        );
    }
    let has_logs = match &asked.input {
        Input::Rows(_) => options.positionals.len() > usize::from(options.detection.is_none()),
        Input::Logs(_) => false,
    };
    if has_logs {
        let logs = options.positionals.last().map_or("", String::as_str);
        bail!(
            "`--rows` and logs cannot be searched together, found `{logs}`; \
             leave out `--rows`, or the logs"
        );
    }
    let read = &options.shared.read;
    let is_beside = match &asked.input {
        Input::Rows(_) => Some("--rows".to_owned()),
        Input::Logs(logs) => logs.first().map(|name| format!("the logs `{name}`")),
    };
    if let Some(other) = is_beside.filter(|_| read.lake.is_some()) {
        bail!("`--lake` and {other} cannot be searched together; leave out one of them");
    }
    let changed = [
        ("--index", read.index.is_some()),
        ("--sourcetype", read.sourcetype.is_some()),
        ("--dedup", read.dedup),
        ("--profile", read.profile != Profile::Superset),
    ];
    if let (Input::Rows(_), Some((name, _))) =
        (&asked.input, changed.into_iter().find(|(_, is_given)| *is_given))
    {
        bail!("`--rows` takes rows as they are, so `{name}` would change nothing; leave it out");
    }
    let content = content::load(&options.shared.content)?;
    let search = spilltrail_app::search(&content, &asked).await?;
    let zone = asked.run.time.time_zone()?;
    let printed = match print(&search, &options, zone).await {
        // The reader of the pipe closed it, for example `… | head`; this is not a failure.
        Err(error) if is_broken_pipe(error.as_ref()) => Ok(false),
        printed => printed?,
    };
    if options.costs {
        report::lines(&costs::memory(search.memory()));
    }
    let is_cut = report::limits_met();
    if let Some(read) = search.read() {
        report::unwrapped(&read.unwrapped);
    }
    let unread = search.unread();
    report::unread(&unread, report::Detail::Counted);
    Ok(match printed {
        Ok(cut_rows) => status::of_search(&content, &unread, is_cut || cut_rows),
        Err(error @ AppError::Cancelled(_)) => return Err(error.into()),
        Err(error) => status::of_error(&error),
    })
}

/// Prints the rows of a search, and returns whether a limit left out some. If the search fails, prints
/// the reasons and returns the error.
async fn print(
    search: &Search,
    options: &SearchOptions,
    zone: TimeZone,
) -> Result<Result<bool, AppError>> {
    let origin = search.detection().unwrap_or("<search>");
    let fail = |error: AppError| {
        match &error {
            AppError::Search { diagnostics } => {
                report::diagnostics(diagnostics, origin, search.text());
            }
            // The search was canceled by a signal; the progress is reported at the very end.
            AppError::Cancelled(_) => {}
            other => report::error(other, None),
        }
        Ok(Err(error))
    };
    let mut found = match search.run().await {
        Ok(found) => found,
        Err(error) => return fail(error),
    };
    let writer = RowWriter::new(options.format, &found.fields());
    let mut writer = writer.for_screen(options.limit, zone.clone());
    loop {
        match found.next().await {
            Ok(Some(batch)) => {
                let room = writer.room();
                for row in batch.rows().take(room) {
                    writer.write(&row).context(CANNOT_WRITE)?;
                }
                writer.leave_out(batch.count().saturating_sub(room));
            }
            Ok(None) => break,
            Err(error) => {
                writer.finish().context(CANNOT_WRITE)?;
                return fail(error);
            }
        }
    }
    writer.finish().context(CANNOT_WRITE)?;
    let messages = found.messages();
    let is_cut = report::may_lack_rows(&messages);
    report::diagnostics(&messages, origin, search.text());
    let found =
        explain::Found { is_empty: writer.is_empty(), misses_values: writer.misses_values() };
    let mut printed = explain::Printed { origin, text: search.text() };
    match explain::explain(search, found, &zone, &mut printed).await {
        Ok(()) => Ok(Ok(is_cut)),
        Err(error) => fail(error),
    }
}

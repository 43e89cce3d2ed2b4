//! The `search` command: runs a search and prints its rows.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use jiff::tz::TimeZone;
use spilltrail_app::{AppError, CancellationToken, Input, Missing, Search};

use crate::arguments::{Profile, SearchOptions};
use crate::hunt::costs;
use crate::output::{CANNOT_WRITE, RowWriter, is_broken_pipe};
use crate::report::instant;
use crate::{content, report, status};

pub(crate) async fn run(options: SearchOptions, cancel: CancellationToken) -> Result<ExitCode> {
    let Some(asked) = options.search(cancel) else {
        bail!("no search given; example: spilltrail search 'eventName=CreateTask' ./AWSLogs")
    };
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
        Err(error) if is_broken_pipe(error.as_ref()) => Ok(()),
        printed => printed?,
    };
    if options.costs {
        report::lines(&costs::memory(search.memory()));
    }
    report::limits_met();
    if let Some(read) = search.read() {
        report::unwrapped(&read.unwrapped);
    }
    let unread = search.unread();
    report::unread(&unread);
    Ok(match printed {
        Ok(()) => status::of_search(&content, &unread),
        Err(error @ AppError::Cancelled(_)) => return Err(error.into()),
        Err(error) => status::of_error(&error),
    })
}

/// Prints the rows of a search. If the search fails, prints the reasons and returns the error.
async fn print(
    search: &Search,
    options: &SearchOptions,
    zone: TimeZone,
) -> Result<Result<(), AppError>> {
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
    report::diagnostics(&found.messages(), origin, search.text());
    match explain(search, &writer, origin, &zone).await {
        Ok(()) => Ok(Ok(())),
        Err(error) => fail(error),
    }
}

/// Says why there are no rows, or no values in a column, as far as the logs tell.
async fn explain(
    search: &Search,
    writer: &RowWriter,
    origin: &str,
    zone: &TimeZone,
) -> Result<(), AppError> {
    let Some(read) = search.read().filter(|read| read.events > 0) else { return Ok(()) };
    report::met_indexes(&search.met_indexes());
    report::diagnostics(&search.dotted_fields().await?, origin, search.text());
    let found_nothing = writer.is_empty() || search.matched() == Some(0);
    if !found_nothing && !writer.misses_values() {
        return Ok(());
    }
    if found_nothing {
        let range = match (read.oldest, read.newest) {
            (Some(oldest), Some(newest)) => {
                format!(" from {} to {}", instant(oldest, zone), instant(newest, zone))
            }
            _ => String::new(),
        };
        let matched = search
            .matched()
            .map(|matched| format!(", {} of them matched", report::separated(matched)));
        let what = if writer.is_empty() { "no rows" } else { "no events" };
        report::line(format_args!(
            "note: {what}; {} events were read{range}{}",
            report::separated(read.events),
            matched.unwrap_or_default()
        ));
    }
    for missing in search.missing().await? {
        report::line(format_args!("note: {}", what_is_missing(&missing)));
    }
    Ok(())
}

/// The most values that are named where a search names one that is not there.
const MOST_VALUES: usize = 3;

/// Says what a search names and the logs do not have, and what they have instead.
fn what_is_missing(missing: &Missing) -> String {
    match missing {
        Missing::Field { name, .. } if name == "index" => {
            "no event has the field `index`; `--index NAME` sets one".to_owned()
        }
        Missing::Field { name, similar } => {
            let similar = similar
                .as_ref()
                .map(|name| format!("; did you mean `{name}`?"))
                .unwrap_or_default();
            format!("no event has the field `{name}`{similar}")
        }
        Missing::Value { field, value, known } if known.is_empty() => {
            format!("no event has the {field} `{value}`, nor any other")
        }
        Missing::Value { field, value, known } => {
            let named = known.iter().take(MOST_VALUES).map(|(value, events)| {
                format!("`{value}` ({})", report::counted(*events, "event"))
            });
            let named: Vec<String> = named.collect();
            let more = match known.len().saturating_sub(MOST_VALUES) {
                0 => String::new(),
                n => format!(" and {n} more"),
            };
            format!(
                "no event has the {field} `{value}`; these logs have {}{more}",
                named.join(", ")
            )
        }
        Missing::Configured { field, value } => format!(
            "no event has `{field}={value}`: Splunk's configuration adds {}, and logs do not have \
             them; name the sourcetype and fields of the events instead",
            if field == "tag" { "tags" } else { "event types" }
        ),
        Missing::SplunksOwn { index } => format!(
            "no event is in `index={index}`: Splunk writes this index itself, and files of logs do \
             not belong to it"
        ),
    }
}

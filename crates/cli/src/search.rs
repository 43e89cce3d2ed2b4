//! The `search` command: runs a search and prints its rows.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use jiff::tz::TimeZone;
use spilltrail_app::{AppError, CancellationToken, Search};

use crate::arguments::SearchOptions;
use crate::hunt::costs;
use crate::output::{CANNOT_WRITE, RowWriter, is_broken_pipe};
use crate::{content, report, status};

pub(crate) async fn run(options: SearchOptions, cancel: CancellationToken) -> Result<ExitCode> {
    let Some(asked) = options.search(cancel) else {
        bail!("no search given; example: spilltrail search 'eventName=CreateTask' ./AWSLogs")
    };
    let content = content::load(&options.content)?;
    let search = spilltrail_app::search(&content, &asked).await?;
    let zone = asked.run.time.time_zone()?;
    let printed = match print(&search, &options, zone).await {
        // The reader of the pipe closed it, for example `… | head`; this is not a failure.
        Err(error) if is_broken_pipe(error.as_ref()) => Ok(()),
        printed => printed?,
    };
    if options.costs {
        report::line(format_args!("{}", costs::memory(search.memory()).trim_end()));
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
            other => report::error(other),
        }
        Ok(Err(error))
    };
    let mut found = match search.run().await {
        Ok(found) => found,
        Err(error) => return fail(error),
    };
    let writer = RowWriter::new(options.format, &found.fields());
    let mut writer = writer.for_screen(options.limit, zone);
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
    Ok(Ok(()))
}

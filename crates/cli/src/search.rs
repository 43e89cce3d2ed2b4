//! The `search` command: runs a search and prints its rows.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use spilltrail_app::{AppError, CancellationToken, Search};

use crate::arguments::{Format, SearchOptions};
use crate::hunt::costs;
use crate::output::{CANNOT_WRITE, RowWriter, is_broken_pipe};
use crate::{content, report, status};

pub(crate) async fn run(options: SearchOptions, cancel: CancellationToken) -> Result<ExitCode> {
    let Some(asked) = options.search(cancel) else {
        bail!("no search given; example: spilltrail search 'eventName=CreateTask' ./AWSLogs")
    };
    let content = content::load(&options.content)?;
    let search = spilltrail_app::search(&content, &asked).await?;
    let printed = match print(&search, options.format).await {
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
async fn print(search: &Search, format: Option<Format>) -> Result<Result<(), AppError>> {
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
    let mut writer = RowWriter::new(format, &found.fields());
    loop {
        match found.next().await {
            Ok(Some(batch)) => {
                for row in batch.rows() {
                    writer.write(&row).context(CANNOT_WRITE)?;
                }
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

//! `search`: runs a search and prints its rows.

use std::process::ExitCode;

use anyhow::{Result, bail};
use spilltrail_app::{AppError, Search};

use crate::arguments::{Format, SearchOptions};
use crate::output::RowWriter;
use crate::{content, report, status};

pub(crate) async fn run(options: SearchOptions) -> Result<ExitCode> {
    let Some(asked) = options.search() else {
        bail!("no search given; example: spilltrail search 'eventName=CreateTask' ./AWSLogs")
    };
    let content = content::load(&options.content)?;
    let search = spilltrail_app::search(&content, &asked).await?;
    let printed = print(&search, options.format).await?;
    let unread = search.unread();
    report::unread(&unread);
    Ok(match printed {
        Ok(()) => status::of_search(&content, &unread),
        Err(error) => status::of_error(&error),
    })
}

/// Prints the rows of a search; returns why it failed, with the reasons printed.
async fn print(search: &Search, format: Option<Format>) -> Result<Result<(), AppError>> {
    let origin = search.detection().unwrap_or("<search>");
    let fail = |error: AppError| {
        match &error {
            AppError::Search { diagnostics } => {
                report::diagnostics(diagnostics, origin, search.text());
            }
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
                    writer.write(&row)?;
                }
            }
            Ok(None) => break,
            Err(error) => {
                writer.finish()?;
                return fail(error);
            }
        }
    }
    writer.finish()?;
    report::diagnostics(&found.messages(), origin, search.text());
    Ok(Ok(()))
}

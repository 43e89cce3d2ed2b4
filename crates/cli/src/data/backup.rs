//! The `backup` and `restore` commands: copies of a data folder with which a server can go on.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use spilltrail_app::copy_data;

use crate::arguments::{BackupOptions, RestoreOptions};
use crate::report;

pub(crate) async fn backup(options: BackupOptions) -> Result<ExitCode> {
    copy(options.data.folder()?.path(), &options.to).await
}

pub(crate) async fn restore(options: RestoreOptions) -> Result<ExitCode> {
    copy(&options.from, options.data.folder()?.path()).await
}

async fn copy(from: &Path, to: &Path) -> Result<ExitCode> {
    let copied = copy_data(from, to).await?;
    let files = report::counted(copied.files, "file");
    report::line(format_args!(
        "note: {} bytes copied to {}, with {files} of events",
        copied.bytes,
        to.display()
    ));
    Ok(ExitCode::SUCCESS)
}

//! The `replay` command: writes or sends logs again as if they happened now.

use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use async_trait::async_trait;
use spilltrail_app::{
    AppError, CancellationToken, HecOptions, HecSink, ReplaySink, ReplaySummary, ReplayedEvent,
    SinkError,
};
use tempfile::NamedTempFile;

use crate::arguments::ReplayOptions;
use crate::output::is_broken_pipe;
use crate::report::{self, Detail};
use crate::{config, status};

/// The variable with the token of the collector. An argument could be read by others on the machine.
const TOKEN: &str = "SPILLTRAIL_HEC_TOKEN";

pub(crate) async fn run(options: ReplayOptions, cancel: CancellationToken) -> Result<ExitCode> {
    let written = options.output.as_deref().map(beside).transpose()?;
    let mut sink = sink(&options, written.as_ref())?;
    let replayed = spilltrail_app::replay(&options.replay(cancel), sink.as_mut()).await;
    let summary = match replayed {
        Ok(summary) => summary,
        // The reader of the pipe closed it, for example `… | head`; this is not a failure.
        Err(AppError::Sink { source, .. }) if is_broken_pipe(source.as_ref()) => {
            return Ok(ExitCode::SUCCESS);
        }
        Err(AppError::Sink { source, .. }) => match source.downcast::<AppError>() {
            Ok(error) => return Err((*error).into()),
            Err(source) => bail!("the events cannot be written: {source}"),
        },
        Err(error) => return Err(error.into()),
    };
    if let (Some(file), Some(path)) = (written, &options.output)
        && summary.events > 0
    {
        file.persist_noclobber(path).with_context(|| cannot_create(path))?;
    }
    tell(&summary, &options);
    let is_cut = report::limits_met();
    report::unread(&summary.unread, Detail::Counted);
    Ok(status::of_replay(&summary, is_cut))
}

/// Creates a file that takes the place of `path` once everything is written: what is there under that
/// name is whole. It is removed if it does not come to that.
fn beside(path: &Path) -> Result<NamedTempFile> {
    if path.symlink_metadata().is_ok() {
        bail!("{}: it exists already; name another file", cannot_create(path));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // Those of any other file, of which the user's mask takes its part.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let file = builder.prefix(".spilltrail-").tempfile_in(folder.unwrap_or(Path::new(".")));
    file.with_context(|| cannot_create(path))
}

fn cannot_create(path: &Path) -> String {
    format!("cannot create `{}`", path.display())
}

/// Returns where events go; `file` is the one that is written.
fn sink(options: &ReplayOptions, file: Option<&NamedTempFile>) -> Result<Box<dyn ReplaySink>> {
    let Some(url) = &options.hec else {
        let out: Box<dyn Write + Send> = match file {
            None => Box::new(std::io::stdout()),
            Some(file) => Box::new(file.reopen().context("the events cannot be written")?),
        };
        return Ok(Box::new(Lines(BufWriter::new(out))));
    };
    let token = config::variable(TOKEN).filter(|token| !token.is_empty());
    let Some(token) = token else {
        bail!("`--hec` needs a token; set the environment variable {TOKEN}");
    };
    let hec = HecOptions { url: url.clone(), token, is_insecure: options.insecure };
    Ok(Box::new(HecSink::new(&hec)?))
}

/// Says how many events there were, and by how much they moved.
fn tell(summary: &ReplaySummary, options: &ReplayOptions) {
    let events = report::counted(summary.events, "event");
    match summary.moved {
        _ if options.keep_times => report::line(format_args!("note: {events}, at their own times")),
        Some(seconds) => {
            let direction = if seconds < 0 { "back" } else { "forward" };
            let seconds = report::separated(seconds.unsigned_abs());
            report::line(format_args!("note: {events}, moved {direction} by {seconds} seconds"));
        }
        None if summary.events > 0 => {
            report::line(format_args!(
                "warning: {events}, and no time in them that could be moved"
            ));
            return;
        }
        None => {}
    }
    if summary.timeless > 0 {
        let timeless = report::counted(summary.timeless, "event");
        report::line(format_args!("note: {timeless} without a time that could be moved"));
    }
}

/// Writes one event a line.
struct Lines(BufWriter<Box<dyn Write + Send>>);

#[async_trait]
impl ReplaySink for Lines {
    async fn event(&mut self, event: ReplayedEvent) -> Result<(), SinkError> {
        // A break inside an event would make two of it; in JSON it stands only between values.
        let text = event.text.replace(['\n', '\r'], " ");
        Ok(writeln!(self.0, "{text}")?)
    }

    async fn finish(&mut self) -> Result<(), SinkError> {
        Ok(self.0.flush()?)
    }
}

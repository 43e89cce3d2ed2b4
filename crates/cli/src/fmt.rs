//! The `fmt` command: formats SPL in files, and from standard input to standard output.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use similar::{ChangeTag, TextDiff};
use spilltrail_app::{FormatMode, FormatOutcome, format};
use spilltrail_content::{FormatFailure, Formatted, MAX_YAML_BYTES, format_text};
use spilltrail_diagnostic::{Code, visible, visible_lines};

use crate::arguments::{FmtOptions, Language};
use crate::{output, paint, report, status};

/// Lines that are shown before and after those that change.
const AROUND: usize = 3;

/// What standard input is called in messages.
const STDIN: &str = "<stdin>";

/// What was done, for the line at the end.
#[derive(Debug, Default)]
struct Counts {
    same: u64,
    changed: u64,
    failed: u64,
    /// Those of the failed ones that were not even read.
    unread: u64,
}

pub(crate) fn run(options: &FmtOptions) -> Result<ExitCode> {
    let is_stdin = |path: &PathBuf| path.as_os_str() == "-";
    if options.paths.is_empty() || options.paths.iter().all(is_stdin) {
        return stdin(options);
    }
    if options.paths.iter().any(is_stdin) {
        bail!("`-` and files cannot be formatted together; name one or the other");
    }
    let mode = if options.check { FormatMode::Check } else { FormatMode::Write };
    let mut counts = Counts::default();
    format(&options.paths, mode, |path, outcome| {
        let name = path.display().to_string();
        match outcome {
            FormatOutcome::Same => counts.same += 1,
            FormatOutcome::Changed(formatted) => {
                counts.changed += 1;
                if options.check {
                    print_difference(path, &formatted)?;
                }
            }
            FormatOutcome::Failed(failure) => {
                counts.failed += 1;
                counts.unread += u64::from(is_unread(&failure));
                report::diagnostics(&failure.diagnostics, &name, &failure.text);
            }
        }
        anyhow::Ok(())
    })?;
    tell(&counts, options.check);
    let is_partial = counts.failed > 0 || (options.check && counts.changed > 0);
    let is_nothing = counts.same + counts.changed + counts.failed == counts.unread;
    Ok(status::of_format(is_partial, is_nothing))
}

/// Returns true if there is nothing to format, and false if a text cannot be formatted.
fn is_unread(failure: &FormatFailure) -> bool {
    let codes = [Code::UNREADABLE, Code::NO_CONTENT];
    failure.diagnostics.iter().all(|diagnostic| codes.contains(&diagnostic.code))
}

/// Formats standard input.
fn stdin(options: &FmtOptions) -> Result<ExitCode> {
    use std::io::Read;
    let mut text = String::new();
    let mut input = std::io::stdin().lock().take(MAX_YAML_BYTES + 1);
    input.read_to_string(&mut text).context("standard input cannot be read as UTF-8 text")?;
    if text.len() as u64 > MAX_YAML_BYTES {
        bail!("standard input has more than {MAX_YAML_BYTES} bytes");
    }
    let language = match options.stdin {
        Language::Spl => spilltrail_content::Language::Spl,
        Language::Yaml => spilltrail_content::Language::Yaml,
    };
    match format_text(text, language) {
        Ok(formatted) if options.check => {
            if formatted.is_changed() {
                print_difference(Path::new(STDIN), &formatted)?;
            }
            Ok(status::of_format(formatted.is_changed(), false))
        }
        Ok(Formatted { before, after }) => {
            // The text goes where it came from, so it is printed as it is.
            output::print_painted(after.as_ref().unwrap_or(&before))?;
            Ok(status::of_format(false, false))
        }
        Err(FormatFailure { diagnostics, text }) => {
            report::diagnostics(&diagnostics, STDIN, &text);
            Ok(status::of_format(true, false))
        }
    }
}

fn tell(counts: &Counts, is_check: bool) {
    let (did, left) = if is_check {
        ("would be formatted", "formatted already")
    } else {
        ("formatted", "left as they were")
    };
    let mut parts = Vec::new();
    for (count, what) in
        [(counts.changed, did), (counts.same, left), (counts.failed, "cannot be formatted")]
    {
        if count > 0 {
            let is_first = parts.is_empty();
            let count =
                if is_first { report::counted(count, "file") } else { report::separated(count) };
            parts.push(format!("{count} {what}"));
        }
    }
    report::line(format_args!("{}", parts.join(", ")));
}

/// Prints what formatting changes, in the form that `patch` reads.
fn print_difference(path: &Path, formatted: &Formatted) -> Result<()> {
    let after = formatted.after.as_deref().unwrap_or(&formatted.before);
    let difference = TextDiff::from_lines(formatted.before.as_str(), after);
    let name = visible(&path.display().to_string()).into_owned();
    let mut text = format!(
        "{}\n{}\n",
        paint::bold(&format!("--- {name}")),
        paint::bold(&format!("+++ {name}"))
    );
    for hunk in difference.unified_diff().context_radius(AROUND).iter_hunks() {
        text.push_str(&format!("{}\n", paint::faint(&hunk.header().to_string())));
        for change in hunk.iter_changes() {
            let value = change.value();
            let line = value.strip_suffix('\n').unwrap_or(value);
            let line = visible_lines(line.strip_suffix('\r').unwrap_or(line));
            text.push_str(&match change.tag() {
                ChangeTag::Equal => format!(" {line}"),
                ChangeTag::Delete => paint::removed(&format!("-{line}")),
                ChangeTag::Insert => paint::added(&format!("+{line}")),
            });
            text.push('\n');
            if !value.ends_with('\n') {
                text.push_str("\\ No newline at end of file\n");
            }
        }
    }
    output::print_painted(&text)
}

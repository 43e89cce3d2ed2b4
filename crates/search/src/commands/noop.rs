//! `noop`: settings of Splunk's search process, which does not exist here.

use spilltrail_diagnostic::{Code, Diagnostic, Spanned};
use spilltrail_spl::{Arguments, boolean};

use super::passing::Passing;
use super::{Command, CommandDoc, CommandKind, Entry, Example};

static DOC: CommandDoc = CommandDoc {
    name: "noop",
    aliases: &[],
    kind: CommandKind::DistributableStreaming,
    summary: "Return the rows unchanged; in Splunk, change how the search is logged and optimized.",
    syntax: "noop <setting>=<value> …",
    arguments: &[],
    examples: &[
        Example {
            title: "A search without Splunk's optimizer",
            events: r#"{"user":"ann"}"#,
            search: "search * | noop search_optimization=false | table user",
            results: r#"{"user":"ann"}"#,
        },
        Example {
            title: "Before other commands",
            events: "{\"user\":\"ann\"}\n{\"user\":\"bob\"}",
            search: "| noop log_DEBUG=\"*\" | stats count",
            results: r#"{"count":2}"#,
        },
    ],
    differs: &[
        "`log_<level>`, `log_appender`, `remote_log_fetch`, `set_ttl`, `search_optimization` and `search_optimization.<type>` are read and have no effect. `sample_ratio` above 1 is refused.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

/// What the names of settings begin with.
const SETTINGS: [&str; 4] = ["log_", "remote_log_fetch", "search_optimization", "set_ttl"];

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    // Levels and types of optimizations are parts of names, so all options are read here.
    while let Some((name, value)) = arguments.any_option() {
        let lowercase = name.value.to_ascii_lowercase();
        if lowercase == "sample_ratio" {
            sample(&value)?;
        } else if !SETTINGS.iter().any(|setting| lowercase.starts_with(setting)) {
            let message = format!("`noop` has no option `{}`", name.value);
            return Err(Diagnostic::error(Code::BAD_OPTION, message).at(name.span));
        } else if lowercase.starts_with("search_optimization") && boolean(&value.value).is_none() {
            let message = format!("`{}` takes true or false, found `{}`", name.value, value.value);
            return Err(Diagnostic::error(Code::BAD_OPTION, message).at(value.span));
        }
    }
    arguments.finish()?;
    Ok(Passing::silent())
}

/// Refuses a sample of the events, which would be others in each run.
fn sample(ratio: &Spanned<String>) -> Result<(), Diagnostic> {
    match ratio.value.parse::<u64>() {
        Ok(1) => Ok(()),
        Ok(more @ 2..) => {
            let message = "a random sample of the events is not supported";
            Err(Diagnostic::unsupported(Code::UNSUPPORTED_OPTION, message)
                .at(ratio.span)
                .help(format!("use `where random() % {more} = 0`")))
        }
        _ => {
            let message = format!("`sample_ratio` takes a count above 0, found `{}`", ratio.value);
            Err(Diagnostic::error(Code::BAD_OPTION, message).at(ratio.span))
        }
    }
}

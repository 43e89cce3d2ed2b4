//! Which logs a run reads: the files that were named, without those whose paths rule them out.

use std::sync::Arc;

use spilltrail_event::{StopToken, TimeBounds};
use spilltrail_source::{Logs, Progress, ReadOptions as LogOptions, Wanted};
use spilltrail_spl::{MacroSet, expand_macros};

use crate::error::{AppError, blocking};
use crate::options::ReadOptions;
use crate::unread::Unread;

/// The terms by which a search has a time range of its own.
const OWN_TIMES: &[&str] = &["earliest", "latest", "starttime", "endtime", "timeu", "ago"];

/// Returns what searches can find something in, as far as it is known before they are compiled: the
/// range of the options, unless a search has times of its own, which go before it.
pub(crate) fn wanted<'a>(
    range: TimeBounds,
    mut searches: impl Iterator<Item = &'a str>,
    macros: &MacroSet,
) -> Wanted {
    let has_own_times = searches.any(|search| {
        let (expansion, _) = expand_macros(search, macros);
        let text = expansion.text.to_ascii_lowercase();
        OWN_TIMES.iter().any(|term| {
            text.match_indices(term).any(|(start, _)| {
                let after = text[start + term.len()..].trim_start_matches(['"', ' ', '\t', '\n']);
                after.starts_with(['=', '<', '>', '!', ':'])
            })
        })
    });
    if has_own_times { Wanted::default() } else { Wanted::in_time(range) }
}

/// Lists the logs that `names` stand for. Standard input is read to its end. `stop` ends listing, and all
/// later reading.
///
/// # Errors
/// Fails if there is nothing to read, unless that is because every file is of another time.
pub(crate) async fn list(
    names: &[String],
    read: &ReadOptions,
    wanted: Wanted,
    progress: Option<Progress>,
    stop: StopToken,
) -> Result<Arc<Logs>, AppError> {
    let options = LogOptions {
        profile: read.profile,
        sourcetype: read.sourcetype.clone(),
        duplicates: read.duplicates,
        progress,
        wanted,
        s3: read.s3.clone(),
        stop,
        ..LogOptions::default()
    };
    let names = names.to_vec();
    let listed = move || Logs::open(&names, Box::new(std::io::stdin()), options);
    let logs = blocking(listed).await?;
    if logs.files().is_empty() && logs.report().skips.is_empty() {
        return Err(AppError::NoLogs { unread: Unread::of(&logs) });
    }
    Ok(Arc::new(logs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_with_times_of_its_own_is_not_bounded_by_the_options() {
        let range = TimeBounds { earliest: Some(1.0), latest: Some(2.0) };
        for (search, is_bounded) in [
            ("eventName=CreateTask | stats count latest(x)", true),
            ("earliest=-7d eventName=CreateTask", false),
            ("eventName=a OR [search EARLIEST = 0 b=1]", false),
            ("starttimeu=0", false),
            ("daysago=3", false),
        ] {
            let wanted = wanted(range, std::iter::once(search), &MacroSet::default());
            assert_eq!(wanted.time == range, is_bounded, "{search}");
        }
    }
}

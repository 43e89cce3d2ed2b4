//! Loads content for a command and reports its problems on standard error.

use anyhow::Result;
use spilltrail_app::Content;
use spilltrail_content::Replaced;

use crate::arguments::ContentOptions;
use crate::report::{self, Detail};

/// Loads the content that the options select, and reports files that cannot be used. Warnings about
/// others are reported if they are few, else counted.
pub(crate) fn load(options: &ContentOptions) -> Result<Content> {
    load_for(options, Detail::Counted)
}

/// Works like [`load`]; `detail` says whether all warnings are reported.
pub(crate) fn load_for(options: &ContentOptions, detail: Detail) -> Result<Content> {
    let content = Content::load(&options.content())?;
    report::content(&content.problems, detail);
    Ok(content)
}

/// Most replaced detections, and most replaced macros, that are named.
const NAMED: usize = 2;

/// Says which macros and detections the content folders have replaced by others: what is run under a
/// known name is not what the name suggests. With full detail, says by which files.
pub(crate) fn tell_replaced(replaced: &[Replaced], detail: Detail) {
    if detail == Detail::Full {
        for Replaced { is_macro, name, file, by } in replaced {
            let kind = if *is_macro { "macro" } else { "detection" };
            let by = by.display();
            let old = file.as_ref().map(|file| format!(" in place of {}", file.display()));
            let old = old.unwrap_or_default();
            report::line(format_args!("note: content replaces the {kind} `{name}`: {by}{old}"));
        }
        return;
    }
    let (macros, detections): (Vec<&Replaced>, Vec<&Replaced>) =
        replaced.iter().partition(|one| one.is_macro);
    let kinds = [(macros, "macro"), (detections, "detection")];
    let parts = kinds.iter().filter(|(all, _)| !all.is_empty()).map(|(all, noun)| {
        let named: Vec<String> =
            all.iter().take(NAMED).map(|one| format!("`{}`", one.name)).collect();
        let more = match all.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        format!("{} ({}{more})", report::counted(all.len() as u64, noun), named.join(", "))
    });
    let parts: Vec<String> = parts.collect();
    if !parts.is_empty() {
        let parts = parts.join(" and ");
        report::line(format_args!(
            "note: content replaces {parts}; `spilltrail detections list` names the files"
        ));
    }
}

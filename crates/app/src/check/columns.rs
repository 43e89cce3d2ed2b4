//! Compares the columns of lookups that searches of the content write with those that others read.

use std::collections::{BTreeMap, BTreeSet};

use spilltrail_content::{ContentSet, LookupSource, common_lookup_name};
use spilltrail_detect::{AnalyzedContent, lookup_meant};
use spilltrail_diagnostic::{Code, Diagnostic, Span, similar};
use spilltrail_search::analysis::{Analysis, LookupWriters, analyze};

use super::advice::whole_word;

/// The command that writes a lookup.
const WRITER: &str = "outputlookup";

/// The columns of the lookups that searches of the content write.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// By the name that all names of a lookup have in common; `None` for columns that are not known.
    tables: BTreeMap<String, Option<BTreeSet<String>>>,
}

impl Written {
    pub(super) fn new(content: &AnalyzedContent) -> Self {
        let set = &content.set;
        let writers = LookupWriters::new(&set.macros);
        let mut written = Self::default();
        for (index, detection) in set.detections.iter().enumerate() {
            if writers.may_include(&detection.search) {
                written.add(&content.look_at(index), set);
            }
        }
        for baseline in set.baselines.iter().filter(|one| writers.may_include(&one.search)) {
            written.add(&analyze(&baseline.search, &set.macros), set);
        }
        written
    }

    fn add(&mut self, analysis: &Analysis, set: &ContentSet) {
        let mut tables = analysis.tables_written();
        let named = analysis.expansions().map(|expansion| writers(&expansion.text)).sum::<usize>();
        if named > tables.len() {
            // The columns that pipelines inside commands write are not known.
            let names = analysis.facts.lookups_written.iter();
            tables.extend(names.map(|name| (name.clone(), None)));
        }
        for (name, columns) in tables {
            let name = common_lookup_name(&set.lookups, &name).to_owned();
            let known = self.tables.entry(name).or_insert_with(|| Some(BTreeSet::new()));
            match (known.as_mut(), columns) {
                (Some(known), Some(columns)) => known.extend(columns),
                _ => *known = None,
            }
        }
    }

    /// Returns what is doubtful about the lookups that a search reads and writes. Spans refer to it as
    /// written.
    pub(super) fn of_search(&self, analysis: &Analysis, set: &ContentSet) -> Vec<Diagnostic> {
        let mut found = self.unwritten(analysis, set);
        found.extend(misspelled(analysis, set));
        found.extend(left_out(analysis, set));
        found
    }

    /// Returns the columns that the search reads and that no search of the content writes.
    fn unwritten(&self, analysis: &Analysis, set: &ContentSet) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        for (table, column) in &analysis.facts.columns_read {
            let name = &column.value;
            let lookup = set.lookup(table);
            let has_rows = lookup.is_some_and(|lookup| {
                matches!(lookup.source, LookupSource::File(_) | LookupSource::Embedded(_))
            });
            // A column that the definition lacks is an error already.
            let is_known_to_lack = lookup
                .is_some_and(|lookup| !lookup.fields.is_empty() && !lookup.fields.contains(name));
            let written = self.tables.get(common_lookup_name(&set.lookups, table));
            let written = written.filter(|_| !has_rows && !is_known_to_lack);
            let Some(Some(written)) = written else { continue };
            if written.contains(name) || name.starts_with('_') {
                continue;
            }
            let message = format!("no search writes the column `{name}` of the lookup `{table}`");
            let help = match similar(name, written.iter().map(String::as_str)) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!(
                    "its columns are `{}`",
                    written.iter().cloned().collect::<Vec<_>>().join("`, `")
                ),
            };
            let warning = Diagnostic::warning(Code::LOST_FIELD, message).at(column.span).help(help);
            found.push(analysis.expansion.relocate(warning));
        }
        found
    }
}

/// Returns how often a text names a command that writes a table.
fn writers(text: &str) -> usize {
    let text = text.to_ascii_lowercase();
    [WRITER, "outputcsv"].iter().map(|name| text.matches(name).count()).sum()
}

/// Puts a warning to the place where the search as written names the lookup that it writes, if it does.
fn at_writer(warning: Diagnostic, analysis: &Analysis, lookup: &str) -> Diagnostic {
    let text = analysis.text.as_str();
    let place = text.match_indices(WRITER).find_map(|(start, _)| {
        let command = &text[start..];
        let command = command.split('|').next().unwrap_or(command);
        let span = whole_word(command, lookup)?;
        Some(Span::new(start + span.start, start + span.end))
    });
    match place {
        Some(span) => warning.at(span),
        None => warning,
    }
}

/// Returns the lookups that the search writes, that nothing defines, and that have nearly the name of
/// one that the content defines.
fn misspelled(analysis: &Analysis, set: &ContentSet) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for name in &analysis.facts.lookups_written {
        let is_defined = set.lookup(name).is_some()
            || set.lookups.contains_key(common_lookup_name(&set.lookups, name));
        let Some(meant) = lookup_meant(name, &set.lookups).filter(|_| !is_defined) else {
            continue;
        };
        let message = format!("nothing defines the lookup `{name}`, which the search writes");
        let help = format!("did you mean `{meant}`?");
        let warning = Diagnostic::warning(Code::MISSING_LOOKUP, message).help(help);
        found.push(at_writer(warning, analysis, name));
    }
    found
}

/// Returns the columns that the search writes to a collection without a field of that name, which are
/// lost.
fn left_out(analysis: &Analysis, set: &ContentSet) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (name, columns) in analysis.tables_written() {
        let Some(lookup) = set.lookup(&name).filter(|lookup| !lookup.fields.is_empty()) else {
            continue;
        };
        if !matches!(lookup.source, LookupSource::Collection(_)) {
            continue;
        }
        let mut lost = columns.unwrap_or_default();
        lost.retain(|column| !column.starts_with('_') && !lookup.fields.contains(column));
        let Some(first) = lost.first() else { continue };
        let names = lost.iter().map(|column| format!("`{column}`")).collect::<Vec<_>>().join(", ");
        let (noun, are) = if lost.len() == 1 { ("field", "is") } else { ("fields", "are") };
        let message = format!("the lookup `{name}` has no {noun} {names}, which {are} lost");
        let help = match similar(first, lookup.fields.iter().map(String::as_str)) {
            Some(meant) if lost.len() == 1 => format!("did you mean `{meant}`?"),
            _ => {
                format!("add {names} to `fields_list` of `{name}`, or leave them out with `fields`")
            }
        };
        let warning = Diagnostic::warning(Code::LOST_FIELD, message).help(help);
        found.push(at_writer(warning, analysis, &name));
    }
    found
}

//! Event types, tags and data models of content folders: files of our own form, and Splunk's
//! `eventtypes.conf` and `tags.conf`.

use spilltrail_diagnostic::{Code, Diagnostic, Span};
use spilltrail_knowledge::{DataModel, EventType, EventTypesFile, Knowledge, ModelFile, PlainTag};
use spilltrail_spl::{CompareOp, MacroSet, SearchExpr, SearchLiteral, expand_macros, parse_search};

use crate::keys;

/// Reads a file with a data model.
pub(crate) fn read_model(
    text: &str,
    warnings: &mut Vec<Diagnostic>,
) -> Result<DataModel, Diagnostic> {
    keys::read::<ModelFile>(text, keys::DATA_MODEL, warnings)?.build(text)
}

/// Reads a file with event types and tags.
pub(crate) fn read_event_types(
    text: &str,
    warnings: &mut Vec<Diagnostic>,
) -> Result<(Vec<EventType>, Vec<PlainTag>), Diagnostic> {
    keys::read::<EventTypesFile>(text, keys::EVENT_TYPES, warnings)?.build(text)
}

/// Reads `eventtypes.conf`: a section for each event type, with its `search`.
///
/// Macros in the searches are those that `macros` has. An event type that cannot be read is reported,
/// and the others are used.
pub(crate) fn read_eventtypes_conf(
    text: &str,
    macros: &MacroSet,
    problems: &mut Vec<Diagnostic>,
) -> Vec<EventType> {
    let mut types = Vec::new();
    for section in sections(text) {
        let is_disabled = section.setting("disabled").is_some_and(|v| matches!(v, "1" | "true"));
        let Some(search) = section.setting("search").filter(|_| !is_disabled) else { continue };
        match search_of(search, macros) {
            Ok(search) => {
                types.push(EventType { name: section.name.to_owned(), search, tags: Vec::new() });
            }
            Err(message) => {
                let message = format!("the event type `{}`: {message}", section.name);
                problems.push(Diagnostic::error(Code::YAML, message).at(section.span));
            }
        }
    }
    types
}

fn search_of(written: &str, macros: &MacroSet) -> Result<SearchExpr, String> {
    let (expansion, wrong) = expand_macros(written, macros);
    if let Some(wrong) = wrong.into_iter().next() {
        return Err(wrong.message);
    }
    let search = parse_search(&expansion.text).map_err(|error| error.message)?;
    let is_refused =
        |part: &SearchExpr| matches!(part, SearchExpr::Subsearch(_) | SearchExpr::Time { .. });
    if search.any(&is_refused) {
        return Err("it has neither subsearches nor time modifiers".to_owned());
    }
    Ok(search)
}

/// Reads `tags.conf`: a section `field=value` for each value, with the tags that are `enabled`.
pub(crate) fn read_tags_conf(text: &str) -> Vec<PlainTag> {
    let tags = sections(text).into_iter().filter_map(|section| {
        let (field, value) = section.name.split_once('=')?;
        let enabled = section.settings.iter().filter(|(_, state)| *state == "enabled");
        let tags = enabled.map(|(name, _)| (*name).to_owned()).collect();
        let (field, value) = (field.trim().to_owned(), unescaped(value.trim()));
        Some(PlainTag { field, value, tags })
    });
    tags.collect()
}

/// Decodes `%20` and the like, with which Splunk writes values in section names.
fn unescaped(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = rest.find('%') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        let code = rest.get(at + 1..at + 3).and_then(|code| u8::from_str_radix(code, 16).ok());
        match code {
            Some(byte) => {
                bytes.push(byte);
                rest = &rest[at + 3..];
            }
            None => {
                bytes.push(b'%');
                rest = &rest[at + 1..];
            }
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A section of a configuration file of Splunk.
struct Section<'a> {
    name: &'a str,
    span: Span,
    settings: Vec<(&'a str, &'a str)>,
}

impl<'a> Section<'a> {
    fn setting(&self, name: &str) -> Option<&'a str> {
        self.settings.iter().rev().find(|(key, _)| *key == name).map(|(_, value)| *value)
    }
}

fn sections(text: &str) -> Vec<Section<'_>> {
    let mut sections: Vec<Section<'_>> = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim();
        let span = Span::new(start, start + line.trim_end().len());
        start += line.len();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        if let Some(name) = trimmed.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            sections.push(Section { name, span, settings: Vec::new() });
        } else if let (Some(section), Some((key, value))) =
            (sections.last_mut(), trimmed.split_once('='))
        {
            section.settings.push((key.trim(), value.trim()));
        }
    }
    sections
}

/// Adds tags. A tag of an event type that nothing defines causes a warning.
pub(crate) fn add_tags(
    knowledge: &mut Knowledge,
    tags: Vec<PlainTag>,
    problems: &mut Vec<Diagnostic>,
) {
    for PlainTag { field, value, tags } in tags {
        if field == "eventtype" {
            if !tags.is_empty() && !knowledge.add_tags(&value, tags) {
                let message = format!("nothing defines the event type `{value}`, which has tags");
                problems.push(
                    Diagnostic::warning(Code::UNKNOWN_EVENT_TYPE, message)
                        .help("define it in the content's `event_types/`"),
                );
            }
            continue;
        }
        let span = Span::new(0, 0);
        let literal = SearchLiteral { text: value, exact_case: false, quoted: true };
        let search = SearchExpr::Compare {
            field: spilltrail_diagnostic::Spanned::new(field, span),
            op: CompareOp::Eq,
            value: spilltrail_diagnostic::Spanned::new(literal, span),
        };
        knowledge.add_event_type(EventType { name: String::new(), search, tags });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configuration_files_of_splunk() {
        let types = "# comment\n[logins]\nsearch = sourcetype=x action=login\n\n[off]\nsearch = a=1\ndisabled = 1\n[bad]\nsearch = (a=1\n[macro]\nsearch = `no_such_macro`\n";
        let mut problems = Vec::new();
        let found = read_eventtypes_conf(types, &MacroSet::builtin(), &mut problems);
        assert_eq!(found.iter().map(|known| known.name.as_str()).collect::<Vec<_>>(), ["logins"]);
        assert_eq!(problems.len(), 2, "{problems:?}");
        let tags = read_tags_conf(
            "[eventtype=logins]\nauthentication = enabled\nold = disabled\n[host=web%2001]\nweb = enabled\n",
        );
        assert_eq!(tags[0].tags, ["authentication"]);
        assert_eq!(tags[1].value, "web 01");
        let mut knowledge = Knowledge::default();
        found.into_iter().for_each(|known| knowledge.add_event_type(known));
        let mut problems = Vec::new();
        add_tags(&mut knowledge, tags, &mut problems);
        let unknown = read_tags_conf("[eventtype=nowhere]\nx = enabled\n");
        add_tags(&mut knowledge, unknown, &mut problems);
        assert_eq!(problems.len(), 1);
        let tagged: Vec<&[String]> =
            knowledge.event_types().iter().map(|known| known.tags.as_slice()).collect();
        assert_eq!(tagged, [["authentication"], ["web"]]);
    }
}

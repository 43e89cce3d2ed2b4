//! Event types, tags and data models of content folders: files of our own form, and Splunk's
//! `eventtypes.conf` and `tags.conf`.

use spilltrail_diagnostic::{Code, Diagnostic, Label, Span, Spanned};
use spilltrail_knowledge::{
    DataModel, EventType, EventTypesFile, Knowledge, ModelFile, PlainTag, event_type_search,
};
use spilltrail_spl::{CompareOp, MacroSet, SearchExpr, SearchLiteral, boolean, expand_macros};

use crate::configuration::{self, Setting};
use crate::keys;

/// Reads a file with a data model.
pub(crate) fn read_model(
    text: &str,
    warnings: &mut Vec<Diagnostic>,
) -> Result<DataModel, Diagnostic> {
    keys::read::<ModelFile>(text, keys::DATA_MODEL, warnings)?.build(text)
}

/// Reads a file with event types and tags. An entry that cannot be used is reported, and the others are
/// used.
pub(crate) fn read_event_types(
    text: &str,
    problems: &mut Vec<Diagnostic>,
) -> Result<(Vec<EventType>, Vec<PlainTag>), Diagnostic> {
    let found = keys::read::<EventTypesFile>(text, keys::EVENT_TYPES, problems)?.build(text);
    problems.extend(found.problems);
    Ok((found.types, found.tags))
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
    let configuration = configuration::read(text, problems);
    for section in configuration.sections() {
        let setting = |key| configuration.setting(section, key);
        let is_disabled =
            setting("disabled").is_some_and(|setting| boolean(&setting.value) == Some(true));
        let Some(search) = setting("search").filter(|_| !is_disabled) else { continue };
        match search_of(search, macros) {
            Ok(search) => {
                types.push(EventType { name: section.name.to_owned(), search, tags: Vec::new() });
            }
            Err(error) => {
                let message = format!("the event type `{}`: {}", section.name, error.message);
                problems.push(Diagnostic { message, ..error });
            }
        }
    }
    types
}

/// Parses the search of a setting. A mistake is at its place in the file.
fn search_of(setting: &Setting<'_>, macros: &MacroSet) -> Result<SearchExpr, Diagnostic> {
    let (expansion, wrong) = expand_macros(&setting.value, macros);
    let found = match wrong.into_iter().next() {
        Some(wrong) => Err(wrong),
        None => event_type_search(&expansion.text).map_err(|error| expansion.relocate(error)),
    };
    found.map_err(|mut error| {
        for Label { span, .. } in &mut error.labels {
            *span = Span::new(setting.start + span.start, setting.start + span.end);
        }
        error
    })
}

/// Reads `tags.conf`: a section `field=value` for each value, with the tags that are `enabled`.
pub(crate) fn read_tags_conf(text: &str, problems: &mut Vec<Diagnostic>) -> Vec<PlainTag> {
    let configuration = configuration::read(text, problems);
    let mut tags = Vec::new();
    for section in configuration.sections() {
        let Some((field, value)) = section.name.split_once('=') else {
            let message = format!("expected `[field=value]` in place of `[{}]`", section.name);
            problems.push(
                Diagnostic::warning(Code::UNKNOWN_KEY, message)
                    .at(section.span)
                    .help("write the tags of an event type below `[eventtype=NAME]`"),
            );
            continue;
        };
        let settings = configuration.settings(section);
        let enabled = settings.values().filter(|setting| setting.value == "enabled");
        let enabled = enabled.map(|setting| setting.key.to_owned()).collect();
        let (field, value) = (field.trim().to_owned(), unescaped(value.trim()));
        tags.push(PlainTag { field, value, tags: enabled, span: section.span });
    }
    tags
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

/// Adds tags. A tag of an event type that nothing defines causes a warning.
pub(crate) fn add_tags(
    knowledge: &mut Knowledge,
    tags: Vec<PlainTag>,
    problems: &mut Vec<Diagnostic>,
) {
    for PlainTag { field, value, tags, span } in tags {
        if field == "eventtype" {
            if !tags.is_empty() && !knowledge.add_tags(&value, tags) {
                let message = format!("nothing defines the event type `{value}`, which has tags");
                problems.push(
                    Diagnostic::warning(Code::UNKNOWN_EVENT_TYPE, message)
                        .at(span)
                        .help("define it in the content's `event_types/`"),
                );
            }
            continue;
        }
        let literal = SearchLiteral { text: value, exact_case: false, quoted: true };
        let search = SearchExpr::Compare {
            field: Spanned::new(field, span),
            op: CompareOp::Eq,
            value: Spanned::new(literal, span),
        };
        knowledge.add_event_type(EventType { name: String::new(), search, tags });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configuration_files_of_splunk() {
        let types = "# comment\n[logins]\nsearch = sourcetype=x \\\n  action=login\n\n[off]\nsearch = a=1\ndisabled = True\n[bad]\nsearch = b=2 \\\n (a=1\n[macro]\nsearch = c=3 `no_such_macro`\n[sub]\nsearch = d=4 [search e]\n";
        let mut problems = Vec::new();
        let found = read_eventtypes_conf(types, &MacroSet::builtin(), &mut problems);
        assert_eq!(found.iter().map(|known| known.name.as_str()).collect::<Vec<_>>(), ["logins"]);
        let expected = spilltrail_spl::parse_search("sourcetype=x \n   action=login").unwrap();
        assert_eq!(found[0].search, expected);
        let told: Vec<_> = problems
            .iter()
            .map(|problem| (problem.message.as_str(), at(types, problem.span().unwrap())))
            .collect();
        assert_eq!(
            told,
            [
                ("the event type `bad`: `(` is never closed", "("),
                ("the event type `macro`: unknown macro `no_such_macro`", "`no_such_macro`"),
                (
                    "the event type `sub`: a search in this file has neither subsearches nor time modifiers",
                    "d=4 [search e]",
                ),
            ]
        );
        let tags = "[eventtype=logins]\nauthentication = enabled\nold = enabled\nold = disabled\n[host=web%2001]\nweb = enabled\n";
        let tags = read_tags_conf(tags, &mut problems);
        assert_eq!(tags[0].tags, ["authentication"]);
        assert_eq!(tags[1].value, "web 01");
        let mut knowledge = Knowledge::default();
        found.into_iter().for_each(|known| knowledge.add_event_type(known));
        let mut problems = Vec::new();
        add_tags(&mut knowledge, tags, &mut problems);
        let text = "[eventtype=nowhere]\nx = enabled\ny enabled\n[logins]\nz = enabled\n";
        let unknown = read_tags_conf(text, &mut problems);
        add_tags(&mut knowledge, unknown, &mut problems);
        let places = problems.iter().map(|problem| at(text, problem.span().unwrap()));
        assert_eq!(places.collect::<Vec<_>>(), ["y enabled", "[logins]", "[eventtype=nowhere]"]);
        let tagged: Vec<&[String]> =
            knowledge.event_types().iter().map(|known| known.tags.as_slice()).collect();
        assert_eq!(tagged, [["authentication"], ["web"]]);
    }

    #[test]
    fn what_all_event_types_have() {
        let text =
            "[default]\ndisabled = 1\nsearch = a=1\n[on]\ndisabled = false\n[off]\nsearch = b=2\n";
        let mut problems = Vec::new();
        let found = read_eventtypes_conf(text, &MacroSet::builtin(), &mut problems);
        assert_eq!(found.iter().map(|known| known.name.as_str()).collect::<Vec<_>>(), ["on"]);
        let tags = "[default]\na = enabled\nb = enabled\n[eventtype=on]\nb = disabled\n";
        let tags = read_tags_conf(tags, &mut problems);
        assert_eq!(tags.iter().map(|tag| tag.tags.as_slice()).collect::<Vec<_>>(), [["a"]]);
        assert_eq!(problems, []);
    }

    #[test]
    fn a_field_of_a_dataset_has_one_value() {
        let text = "data_model: M\ndatasets:\n- name: D\n  search: a=1\n  calculated:\n    x: upper(a)\n    x: lower(a)\n";
        let error = read_model(text, &mut Vec::new()).unwrap_err();
        assert_eq!(error.message, "datasets[0].calculated: the key `x` is there twice");
        assert_eq!(at(text, error.span().unwrap()), "x: lower(a)");
    }

    fn at(text: &str, span: Span) -> &str {
        &text[span.start..span.end]
    }
}

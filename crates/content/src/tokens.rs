//! Warns of `$field$` tokens, in messages and drilldowns, and of risk and threat objects that no result
//! can fill.
//!
//! The fields of the results are known only if a command such as `stats` or `table` names all of
//! them and every later command names what it adds. A token is then wrong if its name occurs
//! nowhere from that command on. Any other search, and any field that may come from a pattern, a
//! macro or a lookup, causes no warning.

use indexmap::{IndexMap, IndexSet};
use spilltrail_diagnostic::{Code, Diagnostic, Few, Span, similar};
use spilltrail_spl::{Command, parse};

use crate::detection::{Detection, DetectionType};
use crate::template::Segment;

/// Commands after which rows have only the fields that the command names.
const CLOSING: &[&str] = &["stats", "table", "tstats"];

/// Commands that add only fields that they name, or none.
const NAMING: &[&str] = &[
    "bin",
    "bucket",
    "convert",
    "dedup",
    "eval",
    "eventstats",
    "fields",
    "fillnull",
    "head",
    "lookup",
    "makemv",
    "mvexpand",
    "nomv",
    "regex",
    "rename",
    "replace",
    "reverse",
    "rex",
    "search",
    "sort",
    "stats",
    "streamstats",
    "table",
    "tail",
    "where",
];

/// The macro that takes the name of a dataset from the names of fields.
const DROP: &str = "drop_dm_object_name";

/// Returns warnings about the tokens of a detection, whose file is `text`.
pub(crate) fn warnings(detection: &Detection, text: &str) -> Vec<Diagnostic> {
    let own = detection.risk.iter().flat_map(|risk| &risk.risk_objects);
    let own = own.filter_map(|object| object.message.as_ref());
    let title = detection.finding.as_ref().and_then(|finding| finding.title.as_ref());
    let message = detection.risk.iter().map(|risk| &risk.message).chain(own).chain(title);
    let drilldowns: Vec<crate::Template> = detection
        .drilldowns
        .iter()
        .flat_map(|drilldown| [drilldown.name.clone(), drilldown.search.as_str().into()])
        .collect();
    let messages: Vec<&crate::Template> = message.collect();
    let mut told = unclosed(&messages, &detection.search, text);
    let tokens = messages.into_iter().chain(&drilldowns).flat_map(crate::Template::fields);
    let tokens: IndexSet<&str> = tokens.filter(|token| !is_of_the_finding(token)).collect();
    let objects = objects(detection);
    if tokens.is_empty() && objects.is_empty() {
        return told;
    }
    let Some(named) = named_fields(&detection.search) else { return told };
    let mut absent = Few::new("tokens that are no fields of the results");
    // What is told as a token without an end is none with a long name.
    let whole = tokens.into_iter().filter(|token| first_of(token, &detection.search).is_none());
    for token in whole.filter(|token| !named.has(token)) {
        absent.add(|| warning(token, &named, text));
    }
    told.extend(absent.into_vec());
    let mut absent = Few::new("objects whose fields no result has");
    for (field, kind) in objects.into_iter().filter(|(field, _)| !named.has(field)) {
        absent.add(|| object_warning(kind, field, &named, text));
    }
    told.extend(absent.into_vec());
    told
}

/// Returns warnings about tokens without a second `$`, as in `$count times ($src$)`, where a `$` stands
/// before the name of a field of the search.
fn unclosed(messages: &[&crate::Template], search: &str, text: &str) -> Vec<Diagnostic> {
    let mut fields: IndexSet<&str> = IndexSet::new();
    for segment in messages.iter().flat_map(|message| &message.segments) {
        match segment {
            Segment::Field(token) => fields.extend(first_of(token, search)),
            Segment::Text(literal) => {
                let texts = literal.split('$').skip(1);
                // `$env:Path` is the variable of a shell.
                let names = texts
                    .map(|text| (first_name(text), text))
                    .filter(|(name, text)| !text[name.len()..].starts_with(':'));
                fields.extend(names.map(|(name, _)| name).filter(|name| is_named(search, name)));
            }
        }
    }
    let mut told = Few::new("tokens without a second `$`");
    for field in fields {
        told.add(|| {
            let message = format!("the token `${field}` has no second `$`");
            let help = format!("write `${field}$`");
            let warning = Diagnostic::warning(Code::RISK_FIELD, message).help(help);
            let written = format!("${field}");
            let is_open = |at: &usize| {
                let after = &text[at + written.len()..];
                !after.starts_with(|c: char| c == '$' || c == '_' || c.is_alphanumeric())
            };
            let place = text.match_indices(&written).map(|(at, _)| at).find(is_open);
            match place {
                Some(start) => warning.at(Span::new(start, start + written.len())),
                None => warning,
            }
        });
    }
    told.into_vec()
}

/// Returns the field with which a token begins if it is the text between two other tokens: the search
/// names the field, and not the whole token.
fn first_of<'t>(token: &'t str, search: &str) -> Option<&'t str> {
    let name = first_name(token);
    (token.contains(' ') && !search.contains(token) && is_named(search, name)).then_some(name)
}

/// Returns the name of a field with which a text begins, which is empty if there is none.
fn first_name(text: &str) -> &str {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
    &text[..end]
}

/// Returns true if a search has this name as a word.
fn is_named(search: &str, name: &str) -> bool {
    name.starts_with(char::is_alphabetic) && names(search).any(|known| known == name)
}

/// Returns the fields of the risk and threat objects, with what they are. Only the types that raise
/// risk use them.
fn objects(detection: &Detection) -> IndexMap<&str, &'static str> {
    let raises_risk = matches!(
        detection.detection_type,
        DetectionType::Ttp | DetectionType::Anomaly | DetectionType::Other(_)
    );
    let Some(risk) = detection.risk.as_ref().filter(|_| raises_risk) else {
        return IndexMap::new();
    };
    let risks = risk.risk_objects.iter().map(|object| ("risk object", object.field.as_str()));
    let threats = risk.threat_objects.iter().map(|object| ("threat object", object.field.as_str()));
    let mut objects = IndexMap::new();
    for (kind, field) in risks.chain(threats) {
        if !field.is_empty() && !is_of_the_finding(field) {
            objects.entry(field).or_insert(kind);
        }
    }
    objects
}

fn object_warning(kind: &str, field: &str, named: &Named, text: &str) -> Diagnostic {
    let help = named.instead(field);
    let help = help.unwrap_or_else(|| {
        format!("let the search return `{field}`, or name a field that it returns")
    });
    let message = format!("no result has the field of the {kind} `{field}`");
    let diagnostic = Diagnostic::warning(Code::RISK_FIELD, message).help(help);
    match object_span(text, field) {
        Some(span) => diagnostic.at(span),
        None => diagnostic,
    }
}

/// Returns the place where a file names the field of an object: after `field:`, or after `name:` in
/// the observables of an older file.
fn object_span(text: &str, field: &str) -> Option<Span> {
    ["field:", "name:"].iter().find_map(|key| {
        text.match_indices(key).find_map(|(at, _)| {
            let rest = text.get(at + key.len()..)?;
            let value = rest.trim_start_matches([' ', '"', '\'']);
            let start = at + key.len() + (rest.len() - value.len());
            let after = value.strip_prefix(field)?;
            let ends =
                !after.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | ' '));
            ends.then(|| Span::new(start, start + field.len()))
        })
    })
}

impl Detection {
    /// Returns true if no result of the detection has the field, as far as its search tells: false
    /// if the fields of its results are not known.
    #[must_use]
    pub fn lacks_field(&self, field: &str) -> bool {
        let named = named_fields(&self.search);
        named.is_some_and(|named| !named.has(field))
    }

    /// Returns the field of the results with the most similar name, if their fields are known.
    #[must_use]
    pub fn similar_field(&self, field: &str) -> Option<String> {
        let named = named_fields(&self.search)?;
        named.similar(field).map(str::to_owned)
    }
}

/// Returns true for fields that a finding has in addition to those of its row.
#[must_use]
pub fn is_of_the_finding(token: &str) -> bool {
    token.starts_with("info_") || token.starts_with("risk_") || token.starts_with('_')
}

/// The texts in which every field of the results is named.
struct Named {
    /// The arguments of the commands.
    texts: Vec<Arguments>,
    /// The datasets whose names a macro takes from the names of fields.
    dropped: Vec<String>,
}

struct Arguments {
    text: String,
    /// Whether a dot may join two fields in it, besides being a part of a name.
    is_expression: bool,
    /// Whether they are those of `tstats`, whose fields have the names of their datasets.
    is_of_model: bool,
}

impl Named {
    /// Returns true if a field of the results may have this name.
    fn has(&self, field: &str) -> bool {
        self.texts.iter().any(|arguments| self.mentions(arguments, field))
    }

    /// Returns true if a text has the name, not as a part of a longer one.
    fn mentions(&self, arguments: &Arguments, name: &str) -> bool {
        let Arguments { text, is_expression, .. } = arguments;
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        text.match_indices(name).any(|(start, _)| {
            let before = text.get(..start).unwrap_or_default();
            let after = text.get(start + name.len()..).unwrap_or_default();
            if before.ends_with(is_word) || after.starts_with(is_word) {
                return false;
            }
            let is_longer = after.strip_prefix('.').is_some_and(|rest| rest.starts_with(is_word));
            let object = before.strip_suffix('.').map(|before| {
                let is_of_object = |c: char| is_word(c) || matches!(c, '.' | '{' | '}');
                before.rsplit(|c| !is_of_object(c)).next()
            });
            let is_whole = match object.flatten().filter(|object| !object.is_empty()) {
                Some(object) => self.dropped.iter().any(|dropped| dropped == object),
                None => true,
            };
            *is_expression || (is_whole && !is_longer)
        })
    }

    /// Returns the most similar name.
    fn similar(&self, field: &str) -> Option<&str> {
        similar(field, self.texts.iter().flat_map(|arguments| names(&arguments.text)))
    }

    /// Returns what to do about a field that no result has, if the search has one of a similar name.
    fn instead(&self, field: &str) -> Option<String> {
        let qualified = self.texts.iter().find_map(|arguments| {
            names(&arguments.text).find_map(|name| {
                let object = name.strip_suffix(field)?.strip_suffix('.')?;
                Some((name, object, arguments.is_of_model))
            })
        });
        if let Some((name, object, true)) = qualified {
            return Some(format!(
                "the search has `{name}`: add the macro `drop_dm_object_name({object})`, or write that name"
            ));
        }
        // Either name can be the wrong one.
        let similar = qualified.map(|(name, ..)| name).or_else(|| self.similar(field))?;
        Some(format!("the search has `{similar}`; write one name in both places"))
    }
}

/// Returns the texts in which every field of the results is named; `None` if the results may have
/// other fields.
fn named_fields(search: &str) -> Option<Named> {
    // Macros are not expanded: those at the end of searches are known by name.
    let (pipeline, diagnostics) = parse(&search.replace('`', " "));
    if !diagnostics.is_empty() {
        return None;
    }
    let closing = pipeline
        .commands
        .iter()
        .rposition(|command| CLOSING.contains(&command.name.value.as_str()))?;
    let commands = &pipeline.commands[closing..];
    commands.iter().skip(1).all(names_its_fields).then_some(())?;
    let name = |command: &Command| command.name.value.clone();
    let texts: Vec<Arguments> = commands
        .iter()
        .map(|command| Arguments {
            text: command.arguments.value.clone(),
            is_expression: matches!(name(command).as_str(), "eval" | "where"),
            is_of_model: name(command) == "tstats",
        })
        .collect();
    // With a pattern such as `values(*) as *`, the fields depend on the events. A blank or bracket
    // before the asterisk tells it from a wildcard in a value, and from a product.
    let has_pattern = commands.iter().zip(&texts).any(|(command, arguments)| {
        !matches!(command.name.value.as_str(), "eval" | "where" | "search" | "rex" | "regex")
            && !is_macro(command)
            && arguments.text.contains('*')
    });
    let drops = commands.iter().filter(|command| name(command) == DROP);
    let dropped = drops.map(|command| {
        let written = command.arguments.value.trim_matches(['(', ')', ' ', '"']);
        written.to_owned()
    });
    (!has_pattern).then(|| Named { texts, dropped: dropped.collect() })
}

fn names_its_fields(command: &Command) -> bool {
    let (name, arguments) = (command.name.value.as_str(), command.arguments.value.as_str());
    let has_subsearch =
        arguments.contains('[') && !matches!(name, "rex" | "regex" | "eval" | "where");
    if is_macro(command) {
        return true;
    }
    // A lookup without OUTPUT adds all of its columns.
    let is_open = name == "lookup" && !arguments.to_ascii_uppercase().contains("OUTPUT");
    NAMING.contains(&name) && !has_subsearch && !is_open
}

/// Returns true for the macros of Splunk's content that add no field.
fn is_macro(command: &Command) -> bool {
    let name = command.name.value.as_str();
    name.ends_with("_filter") || name == "security_content_ctime" || name == DROP
}

/// Returns the words of a text that may be names of fields.
fn names(text: &str) -> impl Iterator<Item = &str> {
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '{' | '}');
    text.split(move |c| !is_name(c)).filter(|name| !name.is_empty())
}

fn warning(token: &str, named: &Named, text: &str) -> Diagnostic {
    let help = named.instead(token);
    let help =
        help.unwrap_or_else(|| format!("let the search return `{token}`, or take the token out"));
    let message = format!("no result has the field of the token `${token}$`");
    let diagnostic = Diagnostic::warning(Code::RISK_FIELD, message).help(help);
    let written = format!("${token}");
    match text.find(&written) {
        Some(start) => diagnostic.at(Span::new(start, start + written.len())),
        None => diagnostic,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::schema;

    /// Returns the tokens that are warned of, each with its column and the help.
    fn warned(search: &str, message: &str) -> Vec<String> {
        let text = format!(
            "name: n\nid: i\ntype: TTP\nsearch: '{search}'\nrba:\n  message: {message}\n\
             drilldown_searches:\n- name: of $user$\n  search: '%original_detection_search% | \
             search user=$user$'\n"
        );
        let mut warnings = Vec::new();
        schema::read(&text, Path::new("n.yml"), None, &mut warnings).unwrap();
        let words = |warning: &spilltrail_diagnostic::Diagnostic| {
            let span = warning.span().unwrap();
            let help = warning.help.as_deref().unwrap_or_default();
            format!("{} {help}", &text[span.start..span.end])
        };
        warnings.iter().map(words).collect()
    }

    #[test]
    fn an_object_that_the_results_cannot_have() {
        let warned = |kind: &str, search: &str, rest: &str| {
            let text = format!("name: n\nid: i\ntype: {kind}\nsearch: '{search}'\n{rest}\n");
            let mut warnings = Vec::new();
            schema::read(&text, Path::new("n.yml"), None, &mut warnings).unwrap();
            let places = warnings.iter().map(|warning| {
                let span = warning.span().unwrap();
                let line = text[..span.start].matches('\n').count() + 1;
                format!("{line} {} {}", &text[span.start..span.end], warning.message)
            });
            places.collect::<Vec<String>>().join("; ")
        };
        let rba = "rba:\n  message: m\n  risk_objects:\n  - {field: user, type: user, score: 40}\n  \
                   threat_objects:\n  - field: src\n    type: ip_address";
        let by_arn = "a=1 | stats count by user_arn";
        assert_eq!(
            warned("TTP", by_arn, rba),
            "8 user no result has the field of the risk object `user`; \
             10 src no result has the field of the threat object `src`"
        );
        // What raises no risk has no objects.
        assert_eq!(warned("Hunting", by_arn, rba), "");
        assert_eq!(warned("TTP", "a=1 | stats count by user src", rba), "");
        assert_eq!(warned("TTP", "a=1", rba), "");
        let finding =
            "finding:\n  title: t\n  entity:\n    field: user\n    type: user\n    score: 40";
        let expected = "8 user no result has the field of the risk object `user`";
        assert_eq!(warned("TTP", by_arn, finding), expected);
    }

    #[test]
    fn a_token_that_the_results_cannot_have() {
        let closed = "`cloudtrail` x=y | stats count min(_time) as first by user | `n_filter`";
        assert_eq!(warned(closed, "$user$ at $first$"), Vec::<String>::new());
        assert_eq!(
            warned(closed, "$usr$ did it"),
            ["$usr the search has `user`; write one name in both places"]
        );
        assert_eq!(
            warned(closed, "from $dest$"),
            ["$dest let the search return `dest`, or take the token out"]
        );
        for (message, expected) in [
            ("$user$ did $count times ($first$)", vec!["$count write `$count$`"]),
            ("at $first by $user", vec!["$first write `$first$`", "$user write `$user$`"]),
            ("$user$ paid $5 to $other", vec![]),
            ("$user$ set $first:path", vec![]),
        ] {
            assert_eq!(warned(closed, message), expected, "{message}");
            let open = "`cloudtrail` x=y user=* count=1 first=2";
            assert_eq!(warned(open, message), expected, "{message}");
        }
        let renamed = "x=y | stats count by user | eval a=1 | rename a as b | table user b";
        assert_eq!(warned(renamed, "$b$ $user$ $info_min_time$"), Vec::<String>::new());
    }

    #[test]
    fn fields_of_data_models_have_the_names_of_their_datasets() {
        let of_model = "| tstats count from datamodel=E.P where P.x=1 by P.user P.Q.dest";
        let add = |field: &str, dataset: &str| {
            format!(
                "${field} the search has `{dataset}.{field}`: add the macro `drop_dm_object_name({dataset})`, or write that name"
            )
        };
        for (rest, message, expected) in [
            ("", "$user$", vec![add("user", "P")]),
            ("", "$user$ $dest$", vec![add("user", "P"), add("dest", "P.Q")]),
            (" | `drop_dm_object_name(P)`", "$user$", vec![]),
            (" | `drop_dm_object_name(\"P\")` | `n_filter`", "$user$ $Q.dest$", vec![]),
            (" | `drop_dm_object_name(P)`", "$user$ $dest$", vec![add("dest", "P.Q")]),
            (" | `drop_dm_object_name(P.Q)`", "$dest$", vec![add("user", "P")]),
            (" | rename P.user as user", "$user$", vec![]),
            (" | rename P.* as *", "$user$ $dest$", vec![]),
            (" | eval n=count.user", "$user$", vec![]),
        ] {
            // The drilldown has a token for the user.
            let mut found = warned(&format!("{of_model}{rest}"), message);
            found.sort_by_key(|told| !told.starts_with("$user "));
            assert_eq!(found, expected, "{rest}: {message}");
        }
        let by_member = "a=1 | stats count by userIdentity.user";
        let expected = ["$user the search has `userIdentity.user`; write one name in both places"];
        assert_eq!(warned(by_member, "$userIdentity.user$"), expected);
    }

    #[test]
    fn fields_that_may_come_from_elsewhere_are_no_mistakes() {
        for search in [
            "x=y | stats count by user",
            "x=y | stats count values(*) as *",
            "x=y | eval a=1",
            "x=y | stats count by user | lookup people user",
            "x=y | stats count by user | `enrich(user)`",
            "x=y | stats count by user | iplocation src",
            "x=y | stats count by user | join user [search z]",
        ] {
            let message = if search.ends_with("by user") { "$user$" } else { "$dest$" };
            assert_eq!(warned(search, message), Vec::<String>::new(), "{search}");
        }
    }

    #[test]
    fn fields_that_no_result_has() {
        let detection = |search: &str| crate::Detection {
            search: search.to_owned(),
            ..crate::ContentSet::load(&[], crate::BuiltinPack::Included).0.detections[0].clone()
        };
        let counted = detection("a=b | stats count by user_arn | where count>3");
        assert!(!counted.lacks_field("user_arn") && !counted.lacks_field("count"));
        assert!(counted.lacks_field("user_arm") && counted.lacks_field("a"));
        assert_eq!(counted.similar_field("user_arm").as_deref(), Some("user_arn"));
        for open in ["a=b", "a=b | stats values(*) as *", "a=b | stats count by x | lookup l x"] {
            assert!(!detection(open).lacks_field("user_arm"), "{open}");
            assert_eq!(detection(open).similar_field("user_arm"), None, "{open}");
        }
    }
}

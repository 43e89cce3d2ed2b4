//! `tags`: adds the tags of the values of fields.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_event::{CaseRule, Comparison, Field, Kind, Pattern, Value, compare};
use spilltrail_knowledge::Knowledge;
use spilltrail_spl::Arguments;

use super::{Argument, Codec, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes};
use crate::operators::{Derive, RowFunction};
use crate::planning::classes::EVENT_TYPE;
use crate::planning::plan::{Needs, Plan};
use crate::rows::state::state_of;

/// The field with the tags of all fields.
const TAG: &str = "tag";

static DOC: CommandDoc = CommandDoc {
    name: "tags",
    aliases: &[],
    kind: CommandKind::DistributableStreaming,
    summary: "Add the tags that the content gives to the values of fields.",
    syntax: "tags [outputfield=<field>] [inclname=<bool>] [inclvalue=<bool>] [allowed_tags=<text>] [<field> …]",
    arguments: &[
        Argument::option("outputfield", Takes::Field).doc(
            "The field that gets all tags. Without it, `tag` has all tags, and `tag::<field>` those of a field.",
        ),
        Argument::option("inclname", Takes::Bool)
            .default("false")
            .doc("Whether the tags in `outputfield` begin with the name of the field and `::`."),
        Argument::option("inclvalue", Takes::Bool)
            .default("false")
            .doc("Whether the tags in `outputfield` begin with the value, after the name, and `::`."),
        Argument::option("allowed_tags", Takes::Text)
            .doc("The tags that are added, with commas between them. Default: all tags."),
        Argument::positional("field", Takes::Fields)
            .doc("The fields whose values are looked up. Default: all fields."),
    ],
    examples: &[
        Example {
            title: "The tags of event types",
            events: "{\"user\":\"ann\",\"eventtype\":\"aws_cloudtrail_consolelogin_auth\"}\n{\"user\":\"bob\"}",
            search: "| tags eventtype",
            results: r#"{"user":"ann","eventtype":"aws_cloudtrail_consolelogin_auth","tag":["authentication","default"],"tag::eventtype":["authentication","default"]}
{"user":"bob"}"#,
        },
        Example {
            title: "Some tags with the names of their fields, in a field of their own",
            events: r#"{"eventtype":["aws_cloudtrail_change","aws_cloudtrail_errors"]}"#,
            search: "| tags outputfield=labels inclname=t allowed_tags=\"change, error\" | table labels",
            results: r#"{"labels":["eventtype::change","eventtype::error"]}"#,
        },
    ],
    differs: &[
        "The tags are those of the content, and those of the event types of the add-on for CloudTrail. They are sorted.",
        "Values are compared as in a search: in any case.",
        "Without a list of fields, `tag::<field>` is added for the fields of which some value has tags.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const CODEC: Codec = Codec::derive::<TagsOf>("tags");

#[derive(Debug)]
struct TagsCommand {
    /// The fields; all if there are none.
    fields: Vec<String>,
    output: Option<String>,
    has_name: bool,
    has_value: bool,
    allowed: Option<Vec<String>>,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let mut fields = Vec::new();
    while arguments.more() {
        fields.extend(arguments.fields()?);
    }
    arguments.each_is_one_field(&fields);
    arguments.each_once(&fields);
    let output = arguments.given::<String>("outputfield").map(|output| output.value);
    if output.is_none() {
        for name in ["inclname", "inclvalue"] {
            arguments.without_effect(name, "it is about the tags in `outputfield`");
        }
    }
    let allowed = arguments.given::<String>("allowed_tags").map(|written| {
        let tags = written.value.split([',', ' ']).filter(|tag| !tag.is_empty());
        tags.map(str::to_owned).collect()
    });
    Ok(Box::new(TagsCommand {
        fields: fields.into_iter().map(|field| field.value).collect(),
        output,
        has_name: arguments.value("inclname"),
        has_value: arguments.value("inclvalue"),
        allowed,
    }))
}

fn tag_of(field: &str) -> String {
    format!("tag::{field}")
}

#[async_trait]
impl Command for TagsCommand {
    fn needs(&self, after: Needs) -> Needs {
        if self.fields.is_empty() {
            // Event types are computed only where they are named.
            return after.and_all().and([EVENT_TYPE]);
        }
        let after = match &self.output {
            Some(output) => after.without([output]),
            None => after.without([TAG]).without(self.fields.iter().map(|field| tag_of(field))),
        };
        after.and(&self.fields)
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        let mut names = before?;
        let fields = if self.fields.is_empty() { &names } else { &self.fields };
        let added = match &self.output {
            Some(output) => vec![output.clone()],
            None => {
                std::iter::once(TAG.to_owned()).chain(fields.iter().map(|f| tag_of(f))).collect()
            }
        };
        names.extend(added);
        Some(names)
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let input = stage.input(input)?;
        let knowledge = &stage.context.knowledge;
        let fields = if self.fields.is_empty() {
            let is_tagged = |name: &String| knowledge.tagged_values().any(|one| one.field == name);
            input.names().into_iter().filter(is_tagged).collect()
        } else {
            self.fields.clone()
        };
        for field in &self.fields {
            if !knowledge.tagged_values().any(|one| one.field == *field) {
                let message = format!("no value of `{field}` has tags");
                let warning = Diagnostic::warning(Code::NO_EFFECT, message).at(stage.span);
                let help = "the content and the add-on tag event types: `tags eventtype`";
                stage.context.observations.message(warning.help(help));
            }
        }
        let outputs: Vec<Field> = match &self.output {
            Some(output) => vec![Field::new(output, Kind::Multi)],
            None => std::iter::once(TAG.to_owned())
                .chain(fields.iter().map(|field| tag_of(field)))
                .map(|name| Field::new(name, Kind::Multi))
                .collect(),
        };
        let function = TagsOf {
            values: fields
                .iter()
                .map(|field| values(field, knowledge, self.allowed.as_deref()))
                .collect(),
            fields: fields.clone(),
            form: self.output.as_ref().map(|_| Form { name: self.has_name, value: self.has_value }),
        };
        Ok(Derive::on(input, fields, outputs, Arc::new(function)))
    }
}

/// Returns the tags of the values of a field.
fn values(
    field: &str,
    knowledge: &Knowledge,
    allowed: Option<&[String]>,
) -> Vec<(Pattern, Vec<String>)> {
    let is_allowed = |tag: &&String| allowed.is_none_or(|allowed| allowed.contains(tag));
    let tagged = knowledge.tagged_values().filter(|one| one.field == field);
    let tagged = tagged.map(|one| {
        let tags = one.tags.iter().filter(is_allowed).cloned().collect();
        (Pattern::new(one.value, CaseRule::Ignore), tags)
    });
    tagged.filter(|(_, tags): &(Pattern, Vec<String>)| !tags.is_empty()).collect()
}

/// Sets the tags of the inputs: in one field, or in one for all inputs and one for each.
#[derive(Debug, Serialize, Deserialize)]
struct TagsOf {
    /// The names of the inputs.
    fields: Vec<String>,
    /// The tagged values of each input.
    values: Vec<Vec<(Pattern, Vec<String>)>>,
    /// How tags are written, if all are in one field.
    form: Option<Form>,
}

/// What is written before a tag.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Form {
    name: bool,
    value: bool,
}

impl Form {
    fn shown(self, field: &str, value: &str, tag: &str) -> String {
        let mut shown = String::new();
        for (is_shown, part) in [(self.name, field), (self.value, value)] {
            if is_shown {
                shown.push_str(part);
                shown.push_str("::");
            }
        }
        shown + tag
    }
}

impl RowFunction for TagsOf {
    fn name(&self) -> &'static str {
        "tags"
    }

    fn state(&self) -> String {
        state_of(self)
    }

    fn compute<'a>(&'a self, inputs: &[Value<'a>], outputs: &mut [Value<'a>]) {
        // Tags are sorted by themselves, whatever is written before them.
        let mut all: BTreeSet<(&str, String)> = BTreeSet::new();
        for (index, input) in inputs.iter().enumerate() {
            let mut own: BTreeSet<&str> = BTreeSet::new();
            for member in input.members() {
                for (pattern, tags) in &self.values[index] {
                    if !compare(&member, Comparison::Eq, pattern) {
                        continue;
                    }
                    for tag in tags {
                        let form = self.form.unwrap_or(Form { name: false, value: false });
                        all.insert((tag.as_str(), form.shown(&self.fields[index], &member, tag)));
                        own.insert(tag.as_str());
                    }
                }
            }
            if self.form.is_none() {
                outputs[index + 1] = Value::multi(own.into_iter().map(Into::into).collect());
            }
        }
        outputs[0] = Value::multi(all.into_iter().map(|(_, shown)| shown.into()).collect());
    }
}

#[cfg(test)]
mod tests {
    use spilltrail_knowledge::EventType;
    use spilltrail_spl::parse_search;

    use super::*;
    use crate::context::SearchContext;
    use crate::testing::{context, rows, table, table_of};

    const ROWS: &str = r#"{"_time":4,"host":"WWW1","sourcetype":"access","n":"13"}
{"_time":3,"host":["www2","www1"],"sourcetype":"access"}
{"_time":2,"host":"www3","sourcetype":"access","tag":"old"}
{"_time":1,"host":"www4","action":"login"}"#;

    /// Returns a context with tags of two hosts, of a sourcetype, and of an event type.
    fn tagged() -> SearchContext {
        let mut knowledge = Knowledge::default();
        for (name, search, tags) in [
            ("", "host=www1", &["tag2", "web"][..]),
            ("", "host=www2", &["tag1"]),
            ("", "sourcetype=access", &["apache"]),
            ("logins", "action=login", &["authentication"]),
        ] {
            let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
            let search = parse_search(search).unwrap();
            knowledge.add_event_type(EventType { name: name.to_owned(), search, tags });
        }
        SearchContext { knowledge: Arc::new(knowledge), ..context(rows(ROWS), 64 << 20) }
    }

    #[tokio::test]
    async fn values_have_their_tags() {
        let context = tagged();
        for (search, expected) in [
            (
                "| table host sourcetype | tags | fields tag tag::* | rename tag::* as *",
                vec![
                    "tag | host | sourcetype",
                    "apache tag2 web tag2 web apache",
                    "apache tag1 tag2 web tag1 tag2 web apache",
                    "apache - apache",
                    "- - -",
                ],
            ),
            (
                "| table host | tags host | table tag",
                vec!["tag", "tag2 web", "tag1 tag2 web", "-", "-"],
            ),
            (
                "| head 1 | tags outputfield=o host sourcetype | table o",
                vec!["o", "apache tag2 web"],
            ),
            (
                "| head 1 | tags outputfield=o inclname=t | table o",
                vec!["o", "sourcetype::apache host::tag2 host::web"],
            ),
            (
                "| head 1 | tags outputfield=o inclname=t inclvalue=t host | table o",
                vec!["o", "host::WWW1::tag2 host::WWW1::web"],
            ),
            (
                "| head 1 | tags outputfield=o inclvalue=t allowed_tags=\"web,nosuch\" | table o",
                vec!["o", "WWW1::web"],
            ),
            // Without a tag, the field loses what it had.
            ("| where host=\"www3\" | tags host | table tag host", vec!["tag | host", "- www3"]),
            ("| head 1 | tags nosuch | table tag tag::nosuch", vec!["tag | tag::nosuch", "- -"]),
            // Event types are computed where they are asked for.
            ("host=www4 | tags eventtype | table tag", vec!["tag", "authentication"]),
            ("host=www4 | tags | table tag::eventtype", vec!["tag::eventtype", "authentication"]),
        ] {
            let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(table_of(search, &context).await, Ok(expected), "{search}");
        }
        let told: Vec<Code> = context.observations.messages().iter().map(|one| one.code).collect();
        assert_eq!(told, [Code::NO_EFFECT], "of `nosuch`");
    }

    #[tokio::test]
    async fn mistakes() {
        for (search, code) in [
            ("| tags h*", Code::BAD_ARGUMENT),
            ("| tags host host", Code::BAD_ARGUMENT),
            ("| tags inclname=maybe outputfield=o", Code::BAD_OPTION),
            ("| tags nosuch=1", Code::BAD_OPTION),
        ] {
            assert_eq!(table(search, ROWS).await, Err(vec![code]), "{search}");
        }
    }
}

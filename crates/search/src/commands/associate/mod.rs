//! `associate`: finds fields whose values depend on the value of another field.

mod operator;

use std::sync::Arc;

use async_trait::async_trait;
use spilltrail_diagnostic::Diagnostic;
use spilltrail_spl::Arguments;

use self::operator::{Associations, OUTPUTS};
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes};
use crate::lineage::Lineage;
use crate::operators::Codec;
use crate::planning::plan::{Needs, Plan};

static DOC: CommandDoc = CommandDoc {
    name: "associate",
    aliases: &[],
    kind: CommandKind::Transforming,
    summary: "Find fields whose values are easier to predict if another field has a certain value.",
    syntax: "associate [supcnt=<int>] [supfreq=<num>] [improv=<num>] [<field> …]",
    arguments: &[
        Argument::option("supcnt", Takes::Count)
            .default("100")
            .doc("How many rows must have the reference value at least."),
        Argument::option("supfreq", Takes::Number)
            .default("0.1")
            .between(0, 1)
            .doc("The part of all rows that must have the reference value at least."),
        Argument::option("improv", Takes::Number)
            .default("0.5")
            .doc("By how many bits the entropy of the target field must decrease at least."),
        Argument::positional("field", Takes::Fields)
            .doc("The fields to compare. Default: all fields whose names do not begin with `_`."),
    ],
    examples: &[
        Example {
            title: "What the calls of ann have in common",
            events: r#"{"user":"ann","action":"get"}
{"user":"ann","action":"get"}
{"user":"bob","action":"put"}
{"user":"eve","action":"list"}"#,
            search: "| associate supcnt=2 | fields Reference_Key Reference_Value Target_Key Top_Conditional_Value Entropy_Improvement Support",
            results: r#"{"Reference_Key":"action","Reference_Value":"get","Target_Key":"user","Top_Conditional_Value":"ann (50.00% -> 100.00%)","Entropy_Improvement":1.5,"Support":"50.00%"}
{"Reference_Key":"user","Reference_Value":"ann","Target_Key":"action","Top_Conditional_Value":"get (50.00% -> 100.00%)","Entropy_Improvement":1.5,"Support":"50.00%"}"#,
        },
        Example {
            title: "Nothing is learned from a value that is too rare",
            events: r#"{"user":"ann","action":"get"}"#,
            search: "| associate user action | stats count",
            results: r#"{"count":0}"#,
        },
    ],
    differs: &[
        "Entropies are those of the rows that have the target field. A multivalue field counts as one value.",
        "Rows are sorted by falling improvement, then by reference and target.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const CODEC: Codec = Codec::gathering::<Associations>();

#[derive(Debug)]
struct Associate {
    fields: Vec<String>,
    associations: Associations,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let mut fields = Vec::new();
    while arguments.more() {
        fields.extend(arguments.fields()?);
    }
    arguments.each_is_one_field(&fields);
    Ok(Box::new(Associate {
        fields: fields.into_iter().map(|field| field.value).collect(),
        associations: Associations {
            fields: Vec::new(),
            count: arguments.value("supcnt"),
            part: arguments.value("supfreq"),
            improvement: arguments.value("improv"),
        },
    }))
}

#[async_trait]
impl Command for Associate {
    fn needs(&self, _: Needs) -> Needs {
        if self.fields.is_empty() { Needs::only(["*"]) } else { Needs::only(&self.fields) }
    }

    fn output(&self, _: Option<Vec<String>>) -> Option<Vec<String>> {
        Some(OUTPUTS.map(|(name, _)| name.to_owned()).to_vec())
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let input = stage.input(input)?;
        let mut fields = input.covered("*");
        if !self.fields.is_empty() {
            fields.retain(|name| self.fields.contains(name));
            let internal = self.fields.iter().filter(|name| name.starts_with('_'));
            fields.extend(internal.filter(|name| input.kind(name).is_some()).cloned());
        }
        let associations = Associations { fields, ..self.associations.clone() };
        let mut plan = input.operator(Arc::new(associations));
        plan.transformed = true;
        Ok(plan)
    }

    fn trace(&self, lineage: &mut Lineage) {
        let keys = OUTPUTS.iter().take(3).map(|(name, _)| (*name).to_owned());
        lineage.group(keys, OUTPUTS.iter().skip(3).map(|(name, _)| (*name).to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use spilltrail_diagnostic::Code;

    use crate::testing::table;

    #[tokio::test]
    async fn improvements_are_entropies() {
        // Of b, the entropy is 1 bit; for a=x it is 0.
        let rows = r#"{"a":"x","b":"1"}
{"a":"x","b":"1"}
{"a":"y","b":"2"}
{"a":"z","b":"2"}
{"a":"x"}"#;
        for (options, expected) in [
            ("supcnt=3 supfreq=0", vec!["a x b 1 0 1 60.00%"]),
            (
                "supcnt=0 improv=1 b a",
                vec![
                    "b 1 a 1.3709505944546687 0 1.3709505944546687 40.00%",
                    "a x b 1 0 1 60.00%",
                    "a y b 1 0 1 20.00%",
                    "a z b 1 0 1 20.00%",
                ],
            ),
            ("supcnt=0 supfreq=0.5", vec!["a x b 1 0 1 60.00%"]),
            ("supcnt=0 improv=1.5", vec![]),
            ("supcnt=0 a nosuch", vec![]),
        ] {
            let search = format!(
                "| associate {options} | table Reference_Key Reference_Value Target_Key Unconditional_Entropy Conditional_Entropy Entropy_Improvement Support"
            );
            let found = table(&search, rows).await.map(|rows| rows[1..].to_vec());
            let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(found, Ok(expected), "{options}");
        }
        for (options, code) in [
            ("a*", Code::BAD_ARGUMENT),
            ("supfreq=2", Code::BAD_OPTION),
            ("supcnt=x", Code::BAD_OPTION),
        ] {
            let search = format!("| associate {options}");
            assert_eq!(table(&search, rows).await, Err(vec![code]), "{options}");
        }
    }
}

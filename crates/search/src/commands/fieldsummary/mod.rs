//! `fieldsummary`: summarizes the values of each field.
//!
//! The fields of each row become rows of a name and a value, the engine counts equal ones, and an
//! operator makes a row of the counted values of each field. So the values need not fit into memory.

mod operator;

use std::sync::Arc;

use async_trait::async_trait;
use spilltrail_diagnostic::Diagnostic;
use spilltrail_spl::{Arguments, parse as parse_search};

use self::operator::{FIELD, NUMBER, SummarizeFields, Unpivot, VALUE};
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes};
use super::{pipeline, subsearch, table};
use crate::lineage::Lineage;
use crate::operators::Codec;
use crate::planning::plan::{Needs, Plan, column};

static DOC: CommandDoc = CommandDoc {
    name: "fieldsummary",
    aliases: &[],
    kind: CommandKind::Transforming,
    summary: "Summarize the values of each field: how many, how many different ones, the most frequent ones, and statistics of numbers.",
    syntax: "fieldsummary [maxvals=<int>] [<field> …]",
    arguments: &[
        Argument::option("maxvals", Takes::Count)
            .default("100")
            .doc("The largest number of different values to list of each field; 0 lists all."),
        Argument::positional("field", Takes::Fields)
            .doc("The fields; wildcards are allowed. Default: all fields."),
    ],
    examples: &[
        Example {
            title: "A field with numbers and one without",
            events: "{\"n\":\"1\",\"user\":\"ann\"}\n{\"n\":\"3\",\"user\":\"ann\"}\n{\"n\":\"3\"}",
            search: "| fieldsummary | table field count distinct_count max mean min numeric_count",
            results: "{\"field\":\"n\",\"count\":3,\"distinct_count\":2,\"max\":3,\"mean\":2.3333333333333335,\"min\":1,\"numeric_count\":3}\n{\"field\":\"user\",\"count\":2,\"distinct_count\":1,\"numeric_count\":0}",
        },
        Example {
            title: "The most frequent values",
            events: "{\"user\":\"ann\"}\n{\"user\":\"bob\"}\n{\"user\":\"bob\"}",
            search: "| fieldsummary maxvals=1 user | table field is_exact values",
            results: r#"{"field":"user","is_exact":1,"values":"[{\"value\":\"bob\",\"count\":2}]"}"#,
        },
    ],
    differs: &[
        "`distinct_count` is always exact.",
        "Fields that no row has are left out, and without a list those whose name begins with `_`.",
        "Each value of a multivalue counts.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const CODECS: [Codec; 2] = [
    Codec::operator::<SummarizeFields>("fieldsummary"),
    Codec::operator::<Unpivot>("fieldsummary_values"),
];

#[derive(Debug)]
struct FieldSummary {
    fields: Vec<String>,
    most: usize,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let mut fields = Vec::new();
    while arguments.more() {
        fields.extend(arguments.fields()?.into_iter().map(|field| field.value));
    }
    if fields.is_empty() {
        fields.push("*".to_owned());
    }
    let most = match arguments.value("maxvals") {
        0 => usize::MAX,
        most => most,
    };
    Ok(Box::new(FieldSummary { fields, most }))
}

#[async_trait]
impl Command for FieldSummary {
    fn needs(&self, _: Needs) -> Needs {
        Needs::only(&self.fields)
    }

    fn output(&self, _: Option<Vec<String>>) -> Option<Vec<String>> {
        Some(operator::OUTPUTS.map(|(name, _)| name.to_owned()).to_vec())
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let refused = |error| stage.refused(error);
        let input = stage.input(input)?;
        let names = table::spread(&input, &self.fields);
        let plan = input.select(&names).map_err(refused)?;
        let plan = plan.operator(Arc::new(Unpivot { names }));
        let (counting, _) =
            parse_search(&format!("| stats count by \"{NUMBER}\", \"{FIELD}\", \"{VALUE}\""));
        let plan = pipeline::plan_on(plan, &counting, stage.context, Needs::everything())
            .await
            .map_err(subsearch::first)?;
        let keys = vec![
            column(NUMBER).sort(true, false),
            column("count").sort(false, false),
            column(VALUE).sort(true, false),
        ];
        let plan = plan.sort(keys).map_err(refused)?;
        let mut plan = plan.operator(Arc::new(SummarizeFields { most: self.most }));
        plan.transformed = true;
        Ok(plan)
    }

    fn trace(&self, lineage: &mut Lineage) {
        let measures = operator::OUTPUTS.iter().skip(1).map(|(name, _)| (*name).to_owned());
        lineage.group(["field".to_owned()], measures);
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::table;

    #[tokio::test]
    async fn as_many_values_are_listed_as_are_wanted() {
        let rows = "{\"n\":\"1\"}\n{\"n\":\"2\"}\n{\"n\":\"3\"}";
        let values = |numbers: &[u32]| {
            let one = |number| format!("{{\"value\":\"{number}\",\"count\":1}}");
            format!("[{}]", numbers.iter().map(one).collect::<Vec<_>>().join(","))
        };
        for (option, listed) in
            [("", &[1, 2, 3][..]), ("maxvals=1", &[1]), ("maxvals=0", &[1, 2, 3])]
        {
            let search = format!("| fieldsummary {option} n | table values");
            let expected = vec!["values".to_owned(), values(listed)];
            assert_eq!(table(&search, rows).await, Ok(expected), "{search}");
        }
    }
}

//! `anomalousvalue`: finds improbable values of single fields.

use spilltrail_diagnostic::Diagnostic;
use spilltrail_spl::Arguments;

use super::anomalydetection::{of_values, zscore::ZScore};
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Takes};

static DOC: CommandDoc = CommandDoc {
    name: "anomalousvalue",
    aliases: &[],
    kind: CommandKind::Dataset,
    summary: "Find improbable values, field by field.",
    syntax: "anomalousvalue [maxanofreq=<num>] [minnormfreq=<num>] [minsupcount=<int>] [minsupfreq=<num>] [action=filter|annotate|summary] [pthresh=<num>] [<field> …]",
    arguments: &[
        Argument::option("maxanofreq", Takes::Number)
            .default("0.05")
            .between(0, 1)
            .doc("A field is left out if more of its values are anomalous."),
        Argument::option("minnormfreq", Takes::Number)
            .default("0.01")
            .between(0, 1)
            .doc("A field is left out if fewer of its values are normal."),
        Argument::option("minsupcount", Takes::Count)
            .default("100")
            .doc("A field is left out unless more rows have it."),
        Argument::option("minsupfreq", Takes::Number)
            .default("0.05")
            .between(0, 1)
            .doc("A field is left out if a smaller part of the rows has it."),
        Argument::option("action", Takes::OneOf(&["filter", "annotate", "summary"]))
            .default("filter")
            .doc("`filter` returns the rows with anomalous values, `annotate` all rows, `summary` statistics of the fields."),
        Argument::option("pthresh", Takes::Number)
            .default("0.01")
            .between(0, 1)
            .doc("Values with a lower probability are anomalous."),
        Argument::positional("field", Takes::Fields)
            .doc("The fields to score. Default: all fields whose names do not begin with `_`."),
    ],
    examples: &[
        Example {
            title: "The value that one of four rows has",
            events: r#"{"user":"ann"}
{"user":"ann"}
{"user":"ann"}
{"user":"bob"}"#,
            search: "| anomalousvalue minsupcount=1 maxanofreq=0.5 pthresh=0.3 user | table user Anomaly_Score_Cat(user)",
            results: r#"{"user":"bob","Anomaly_Score_Cat(user)":0.25}"#,
        },
        Example {
            title: "What is known of a field",
            events: r#"{"n":"1"}
{"n":"3"}"#,
            search: "| anomalousvalue action=summary n | table fieldname count distinct_count mean useCat isNum",
            results: r#"{"fieldname":"n","count":2,"distinct_count":2,"mean":2,"useCat":"NO","isNum":"YES"}"#,
        },
    ],
    differs: &[
        "A category is scored by its frequency, and a number by how probable a number that far from the mean is in a normal distribution.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let mut fields = Vec::new();
    while arguments.more() {
        fields.extend(arguments.fields()?.into_iter().map(|field| field.value));
    }
    let rules = ZScore {
        threshold: arguments.value("pthresh"),
        most_anomalous: arguments.value("maxanofreq"),
        least_normal: arguments.value("minnormfreq"),
        support: arguments.value("minsupcount"),
        support_part: arguments.value("minsupfreq"),
    };
    Ok(of_values(fields, arguments.value("action"), rules))
}

#[cfg(test)]
mod tests {
    use spilltrail_diagnostic::Code;

    use crate::testing::table;

    #[tokio::test]
    async fn options_decide_which_fields_are_scored() {
        let rows = "{\"u\":\"a\"}\n{\"u\":\"a\"}\n{\"u\":\"a\"}\n{\"u\":\"b\"}\n{}";
        for (options, found) in [
            ("minsupcount=3 maxanofreq=0.25 pthresh=0.3", 1),
            ("minsupcount=4 maxanofreq=0.25 pthresh=0.3", 0),
            ("minsupcount=3 maxanofreq=0.24 pthresh=0.3", 0),
            ("minsupcount=3 maxanofreq=0.25 pthresh=0.3 minnormfreq=0.8", 0),
            ("minsupcount=3 maxanofreq=0.25 pthresh=0.3 minsupfreq=0.9", 0),
            ("minsupcount=3 maxanofreq=0.25", 0),
            ("minsupcount=3 maxanofreq=0.25 pthresh=0.3 action=annotate", 5),
        ] {
            let search = format!("| anomalousvalue {options} u | stats count");
            let expected = Ok(vec!["count".to_owned(), found.to_string()]);
            assert_eq!(table(&search, rows).await, expected, "{options}");
        }
        let wrong = table("| anomalousvalue maxanofreq=2 action=all", rows).await;
        assert_eq!(wrong, Err(vec![Code::BAD_OPTION, Code::BAD_OPTION]));
    }
}

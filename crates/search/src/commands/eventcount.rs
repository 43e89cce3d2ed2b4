//! `eventcount`: counts the events of the logs.

use spilltrail_diagnostic::Diagnostic;
use spilltrail_spl::Arguments;

use super::over_events::{of_indexes, over_events};
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Takes};

static DOC: CommandDoc = CommandDoc {
    name: "eventcount",
    aliases: &[],
    kind: CommandKind::Generating,
    summary: "Count the events of the logs, all together or for each index.",
    syntax: "eventcount [index=<text>] … [summarize=<bool>] [list_vix=<bool>] [list_federated_remote=<bool>]",
    arguments: &[
        Argument::option("index", Takes::Text).repeated().doc(
            "The index whose events are counted; it may be written several times. Default: all.",
        ),
        Argument::option("summarize", Takes::Bool)
            .default("true")
            .doc("Whether there is one count of all events, or one for each index."),
        Argument::option("report_size", Takes::Bool)
            .default("false")
            .refused("the size of an index is not known")
            .doc("Whether to report the size of each index."),
        Argument::option("list_vix", Takes::Bool)
            .default("true")
            .no_effect("there are no virtual indexes")
            .doc("Whether to list virtual indexes."),
        Argument::option("list_federated_remote", Takes::Bool)
            .default("false")
            .no_effect("there are no remote indexes")
            .doc("Whether to list the indexes of federated providers."),
    ],
    examples: &[
        Example {
            title: "All events",
            events: "{\"_time\":1,\"n\":\"1\"}\n{\"_time\":2,\"n\":\"2\"}",
            search: "| eventcount",
            results: r#"{"count":2}"#,
        },
        Example {
            title: "For each index",
            events: "{\"_time\":1,\"index\":\"a\"}\n{\"_time\":2,\"index\":\"b\"}\n{\"_time\":3,\"index\":\"b\"}",
            search: "| eventcount summarize=false index=* | table index count",
            results: "{\"index\":\"a\",\"count\":1}\n{\"index\":\"b\",\"count\":2}",
        },
    ],
    differs: &[
        "The events are read and counted; those outside of the time range of the run are not.",
        "With `summarize=false`, events of logs that belong to no index have a row without `index`, and there is no field `server`.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    arguments.finish_with_options()?;
    let indexes: Vec<String> = arguments.given_all("index");
    let events = format!("search {}", of_indexes(&indexes));
    if arguments.value("summarize") {
        return Ok(over_events(&format!("{events} | stats count"), &["count"], arguments));
    }
    // Events that belong to no index are counted, too.
    let search = format!(
        "{events} | eval index=coalesce(index, \"\") | stats count by index \
         | eval index=if(index=\"\", null(), index)"
    );
    Ok(over_events(&search, &["index", "count"], arguments))
}

#[cfg(test)]
mod tests {
    use spilltrail_diagnostic::Code;

    use crate::testing::table;

    #[tokio::test]
    async fn all_events_are_counted() {
        let rows = r#"{"_time":1,"index":"a"}
{"_time":2,"index":"b"}
{"_time":3,"index":"b"}
{"_time":4}"#;
        for (search, expected) in [
            ("| eventcount", vec!["count", "4"]),
            ("| eventcount index=a index=b", vec!["count", "3"]),
            ("| eventcount summarize=f", vec!["index | count", "- 1", "a 1", "b 2"]),
            ("| eventcount summarize=f index=b index=nosuch", vec!["index | count", "b 2"]),
            ("| eventcount index=nosuch", vec!["count", "0"]),
        ] {
            let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(table(search, rows).await, Ok(expected), "{search}");
        }
        for search in ["| eventcount index=", "| eventcount a"] {
            assert!(table(search, rows).await.is_err(), "{search}");
        }
        let refused = table("| eventcount report_size=t", rows).await;
        assert_eq!(refused, Err(vec![Code::UNSUPPORTED_OPTION]));
    }
}

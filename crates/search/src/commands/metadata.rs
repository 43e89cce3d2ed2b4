//! `metadata`: lists the hosts, sources or sourcetypes of the logs.

use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_spl::Arguments;

use super::over_events::{of_indexes, over_events};
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Takes};

static DOC: CommandDoc = CommandDoc {
    name: "metadata",
    aliases: &[],
    kind: CommandKind::Generating,
    summary: "List the hosts, sources or sourcetypes of the logs, with the number and times of their events.",
    syntax: "metadata type=hosts|sources|sourcetypes [index=<text>] [splunk_server=<text>] [splunk_server_group=<text>] [datatype=all|event|metric]",
    arguments: &[
        Argument::option("type", Takes::OneOf(&["hosts", "sources", "sourcetypes"]))
            .doc("What to list."),
        Argument::option("index", Takes::Text)
            .default("*")
            .doc("The index whose events count. Default: all."),
        Argument::option("splunk_server", Takes::Text)
            .no_effect("a search runs on one machine")
            .doc("The server whose events count."),
        Argument::option("splunk_server_group", Takes::Text)
            .no_effect("a search runs on one machine")
            .doc("The servers whose events count."),
        Argument::option("datatype", Takes::OneOf(&["all", "event", "metric"]))
            .default("event")
            .no_effect("there are no metrics")
            .doc("The kind of data that counts."),
    ],
    examples: &[
        Example {
            title: "Sourcetypes",
            events: "{\"_time\":1,\"sourcetype\":\"a\"}\n{\"_time\":5,\"sourcetype\":\"a\"}\n{\"_time\":3,\"sourcetype\":\"b\"}",
            search: "| metadata type=sourcetypes",
            results: "{\"sourcetype\":\"a\",\"type\":\"sourcetypes\",\"firstTime\":1,\"lastTime\":5,\"recentTime\":5,\"totalCount\":2}\n{\"sourcetype\":\"b\",\"type\":\"sourcetypes\",\"firstTime\":3,\"lastTime\":3,\"recentTime\":3,\"totalCount\":1}",
        },
        Example {
            title: "The host with the newest event",
            events: "{\"_time\":1,\"host\":\"x\"}\n{\"_time\":5,\"host\":\"y\"}",
            search: "| metadata type=hosts | sort - lastTime | head 1 | table host",
            results: r#"{"host":"y"}"#,
        },
    ],
    differs: &[
        "The events are read and counted; those outside of the time range of the run are not.",
        "`recentTime` is `lastTime`: when an event was indexed is not known.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    arguments.finish_with_options()?;
    let Some(kind) = arguments.given::<&'static str>("type") else {
        // A wrong value is reported already.
        let diagnostic = Diagnostic::error(Code::MISSING_ARGUMENT, "expected `type=`")
            .at(arguments.span())
            .help("for example `metadata type=sourcetypes`");
        if arguments.given_at("type").is_none() {
            return Err(diagnostic);
        }
        return Ok(over_events("search *", &[], arguments));
    };
    let kind = kind.value;
    let field = kind.trim_end_matches('s');
    let index: String = arguments.value("index");
    let indexes: Vec<String> = if index == "*" { Vec::new() } else { vec![index] };
    let columns = ["type", "firstTime", "lastTime", "recentTime", "totalCount"];
    let search = format!(
        "search {} | stats min(_time) as firstTime max(_time) as lastTime count as totalCount by {field} \
         | eval type=\"{kind}\", recentTime=lastTime | table {field} {}",
        of_indexes(&indexes),
        columns.join(" ")
    );
    let outputs: Vec<&str> = std::iter::once(field).chain(columns).collect();
    Ok(over_events(&search, &outputs, arguments))
}

//! `inputcsv`: reads the rows of a CSV file among the lookups.

use spilltrail_diagnostic::Diagnostic;
use spilltrail_spl::Arguments;

use super::inputlookup::read_table;
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Takes};

static DOC: CommandDoc = CommandDoc {
    name: "inputcsv",
    aliases: &[],
    kind: CommandKind::Generating,
    summary: "Read the rows of a CSV file, or append them to the results.",
    syntax: "inputcsv [append=<bool>] [strict=<bool>] [start=<int>] [max=<int>] [events=<bool>] <file> [where <search expression>]",
    arguments: &[
        Argument::option("append", Takes::Bool)
            .default("false")
            .doc("Whether to append the rows to the results."),
        Argument::option("strict", Takes::Bool)
            .default("false")
            .doc("Whether a missing file is an error."),
        Argument::option("start", Takes::Count)
            .default("0")
            .doc("The number of rows to skip at the beginning."),
        Argument::option("max", Takes::Count)
            .default("1000000000")
            .doc("The largest number of rows to read."),
        Argument::option("events", Takes::Bool)
            .default("false")
            .no_effect("rows are shown as a table, whether they are events or not")
            .doc("Whether the rows are events, with a text and a time."),
        Argument::option("dispatch", Takes::Bool)
            .default("false")
            .refused("searches leave no jobs behind")
            .doc("Whether to look for the file in the folder of a job."),
        Argument::positional("file", Takes::Lookup)
            .doc("The name of the file; without an extension, `.csv` is added."),
        Argument::keyword("WHERE", Takes::Search)
            .doc("Which rows to read, as a search expression."),
    ],
    examples: &[
        Example {
            title: "Rows of a file after the results; without a file there are none",
            events: r#"{"user":"ann"}"#,
            search: "search user=* | inputcsv append=true seen | table user",
            results: r#"{"user":"ann"}"#,
        },
        Example {
            title: "Some rows that another search keeps",
            events: "{\"user\":\"ann\",\"n\":\"1\"}\n{\"user\":\"bob\",\"n\":\"2\"}",
            search: "| outputcsv users | head 1 | inputcsv append=t users where n=2 | table user n",
            results: r#"{"user":"ann","n":"1"}"#,
        },
    ],
    differs: &[
        "Files are among the lookups (`--lookups`), where `outputcsv` and `outputlookup` write them.",
        "Empty cells are read as missing values.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    read_table(arguments, "file", file_name)
}

/// Returns the name of a file, with `.csv` if it has no extension.
pub(super) fn file_name(written: String) -> String {
    if written.contains('.') { written } else { format!("{written}.csv") }
}

#[cfg(test)]
mod tests {
    use spilltrail_diagnostic::Code;

    use crate::context::LookupTable;
    use crate::testing::{context, rows, table_of};

    #[tokio::test]
    async fn rows_of_a_file() {
        let context = context(rows("{\"_time\":1,\"n\":\"9\"}"), 64 << 20);
        let columns = ["n", "u"].map(str::to_owned).to_vec();
        let cells = [["1", "a"], ["2", ""], ["3", "c"]];
        let cells = cells.map(|row| row.map(str::to_owned).to_vec()).to_vec();
        let table = LookupTable { columns, rows: cells.into(), ..LookupTable::default() };
        context.lookups.write("t.csv", table).unwrap();
        for (search, expected) in [
            ("| inputcsv t", Ok(vec!["n | u", "1 a", "2 -", "3 c"])),
            ("| inputcsv t.csv start=1 max=1", Ok(vec!["n | u", "2 -"])),
            ("| inputcsv max=1 t where n>1", Ok(vec!["n | u", "2 -"])),
            ("* | table n | inputcsv append=t start=2 t", Ok(vec!["n | u", "9 -", "3 c"])),
            ("| inputcsv nosuch | stats count", Ok(vec!["count", "0"])),
            ("| inputcsv strict=t nosuch", Err(Code::MISSING_LOOKUP)),
            ("| inputcsv dispatch=t t", Err(Code::UNSUPPORTED_OPTION)),
            ("| inputcsv", Err(Code::MISSING_ARGUMENT)),
            ("* | inputcsv t", Err(Code::NOT_GENERATING)),
        ] {
            let expected = expected
                .map(|lines| lines.into_iter().map(str::to_owned).collect::<Vec<_>>())
                .map_err(|code| vec![code]);
            assert_eq!(table_of(search, &context).await, expected, "{search}");
        }
    }
}

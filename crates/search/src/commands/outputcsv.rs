//! `outputcsv`: writes the rows to a CSV file among the lookups, and passes them on.

use spilltrail_diagnostic::{Code, Diagnostic, Span, Spanned};
use spilltrail_spl::Arguments;

use super::inputcsv::file_name;
use super::outputlookup::file_writer;
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Takes};

static DOC: CommandDoc = CommandDoc {
    name: "outputcsv",
    aliases: &[],
    kind: CommandKind::CentralizedStreaming,
    summary: "Write the rows to a CSV file, and keep them as results.",
    syntax: "outputcsv [append=<bool>] [create_empty=<bool>] [override_if_empty=<bool>] [singlefile=<bool>] <file>",
    arguments: &[
        Argument::option("append", Takes::Bool)
            .default("false")
            .doc("Whether to append the rows to the file instead of replacing it. The columns of an existing file stay the same, and other fields are not written."),
        Argument::option("create_empty", Takes::Bool)
            .default("false")
            .doc("Whether to create an empty file if there are no rows and no file."),
        Argument::option("override_if_empty", Takes::Bool)
            .default("true")
            .doc("Whether to empty an existing file if there are no rows."),
        Argument::option("singlefile", Takes::Bool)
            .default("true")
            .no_effect("there is always one file")
            .doc("Whether to write one file, and not several."),
        Argument::option("dispatch", Takes::Bool)
            .default("false")
            .refused("searches leave no jobs behind")
            .doc("Whether to write the file to the folder of a job."),
        Argument::option("usexml", Takes::Bool)
            .default("false")
            .refused("rows are written as CSV")
            .doc("Whether to write XML instead of CSV."),
        Argument::positional("file", Takes::Lookup)
            .doc("The name of the file; without an extension, `.csv` is added."),
    ],
    examples: &[
        Example {
            title: "The rows stay results",
            events: r#"{"user":"ann"}"#,
            search: "| outputcsv users",
            results: r#"{"user":"ann"}"#,
        },
        Example {
            title: "Later commands see the same rows",
            events: "{\"user\":\"ann\"}\n{\"user\":\"bob\"}",
            search: "| outputcsv append=t users.csv | stats count",
            results: r#"{"count":2}"#,
        },
    ],
    differs: &[
        "Files are among the lookups (`--lookups`), where `inputcsv` and `inputlookup` read them. Without `--lookups`, they are kept for the run only.",
        "Without rows, an existing file becomes empty and is not removed.",
        "The values of a multivalue field are joined with newlines, and not with blanks.",
        "The name of the file is written, and not returned by a subsearch.",
        "Without a file name, Splunk writes rows into the field `_xml`; this is not supported.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let mut file: Option<Spanned<String>> = None;
    while arguments.more() {
        if file.is_some() {
            arguments.finish()?;
        }
        let place = arguments.position();
        if let Some(subsearch) = arguments.subsearch() {
            subsearch?;
            let message = "`outputcsv` takes no name of a file from a subsearch";
            return Err(Diagnostic::unsupported(Code::UNSUPPORTED_SYNTAX, message)
                .at(Span::new(place, arguments.position()))
                .help("write the name of the file, as in `outputcsv users.csv`"));
        }
        file = Some(arguments.field()?);
    }
    let Some(file) = file else {
        let message = "`outputcsv` without the name of a file is not supported";
        return Err(Diagnostic::unsupported(Code::UNSUPPORTED_SYNTAX, message)
            .at(arguments.span())
            .help("name a file, as in `outputcsv users.csv`"));
    };
    Ok(file_writer(
        Spanned::new(file_name(file.value), file.span),
        arguments.value("append"),
        arguments.value("create_empty"),
        arguments.value("override_if_empty"),
    ))
}

#[cfg(test)]
mod tests {
    use spilltrail_diagnostic::Code;

    use crate::testing::{context, rows, table_of};

    #[tokio::test]
    async fn rows_are_written_and_read() {
        let context = context(rows(r#"{"_time":1,"_raw":"x y","n":["1","2"]}"#), 64 << 20);
        for (search, expected) in [
            ("* | outputcsv a | stats count", Ok(vec!["count", "1"])),
            // Internal fields are written, too.
            ("| inputcsv a | table _time _raw n", Ok(vec!["_time | _raw | n", "1 x y 1\n2"])),
            (
                "* | outputcsv append=t a | inputcsv append=t a | stats count",
                Ok(vec!["count", "2"]),
            ),
            ("| inputlookup a.csv | stats count", Ok(vec!["count", "2"])),
            ("n=9 | outputcsv override_if_empty=f a | stats count", Ok(vec!["count", "0"])),
            ("| inputcsv a | stats count", Ok(vec!["count", "2"])),
            ("n=9 | outputcsv a | stats count", Ok(vec!["count", "0"])),
            ("| inputcsv strict=t a | stats count", Ok(vec!["count", "0"])),
            ("n=9 | outputcsv b | stats count", Ok(vec!["count", "0"])),
            ("| inputcsv strict=t b", Err(Code::MISSING_LOOKUP)),
            ("n=9 | outputcsv create_empty=t b | stats count", Ok(vec!["count", "0"])),
            ("| inputcsv strict=t b | stats count", Ok(vec!["count", "0"])),
            (
                "n=9 | outputcsv create_empty=t override_if_empty=f append=t c | stats count",
                Ok(vec!["count", "0"]),
            ),
            ("| inputcsv strict=t c | stats count", Ok(vec!["count", "0"])),
            ("* | outputcsv [| makeresults | return $a]", Err(Code::UNSUPPORTED_SYNTAX)),
            ("* | outputcsv", Err(Code::UNSUPPORTED_SYNTAX)),
            ("* | outputcsv usexml=t a", Err(Code::UNSUPPORTED_OPTION)),
            ("* | outputcsv a b", Err(Code::TRAILING_TEXT)),
        ] {
            let expected = expected
                .map(|lines| lines.into_iter().map(str::to_owned).collect::<Vec<_>>())
                .map_err(|code| vec![code]);
            assert_eq!(table_of(search, &context).await, expected, "{search}");
        }
    }
}

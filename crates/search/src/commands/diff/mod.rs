//! `diff`: compares the texts of two rows line by line.

mod lines;

use std::borrow::Cow;

use async_trait::async_trait;
use indexmap::IndexMap;
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_event::Value;
use spilltrail_event::fields::RAW;
use spilltrail_spl::Arguments;

use self::lines::{Form, differences, lines};
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes, subsearch};
use crate::lineage::Lineage;
use crate::operators::KeptRows;
use crate::planning::plan::{Needs, Plan};
use crate::rows::Rows;

/// The maximum number of lines of a text; the time to compare more could grow with their square.
const MAX_LINES: usize = 10_000;

/// What the result says if there is no difference.
const SAME: &str = "Results are the Same";

static DOC: CommandDoc = CommandDoc {
    name: "diff",
    aliases: &[],
    kind: CommandKind::Dataset,
    summary: "Compare two rows, and return the lines in which their texts differ.",
    syntax: "diff [position1=<int>] [position2=<int>] [attribute=<field>] [diffheader=<bool>] [context=<bool>] [maxlen=<int>]",
    arguments: &[
        Argument::option("position1", Takes::Count)
            .default("1")
            .between(1, 1_000_000)
            .doc("The number of the row that is taken for the old one."),
        Argument::option("position2", Takes::Count)
            .default("2")
            .between(1, 1_000_000)
            .doc("The number of the row that is taken for the new one; more than `position1`."),
        Argument::option("attribute", Takes::Field)
            .default("_raw")
            .doc("The field to compare."),
        Argument::option("diffheader", Takes::Bool)
            .default("false")
            .doc("Whether the result begins with two lines that name the texts, as `patch` needs them."),
        Argument::option("context", Takes::Bool)
            .default("false")
            .doc("Whether the lines of the two rows are in two parts (a context diff). Otherwise they are in one (a unified diff)."),
        Argument::option("maxlen", Takes::Count)
            .default("100000")
            .doc("How many bytes of each text are compared; 0 for all."),
    ],
    examples: &[
        Example {
            title: "What changed in a policy",
            events: r#"{"policy":"Effect: Allow\nAction: s3:Get*"}
{"policy":"Effect: Allow\nAction: s3:*"}"#,
            search: "| diff attribute=policy",
            results: r#"{"_raw":"@@ -1,2 +1,2 @@\n Effect: Allow\n-Action: s3:Get*\n+Action: s3:*"}"#,
        },
        Example {
            title: "Two rows that are the same",
            events: "{\"n\":\"1\"}\n{\"n\":\"2\"}\n{\"n\":\"1\"}",
            search: "| diff attribute=n position1=1 position2=3",
            results: r#"{"_raw":"Results are the Same"}"#,
        },
    ],
    differs: &[
        "The result is one row with the field `_raw`. If there are fewer rows than a position says, the search fails (SPL3011).",
        "As few lines as possible are different; Splunk may show others that say the same.",
        "A newline at the end of a text is no difference. Texts of more than 10,000 lines are an error. A row without the field has an empty text, and values of a multivalue are lines.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

#[derive(Debug)]
struct Diff {
    /// The places of the rows, from 0.
    places: (usize, usize),
    field: String,
    has_header: bool,
    form: Form,
    longest: usize,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    arguments.finish_with_options()?;
    let (first, second): (usize, usize) =
        (arguments.value("position1"), arguments.value("position2"));
    if second <= first {
        let message = format!("`position2` ({second}) must be more than `position1` ({first})");
        let place = arguments.given_at("position2").or_else(|| arguments.given_at("position1"));
        arguments.report(
            Diagnostic::error(Code::BAD_OPTION, message)
                .at(place.unwrap_or_else(|| arguments.span()))
                .help("for example `diff position1=1 position2=2`"),
        );
    }
    let is_context: bool = arguments.value("context");
    Ok(Box::new(Diff {
        places: (first.saturating_sub(1), second.saturating_sub(1)),
        field: arguments.value("attribute"),
        has_header: arguments.value("diffheader"),
        form: if is_context { Form::Context } else { Form::Unified },
        longest: match arguments.value("maxlen") {
            0 => usize::MAX,
            longest => longest,
        },
    }))
}

#[async_trait]
impl Command for Diff {
    fn needs(&self, _: Needs) -> Needs {
        Needs { order: true, ..Needs::only([&self.field]) }
    }

    fn output(&self, _: Option<Vec<String>>) -> Option<Vec<String>> {
        Some(vec![RAW.to_owned()])
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let refused = |error| stage.refused(error);
        let input = stage.input(input)?.select(std::slice::from_ref(&self.field));
        let needed = self.places.1 + 1;
        let rows = subsearch::collect(input.map_err(refused)?, stage.context, Some(needed)).await;
        let rows = rows.map_err(refused)?;
        if rows.len() < needed {
            let found = rows.len();
            let rows = if found == 1 { "1 row" } else { &format!("{found} rows") };
            let message = format!("`diff` compares row {needed}, and there are only {rows}");
            return Err(Diagnostic::error(Code::NO_ROWS, message)
                .at(stage.span)
                .help("look at what the commands before it find"));
        }
        let (old, new) = self.texts(&rows).map_err(refused)?;
        if old.is_none() && new.is_none() {
            let message = format!("neither of the two rows has the field `{}`", self.field);
            stage.context.observations.message(
                Diagnostic::warning(Code::LOST_FIELD, message)
                    .at(stage.span)
                    .help("name a field of the rows, as in `diff attribute=user`"),
            );
        }
        let (old, new) = (old.unwrap_or_default(), new.unwrap_or_default());
        let longest = lines(&old).len().max(lines(&new).len());
        if longest > MAX_LINES {
            let message = format!("`diff` compares at most {MAX_LINES} lines, found {longest}");
            return Err(Diagnostic::error(Code::TOO_LARGE, message)
                .at(stage.span)
                .help("set `maxlen` to compare only the beginning of the texts"));
        }
        let shown = Value::Text(Cow::Owned(self.shown(&old, &new)));
        let mut rows = Rows::from_records(&[IndexMap::from([(RAW.to_owned(), shown)])]);
        rows.transformed = true;
        KeptRows::of(rows, &stage.context.session.runtime_env())
            .and_then(KeptRows::into_plan)
            .map_err(refused)
    }

    fn grouping(&self) -> Option<Vec<String>> {
        Some(Vec::new())
    }

    fn trace(&self, lineage: &mut Lineage) {
        lineage.group([], [RAW.to_owned()]);
    }
}

impl Diff {
    /// Returns the texts to compare; `None` for a row without the field.
    fn texts(
        &self,
        rows: &KeptRows,
    ) -> datafusion::common::Result<(Option<String>, Option<String>)> {
        let (mut texts, mut before) = ((None, None), 0);
        for batch in rows.batches()? {
            let batch = batch?;
            let reader = crate::operators::gather::reader(&batch, &self.field)?;
            let text = |place: usize| {
                let row = place.checked_sub(before).filter(|row| *row < batch.num_rows())?;
                let members = reader.as_ref()?.value(row).into_members();
                let text = (!members.is_empty()).then(|| members.join("\n"))?;
                Some(beginning(&text, self.longest).to_owned())
            };
            texts.0 = texts.0.or_else(|| text(self.places.0));
            texts.1 = texts.1.or_else(|| text(self.places.1));
            before += batch.num_rows();
        }
        Ok(texts)
    }

    fn shown(&self, old: &str, new: &str) -> String {
        let differences = differences(old, new, self.form);
        if differences.is_empty() {
            return SAME.to_owned();
        }
        let (first, second) = (self.places.0 + 1, self.places.1 + 1);
        match (self.has_header, self.form) {
            (false, _) => differences,
            (true, Form::Unified) => format!("--- row {first}\n+++ row {second}\n{differences}"),
            (true, Form::Context) => format!("*** row {first}\n--- row {second}\n{differences}"),
        }
    }
}

/// Returns the first bytes of a text, and no part of a character.
fn beginning(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    end.map_or("", |end| &text[..end])
}

#[cfg(test)]
mod tests {
    use spilltrail_diagnostic::Code;

    use super::*;
    use crate::testing::{context, rows, table, table_of};

    const ROWS: &str = r#"{"_raw":"a\nb","m":["x","y"]}
{"_raw":"a\nc","m":["x","z"]}
{"_raw":"a\nb","n":"1"}"#;

    #[tokio::test]
    async fn rows_are_compared() {
        for (options, expected) in [
            ("", "@@ -1,2 +1,2 @@\n a\n-b\n+c"),
            ("position2=3", SAME),
            ("position1=2 position2=3", "@@ -1,2 +1,2 @@\n a\n-c\n+b"),
            ("maxlen=2", SAME),
            ("maxlen=0 attribute=m", "@@ -1,2 +1,2 @@\n x\n-y\n+z"),
            ("position2=3 attribute=n", "@@ -0,0 +1 @@\n+1"),
            ("attribute=nosuch", SAME),
            ("diffheader=t", "--- row 1\n+++ row 2\n@@ -1,2 +1,2 @@\n a\n-b\n+c"),
            (
                "diffheader=t context=t",
                "*** row 1\n--- row 2\n***************\n*** 1,2 ****\n  a\n! b\n--- 1,2 ----\n  a\n! c",
            ),
        ] {
            let found = table(&format!("| diff {options}"), ROWS).await;
            assert_eq!(found, Ok(vec![RAW.to_owned(), expected.to_owned()]), "{options}");
        }
        // A carriage return is a difference; a newline at the end is none.
        for (one, other, is_same) in
            [("a\\r\\nb", "a\\nb", false), ("a\\n\\n", "a", false), ("a\\n", "a", true)]
        {
            let lines = format!("{{\"_raw\":\"{one}\"}}\n{{\"_raw\":\"{other}\"}}");
            let found = table("| diff", &lines).await.unwrap();
            assert_eq!(found[1] == SAME, is_same, "{found:?}");
        }
        for (options, is_told) in [("", false), ("attribute=nosuch", true), ("attribute=n", true)] {
            let context = context(rows(ROWS), 64 << 20);
            table_of(&format!("| diff {options}"), &context).await.unwrap();
            let codes: Vec<_> =
                context.observations.messages().iter().map(|told| told.code).collect();
            assert_eq!(codes, if is_told { vec![Code::LOST_FIELD] } else { vec![] }, "{options}");
        }
        for (search, code) in [
            ("| diff position1=2", Code::BAD_OPTION),
            ("| diff position1=0", Code::BAD_OPTION),
            ("| diff 1 2", Code::TRAILING_TEXT),
            ("| diff position2=4", Code::NO_ROWS),
            ("| head 0 | diff", Code::NO_ROWS),
            (
                "| eval n=mvjoin(mvrange(0,10001),\"\n\") | diff attribute=n maxlen=0",
                Code::TOO_LARGE,
            ),
        ] {
            assert_eq!(table(search, ROWS).await, Err(vec![code]), "{search}");
        }
    }

    #[test]
    fn characters_are_not_cut() {
        for (bytes, expected) in [(0, ""), (1, "a"), (2, "a"), (3, "aö"), (9, "aöb")] {
            assert_eq!(beginning("aöb", bytes), expected, "{bytes}");
        }
    }
}

//! `convert`: turns the values of fields into numbers, or times into text.

mod functions;
mod operator;

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use spilltrail_diagnostic::{Code, Diagnostic, Span, similar};
use spilltrail_spl::Arguments;

use self::functions::{Conversion, TimeFormat};
use self::operator::ConvertColumns;
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes};
use crate::context::SearchContext;
use crate::lineage::Lineage;
use crate::operators::Codec;
use crate::planning::plan::{Needs, Plan, column};
use crate::rows::mapped::{Mapped, ValueFunction, mapped};
use crate::rows::state::FunctionCodec;

/// The functions of `convert`, sorted by name.
const FUNCTIONS: [&str; 10] =
    ["auto", "ctime", "dur2sec", "memk", "mktime", "mstime", "none", "num", "rmcomma", "rmunit"];

static DOC: CommandDoc = CommandDoc {
    name: "convert",
    aliases: &[],
    kind: CommandKind::DistributableStreaming,
    summary: "Convert field values to numbers, or times to text.",
    syntax: "convert [timeformat=<text>] <function>(<field>) [AS <name>] …",
    arguments: &[
        Argument::option("timeformat", Takes::Text)
            .default("%m/%d/%Y %H:%M:%S")
            .doc("The time format of `ctime` and `mktime`."),
        Argument::call("auto", Takes::Field)
            .doc("Convert with the first conversion that works for all values; if none does, change nothing."),
        Argument::call("ctime", Takes::Field).doc("Convert epoch seconds to text."),
        Argument::call("dur2sec", Takes::Field).doc("Convert `[D+]HH:MM:SS` to seconds."),
        Argument::call("memk", Takes::Field).doc("Convert a number with `k`, `m` or `g` to kilobytes."),
        Argument::call("mktime", Takes::Field).doc("Convert text to epoch seconds."),
        Argument::call("mstime", Takes::Field).doc("Convert `[MM:]SS.SSS` to seconds."),
        Argument::call("none", Takes::Field)
            .doc("Exclude fields from the wildcards of the other functions."),
        Argument::call("num", Takes::Field)
            .doc("Convert like `auto`, but value by value, and remove values that are not numbers."),
        Argument::call("rmcomma", Takes::Field).doc("Remove commas."),
        Argument::call("rmunit", Takes::Field).doc("Keep the number at the beginning."),
        Argument::keyword("AS", Takes::Field)
            .doc("The field to write the result to. Default: the field itself."),
    ],
    examples: &[
        Example {
            title: "A readable time",
            events: r#"{"firstTime":"1700000000","n":"3"}"#,
            search: r#"| convert timeformat="%Y-%m-%d %H:%M" ctime(firstTime)"#,
            results: r#"{"firstTime":"2023-11-14 22:13","n":"3"}"#,
        },
        Example {
            title: "Several functions; with AS, the original field stays",
            events: r#"{"took":"00:02:05","size":"1,024 kB"}"#,
            search: "| convert dur2sec(took) AS seconds, rmcomma(size)",
            results: r#"{"took":"00:02:05","size":"1024 kB","seconds":"125"}"#,
        },
    ],
    differs: &[
        "`auto` and `num` try plain numbers, `dur2sec`, `mstime`, `memk` and `rmcomma`, in this order.",
        "A value that a function cannot convert does not change, except with `num`.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const FUNCTION: FunctionCodec = FunctionCodec::of::<Mapped<Conversion>>("convert");

pub(super) const CODEC: Codec = Codec::gathering::<operator::ConvertColumns>();

#[derive(Debug)]
struct Convert {
    format: String,
    calls: Vec<Call>,
}

#[derive(Debug)]
struct Call {
    function: String,
    field: String,
    output: Option<String>,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let mut calls = Vec::new();
    while arguments.more() {
        calls.push(call(arguments)?);
        arguments.symbol(",");
    }
    if calls.is_empty() {
        return Err(Diagnostic::error(Code::MISSING_ARGUMENT, "expected a conversion")
            .at(arguments.span())
            .help("for example `convert ctime(firstTime)`"));
    }
    if !calls.iter().any(|call| matches!(call.function.as_str(), "ctime" | "mktime")) {
        arguments.without_effect("timeformat", "only `ctime` and `mktime` read it");
    }
    Ok(Box::new(Convert { format: arguments.value("timeformat"), calls }))
}

fn call(arguments: &mut Arguments<'_>) -> Result<Call, Diagnostic> {
    let Some(name) = arguments.word() else {
        return Err(expected("a conversion such as `ctime(field)`", arguments));
    };
    let function = name.value.to_ascii_lowercase();
    if !FUNCTIONS.contains(&function.as_str()) {
        let message = format!("`convert` has no function `{}`", name.value);
        let diagnostic = Diagnostic::error(Code::BAD_ARGUMENT, message).at(name.span);
        return Err(match similar(&function, FUNCTIONS) {
            Some(similar) => diagnostic.help(format!("there is `{similar}`")),
            None => diagnostic.help(format!("there are {}", FUNCTIONS.join(", "))),
        });
    }
    if arguments.symbol("(").is_none() {
        return Err(expected("`(`", arguments));
    }
    let field = if arguments.symbol(")").is_some() {
        "*".to_owned()
    } else {
        let field = arguments.field()?.value;
        if arguments.symbol(")").is_none() {
            return Err(expected("`)`", arguments));
        }
        field
    };
    let output = match arguments.keyword("as") {
        None => None,
        Some(_) => {
            let output = arguments.field()?;
            if field.contains('*') {
                let message = "a wildcard cannot be renamed";
                return Err(Diagnostic::error(Code::BAD_ARGUMENT, message).at(output.span));
            }
            Some(output.value)
        }
    };
    Ok(Call { function, field, output })
}

fn expected(what: &str, arguments: &mut Arguments<'_>) -> Diagnostic {
    let place = Span::new(arguments.position(), arguments.position());
    Diagnostic::error(Code::EXPECTED, format!("expected {what}")).at(place)
}

impl Convert {
    /// Returns the conversion for a function, or `None` if the function needs the whole column.
    fn conversion(&self, function: &str, context: &SearchContext) -> Option<Conversion> {
        let time = || TimeFormat { format: self.format.clone(), zone: context.zone.clone() };
        Some(match function {
            "ctime" => Conversion::Ctime(time()),
            "mktime" => Conversion::Mktime(time()),
            "dur2sec" => Conversion::Dur2sec,
            "mstime" => Conversion::Mstime,
            "memk" => Conversion::Memk,
            "rmcomma" => Conversion::Rmcomma,
            "rmunit" => Conversion::Rmunit,
            "num" => Conversion::Num,
            _ => return None,
        })
    }
}

#[async_trait]
impl Command for Convert {
    fn needs(&self, after: Needs) -> Needs {
        self.calls.iter().rev().fold(after, |needs, call| match &call.output {
            Some(output) => needs.without([output]).and([&call.field]),
            // A wildcard converts the fields that other commands need; it adds none.
            None if call.field.contains('*') => needs,
            None => needs.and([&call.field]),
        })
    }

    fn listed(&self) -> Vec<&str> {
        self.calls.iter().map(|call| call.field.as_str()).collect()
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        let mut names = before?;
        names.extend(self.calls.iter().filter_map(|call| call.output.clone()));
        Some(names)
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let mut plan = stage.input(input)?;
        // `none(...)` excludes fields from the wildcards of all other calls, before and after it.
        let excluded: BTreeSet<String> = self
            .calls
            .iter()
            .filter(|call| call.function == "none")
            .flat_map(|call| plan.covered(&call.field))
            .collect();
        for call in &self.calls {
            if call.function == "none" {
                if let (Some(output), Some(kind)) = (&call.output, plan.kind(&call.field)) {
                    let copied = vec![(output.clone(), column(&call.field), kind)];
                    plan = plan.with_columns(copied).map_err(|error| stage.refused(error))?;
                }
                continue;
            }
            let is_wild = call.field.contains('*');
            let mut pairs = Vec::new();
            for name in plan.covered(&call.field) {
                if !is_wild || !excluded.contains(&name) {
                    let output = call.output.clone().unwrap_or_else(|| name.clone());
                    pairs.push((name, output));
                }
            }
            plan = match self.conversion(&call.function, stage.context) {
                Some(conversion) => {
                    let columns = pairs
                        .into_iter()
                        .filter_map(|(name, output)| {
                            let kind = conversion.kind(plan.kind(&name)?);
                            Some((output, mapped(conversion.clone(), column(&name)), kind))
                        })
                        .collect();
                    plan.with_columns(columns).map_err(|error| stage.refused(error))?
                }
                None => plan.operator(Arc::new(ConvertColumns { pairs })),
            };
        }
        Ok(plan)
    }

    fn trace(&self, lineage: &mut Lineage) {
        for call in &self.calls {
            if let Some(output) = &call.output {
                lineage.assign(output, std::slice::from_ref(&call.field));
            }
        }
    }
}

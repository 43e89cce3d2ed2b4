//! SPL commands: one file each, one line each in [`COMMANDS`].

mod anomalydetection;
mod append;
mod appendcols;
mod appendpipe;
mod bin;
mod catalog;
mod convert;
#[cfg(test)]
mod declared;
mod dedup;
mod eval;
mod eventstats;
mod fields;
mod fillnull;
mod format;
mod head;
mod inputlookup;
mod iplocation;
mod join;
mod lookup;
mod makemv;
mod makeresults;
mod mvcombine;
mod mvexpand;
mod nomv;
mod outlier;
mod outputlookup;
pub(crate) mod pipeline;
mod regex;
#[cfg(test)]
mod registry;
mod rename;
mod replace;
mod r#return;
mod reverse;
mod rex;
mod search;
mod sort;
mod spath;
mod stats;
mod streamstats;
pub(crate) mod subsearch;
mod table;
mod tail;
mod trendline;
mod tstats;
mod r#where;

use std::fmt::Debug;

use async_trait::async_trait;
use serde::Serialize;
use spilltrail_diagnostic::{Code, Diagnostic, Span};
use spilltrail_spl::{Arguments, EvalExpr, Pipeline, SearchExpr};

use crate::lineage::Lineage;
use crate::operators::Codec;
use crate::planning::facts::{Facts, Role};
use crate::planning::plan::{Needs, Plan};
pub use crate::planning::stage::Stage;
use crate::rows::state::FunctionCodec;

pub use self::catalog::{CatalogEntry, catalog};
pub use spilltrail_spl::{Argument, Form, Support, Takes};

/// Every command, sorted by name.
pub static COMMANDS: &[Entry] = &[
    anomalydetection::ENTRY,
    append::ENTRY,
    appendcols::ENTRY,
    appendpipe::ENTRY,
    bin::ENTRY,
    convert::ENTRY,
    dedup::ENTRY,
    eval::ENTRY,
    eventstats::ENTRY,
    fields::ENTRY,
    fillnull::ENTRY,
    format::ENTRY,
    head::ENTRY,
    inputlookup::ENTRY,
    iplocation::ENTRY,
    join::ENTRY,
    lookup::ENTRY,
    makemv::ENTRY,
    makeresults::ENTRY,
    mvcombine::ENTRY,
    mvexpand::ENTRY,
    nomv::ENTRY,
    outlier::ENTRY,
    outputlookup::ENTRY,
    regex::ENTRY,
    rename::ENTRY,
    replace::ENTRY,
    r#return::ENTRY,
    reverse::ENTRY,
    rex::ENTRY,
    search::ENTRY,
    sort::ENTRY,
    spath::ENTRY,
    stats::ENTRY,
    streamstats::ENTRY,
    table::ENTRY,
    tail::ENTRY,
    trendline::ENTRY,
    tstats::ENTRY,
    r#where::ENTRY,
];

/// How the operators of commands are read back from a plan that travelled.
pub(crate) const OPERATORS: &[&[Codec]] = &[
    &[anomalydetection::CODEC],
    &[appendcols::CODEC],
    &[convert::CODEC],
    &[dedup::CODEC],
    &[eventstats::CODEC],
    &[fillnull::CODEC],
    &[format::CODEC],
    &[head::CODEC],
    &[iplocation::CODEC],
    &[join::CODEC],
    &[lookup::CODEC],
    &[makemv::CODEC],
    &[mvcombine::CODEC],
    &[nomv::CODEC],
    &[outlier::CODEC],
    &[outputlookup::CODEC],
    &[r#return::CODEC],
    &rex::CODECS,
    &spath::CODECS,
    &[stats::CODEC],
    &[streamstats::CODEC],
    &[trendline::CODEC],
];

/// How the functions of commands are written and read back.
pub(crate) const FUNCTIONS: &[FunctionCodec] = &[convert::FUNCTION, replace::FUNCTION];

/// A command's documentation, parser and planner.
#[derive(Debug)]
pub struct Entry {
    /// What it is.
    pub doc: &'static CommandDoc,
    /// Reads its arguments. What ends reading is returned as the error; all else that is wrong is
    /// reported to the arguments, so that it is found together.
    pub parse: fn(&mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic>,
}

impl Entry {
    /// Reads a command; returns it, unless it is in error, and everything that is wrong or doubtful
    /// about its text.
    pub(crate) fn read(
        &self,
        written: &spilltrail_spl::Command,
    ) -> (Option<Box<dyn Command>>, Vec<Diagnostic>) {
        let mut arguments = Arguments::of(written, self.doc.arguments);
        match (self.parse)(&mut arguments) {
            Ok(command) => {
                let is_sound = !arguments.has_errors();
                (is_sound.then_some(command), arguments.into_reported())
            }
            Err(diagnostic) => {
                arguments.report(diagnostic);
                (None, arguments.into_reported())
            }
        }
    }
}

/// The expressions and searches that are written in a command. They are checked before anything is
/// planned, so that the mistakes of all commands are found together.
#[derive(Debug, Default)]
pub struct Parts<'a> {
    /// Eval expressions whose values are stored in fields.
    pub values: Vec<&'a EvalExpr>,
    /// Eval expressions that decide about rows.
    pub conditions: Vec<&'a EvalExpr>,
    /// Eval expressions that functions of the command's own take.
    pub operands: Vec<&'a EvalExpr>,
    /// Search expressions.
    pub searches: Vec<&'a SearchExpr>,
    /// Pipelines in square brackets.
    pub pipelines: Vec<&'a Pipeline>,
}

impl Parts<'_> {
    /// Adds what is known of the parts, where searches are about what the command finds or keeps, and
    /// pipelines are subsearches that give rows.
    fn add_facts(&self, facts: &mut Facts) {
        let expressions = self.values.iter().chain(&self.conditions).chain(&self.operands);
        expressions.for_each(|expr| facts.eval(expr));
        let position = facts.position();
        self.searches.iter().for_each(|search| facts.search(search, position));
        self.pipelines.iter().for_each(|pipeline| facts.nested(pipeline, Role::Rows));
    }
}

/// A command with its arguments read.
#[async_trait]
pub trait Command: Debug + Send + Sync {
    /// Returns the expressions and searches that are written in the command.
    fn parts(&self) -> Parts<'_> {
        Parts::default()
    }

    /// Returns what the command needs of the rows before it, given what comes after needs.
    fn needs(&self, after: Needs) -> Needs;

    /// Puts the command on top of `input`, which is none for the first command of a pipeline.
    ///
    /// # Errors
    /// Says what cannot be planned, with its place.
    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic>;

    /// Called where the rows before the command are events as their source gives them, and the source
    /// can give parts of `_raw`: returns true if the command leaves them so, having taken note of it.
    fn follows_source(&mut self) -> bool {
        false
    }

    /// Returns the names that fields of its rows can have, given those of the rows before it; none if
    /// that cannot be said, which is right for any command.
    fn output(&self, _before: Option<Vec<String>>) -> Option<Vec<String>> {
        None
    }

    /// Returns the names that stand in the expression which its rows become where it ends a subsearch,
    /// given the names of the fields of the rows before it; `None` if they are not known.
    fn compared(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        self.output(before)
    }

    /// Adds what is known of the command before the search runs. The default adds what is known of its
    /// [parts](Command::parts), which is right for commands that use neither lookups nor the clock.
    fn facts(&self, facts: &mut Facts) {
        self.parts().add_facts(facts);
    }

    /// Returns the fields whose values a row that a transforming command gives shares with each of
    /// the rows it was made of: no field if all rows become one, none if that cannot be said.
    fn grouping(&self) -> Option<Vec<String>> {
        None
    }

    /// Follows what identifies a row through the command. A command that keeps rows and their fields,
    /// or adds fields computed from the row's own, has nothing to say.
    fn trace(&self, _lineage: &mut Lineage) {}
}

/// Splunk's classes of commands; they decide where a distributed plan can be cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CommandKind {
    /// Makes rows of its own; must come first.
    Generating,
    /// Row by row, anywhere.
    DistributableStreaming,
    /// Row by row, but in order in one place.
    CentralizedStreaming,
    /// Turns rows into a table.
    Transforming,
    /// Needs all rows before it gives one.
    Dataset,
}

/// A command's documentation.
#[derive(Debug)]
pub struct CommandDoc {
    /// Name in lower case.
    pub name: &'static str,
    /// Other names.
    pub aliases: &'static [&'static str],
    /// Class.
    pub kind: CommandKind,
    /// One line, third person, full stop.
    pub summary: &'static str,
    /// Grammar in one line.
    pub syntax: &'static str,
    /// Everything that Splunk documents for the command, and what becomes of it here.
    pub arguments: &'static [Argument],
    /// Runnable examples; at least one.
    pub examples: &'static [Example],
    /// Every known difference from Splunk, one sentence each.
    pub differs: &'static [&'static str],
}

/// A runnable example.
#[derive(Debug)]
pub struct Example {
    /// What it shows.
    pub title: &'static str,
    /// Events or rows, one JSON object a line.
    pub events: &'static str,
    /// The search; it begins with a pipe if it takes the rows as they are.
    pub search: &'static str,
    /// The rows it gives, one JSON object a line, in order.
    pub results: &'static str,
}

/// Returns the command with this name or alias.
#[must_use]
pub fn command(name: &str) -> Option<&'static Entry> {
    COMMANDS.iter().find(|entry| entry.doc.name == name || entry.doc.aliases.contains(&name))
}

/// Returns the diagnostic for a command that does not exist here.
pub(crate) fn unknown(name: &str, span: Span) -> Diagnostic {
    let known = COMMANDS.iter().map(|entry| entry.doc.name);
    let diagnostic = Diagnostic::unsupported(
        Code::UNSUPPORTED_COMMAND,
        format!("the command `{name}` is not supported"),
    )
    .at(span);
    match spilltrail_diagnostic::similar(name, known) {
        Some(similar) => {
            diagnostic.help(format!("a command with a similar name exists: `{similar}`"))
        }
        None => diagnostic.help("`spilltrail help` lists the commands that are supported"),
    }
}

//! The SPL commands: each has one file or folder, and one line in [`COMMANDS`].

mod accum;
mod addcoltotals;
mod addinfo;
mod addtotals;
mod anomalies;
mod anomalousvalue;
mod anomalydetection;
mod append;
mod appendcols;
mod appendpipe;
mod associate;
mod autoregress;
mod bin;
mod catalog;
mod chart;
pub(crate) mod classes;
mod cluster;
mod cofilter;
mod collect;
mod concurrency;
mod contingency;
mod convert;
mod correlate;
mod datamodel;
mod dataset;
#[cfg(test)]
mod declared;
mod dedup;
mod delta;
mod diff;
mod eval;
mod eventcount;
mod eventstats;
mod extract;
mod extraction;
mod fieldformat;
mod fields;
mod fieldsummary;
mod filldown;
mod fillnull;
mod for_later;
mod foreach;
mod format;
mod from;
mod fromjson;
mod gauge;
mod gentimes;
mod geostats;
mod head;
mod highlight;
mod iconify;
mod inputcsv;
mod inputlookup;
mod iplocation;
mod join;
mod kmeans;
mod lacking;
mod localize;
mod localop;
mod lookup;
mod makecontinuous;
mod makemv;
mod makeresults;
mod map;
mod metadata;
mod metasearch;
mod mstats;
mod multikv;
mod multisearch;
mod mvcombine;
mod mvexpand;
pub(crate) mod named;
mod nomv;
mod noop;
mod outlier;
mod outputcsv;
mod outputlookup;
mod outputtext;
mod over_events;
mod passing;
pub(crate) mod pipeline;
mod predict;
mod rangemap;
mod rare;
mod redistribute;
mod regex;
#[cfg(test)]
mod registry;
mod reltime;
mod rename;
mod replace;
mod require;
mod r#return;
mod reverse;
mod rex;
mod running;
mod savedsearch;
mod search;
mod seconds;
mod selfjoin;
mod set;
mod setfields;
mod sichart;
mod sirare;
mod sistats;
mod sitimechart;
mod sitop;
mod sort;
mod spath;
mod splunk;
mod stats;
mod strcat;
mod streamstats;
pub(crate) mod subsearch;
mod table;
mod tags;
mod tail;
mod timechart;
mod timewrap;
mod tojson;
mod top;
mod transaction;
mod transpose;
mod trendline;
mod tstats;
mod typer;
mod union;
mod uniq;
mod untable;
mod r#where;
mod xmlkv;
mod xmlunescape;
mod xpath;
mod xyseries;

use std::borrow::Cow;
use std::fmt::Debug;

use async_trait::async_trait;
use serde::Serialize;
use spilltrail_diagnostic::{Code, Diagnostic, Span};
use spilltrail_spl::{Arguments, EvalExpr, Pipeline, SearchExpr};

use crate::context::SearchContext;
use crate::lineage::Lineage;
use crate::operators::Codec;
use crate::planning::facts::{Facts, Role};
use crate::planning::plan::{Needs, Plan};
pub use crate::planning::stage::Stage;
use crate::rows::state::FunctionCodec;

pub use self::catalog::{CatalogEntry, catalog};
pub use self::splunk::{reason_of, unsupported};
pub use spilltrail_spl::{Argument, Form, Support, Takes};

/// Every command, sorted by name.
pub static COMMANDS: &[Entry] = &[
    accum::ENTRY,
    addcoltotals::ENTRY,
    addinfo::ENTRY,
    addtotals::ENTRY,
    anomalies::ENTRY,
    anomalousvalue::ENTRY,
    anomalydetection::ENTRY,
    append::ENTRY,
    appendcols::ENTRY,
    appendpipe::ENTRY,
    associate::ENTRY,
    autoregress::ENTRY,
    bin::ENTRY,
    chart::ENTRY,
    cluster::ENTRY,
    cofilter::ENTRY,
    collect::ENTRY,
    concurrency::ENTRY,
    contingency::ENTRY,
    convert::ENTRY,
    correlate::ENTRY,
    datamodel::ENTRY,
    dedup::ENTRY,
    delta::ENTRY,
    diff::ENTRY,
    eval::ENTRY,
    eventcount::ENTRY,
    eventstats::ENTRY,
    extract::ENTRY,
    fieldformat::ENTRY,
    fields::ENTRY,
    fieldsummary::ENTRY,
    filldown::ENTRY,
    fillnull::ENTRY,
    foreach::ENTRY,
    format::ENTRY,
    from::ENTRY,
    fromjson::ENTRY,
    gauge::ENTRY,
    gentimes::ENTRY,
    geostats::ENTRY,
    head::ENTRY,
    highlight::ENTRY,
    iconify::ENTRY,
    inputcsv::ENTRY,
    inputlookup::ENTRY,
    iplocation::ENTRY,
    join::ENTRY,
    kmeans::ENTRY,
    localize::ENTRY,
    localop::ENTRY,
    lookup::ENTRY,
    makecontinuous::ENTRY,
    makemv::ENTRY,
    makeresults::ENTRY,
    map::ENTRY,
    metadata::ENTRY,
    metasearch::ENTRY,
    mstats::ENTRY,
    multikv::ENTRY,
    multisearch::ENTRY,
    mvcombine::ENTRY,
    mvexpand::ENTRY,
    nomv::ENTRY,
    noop::ENTRY,
    outlier::ENTRY,
    outputcsv::ENTRY,
    outputlookup::ENTRY,
    outputtext::ENTRY,
    predict::ENTRY,
    rangemap::ENTRY,
    rare::ENTRY,
    redistribute::ENTRY,
    regex::ENTRY,
    reltime::ENTRY,
    rename::ENTRY,
    replace::ENTRY,
    require::ENTRY,
    r#return::ENTRY,
    reverse::ENTRY,
    rex::ENTRY,
    savedsearch::ENTRY,
    search::ENTRY,
    selfjoin::ENTRY,
    set::ENTRY,
    setfields::ENTRY,
    sichart::ENTRY,
    sirare::ENTRY,
    sistats::ENTRY,
    sitimechart::ENTRY,
    sitop::ENTRY,
    sort::ENTRY,
    spath::ENTRY,
    stats::ENTRY,
    strcat::ENTRY,
    streamstats::ENTRY,
    table::ENTRY,
    tags::ENTRY,
    tail::ENTRY,
    timechart::ENTRY,
    timewrap::ENTRY,
    tojson::ENTRY,
    top::ENTRY,
    transaction::ENTRY,
    transpose::ENTRY,
    trendline::ENTRY,
    tstats::ENTRY,
    typer::ENTRY,
    union::ENTRY,
    uniq::ENTRY,
    untable::ENTRY,
    r#where::ENTRY,
    xmlkv::ENTRY,
    xmlunescape::ENTRY,
    xpath::ENTRY,
    xyseries::ENTRY,
];

/// The codecs that restore the commands' operators when a serialized plan is read.
pub(crate) const OPERATORS: &[&[Codec]] = &[
    &[accum::CODEC],
    &addtotals::CODECS,
    &[anomalies::CODEC],
    &[anomalydetection::CODEC],
    &[appendcols::CODEC],
    &[associate::CODEC],
    &[autoregress::CODEC],
    &chart::CODECS,
    &[cluster::CODEC],
    &[cofilter::CODEC],
    &[concurrency::CODEC],
    &[convert::CODEC],
    &[correlate::CODEC],
    &[dedup::CODEC],
    &[delta::CODEC],
    &[eventstats::CODEC],
    &[extract::CODEC],
    &fieldsummary::CODECS,
    &[filldown::CODEC],
    &[fillnull::CODEC],
    &[foreach::CODEC],
    &[format::CODEC],
    &[fromjson::CODEC],
    &[gauge::CODEC],
    &geostats::CODECS,
    &[head::CODEC],
    &[iplocation::CODEC],
    &[join::CODEC],
    &[localize::CODEC],
    &[lookup::CODEC],
    &[makecontinuous::CODEC],
    &[makemv::CODEC],
    &[multikv::CODEC],
    &[mvcombine::CODEC],
    &[nomv::CODEC],
    &[outlier::CODEC],
    &[outputlookup::CODEC],
    &[predict::CODEC],
    &[rangemap::CODEC],
    &[reltime::CODEC],
    &[require::CODEC],
    &[r#return::CODEC],
    &rex::CODECS,
    &spath::CODECS,
    &[stats::CODEC],
    &[strcat::CODEC],
    &[streamstats::CODEC],
    &[tags::CODEC],
    &[tojson::CODEC],
    &[top::CODEC],
    &transaction::CODECS,
    &[trendline::CODEC],
    &[untable::CODEC],
    &[uniq::CODEC],
    &[xmlkv::CODEC],
    &[xmlunescape::CODEC],
    &[xpath::CODEC],
];

/// The codecs that serialize and restore the commands' scalar functions.
pub(crate) const FUNCTIONS: &[FunctionCodec] =
    &[convert::FUNCTION, outputtext::FUNCTION, replace::FUNCTION, tstats::FUNCTION];

/// A command's documentation, parser and planner.
#[derive(Debug)]
pub struct Entry {
    /// Name, syntax, options and examples.
    pub doc: &'static CommandDoc,
    /// Parses the arguments. A mistake that ends parsing is returned as the error. Every other
    /// mistake is reported to the arguments, so that users see all of them at once.
    pub parse: fn(&mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic>,
}

impl Entry {
    /// Parses a command; returns the command, or `None` if it has errors, and all errors and
    /// warnings about its text.
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

/// The expressions, searches and subsearches written in a command.
///
/// They are checked before planning begins, so that the mistakes of all commands are reported
/// together.
#[derive(Debug, Default)]
pub struct Parts<'a> {
    /// Eval expressions whose values are stored in fields.
    pub values: Vec<&'a EvalExpr>,
    /// Eval expressions whose results select rows.
    pub conditions: Vec<&'a EvalExpr>,
    /// Eval expressions that are arguments of the command's own functions, such as aggregates.
    pub operands: Vec<&'a EvalExpr>,
    /// Search expressions.
    pub searches: Vec<&'a SearchExpr>,
    /// Pipelines in square brackets.
    pub pipelines: Vec<&'a Pipeline>,
}

impl Parts<'_> {
    /// Adds the facts of the parts. Searches are taken as conditions on the rows that the command
    /// finds or keeps, and pipelines as subsearches that return rows.
    fn add_facts(&self, facts: &mut Facts) {
        let expressions = self.values.iter().chain(&self.conditions).chain(&self.operands);
        expressions.for_each(|expr| facts.eval(expr));
        let position = facts.position();
        self.searches.iter().for_each(|search| facts.search(search, position));
        self.pipelines.iter().for_each(|pipeline| facts.nested(pipeline, Role::Rows));
    }
}

/// A command with parsed arguments.
#[async_trait]
pub trait Command: Debug + Send + Sync {
    /// Returns the expressions, searches and subsearches written in the command.
    fn parts(&self) -> Parts<'_> {
        Parts::default()
    }

    /// Returns what the command needs of its input rows, given the needs of the commands after it.
    fn needs(&self, after: Needs) -> Needs;

    /// Plans the command on top of `input`, which is `None` for the first command of a pipeline
    /// that gets no rows from elsewhere.
    ///
    /// # Errors
    /// Returns the diagnostic for a command that cannot be planned, with its position in the text.
    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic>;

    /// Lets the command read parts of `_raw`; returns whether its output still comes straight from
    /// the source.
    ///
    /// Called only if the input rows are unchanged events of a source that can return parts of
    /// `_raw` as fields.
    fn follows_source(&mut self) -> bool {
        false
    }

    /// Returns the mistakes that can be found once macros, event types and data models are known.
    ///
    /// Those of its [parts](Command::parts) are found elsewhere.
    fn check(&self, _context: &SearchContext) -> Vec<Diagnostic> {
        Vec::new()
    }

    /// Returns the field names that its output rows can have, given those of its input rows.
    ///
    /// `None` means that the names are not known, which is a correct answer for any command.
    fn output(&self, _before: Option<Vec<String>>) -> Option<Vec<String>> {
        None
    }

    /// Returns the fields of its input rows that the command reads by name.
    ///
    /// The default are those that it needs if nothing else of its output is needed.
    fn reads(&self) -> Vec<String> {
        let nothing = Needs::only(std::iter::empty::<String>());
        self.needs(nothing).fields.names.into_iter().collect()
    }

    /// Returns the fields that the command lists, as the search writes them, and that rows need not
    /// have: searches often keep, remove, rename, fill or sum more fields than there are.
    fn listed(&self) -> Vec<&str> {
        Vec::new()
    }

    /// Returns the field names that a search expression made from its rows compares.
    ///
    /// The rows become such an expression if the command ends a subsearch. `before` has the field
    /// names of its input rows. `None` means that the names are not known.
    fn compared(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        self.output(before)
    }

    /// Adds the facts that are known about the command before the search runs.
    ///
    /// The default adds the facts of its [parts](Command::parts), which is correct for commands
    /// that use neither lookups nor the clock.
    fn facts(&self, facts: &mut Facts) {
        self.parts().add_facts(facts);
    }

    /// Returns what the events behind its rows meet if the command is the first of a pipeline.
    ///
    /// `None` means that it reads no events, or that what it reads is known in another way, as by the
    /// data model.
    fn picks(&self) -> Option<Cow<'_, SearchExpr>> {
        None
    }

    /// Returns the fields by which a transforming command groups its input rows.
    ///
    /// An output row has the same values of these fields as every input row of its group. The list
    /// is empty if all rows become one; `None` means that the grouping is not known.
    fn grouping(&self) -> Option<Vec<String>> {
        None
    }

    /// Updates the lineage: which fields identify a row after the command.
    ///
    /// The default changes nothing. It is correct for a command that keeps rows and their fields,
    /// or adds fields computed from fields of the same row.
    fn trace(&self, _lineage: &mut Lineage) {}
}

/// Splunk's classes of commands, which decide where a distributed plan can be split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CommandKind {
    /// Creates or reads rows; must be the first command.
    Generating,
    /// Processes each row alone, on any machine.
    DistributableStreaming,
    /// Processes row by row, in order and on one machine.
    CentralizedStreaming,
    /// Turns its input rows into a table of results.
    Transforming,
    /// Needs all input rows before it returns the first.
    Dataset,
}

/// A command's documentation.
#[derive(Debug)]
pub struct CommandDoc {
    /// The name, in lower case.
    pub name: &'static str,
    /// Other names of the command.
    pub aliases: &'static [&'static str],
    /// The class of the command.
    pub kind: CommandKind,
    /// What the command does: one line in the third person, with a period at the end.
    pub summary: &'static str,
    /// The grammar, in one line.
    pub syntax: &'static str,
    /// All arguments that Splunk documents for the command, and how each is supported here.
    pub arguments: &'static [Argument],
    /// Examples that tests run; at least one.
    pub examples: &'static [Example],
    /// The known differences from Splunk, one sentence each.
    pub differs: &'static [&'static str],
}

/// An example that users can run and tests check.
#[derive(Debug)]
pub struct Example {
    /// The point that the example shows.
    pub title: &'static str,
    /// The events or rows to search, one JSON object per line.
    pub events: &'static str,
    /// The search. It begins with a pipe if it takes `events` as rows, in their order.
    pub search: &'static str,
    /// The expected rows in order, one JSON object per line.
    pub results: &'static str,
}

/// Returns the command with this name or alias.
#[must_use]
pub fn command(name: &str) -> Option<&'static Entry> {
    COMMANDS.iter().find(|entry| entry.doc.name == name || entry.doc.aliases.contains(&name))
}

/// Returns the diagnostic for a command that Spilltrail does not have: an error if the name is nearly
/// that of a command of Splunk, and else unsupported, because apps add commands to Splunk's.
pub(crate) fn unknown(name: &str, span: Span) -> Diagnostic {
    let reason = splunk::reason_of(name);
    if reason.is_none() && spilltrail_eval::functions::find(name).is_some() {
        let message = format!("there is no command `{name}`");
        return Diagnostic::error(Code::UNKNOWN_COMMAND, message)
            .at(span)
            .help(format!("`{name}` is a function of `eval`: write `eval field={name}(…)`"));
    }
    if reason.is_none()
        && let Some(similar) = spilltrail_diagnostic::similar(name, splunk::names())
    {
        let message = format!("there is no command `{name}`");
        return Diagnostic::error(Code::UNKNOWN_COMMAND, message)
            .at(span)
            .help(format!("did you mean `{similar}`?"));
    }
    let diagnostic = Diagnostic::unsupported(
        Code::UNSUPPORTED_COMMAND,
        format!("the command `{name}` is not supported"),
    )
    .at(span);
    diagnostic.help(reason.unwrap_or("`spilltrail help` lists the commands that are supported"))
}

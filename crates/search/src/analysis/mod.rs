//! Analyzes a search before it runs.
//!
//! [`analyze`] expands macros, parses the text, and collects the facts of each command, once per
//! search. Code that needs facts about a search before it runs reads them from its [`Analysis`].

mod made;
mod need;
mod returned;
mod tables;
#[cfg(test)]
mod tests;
mod unproduced;
mod words;
mod writers;

use std::borrow::Cow;

use spilltrail_diagnostic::{Code, Diagnostic, Severity, Span};
use spilltrail_eval::{dotted_name, is_in_object};
use spilltrail_event::Demand;
use spilltrail_spl::{
    Command, Doubt, Expansion, MacroSet, Pipeline, Required, SearchExpr, expand_macros, parse,
};

use crate::commands::named::adds;
use crate::commands::pipeline::{self, Step};
use crate::commands::{self, CommandKind, classes, subsearch};
use crate::lineage::Lineage;
pub use crate::planning::facts::{Facts, OwnTime};
use crate::planning::facts::{Nested, Role, Template};
pub use crate::planning::index::{OF_FINDINGS, OF_RISK, is_splunks_own};
use crate::planning::plan::Needs;
use crate::planning::predicate::Position;
pub use need::{Need, NeedKind, Offer};
pub use spilltrail_spl::Weight;
pub use unproduced::Unproduced;
pub use writers::LookupWriters;

/// Splunk commands that read the results of other searches. What they read is not supported here, so
/// they can be recognized only by name.
const READERS_OF_OUTPUTS: &[&str] = &["datamodel", "from", "loadjob", "pivot", "savedsearch"];

/// How many texts in quotes a search may run, those inside them included. Each may have a macro or a
/// saved search that has others.
const MOST_QUOTED: usize = 100;

/// An expanded and parsed search, with the facts that are known before it runs.
///
/// A search with errors has an analysis, too; its facts are those of the parts that can be read.
#[derive(Debug, Clone)]
pub struct Analysis {
    /// The text as the user wrote it.
    pub text: String,
    /// The text with its macros expanded, and the mapping back to the original text.
    pub expansion: Expansion,
    /// The facts of all commands, including those in subsearches.
    pub facts: Facts,
    /// The expression of the leading search, with macros expanded. `None` if the first command does
    /// not search for events.
    pub leading: Option<String>,
    /// How the rows of the search relate to its events.
    pub rows: Origin,
    /// Whether the first command is a generating command, which creates its own rows.
    pub is_generating: bool,
    /// Whether the search has a transforming command, which turns rows into a table.
    pub is_transforming: bool,
    /// The fields of the events that the commands after the leading search read, as far as they are
    /// known by name. Empty if the first command does not search for events.
    pub demand: Demand,
    /// What every event behind the rows meets: what the first command asks for, and the event types and
    /// tags that later searches ask for.
    required: Vec<SearchExpr>,
    /// The texts in quotes that commands run as searches, with their macros expanded.
    quoted: Vec<Expansion>,
    pipeline: Pipeline,
    /// The diagnostics of the macro expansion, and those of the parser.
    problems: (Vec<Diagnostic>, Vec<Diagnostic>),
    /// The diagnostics about the arguments of commands.
    unread: Vec<Diagnostic>,
}

/// How the rows of a search relate to its events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The rows are events; the search has no transforming command.
    Events,
    /// Each row represents a group of events with the same values in these fields.
    Groups(Vec<String>),
    /// The relation is not known.
    Unknown,
}

/// Expands and parses a search, and collects the facts of its commands.
///
/// Errors do not stop the analysis. They are in [`Analysis::diagnostics`], and the facts are those
/// of the parts that can be read.
#[must_use]
pub fn analyze(text: &str, macros: &MacroSet) -> Analysis {
    let (expansion, mut messages) = expand_macros(text, macros);
    let (pipeline, problems) = parse(&expansion.text);
    let (steps, mut unread) = pipeline::read_all(&pipeline);
    let mut facts = Facts::default();
    add_facts(&mut facts, &pipeline, &steps, Role::Rows);
    let quoted = add_nested(&mut facts, &mut unread, macros);
    // A search without an end cannot be planned.
    let endless = unread.extract_if(.., |told| told.code == Code::MACRO_DEPTH);
    messages.extend(endless.map(|told| expansion.relocate(told)));
    let first = steps.first().filter(|step| step.index == 0);
    let leads = first.is_some_and(|step| step.entry.doc.name == "search");
    Analysis {
        text: text.to_owned(),
        leading: leads.then(|| pipeline.commands[0].arguments.value.clone()),
        rows: origin(&pipeline, &steps),
        is_generating: first.is_some_and(|step| step.entry.doc.kind == CommandKind::Generating),
        is_transforming: pipeline.commands.iter().any(is_transforming),
        demand: if leads { demand(&steps) } else { Demand::default() },
        required: required(&pipeline, &steps),
        expansion,
        facts,
        quoted,
        pipeline,
        problems: (messages, problems),
        unread,
    }
}

/// Adds the facts of the pipelines inside commands, at any depth. Returns the texts in quotes among
/// them, with their macros expanded.
fn add_nested(
    facts: &mut Facts,
    unread: &mut Vec<Diagnostic>,
    macros: &MacroSet,
) -> Vec<Expansion> {
    let mut waiting: Vec<(usize, Nested)> = Vec::new();
    let mut quoted = Vec::new();
    let mut depth = 0;
    loop {
        for Template { text, read } in facts.take_templates() {
            if quoted.len() == MOST_QUOTED {
                let message = format!("the search has more than {MOST_QUOTED} searches in quotes");
                let error = Diagnostic::error(Code::MACRO_DEPTH, message).at(text.span);
                unread.push(error.help("look for a search or a macro that runs itself with `map`"));
                return quoted;
            }
            let (expansion, messages) = expand_macros(&text.value, macros);
            let wrong = messages.into_iter().find(|one| one.severity > Severity::Warning);
            match read(&expansion.text) {
                Some(pipeline) if wrong.is_none() => facts.quoted(pipeline, text.span),
                // The command itself tells what else is wrong with its text.
                _ => facts.unknown_events("a search in quotes"),
            }
            unread.extend(wrong.map(|one| Diagnostic { labels: Vec::new(), ..one }.at(text.span)));
            quoted.push(expansion);
        }
        waiting.extend(facts.take_nested().into_iter().map(|nested| (depth + 1, nested)));
        let Some((own_depth, nested)) = waiting.pop() else { return quoted };
        // Pipelines that this one adds are one level deeper.
        depth = own_depth;
        facts.nesting = facts.nesting.max(depth);
        let (steps, mut diagnostics) = pipeline::read_all(&nested.pipeline);
        let before = facts.placed();
        add_facts(facts, &nested.pipeline, &steps, nested.role);
        if let Some(span) = nested.within {
            facts.place_within(span, before);
            diagnostics
                .iter_mut()
                .flat_map(|one| &mut one.labels)
                .for_each(|label| label.span = span);
        }
        unread.extend(diagnostics);
    }
}

/// Returns true if the arguments of `from` name a lookup, which is no output of another search.
fn names_lookup(arguments: &str) -> bool {
    let begins = |kind: &str| {
        arguments.get(..kind.len()).is_some_and(|start| start.eq_ignore_ascii_case(kind))
    };
    begins("lookup") || begins("inputlookup")
}

fn add_facts(facts: &mut Facts, pipeline: &Pipeline, steps: &[Step], role: Role) {
    for step in steps {
        let leads = step.index == 0 && role != Role::Piped;
        facts.stand(if leads { Position::Leading } else { Position::Later });
        step.command.facts(facts);
    }
    for command in &pipeline.commands {
        let name = command.name.value.as_str();
        let arguments = command.arguments.value.as_str();
        if READERS_OF_OUTPUTS.contains(&name) && !(name == "from" && names_lookup(arguments)) {
            facts.other_outputs.insert(format!("{name} {arguments}"));
        }
    }
    if let Role::Expression(position) = role
        && subsearch::may_bound_time(pipeline)
    {
        // The bounds are known only after the subsearch has run.
        facts.present("a subsearch that may return bounds of time");
        if position == Position::Leading {
            facts.times.push(OwnTime::Returned);
        }
    }
}

/// Returns what every event behind the rows of a pipeline meets, as far as it is known.
fn required(pipeline: &Pipeline, steps: &[Step]) -> Vec<SearchExpr> {
    // The events behind rows that are added may be others.
    if pipeline::adds_events(pipeline) {
        return Vec::new();
    }
    let first = steps.first().filter(|step| step.index == 0);
    let picked = first.and_then(|step| step.command.picks()).into_iter();
    picked.map(Cow::into_owned).chain(classes::required(pipeline, steps)).collect()
}

/// Returns how the rows of a pipeline relate to its events.
fn origin(pipeline: &Pipeline, steps: &[Step]) -> Origin {
    let Some(end) = pipeline.commands.iter().position(is_transforming) else {
        return Origin::Events;
    };
    let grouping = steps.iter().find(|step| step.index == end);
    grouping.and_then(|step| step.command.grouping()).map_or(Origin::Unknown, Origin::Groups)
}

/// Returns the fields that the commands after the first one read.
fn demand(steps: &[Step]) -> Demand {
    let after = steps.iter().skip(1).rev();
    after.fold(Needs::everything(), |needs, step| step.command.needs(needs)).fields
}

/// Returns true for a transforming command, which turns rows into a table.
pub(crate) fn is_transforming(command: &Command) -> bool {
    commands::command(&command.name.value)
        .is_some_and(|entry| entry.doc.kind == CommandKind::Transforming)
}

/// Returns true if a diagnostic stops the search.
pub(crate) fn has_errors(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(|diagnostic| diagnostic.severity > Severity::Warning)
}

impl Analysis {
    /// Returns the pipeline of commands.
    #[must_use]
    pub fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// Returns the text with its macros expanded, and those of the texts in quotes that commands run as
    /// searches.
    pub fn expansions(&self) -> impl Iterator<Item = &Expansion> {
        std::iter::once(&self.expansion).chain(&self.quoted)
    }

    /// Returns true if a command adds the rows or fields of another pipeline to those of the search.
    #[must_use]
    pub fn adds_rows(&self) -> bool {
        self.pipeline.commands.iter().any(|command| adds(&command.name.value))
    }

    /// Returns the lineage of the rows. Commands that cannot be read are skipped.
    #[must_use]
    pub fn lineage(&self) -> Lineage {
        let mut lineage = Lineage::default();
        lineage.follow(&self.pipeline);
        lineage
    }

    /// Returns all errors and warnings, or only those of expansion and parsing if these have
    /// errors. Their positions refer to the text as the user wrote it.
    #[must_use]
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        match self.check() {
            Err(diagnostics) => diagnostics,
            Ok(warnings) => {
                let unread = self.unread.iter().cloned();
                let unread = unread.map(|diagnostic| self.expansion.relocate(diagnostic));
                warnings.iter().cloned().chain(unread).collect()
            }
        }
    }

    /// Returns warnings about names such as `a.b` in eval expressions that `is_field` says are
    /// fields, without those that are among the `reported` messages of the run. Their positions
    /// refer to the text as the user wrote it.
    #[must_use]
    pub fn dotted_fields(
        &self,
        is_field: &dyn Fn(&str) -> bool,
        reported: &[Diagnostic],
    ) -> Vec<Diagnostic> {
        let meant = self.facts.dotted.iter().filter(|name| is_field(&name.value));
        meant
            .map(|name| dotted_name(&name.value, name.span))
            .filter(|warning| !reported.contains(warning))
            .map(|warning| self.expansion.relocate(warning))
            .collect()
    }

    /// Returns true if a `where` command keeps no row unless a name such as `a.b`, which joins the
    /// fields `a` and `b`, has a value.
    #[must_use]
    pub fn has_dotted_condition(&self) -> bool {
        let mut conditions =
            self.pipeline.commands.iter().filter(|command| command.name.value == "where");
        conditions.any(|command| {
            let required = Required::of(command);
            self.facts.dotted.iter().any(|name| required.has(name.span))
        })
    }

    /// Returns what is most likely a mistake in the search, in the order of the text. Nothing is read
    /// for this. Positions refer to the text as the user wrote it.
    #[must_use]
    pub fn doubts(&self) -> Vec<Doubt> {
        if self.check().is_err() {
            Vec::new()
        } else {
            self.with_unproduced(self.pipeline.doubts())
        }
    }

    /// Adds the fields that nothing produces to doubts about the expanded text, and moves them all to
    /// the text as the user wrote it.
    fn with_unproduced(&self, mut doubts: Vec<Doubt>) -> Vec<Doubt> {
        doubts.extend(self.unproduced().iter().map(Unproduced::doubt));
        doubts.sort_by_key(|doubt| doubt.diagnostic.span());
        for doubt in &mut doubts {
            doubt.diagnostic = self.expansion.relocate(doubt.diagnostic.clone());
        }
        doubts
    }

    /// Returns what is most likely a mistake, as far as that is known without logs, besides the
    /// `reported` messages. With `advice`, returns also what can be meant: what loses rows, and what is
    /// a mistake if nothing is found. Positions refer to the text as the user wrote it.
    #[must_use]
    pub fn doubts_without_logs(&self, reported: &[Diagnostic], advice: bool) -> Vec<Diagnostic> {
        let mut found = self.dotted_fields(&is_in_object, reported);
        let doubts = match self.check() {
            Err(_) => Vec::new(),
            Ok(_) if advice => self.with_unproduced(self.pipeline.doubts_and_advice()),
            Ok(_) => self.doubts(),
        };
        let doubts = doubts.into_iter().filter(|doubt| advice || doubt.weight.is_told(false));
        found.extend(doubts.map(|doubt| doubt.diagnostic));
        let is_told = |diagnostic: &Diagnostic| {
            reported
                .iter()
                .any(|told| told.code == diagnostic.code && told.span() == diagnostic.span())
        };
        found.retain(|diagnostic| !is_told(diagnostic));
        found
    }

    /// Returns the warnings of the macro expansion.
    ///
    /// # Errors
    /// Returns the diagnostics of the expansion or the parser if the text is not a pipeline of
    /// commands. Their positions refer to the text as the user wrote it. Errors in the arguments of
    /// commands are not included.
    pub(crate) fn check(&self) -> Result<&[Diagnostic], Vec<Diagnostic>> {
        let (messages, problems) = &self.problems;
        if has_errors(messages) {
            return Err(messages.clone());
        }
        if has_errors(problems) {
            let problems = problems.iter().cloned();
            return Err(problems.map(|problem| self.expansion.relocate(problem)).collect());
        }
        Ok(messages)
    }

    /// Returns true if what is at this place of the expanded text matters although the leading search
    /// finds nothing: it is in that search, or in a command that adds rows of its own.
    #[must_use]
    pub fn matters_without_events(&self, at: Span) -> bool {
        let mut commands = self.pipeline.commands.iter().enumerate();
        let found = commands.find(|(_, command)| at.start < command.arguments.span.end);
        found.is_none_or(|(place, command)| {
            let name = command.name.value.as_str();
            place == 0 || (adds(name) && name != "join")
        })
    }

    /// Returns true if macros were expanded and every quote and bracket is closed.
    ///
    /// The boundaries of commands are then reliable, and the arguments of commands can be checked
    /// despite other errors.
    pub(crate) fn is_balanced(&self) -> bool {
        let (messages, problems) = &self.problems;
        !has_errors(messages) && problems.iter().all(|problem| problem.code != Code::UNBALANCED)
    }
}

//! What is known of a search before it runs.
//!
//! [`analyze`] expands macros, parses, and asks each command, once for each search; everything that has
//! to know something of a search before it runs asks the [`Analysis`].

#[cfg(test)]
mod tests;

use spilltrail_diagnostic::{Code, Diagnostic, Severity};
use spilltrail_event::Demand;
use spilltrail_spl::{Command, Expansion, MacroSet, Pipeline, expand_macros, parse};

use crate::commands::pipeline::{self, Step};
use crate::commands::{self, CommandKind, subsearch};
use crate::lineage::Lineage;
pub use crate::planning::facts::{Facts, OwnTime};
use crate::planning::facts::{Nested, Role};
use crate::planning::plan::Needs;
use crate::planning::predicate::Position;

/// Commands of Splunk that give what other searches found. None of them runs here, so that only their
/// names are known.
const READERS_OF_OUTPUTS: &[&str] = &["datamodel", "from", "loadjob", "pivot", "savedsearch"];

/// A search, expanded and parsed, and what is known of it before it runs. A search that cannot be read
/// has one too, with what is known of the rest.
#[derive(Debug, Clone)]
pub struct Analysis {
    /// The text as it was written.
    pub text: String,
    /// The text with its macros expanded, and the way back.
    pub expansion: Expansion,
    /// What the commands know, those of subsearches too.
    pub facts: Facts,
    /// The expression of the leading search, macros expanded; `None` if the search does not begin by
    /// finding events.
    pub leading: Option<String>,
    /// What the rows of the search have of the events that they are made of.
    pub rows: Origin,
    /// True if the first command makes rows of its own.
    pub is_generating: bool,
    /// True if a command turns rows into a table.
    pub is_transforming: bool,
    /// The fields that the commands after the leading search read of its events, as far as they are known
    /// by name; empty if the search does not begin by finding events.
    pub demand: Demand,
    pipeline: Pipeline,
    /// Messages of the expansion, then of the parser.
    problems: (Vec<Diagnostic>, Vec<Diagnostic>),
    /// What is wrong with the arguments of commands.
    unread: Vec<Diagnostic>,
}

/// What the rows of a search have of the events they were made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// They are events: nothing transforms them.
    Events,
    /// Each has the values that its events share in these fields.
    Groups(Vec<String>),
    /// It cannot be said.
    Unknown,
}

/// Expands and parses a search, and asks its commands what they know. What is wrong with it is in
/// [`Analysis::diagnostics`], and its facts are those of the parts that can be read.
#[must_use]
pub fn analyze(text: &str, macros: &MacroSet) -> Analysis {
    let (expansion, messages) = expand_macros(text, macros);
    let (pipeline, problems) = parse(&expansion.text);
    let (steps, mut unread) = pipeline::read_all(&pipeline);
    let mut facts = Facts::default();
    add_facts(&mut facts, &pipeline, &steps, Role::Rows);
    add_nested(&mut facts, &mut unread);
    let first = steps.first().filter(|step| step.index == 0);
    let leads = first.is_some_and(|step| step.entry.doc.name == "search");
    Analysis {
        text: text.to_owned(),
        leading: leads.then(|| pipeline.commands[0].arguments.value.clone()),
        rows: origin(&pipeline, &steps),
        is_generating: first.is_some_and(|step| step.entry.doc.kind == CommandKind::Generating),
        is_transforming: pipeline.commands.iter().any(is_transforming),
        demand: if leads { demand(&steps) } else { Demand::default() },
        expansion,
        facts,
        pipeline,
        problems: (messages, problems),
        unread,
    }
}

/// Adds the facts of the pipelines inside commands, and of those inside them.
fn add_nested(facts: &mut Facts, unread: &mut Vec<Diagnostic>) {
    let mut waiting: Vec<(usize, Nested)> = Vec::new();
    let mut depth = 0;
    loop {
        waiting.extend(facts.take_nested().into_iter().map(|nested| (depth + 1, nested)));
        let Some((own_depth, nested)) = waiting.pop() else { return };
        depth = own_depth;
        facts.nesting = facts.nesting.max(depth);
        let (steps, diagnostics) = pipeline::read_all(&nested.pipeline);
        unread.extend(diagnostics);
        add_facts(facts, &nested.pipeline, &steps, nested.role);
    }
}

fn add_facts(facts: &mut Facts, pipeline: &Pipeline, steps: &[Step], role: Role) {
    for step in steps {
        let leads = step.index == 0 && role != Role::Piped;
        facts.stand(if leads { Position::Leading } else { Position::Later });
        step.command.facts(facts);
    }
    for command in &pipeline.commands {
        let name = command.name.value.as_str();
        if READERS_OF_OUTPUTS.contains(&name) {
            facts.other_outputs.insert(format!("{name} {}", command.arguments.value));
        }
    }
    if let Role::Expression(position) = role
        && subsearch::may_bound_time(pipeline)
    {
        // Which bounds these are is known only when the subsearch has run.
        facts.present("a subsearch that may return bounds of time");
        if position == Position::Leading {
            facts.times.push(OwnTime::Returned);
        }
    }
}

/// Returns what the rows of a pipeline have of its events.
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

/// Returns true if a command turns rows into a table.
pub(crate) fn is_transforming(command: &Command) -> bool {
    commands::command(&command.name.value)
        .is_some_and(|entry| entry.doc.kind == CommandKind::Transforming)
}

/// Returns true if a diagnostic stops the search.
pub(crate) fn has_errors(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(|diagnostic| diagnostic.severity > Severity::Warning)
}

impl Analysis {
    /// Returns the commands.
    #[must_use]
    pub fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// Returns the lineage of the rows. Where a command cannot be read, it is that of the other commands.
    #[must_use]
    pub fn lineage(&self) -> Lineage {
        let mut lineage = Lineage::default();
        lineage.follow(&self.pipeline);
        lineage
    }

    /// Returns all that is wrong or doubtful about the text, placed in it as it was written.
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

    /// Returns the warnings of the expansion.
    ///
    /// # Errors
    /// Why the text is no pipeline of commands, placed in it as it was written. What its commands refuse
    /// is not among it.
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

    /// Returns true if the commands are where they seem to be: macros could be expanded, and every quote
    /// and bracket is closed. Then the arguments of commands can be checked, whatever else is wrong.
    pub(crate) fn is_balanced(&self) -> bool {
        let (messages, problems) = &self.problems;
        !has_errors(messages) && problems.iter().all(|problem| problem.code != Code::UNBALANCED)
    }
}

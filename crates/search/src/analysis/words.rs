//! Words without quotes that are no fields, where it is known which fields there are.

use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_spl::{Arguments, Doubt, Equality, EvalExpr, EvalNode, Weight, equality};

use super::{Analysis, made};
use crate::commands::named::CONSTANTS;
use crate::commands::pipeline::{self, Step};

impl Analysis {
    /// Returns the words in the conditions of the search that are compared with a field, and that are
    /// neither a field of events, as `is_field` says, nor one that a command before may make. Commands
    /// that follow one which leaves other fields are not looked at. Places are those in the expanded
    /// text.
    #[must_use]
    pub fn bare_words(&self, is_field: &dyn Fn(&str) -> bool) -> Vec<Doubt> {
        let mut found = Vec::new();
        let (steps, _) = pipeline::read_all(&self.pipeline);
        for (place, step) in steps.iter().enumerate() {
            // A command that cannot be read may make anything.
            if step.index != place {
                break;
            }
            // An assignment may read those before it.
            let before = steps.get(1..=place).unwrap_or_default();
            let is_known =
                |name: &str| is_field(name) || before.iter().any(|step| made::makes(step, name));
            for condition in self.conditions(step) {
                words(&condition, &is_known, &mut found);
            }
            if place > 0 && step.command.output(None).is_some() {
                break;
            }
        }
        found
    }

    /// Returns the expressions of `where` and `eval`.
    fn conditions(&self, step: &Step) -> Vec<EvalExpr> {
        let Some(written) = self.pipeline.commands.get(step.index) else { return Vec::new() };
        let mut arguments = Arguments::new(written);
        match step.entry.doc.name {
            "where" => arguments.eval().into_iter().collect(),
            "eval" => {
                let assignments = arguments.assignments().unwrap_or_default();
                assignments.into_iter().map(|assignment| assignment.value).collect()
            }
            _ => Vec::new(),
        }
    }
}

fn words(condition: &EvalExpr, is_known: &dyn Fn(&str) -> bool, found: &mut Vec<Doubt>) {
    condition.walk(&mut |part| {
        let Some(Equality { field, values, .. }) = equality(part) else { return };
        if !is_known(field) {
            return;
        }
        for value in values {
            let EvalNode::Field(word) = &value.node else { continue };
            let is_written_bare = value.span.end - value.span.start == word.len();
            let is_constant = CONSTANTS.iter().any(|name| word.eq_ignore_ascii_case(name));
            if is_written_bare && !is_constant && !is_known(word) {
                let message = format!("`{word}` without quotes is a field, and no event has it");
                let help = format!("write `\"{word}\"` to mean the text");
                let diagnostic =
                    Diagnostic::warning(Code::NEVER_MET, message).at(value.span).help(help);
                found.push(Doubt { diagnostic, weight: Weight::Advice });
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use spilltrail_spl::MacroSet;

    use crate::analysis::analyze;

    #[test]
    fn words_that_are_no_fields() {
        let is_field = |name: &str| ["errorCode", "eventName", "user"].contains(&name);
        for (search, expected) in [
            ("* | where errorCode=success", "success"),
            ("* | where errorCode!=success OR user=\"a\"", "success"),
            ("* | where eventName in (GetObject, \"x\", PutObject)", "GetObject PutObject"),
            ("* | eval t=if(errorCode=success, 1, 0)", "success"),
            ("* | dedup user | sort user | where errorCode=success", "success"),
            ("* | lookup l user OUTPUT team | where errorCode=success", "success"),
            // What may be a field.
            ("* | where errorCode=user AND errorCode=null", ""),
            ("* | where other=success", ""),
            ("* | where errorCode='success'", ""),
            ("* | eval success=1 | where errorCode=success", ""),
            ("* | eval success=1, t=if(errorCode=success, 1, 0)", ""),
            ("* | eval {user}=1 | where errorCode=success", ""),
            ("* | rex \"(?<success>.)\" | where errorCode=success", ""),
            ("* | lookup l user | where user=owner", ""),
            ("* | lookup l user OUTPUT team as owner | where user=owner", ""),
            ("* | iplocation src | where user=City", ""),
            ("* | spath | where user=owner", ""),
            ("* | extract | where user=owner", ""),
            ("* | rename a.* as * | where user=owner", ""),
            ("* | join user [search x | table user owner] | where user=owner", ""),
            ("* | stats count by errorCode | where errorCode=success", ""),
            ("* | nosuch | where errorCode=success", ""),
        ] {
            let found = analyze(search, &MacroSet::builtin()).bare_words(&is_field).into_iter();
            let found = found.filter_map(|doubt| doubt.diagnostic.span());
            let shown: Vec<&str> = found.map(|span| &search[span.start..span.end]).collect();
            assert_eq!(shown.join(" "), expected, "{search}");
        }
    }
}

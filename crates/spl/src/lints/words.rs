//! Words without quotes that are no fields, where it is known which fields there are.

use spilltrail_diagnostic::Code;

use super::constants::{Equality, equality};
use super::{Doubt, Weight};
use crate::{Arguments, Command, EvalExpr, EvalNode, Pipeline};

/// Commands that keep the fields of rows.
const KEEP_FIELDS: &[&str] = &[
    "bin",
    "dedup",
    "eval",
    "eventstats",
    "fillnull",
    "head",
    "iplocation",
    "lookup",
    "rename",
    "rex",
    "search",
    "sort",
    "spath",
    "streamstats",
    "where",
];

/// Names that are written for a value, and not for a field.
const CONSTANTS: &[&str] = &["null", "true", "false"];

impl Pipeline {
    /// Returns the words in the conditions of the pipeline that are compared with a field, and that are
    /// neither a field of events, as `is_field` says, nor made by a command before. Commands that follow
    /// one which leaves other fields are not looked at.
    #[must_use]
    pub fn bare_words(&self, is_field: &dyn Fn(&str) -> bool) -> Vec<Doubt> {
        let mut found = Vec::new();
        let kept = self
            .commands
            .iter()
            .take_while(|command| KEEP_FIELDS.contains(&command.name.value.as_str()));
        for (index, command) in kept.enumerate() {
            let before = self.commands.get(..index).unwrap_or_default();
            let mut is_known = |name: &str| {
                let is_made = |command: &Command| command.arguments.value.contains(name);
                is_field(name) || before.iter().any(is_made)
            };
            match command.name.value.as_str() {
                "where" => {
                    let read = Arguments::new(command).eval();
                    read.iter().for_each(|condition| words(condition, &mut is_known, &mut found));
                }
                "eval" => {
                    let read = Arguments::new(command).assignments().unwrap_or_default();
                    let is_own = |name: &str| read.iter().any(|made| made.target.value == name);
                    let mut is_known = |name: &str| is_own(name) || is_known(name);
                    read.iter().for_each(|made| words(&made.value, &mut is_known, &mut found));
                }
                _ => {}
            }
        }
        found
    }
}

fn words(condition: &EvalExpr, is_known: &mut dyn FnMut(&str) -> bool, found: &mut Vec<Doubt>) {
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
                let doubt = Doubt::new(Weight::Advice, Code::NEVER_MET, message, value.span);
                found.push(doubt.help(help));
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use crate::parse;

    #[test]
    fn words_that_are_no_fields() {
        let is_field = |name: &str| ["errorCode", "eventName", "user"].contains(&name);
        for (search, expected) in [
            ("* | where errorCode=success", "success"),
            ("* | where errorCode!=success OR user=\"a\"", "success"),
            ("* | where eventName in (GetObject, \"x\", PutObject)", "GetObject PutObject"),
            ("* | eval t=if(errorCode=success, 1, 0)", "success"),
            ("* | dedup user | where errorCode=success", "success"),
            // What may be a field.
            ("* | where errorCode=user AND errorCode=null", ""),
            ("* | where other=success", ""),
            ("* | where errorCode='success'", ""),
            ("* | eval success=1 | where errorCode=success", ""),
            ("* | eval success=1, t=if(errorCode=success, 1, 0)", ""),
            ("* | rex \"(?<success>.)\" | where errorCode=success", ""),
            ("* | stats count by errorCode | where errorCode=success", ""),
        ] {
            let (pipeline, problems) = parse(search);
            assert_eq!(problems, [], "{search}");
            let found = pipeline.bare_words(&is_field).into_iter();
            let found = found.filter_map(|doubt| doubt.diagnostic.span());
            let shown: Vec<&str> = found.map(|span| &search[span.start..span.end]).collect();
            assert_eq!(shown.join(" "), expected, "{search}");
        }
    }
}

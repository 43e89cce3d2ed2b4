//! Commands that change only how or where Splunk shows or computes rows.

use async_trait::async_trait;
use spilltrail_diagnostic::{Code, Diagnostic, Span};

use super::{Command, Stage};
use crate::planning::plan::{Needs, Plan};

/// A command that returns its rows unchanged.
#[derive(Debug)]
pub(super) struct Passing {
    /// What it does not do here: the place, the message and the help of a warning. `None` if nothing
    /// is missing.
    missing: Option<(Span, &'static str, &'static str)>,
}

impl Passing {
    /// Returns a command that has the same result in Splunk.
    pub(super) fn silent() -> Box<dyn Command> {
        Box::new(Self { missing: None })
    }

    /// Returns a command with a warning of what it does not do here.
    pub(super) fn telling(at: Span, message: &'static str, help: &'static str) -> Box<dyn Command> {
        Box::new(Self { missing: Some((at, message, help)) })
    }
}

#[async_trait]
impl Command for Passing {
    fn needs(&self, after: Needs) -> Needs {
        after
    }

    fn follows_source(&mut self) -> bool {
        true
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        before
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let input = stage.input(input)?;
        if let Some((at, message, help)) = self.missing {
            let warning = Diagnostic::warning(Code::NO_EFFECT, message).at(at).help(help);
            stage.context.observations.message(warning);
        }
        Ok(input)
    }
}

#[cfg(test)]
mod tests {
    use spilltrail_diagnostic::Code;

    use crate::testing::{context, rows, table, table_of};

    const ROWS: &str = "{\"_time\":2,\"a\":\"1\",\"b\":\"x\"}\n{\"_time\":1,\"a\":\"2\"}";

    #[tokio::test]
    async fn rows_pass_unchanged() {
        for (command, told) in [
            ("highlight x", vec![Code::NO_EFFECT]),
            ("highlight x, \"y z\",w", vec![Code::NO_EFFECT]),
            ("iconify a b", vec![Code::NO_EFFECT]),
            ("localop", vec![]),
            ("noop", vec![]),
            ("noop log_DEBUG=\"*\" set_ttl=1h", vec![]),
            ("noop search_optimization.merge_union = f SAMPLE_RATIO=1", vec![]),
            ("redistribute", vec![]),
            ("redistribute by a, b", vec![]),
            ("redistribute num_of_reducers=3 by a", vec![Code::NO_EFFECT]),
        ] {
            let context = context(rows(ROWS), 64 << 20);
            let search = format!("* | {command} | table a b");
            let expected = ["a | b", "1 x", "2 -"].map(str::to_owned).to_vec();
            assert_eq!(table_of(&search, &context).await, Ok(expected), "{command}");
            let messages = context.observations.messages();
            let codes: Vec<Code> = messages.iter().map(|message| message.code).collect();
            assert_eq!(codes, told, "{command}");
        }
    }

    #[tokio::test]
    async fn mistakes() {
        for (command, code) in [
            ("highlight", Code::MISSING_ARGUMENT),
            ("highlight x [search y]", Code::TRAILING_TEXT),
            ("iconify", Code::MISSING_ARGUMENT),
            ("iconify a*", Code::BAD_ARGUMENT),
            ("localop a", Code::TRAILING_TEXT),
            ("noop a", Code::TRAILING_TEXT),
            ("noop sample=3", Code::BAD_OPTION),
            ("noop sample_ratio=0", Code::BAD_OPTION),
            ("noop sample_ratio=3", Code::UNSUPPORTED_OPTION),
            ("noop search_optimization=x", Code::BAD_OPTION),
            ("redistribute a", Code::TRAILING_TEXT),
            ("redistribute num_of_reducers=x", Code::BAD_OPTION),
        ] {
            let found = table(&format!("* | {command}"), ROWS).await;
            assert_eq!(found, Err(vec![code]), "{command}");
        }
    }
}

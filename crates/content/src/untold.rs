//! Warns of detections whose notables would not tell an analyst what they are about.

use spilltrail_diagnostic::{Code, Diagnostic};

use crate::deployment::{Deployments, NotableAction};
use crate::detection::Detection;
use crate::set::ContentProblem;
use crate::yaml;

impl Detection {
    /// Returns a warning if the notables of the detection have no title or no description.
    ///
    /// The built-in pack has no such detection, and one that is retired needs no more work.
    #[must_use]
    pub fn lacks_text(&self, deployments: &Deployments) -> Option<ContentProblem> {
        let notable = self.notable(deployments).filter(|_| !self.status.is_retired())?;
        let texts = [
            ("title", "rule_title", &notable.rule_title),
            ("description", "rule_description", &notable.rule_description),
        ];
        let is_empty = |text: &crate::Template| text.source().trim().is_empty();
        let (what, key, _) = texts.into_iter().find(|(.., text)| is_empty(text))?;
        let source_text = self.source_text()?;
        let default = NotableAction::default();
        let deployment = self.actions(deployments);
        let action = deployment.and_then(|deployment| deployment.notable.as_ref());
        let action = action.unwrap_or(&default);
        let (written, usual) = match what {
            "title" => (&action.rule_title, &default.rule_title),
            _ => (&action.rule_description, &default.rule_description),
        };
        let message = format!("the notables of this detection have no {what}");
        let (message, help, place) = if written == usual {
            let help = "add a `description`, which tells an analyst what it means".to_owned();
            (message, help, None)
        } else if written.trim().is_empty() {
            let message = format!("{message}: `{key}` of its deployment is empty");
            (message, format!("write a text there, such as `{usual}`"), Some(key))
        } else {
            let message =
                format!("{message}: `{key}` of its deployment is `{written}`, which is empty here");
            (message, "fill what it names".to_owned(), Some(key))
        };
        let warning = Diagnostic::warning(Code::NO_TEXT, message).help(help);
        // The deployment may be in this file.
        let place = place.and_then(|key| yaml::key_span(&source_text, key));
        let diagnostic = match place.or_else(|| yaml::key_span(&source_text, "type")) {
            Some(span) => warning.at(span),
            None => warning,
        };
        Some(ContentProblem { path: self.path.clone(), diagnostic, source_text })
    }
}

#[cfg(test)]
mod tests {
    use crate::test_folder::TestFolder;
    use crate::{BuiltinPack, ContentSet};

    #[test]
    fn notables_without_a_text() {
        let own = |text: &str| {
            format!("description: d\ndeployment:\n  alert_action:\n    notable:\n      {text}\n")
        };
        for (kind, more, expected) in [
            ("TTP", "", "3: have no description"),
            ("TTP", "description: ''\n", "3: have no description"),
            ("TTP", "description: d\n", ""),
            ("TTP", "status: deprecated\n", ""),
            ("TTP", "status: removed\n", ""),
            ("Hunting", "", ""),
            ("Anomaly", "", ""),
            (
                "TTP",
                &own("rule_title: ''"),
                "9: have no title: `rule_title` of its deployment is empty",
            ),
            (
                "TTP",
                &own("rule_description: '%how_to_implement%'"),
                "9: have no description: `rule_description` of its deployment is \
                 `%how_to_implement%`, which is empty here",
            ),
            // The deployment of the type is in another file.
            (
                "Correlation",
                "description: d\n",
                "3: have no description: `rule_description` of its deployment is empty",
            ),
        ] {
            let text = format!("name: A\nid: a\ntype: {kind}\nsearch: x\n{more}");
            let deployment =
                "name: n\ntype: Correlation\nalert_action: {notable: {rule_description: ''}}\n";
            let files = [("detections/a.yml", text.as_str()), ("deployments/d.yml", deployment)];
            let folder = TestFolder::new("untold", &files);
            let (set, _) = ContentSet::load(std::slice::from_ref(&folder.0), BuiltinPack::LeftOut);
            let told = set.detections[0].lacks_text(&set.deployments);
            let told = told.map(|told| {
                let message =
                    told.diagnostic.message.replace("the notables of this detection ", "");
                format!("{}: {message}", told.place().unwrap().0)
            });
            assert_eq!(told.unwrap_or_default(), expected, "{text}");
        }
    }
}

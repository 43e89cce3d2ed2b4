//! Warns of detections that are of a type that raises risk, and that raise none.

use spilltrail_diagnostic::{Code, Diagnostic};

use crate::deployment::Deployments;
use crate::detection::{Detection, DetectionType};
use crate::set::ContentProblem;
use crate::yaml;

impl Detection {
    /// Returns a warning if the type and the deployment of the detection raise risk, and it says nothing
    /// of whose. Its notables, if it makes any, may be all that is wanted: a run does not tell this.
    ///
    /// The built-in pack has no such detection, and one that is retired needs no more work.
    #[must_use]
    pub fn lacks_risk(&self, deployments: &Deployments) -> Option<ContentProblem> {
        let kind = &self.detection_type;
        let raises_risk = matches!(kind, DetectionType::Ttp | DetectionType::Anomaly)
            && self.actions(deployments).is_some_and(|deployment| deployment.risk);
        let has_objects = self.risk.as_ref().is_some_and(|risk| !risk.risk_objects.is_empty());
        if !raises_risk || has_objects || self.status.is_retired() {
            return None;
        }
        let source_text = self.source_text()?;
        let what = match kind {
            DetectionType::Anomaly => "nothing comes of its results",
            _ => "its results raise none",
        };
        let message =
            format!("`{kind}` is a type that raises risk, and there is no risk object: {what}");
        let warning = Diagnostic::warning(Code::NO_RISK, message)
            .help("add `rba` with a `message` and `risk_objects`, or make the type `Hunting`");
        let diagnostic = match yaml::key_span(&source_text, "type") {
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
    fn types_that_raise_risk() {
        let rba = "rba: {message: m, risk_objects: [{field: u, type: user, score: 1}]}\n";
        let empty = "rba: {message: m, risk_objects: []}\n";
        for (kind, more, expected) in [
            ("TTP", "", true),
            ("Anomaly", empty, true),
            ("TTP", rba, false),
            ("Hunting", "", false),
            ("Correlation", "", false),
            ("Mine", "", false),
            ("TTP", "status: deprecated\n", false),
            ("TTP", "status: Removed\n", false),
            ("TTP", "status: validation\n", true),
            // One that has a schedule alone is a TTP like any other.
            ("TTP", "deployment: {scheduling: {cron_schedule: 0 * * * *}}\n", true),
            ("TTP", "deployment: {alert_action: {notable: {rule_title: x}}}\n", false),
        ] {
            let text = format!("name: A\nid: a\ntype: {kind}\nsearch: x\n{more}");
            let folder = TestFolder::new("unrisked", &[("detections/a.yml", &text)]);
            let (set, _) = ContentSet::load(std::slice::from_ref(&folder.0), BuiltinPack::LeftOut);
            let told = set.detections[0].lacks_risk(&set.deployments);
            assert_eq!(told.is_some(), expected, "{text}");
            if let Some(told) = told {
                assert_eq!(told.place(), Some((3, 1)), "{text}");
            }
        }
    }
}

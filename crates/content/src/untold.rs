//! Warns of what an analyst would miss in the findings of a detection: the text of a notable, and
//! drilldowns whose time range says nothing.

use spilltrail_diagnostic::{Code, Diagnostic, Span};

use crate::deployment::Deployments;
use crate::detection::{Detection, Status};
use crate::set::ContentProblem;
use crate::yaml;

impl Detection {
    /// Returns a warning if the notables of the detection have no title or no description.
    ///
    /// The built-in pack has no such detection, and one that is deprecated needs no more work.
    #[must_use]
    pub fn lacks_text(&self, deployments: &Deployments) -> Option<ContentProblem> {
        let notable = self.notable(deployments).filter(|_| self.status != Status::Deprecated)?;
        let texts = [("title", &notable.rule_title), ("description", &notable.rule_description)];
        let (what, _) = texts.into_iter().find(|(_, text)| text.source().trim().is_empty())?;
        let source_text = self.source_text()?;
        let message = format!("the notables of this detection have no {what}");
        let help = match what {
            "title" => "add a `name`",
            _ => "add a `description`, which tells an analyst what it means",
        };
        let warning = Diagnostic::warning(Code::NO_TEXT, message).help(help);
        let diagnostic = match yaml::key_span(&source_text, "type") {
            Some(span) => warning.at(span),
            None => warning,
        };
        Some(ContentProblem { path: self.path.clone(), diagnostic, source_text })
    }

    /// Returns the place of a value of the drilldown at index `index`; that of the list if the file
    /// writes it in another way.
    #[must_use]
    pub fn drilldown_span(&self, text: &str, index: usize, value: &str) -> Option<Span> {
        let list = yaml::key_span(text, "drilldown_searches")?;
        let first = value.lines().next().map(str::trim).filter(|line| !line.is_empty());
        let from = list.start + "drilldown_searches".len();
        let rest = text.get(from..)?;
        // The names of drilldowns are where one begins.
        let of_name = self.drilldowns.get(index).map_or("", |drilldown| drilldown.name.source());
        let begin = rest.find(of_name).unwrap_or_default();
        let found = first.and_then(|line| {
            let start = from + begin + rest.get(begin..)?.find(line)?;
            Some(Span::new(start, start + line.len()))
        });
        found.or(Some(list))
    }
}

#[cfg(test)]
mod tests {
    use crate::test_folder::TestFolder;
    use crate::{BuiltinPack, ContentSet};

    #[test]
    fn notables_without_a_text() {
        for (kind, more, expected) in [
            ("TTP", "", true),
            ("TTP", "description: ''\n", true),
            ("TTP", "description: d\n", false),
            ("TTP", "status: deprecated\n", false),
            ("Hunting", "", false),
            ("Anomaly", "", false),
        ] {
            let text = format!("name: A\nid: a\ntype: {kind}\nsearch: x\n{more}");
            let folder = TestFolder::new("untold", &[("detections/a.yml", &text)]);
            let (set, _) = ContentSet::load(std::slice::from_ref(&folder.0), BuiltinPack::LeftOut);
            let told = set.detections[0].lacks_text(&set.deployments);
            assert_eq!(told.is_some(), expected, "{text}");
        }
    }

    #[test]
    fn places_of_drilldowns() {
        let text = "name: A\nid: a\ntype: TTP\nsearch: x\ndrilldown_searches:\n- name: one\n  \
                    search: y | z\n  earliest_offset: 7d\n- {name: two, search: \"y | z\"}\n";
        let folder = TestFolder::new("drilldowns", &[("detections/a.yml", text)]);
        let (set, _) = ContentSet::load(std::slice::from_ref(&folder.0), BuiltinPack::LeftOut);
        let detection = &set.detections[0];
        for (index, value, line, shown) in
            [(0, "y | z", 7, "y | z"), (1, "y | z", 9, "y | z"), (0, "7d", 8, "7d")]
        {
            let span = detection.drilldown_span(text, index, value).unwrap();
            let place = (text[..span.start].matches('\n').count() + 1, &text[span.start..span.end]);
            assert_eq!(place, (line, shown));
        }
    }
}

//! Writes outcomes as XML in the form of JUnit, which CI systems show.

use std::time::Duration;

use quick_xml::Writer;
use quick_xml::events::BytesText;

/// A case of a suite.
pub(crate) struct Case {
    /// The name of the group to which the case belongs.
    pub(crate) class: String,
    /// The name.
    pub(crate) name: String,
    /// The path of the file that the case is about.
    pub(crate) file: String,
    /// The elapsed time.
    pub(crate) elapsed: Duration,
    /// Whether it passed.
    pub(crate) outcome: Outcome,
}

/// The outcome of a case.
pub(crate) enum Outcome {
    /// It passed.
    Passed,
    /// It was left out, for this reason.
    Skipped(String),
    /// What was tested is wrong.
    Failure {
        /// The kind of failure in a word.
        kind: String,
        /// What is wrong.
        text: String,
    },
    /// It could not run.
    Error {
        /// The kind of error in a word.
        kind: String,
        /// Why.
        text: String,
    },
}

/// Returns a file with one suite.
pub(crate) fn render(suite: &str, cases: &[Case]) -> String {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    // Writing into memory does not fail.
    let _ = suites(&mut writer, suite, cases);
    let text = String::from_utf8_lossy(&writer.into_inner()).into_owned();
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{text}\n")
}

fn suites(writer: &mut Writer<Vec<u8>>, name: &str, cases: &[Case]) -> std::io::Result<()> {
    let count = |is: fn(&Outcome) -> bool| {
        cases.iter().filter(|case| is(&case.outcome)).count().to_string()
    };
    let failures = count(|outcome| matches!(outcome, Outcome::Failure { .. }));
    let errors = count(|outcome| matches!(outcome, Outcome::Error { .. }));
    let skipped = count(|outcome| matches!(outcome, Outcome::Skipped(_)));
    let (tests, time) =
        (cases.len().to_string(), seconds(cases.iter().map(|case| case.elapsed).sum()));
    let totals = [
        ("name", name),
        ("tests", tests.as_str()),
        ("failures", failures.as_str()),
        ("errors", errors.as_str()),
        ("skipped", skipped.as_str()),
        ("time", time.as_str()),
    ];
    writer.create_element("testsuites").with_attributes(totals).write_inner_content(|writer| {
        let suite = writer.create_element("testsuite").with_attributes(totals);
        suite.write_inner_content(|writer| cases.iter().try_for_each(|case| one(writer, case)))?;
        Ok(())
    })?;
    Ok(())
}

fn one(writer: &mut Writer<Vec<u8>>, case: &Case) -> std::io::Result<()> {
    let (class, name, file) = (allowed(&case.class), allowed(&case.name), allowed(&case.file));
    let time = seconds(case.elapsed);
    let element = writer.create_element("testcase").with_attributes([
        ("classname", class.as_str()),
        ("name", name.as_str()),
        ("file", file.as_str()),
        ("time", time.as_str()),
    ]);
    let (tag, kind, text) = match &case.outcome {
        Outcome::Passed => {
            element.write_empty()?;
            return Ok(());
        }
        Outcome::Skipped(text) => ("skipped", "", text),
        Outcome::Failure { kind, text } => ("failure", kind.as_str(), text),
        Outcome::Error { kind, text } => ("error", kind.as_str(), text),
    };
    let text = allowed(text);
    let first = text.lines().next().unwrap_or_default().to_owned();
    element.write_inner_content(|writer| {
        let mut element = writer.create_element(tag).with_attribute(("message", first.as_str()));
        if !kind.is_empty() {
            element = element.with_attribute(("type", kind));
        }
        element.write_text_content(BytesText::new(&text))?;
        Ok(())
    })?;
    Ok(())
}

fn seconds(elapsed: Duration) -> String {
    format!("{:.3}", elapsed.as_secs_f64())
}

/// Returns text without the control characters that XML cannot have.
fn allowed(text: &str) -> String {
    let is_allowed = |c: char| !c.is_control() || matches!(c, '\t' | '\n' | '\r');
    let is_character = |c: char| !matches!(c, '\u{fffe}' | '\u{ffff}');
    text.chars().map(|c| if is_allowed(c) && is_character(c) { c } else { '\u{fffd}' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_outcome_has_its_element() {
        let case = |name: &str, outcome| Case {
            class: "A <b> & \"c\"".to_owned(),
            name: name.to_owned(),
            file: "detections/a.yml".to_owned(),
            elapsed: Duration::from_millis(1500),
            outcome,
        };
        let text = || "first \u{1b}[1m<line>\nsecond".to_owned();
        let cases = [
            case("one", Outcome::Passed),
            case("two", Outcome::Skipped("why".to_owned())),
            case("three", Outcome::Failure { kind: "failed".to_owned(), text: text() }),
            case("four", Outcome::Error { kind: "no data".to_owned(), text: text() }),
        ];
        let head = "classname=\"A &lt;b&gt; &amp; &quot;c&quot;\"";
        let about = "file=\"detections/a.yml\" time=\"1.500\"";
        let expected = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
<testsuites name=\"s\" tests=\"4\" failures=\"1\" errors=\"1\" skipped=\"1\" time=\"6.000\">
  <testsuite name=\"s\" tests=\"4\" failures=\"1\" errors=\"1\" skipped=\"1\" time=\"6.000\">
    <testcase {head} name=\"one\" {about}/>
    <testcase {head} name=\"two\" {about}>
      <skipped message=\"why\">why</skipped>
    </testcase>
    <testcase {head} name=\"three\" {about}>
      <failure message=\"first \u{fffd}[1m&lt;line&gt;\" type=\"failed\">first \u{fffd}[1m&lt;line&gt;\nsecond</failure>
    </testcase>
    <testcase {head} name=\"four\" {about}>
      <error message=\"first \u{fffd}[1m&lt;line&gt;\" type=\"no data\">first \u{fffd}[1m&lt;line&gt;\nsecond</error>
    </testcase>
  </testsuite>
</testsuites>
"
        );
        assert_eq!(render("s", &cases), expected);
    }
}

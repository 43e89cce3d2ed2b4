//! Passes over what programs write around events: the rules and the other cells of the AWS command
//! line's `--output table`, the resources of its `--output text`, and the tags of HTML and XML.

use std::io::Read;

use super::Splitter;
use super::inside::may_hold_events;
use crate::record::MAX_RECORD;

/// The shortest rule of a table.
const RULE: usize = 4;
/// The longest beginning of a rule, such as a bar and blanks, before its first marks.
const LONGEST_BEGINNING: usize = 1024;
/// Begins a line of `--output text` that names a resource of the event before it.
const RESOURCES: &[u8] = b"RESOURCES\t";
const SECTION: &[u8] = b"]]>";

impl<R: Read> Splitter<R> {
    /// Moves behind a line, or a rule, that comes next and holds no event; returns false if there is
    /// none.
    pub(super) fn pass_around(&mut self) -> bool {
        match self.window.bytes()[self.at] {
            b'<' => return self.pass_cells(),
            b']' => return self.pass_end_of_section(),
            _ => {}
        }
        let is_at_start =
            self.at.checked_sub(1).is_none_or(|before| self.window.bytes()[before] == b'\n');
        is_at_start && (self.pass_rule() || self.pass_cells())
    }

    /// Passes the end of a section of XML, within which nothing is escaped.
    fn pass_end_of_section(&mut self) -> bool {
        while self.window.bytes().len() - self.at < SECTION.len() && self.refill() {}
        let is_end = self.window.bytes()[self.at..].starts_with(SECTION);
        self.at += if is_end { SECTION.len() } else { 0 };
        is_end
    }

    /// Passes a rule of any length.
    fn pass_rule(&mut self) -> bool {
        let is_rule = |byte: &u8| matches!(byte, b'-' | b'+' | b'|' | b' ');
        let start = self.window.offset(self.at);
        let mut marks = 0;
        loop {
            let rest = &self.window.bytes()[self.at..];
            let length = rest.iter().take_while(|byte| is_rule(byte)).count();
            marks += rest[..length].iter().filter(|byte| matches!(byte, b'-' | b'+')).count();
            let is_all = length == rest.len();
            if marks < RULE {
                // What is not a rule is looked at from its beginning, which is not far.
                if !is_all || length > LONGEST_BEGINNING || !self.refill() {
                    return false;
                }
                marks = 0;
                continue;
            }
            self.at += length;
            if !is_all || !self.refill() {
                return self.window.offset(self.at) > start;
            }
        }
    }

    /// Passes a line that is cells, or tags, without JSON.
    fn pass_cells(&mut self) -> bool {
        let length = loop {
            let rest = &self.window.bytes()[self.at..];
            match memchr::memchr2(b'\n', b'{', &rest[..rest.len().min(MAX_RECORD)]) {
                Some(at) if rest[at] == b'{' => return false,
                Some(at) => break at,
                None if rest.len() >= MAX_RECORD => return false,
                None if !self.refill() => break self.window.bytes().len() - self.at,
                None => {}
            }
        };
        let is_passed = is_cells(&self.window.bytes()[self.at..self.at + length]);
        self.at += if is_passed { length } else { 0 };
        is_passed
    }
}

/// Returns true for a line of a table, of resources, or of tags.
fn is_cells(line: &[u8]) -> bool {
    let line = line.trim_ascii_end();
    let is_row = line.len() > 1 && line.starts_with(b"|") && line.ends_with(b"|");
    let are_tags = line.starts_with(b"<") && line.ends_with(b">") && !may_hold_events(line);
    are_tags || ((is_row || line.starts_with(RESOURCES)) && !line.contains(&b'"'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::split::Item;

    /// Returns the numbers of events and damages.
    fn counts(text: &str, chunk: usize) -> (u32, u32) {
        let mut splitter = Splitter::new(text.as_bytes()).with_chunk(chunk);
        let (mut events, mut damages) = (0, 0);
        while let Some(item) = splitter.next_item() {
            match item {
                Item::Record(_) => events += 1,
                Item::Damage(_) => damages += 1,
                Item::Skipped(_) => {}
            }
        }
        (events, damages)
    }

    #[test]
    fn what_is_around_events_is_no_damage() {
        let event = r#"{"eventVersion":"1.08","eventName":"A","eventSource":"s"}"#;
        let rule = "-".repeat(300);
        for (text, expected) in [
            (
                format!(
                    "{rule}\n|   LookupEvents   |\n+--+--+\n| CloudTrailEvent | EventId |\n+--+--+\n\
                     | {event} | a |\n| {event} | b |\n+--+--+\n"
                ),
                (2, 0),
            ),
            (
                format!(
                    "{rule}\n||   Events   ||\n|+{rule}+|\n||  CloudTrailEvent  | {event} ||\n\
                     ||  EventId  |  a  ||\n|||   Resources   |||\n|||  ResourceName  | b |||\n"
                ),
                (1, 0),
            ),
            (
                format!(
                    "EVENTS\tAKIA\t{event}\ta\nRESOURCES\tkey\tAWS::KMS::Key\nEVENTS\t{event}\n"
                ),
                (2, 0),
            ),
            (
                format!("<html lang=\"en\">\n<pre>{event}</pre>\n<hr>\n<pre>{event}</pre></html>"),
                (2, 0),
            ),
            (format!("<log><![CDATA[{event}]]></log>\n<log><![CDATA[{event}]]></log>\n"), (2, 0)),
            // What may be an event is no line of a table.
            (format!("{event}\n|  \"eventName\":  |\n{event}\n"), (2, 1)),
            (format!("{event}\nRESULT\tnone\n{event}\n"), (2, 1)),
            (format!("{event}\n--\n{event}\n"), (2, 1)),
        ] {
            for chunk in [1, 7, 100_000] {
                assert_eq!(counts(&text, chunk), expected, "{chunk} {text}");
            }
        }
    }
}

//! Detects the kinds of events in a file without reading their fields.

use std::io::Read;
use std::ops::ControlFlow;

use crate::delivered::Records;
use crate::inflate::{Input, MakeScratch, Parts, ReadSeek, Scratch, for_each_part};
use crate::parquet::{Lines, Parquet};
use crate::record::Format;
use crate::report::Damage;
use crate::split::{Item, Splitter};

/// The largest Parquet file that is stored only to look at its first event.
const MAX_TABLE: u64 = 4 * 1024 * 1024;

/// How much of a file is read to tell whether it holds JSON rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Up to the first event.
    AtFirst,
    /// Up to the first row, unless the file is what CloudTrail delivers.
    AtAll,
}

/// Returns true if a file holds JSON rows, as far as is looked; for an archive, the events of any of
/// its files count. `scratch` returns storage for nested archives.
#[must_use]
pub fn holds_rows(input: Input, look: Look, scratch: MakeScratch) -> bool {
    let mut peek = Peek { found: false, look, records: Records::default(), scratch };
    for_each_part(input, &mut peek);
    peek.found
}

struct Peek {
    found: bool,
    look: Look,
    records: Records,
    scratch: MakeScratch,
}

impl Parts for Peek {
    fn part(&mut self, _: &str, text: &mut dyn Read) -> ControlFlow<()> {
        let mut splitter = Splitter::new(text);
        loop {
            if splitter.next_part(&mut self.records).is_some() {
                continue;
            }
            let Some(item) = splitter.next_item() else { break };
            let Item::Record(event) = item else { continue };
            self.found = event.format == Format::Json;
            // No row follows the records of an envelope.
            if self.found || self.look == Look::AtFirst || splitter.is_in_envelope() {
                break;
            }
        }
        if self.found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn table(&mut self, name: &str, file: Box<dyn ReadSeek + Send>) -> (ControlFlow<()>, u64) {
        let flow = match Parquet::open(file) {
            Ok(file) if file.format().is_none() => {
                self.part(name, &mut Lines::new(file.rows(None)))
            }
            _ => ControlFlow::Continue(()),
        };
        // Nobody counts what is read to look at the first event.
        (flow, 0)
    }

    fn max_table(&self) -> u64 {
        MAX_TABLE
    }

    fn damage(&mut self, _: &str, _: Damage) {}

    fn scratch(&self) -> Box<dyn Scratch> {
        (self.scratch)()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inflate::in_memory;

    #[test]
    fn rows_are_found() {
        let event = r#"{"eventVersion":"1","eventSource":"s"}"#;
        let row = r#"{"user":"bob"}"#;
        for (text, at_first, at_all) in [
            (format!("{row}\n{row}\n"), true, true),
            (format!("{event}\n{event}\n{event}\n{row}\n"), false, true),
            (format!("[{event},{row}]"), false, true),
            (format!("{{\"Records\":[{event},{event}]}}"), false, false),
            (format!("{event}\n{event}\n"), false, false),
            ("\u{89}PNG\r\n".to_owned(), false, false),
        ] {
            for (look, holds) in [(Look::AtFirst, at_first), (Look::AtAll, at_all)] {
                let bytes = std::io::Cursor::new(text.clone().into_bytes());
                let found = holds_rows(Input::Stream(Box::new(bytes)), look, in_memory);
                assert_eq!(found, holds, "{text} {look:?}");
            }
        }
    }
}

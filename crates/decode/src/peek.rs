//! Detects the kind of events in a file by reading only the first ones.

use std::io::Read;
use std::ops::ControlFlow;

use crate::inflate::{Input, Parts, for_each_part};
use crate::record::Format;
use crate::report::Damage;
use crate::split::{Item, Splitter};

/// Returns true if the first event of a file is a JSON row; for an archive, the first event of any
/// of its files counts.
#[must_use]
pub fn holds_rows(input: Input) -> bool {
    let mut peek = Peek(false);
    for_each_part(input, &mut peek);
    peek.0
}

struct Peek(bool);

impl Parts for Peek {
    fn part(&mut self, _: &str, text: &mut dyn Read) -> ControlFlow<()> {
        let mut splitter = Splitter::new(text);
        while let Some(item) = splitter.next_item() {
            if let Item::Record(event) = item {
                self.0 = event.format == Format::Json;
                break;
            }
        }
        if self.0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn damage(&mut self, _: &str, _: Damage) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_event_tells() {
        for (text, holds) in [
            ("{\"user\":\"ann\"}\n{\"user\":\"bob\"}\n", true),
            ("{\"eventVersion\":\"1\",\"eventSource\":\"s\"}\n{\"user\":\"bob\"}\n", false),
            ("\u{89}PNG\r\n", false),
        ] {
            let input = Input::Stream(Box::new(std::io::Cursor::new(text.as_bytes())));
            assert_eq!(holds_rows(input), holds, "{text}");
        }
    }
}

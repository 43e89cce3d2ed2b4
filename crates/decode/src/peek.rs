//! Detects the kind of events in a file by reading only the first ones.

use std::io::Read;
use std::ops::ControlFlow;

use crate::inflate::{Input, MakeScratch, Parts, Scratch, for_each_part};
use crate::record::Format;
use crate::report::Damage;
use crate::split::{Item, Splitter};

/// Returns true if the first event of a file is a JSON row; for an archive, the first event of any
/// of its files counts. `scratch` returns storage for nested archives.
#[must_use]
pub fn holds_rows(input: Input, scratch: MakeScratch) -> bool {
    let mut peek = Peek { found: false, scratch };
    for_each_part(input, &mut peek);
    peek.found
}

struct Peek {
    found: bool,
    scratch: MakeScratch,
}

impl Parts for Peek {
    fn part(&mut self, _: &str, text: &mut dyn Read) -> ControlFlow<()> {
        let mut splitter = Splitter::new(text);
        while let Some(item) = splitter.next_item() {
            if let Item::Record(event) = item {
                self.found = event.format == Format::Json;
                break;
            }
        }
        if self.found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
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
    fn the_first_event_tells() {
        for (text, holds) in [
            ("{\"user\":\"ann\"}\n{\"user\":\"bob\"}\n", true),
            ("{\"eventVersion\":\"1\",\"eventSource\":\"s\"}\n{\"user\":\"bob\"}\n", false),
            ("\u{89}PNG\r\n", false),
        ] {
            let input = Input::Stream(Box::new(std::io::Cursor::new(text.as_bytes())));
            assert_eq!(holds_rows(input, in_memory), holds, "{text}");
        }
    }
}

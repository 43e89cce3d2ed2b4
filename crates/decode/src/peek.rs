//! What kind of events a file holds, without reading more of it than the first one.

use std::io::Read;
use std::ops::ControlFlow;

use crate::inflate::{Input, Parts, for_each_part};
use crate::record::Format;
use crate::report::Damage;
use crate::split::{Item, Splitter};

/// Returns the format of the first event of a file.
#[must_use]
pub fn peek_format(input: Input) -> Option<Format> {
    let mut peek = Peek(None);
    for_each_part(input, &mut peek);
    peek.0
}

struct Peek(Option<Format>);

impl Parts for Peek {
    fn part(&mut self, _: &str, text: &mut dyn Read) -> ControlFlow<()> {
        let mut splitter = Splitter::new(text);
        while let Some(item) = splitter.next_item() {
            if let Item::Record(event) = item {
                self.0 = Some(event.format);
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }

    fn damage(&mut self, _: &str, _: Damage) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_event_tells() {
        for (text, format) in [
            ("{\"user\":\"ann\"}\n{\"user\":\"bob\"}\n", Some(Format::Json)),
            ("\u{89}PNG\r\n", None),
        ] {
            let input = Input::Stream(Box::new(std::io::Cursor::new(text.as_bytes())));
            assert_eq!(peek_format(input), format, "{text}");
        }
    }
}

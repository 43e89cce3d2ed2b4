//! Placeholder until the real module lands.
/// Cursor over a command's argument text.
#[derive(Debug)]
pub struct Arguments<'a>(pub &'a crate::Command);

//! SPL text to syntax tree and diagnostics. No Arrow, no DataFusion, no IO.
//!
//! The stages, each a pure function: [`expand_macros`] (text with macros and comments → text without,
//! and a map back), [`parse()`] (text → [`Pipeline`]), and per command [`Arguments`] (a command's text →
//! options, fields, expressions). [`time`] resolves time modifiers.

mod arguments;
pub mod ast;
mod cursor;
mod expand;
mod parse;
pub mod time;
mod walk;

pub use arguments::{
    Argument, Arguments, Form, FromOption, OptionValue, Support, Takes, is_time_bound, parse_eval,
    parse_search, unescape_controls,
};
pub use ast::*;
pub use expand::{Expansion, MacroDefinition, MacroSet, expand_macros};
pub use parse::{MAX_COMMANDS, MAX_SUBSEARCHES, parse};

//! Parses SPL text into a syntax tree and diagnostics, without Arrow, DataFusion or IO.
//!
//! Each stage is a pure function: [`expand_macros`] removes macros and comments from the text and
//! returns a map back to it, [`parse()`] turns text into a [`Pipeline`], and [`Arguments`] turns a
//! command's text into options, fields and expressions. [`format()`] lays text out. [`time`] resolves time modifiers.

mod arguments;
pub mod ast;
mod cursor;
mod expand;
mod format;
mod lints;
mod parse;
mod required;
pub mod time;
mod walk;

pub use arguments::{
    Argument, Arguments, Form, FromOption, OptionValue, Support, Takes, boolean, is_time_bound,
    parse_eval, parse_search, unescape_controls,
};
pub use ast::*;
pub use expand::{Expansion, MacroDefinition, MacroSet, expand_macros};
pub use format::format;
pub use lints::{Doubt, Equality, Weight, equality};
pub use parse::{MAX_COMMANDS, MAX_SUBSEARCHES, is_reserved, parse, parse_nested, reserved_in};
pub use required::{Required, RequiredField};

//! Tests over several crates, in one binary, because each one links the whole engine.

mod examples;
mod generated;
mod rows;

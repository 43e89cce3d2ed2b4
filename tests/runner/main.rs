//! Tests over several crates, in one binary, because each one links the whole engine.

mod codes;
mod generated;
mod plans;

//! Tests of several modules together, and the fake that they use.

pub(crate) mod fake;
mod protocol;

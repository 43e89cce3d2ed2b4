//! Tests over several crates; they are in `runner/`, in one binary.

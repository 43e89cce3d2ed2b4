//! The functions of SPL, one file each, and their registries.

pub mod eval;

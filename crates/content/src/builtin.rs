//! The detection pack that is part of the program.

/// The files of `packs/aws-exfiltration/`: path within the pack, and text.
pub static BUILTIN: &[(&str, &str)] = &[];

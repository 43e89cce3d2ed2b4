//! Delivers findings to other systems.

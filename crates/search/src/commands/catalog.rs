//! The commands as plain data, for tools that complete or explain a search while the user types it.

use serde::Serialize;

use super::{Argument, COMMANDS, CommandKind};

/// Describes a command and its arguments.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct CatalogEntry {
    /// The name in lower case.
    pub name: &'static str,
    /// Other names of the command.
    pub aliases: &'static [&'static str],
    /// The class of the command.
    pub kind: CommandKind,
    /// The description in one line.
    pub summary: &'static str,
    /// The grammar in one line.
    pub syntax: &'static str,
    /// The declared arguments, including those that are refused as unsupported.
    pub arguments: &'static [Argument],
}

/// Returns every command, sorted by name.
#[must_use]
pub fn catalog() -> Vec<CatalogEntry> {
    let entries = COMMANDS.iter().map(|entry| CatalogEntry {
        name: entry.doc.name,
        aliases: entry.doc.aliases,
        kind: entry.doc.kind,
        summary: entry.doc.summary,
        syntax: entry.doc.syntax,
        arguments: entry.doc.arguments,
    });
    entries.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_complete_as_json() {
        let catalog = serde_json::to_value(catalog()).expect("plain data");
        let head = catalog.as_array().and_then(|all| all.iter().find(|c| c["name"] == "head"));
        let limit = &head.expect("`head` is listed")["arguments"][1];
        let expected = serde_json::json!({
            "name": "limit", "form": "option", "takes": "count", "default": "10", "range": null,
            "least": null, "support": "honored", "doc": "The number of rows to keep.",
        });
        assert_eq!(*limit, expected);
    }
}

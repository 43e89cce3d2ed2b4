//! Checks the dependencies between the folders of `search`: no folder uses one that calls it.

use super::SourceFile;

/// The folder to which the rules apply.
const SOURCE: &str = "crates/search/src/";

/// The other rooms that a room may use. A room is a folder or a file in the root of the crate.
struct Room {
    name: &'static str,
    uses: &'static [&'static str],
}

const fn room(name: &'static str, uses: &'static [&'static str]) -> Room {
    Room { name, uses }
}

/// The rooms, each listed after the rooms that it uses.
const ROOMS: &[Room] = &[
    room("pool", &[]),
    room("error", &["pool"]),
    room("stack", &[]),
    room("rows", &["error"]),
    room("events", &["error", "rows"]),
    room("context", &["error", "rows", "events"]),
    room("lookups", &["error", "context"]),
    room("stats", &["error", "rows"]),
    room("operators", &["error", "rows", "stats"]),
    room("lineage", &[]),
    room(
        "planning",
        &["error", "pool", "rows", "events", "context", "lookups", "stats", "operators"],
    ),
    room(
        "commands",
        &[
            "error",
            "rows",
            "events",
            "context",
            "lookups",
            "stats",
            "operators",
            "lineage",
            "planning",
        ],
    ),
    room("analysis", &["lineage", "planning", "commands"]),
    room(
        "run",
        &[
            "error",
            "pool",
            "rows",
            "context",
            "lookups",
            "stats",
            "operators",
            "planning",
            "commands",
            "analysis",
        ],
    ),
];

/// Rooms that may use any room: the root and the tests.
const ENDS: &[&str] = &["lib", "testing"];

/// Returns the references from a room to a room that it may not use. The tests of a module may use
/// any room.
pub(super) fn check(files: &[SourceFile]) -> Vec<String> {
    files
        .iter()
        .filter_map(|file| Some((file, room_of(&file.path)?)))
        .flat_map(check_file)
        .collect()
}

/// Returns the room that contains a file.
fn room_of(path: &str) -> Option<&str> {
    let inside = path.strip_prefix(SOURCE)?;
    Some(inside.split_once('/').map_or_else(|| inside.trim_end_matches(".rs"), |(room, _)| room))
}

fn check_file((file, name): (&SourceFile, &str)) -> Vec<String> {
    if ENDS.contains(&name) || is_test(file) {
        return Vec::new();
    }
    let Some(room) = ROOMS.iter().find(|room| room.name == name) else {
        return vec![format!("{}: `{name}` has no rule in xtask/src/tidy/rooms.rs", file.path)];
    };
    let code = file.text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let mut findings = Vec::new();
    for (index, line) in code.lines().enumerate() {
        for used in used_in(line) {
            if used != name && !room.uses.contains(&used) {
                let place = format!("{}:{}", file.path, index + 1);
                findings.push(format!("{place}: `{name}` must not use `{used}`"));
            }
        }
    }
    findings
}

/// Returns true for files that are built only for tests.
fn is_test(file: &SourceFile) -> bool {
    ["commands/registry.rs", "stats/spilling.rs"]
        .iter()
        .any(|name| file.path.strip_prefix(SOURCE) == Some(name))
}

/// Returns the rooms that a line refers to: the names after `crate::`, alone or in braces.
fn used_in(line: &str) -> Vec<&str> {
    let mut rooms = Vec::new();
    if line.trim_start().starts_with("//") {
        return rooms;
    }
    for (at, _) in line.match_indices("crate::") {
        let begins = at == 0 || !line[..at].ends_with(is_of_name);
        let rest = &line[at + "crate::".len()..];
        let parts = rest.strip_prefix('{').map_or(vec![rest], |group| group.split(", ").collect());
        for part in parts {
            let name = part.split(|letter: char| !is_of_name(letter)).next().unwrap_or_default();
            if begins && !name.is_empty() {
                rooms.push(name);
            }
        }
    }
    rooms
}

fn is_of_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_upward_is_found() {
        let found = |path: &str, text: &str| {
            check(&[SourceFile { path: format!("{SOURCE}{path}"), text: text.to_owned() }])
        };
        let upward = "crates/search/src/rows/mod.rs:2: `rows` must not use `planning`";
        assert_eq!(found("rows/mod.rs", "\nuse crate::planning::plan::Plan;"), [upward]);
        assert_eq!(found("rows/mod.rs", "\nuse crate::{error, planning};"), [upward]);
        let tests = "#[cfg(test)]\nmod tests {\n    use crate::run;\n}";
        for (path, text) in [
            ("commands/x/mod.rs", "use crate::planning::plan::Plan;"),
            ("rows/mod.rs", "use crate::rows::arrow::{self, kind_of};"),
            ("rows/mod.rs", "// crate::run"),
            ("rows/mod.rs", tests),
            ("testing/mod.rs", "use crate::run;"),
        ] {
            assert_eq!(found(path, text), [""; 0], "{path}: {text}");
        }
        assert_eq!(
            found("other.rs", ""),
            ["crates/search/src/other.rs: `other` has no rule in xtask/src/tidy/rooms.rs"]
        );
    }
}

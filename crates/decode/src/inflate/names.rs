//! Names of entries of archives, which are text from strangers.

use std::fmt::Write as _;

use crate::report::is_beside_logs;

/// The longest name of an entry in bytes; a longer one is cut.
const MAX_NAME: usize = 4096;
/// The number of characters of a name that a message shows.
const SHOWN: usize = 200;

/// Returns the name of an entry in an archive that is called `archive`, or has no name if it is the
/// file itself.
pub(super) fn join(archive: &str, entry: &str) -> String {
    let entry = entry.strip_prefix("./").filter(|rest| !rest.is_empty()).unwrap_or(entry);
    let end = entry.floor_char_boundary(MAX_NAME);
    let entry = &entry[..end];
    if archive.is_empty() { entry.to_owned() } else { format!("{archive}:{entry}") }
}

/// Returns true if a path, or a name in an archive, says that the file is a log: the name that
/// CloudTrail gives its files, or the ending of JSON, compressed or not.
pub(crate) fn is_of_log(path: &str) -> bool {
    let file = path.rsplit(['/', '\\', ':']).next().unwrap_or(path).to_ascii_lowercase();
    if is_beside_logs(path) {
        return false;
    }
    let compressions = [".gz", ".gzip", ".zst", ".bz2", ".xz", ".zip"];
    let plain = compressions.iter().find_map(|ending| file.strip_suffix(ending)).unwrap_or(&file);
    let endings = [".json", ".jsonl", ".ndjson"];
    file.contains("_cloudtrail_") || endings.iter().any(|ending| plain.ends_with(ending))
}

/// Returns a name as a message shows it: on one line, without control characters or those that
/// change the direction of text, and not longer than a line or two.
pub(crate) fn shown(name: &str) -> String {
    let mut shown = String::new();
    for (index, character) in name.chars().enumerate() {
        if index == SHOWN {
            shown.push('…');
            break;
        }
        if is_unsafe(character) {
            let _ = write!(shown, "{}", character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

fn is_unsafe(character: char) -> bool {
    let is_invisible = matches!(character,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    character.is_control() || is_invisible
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_on_one_line_without_controls() {
        assert_eq!(shown("a b/é.json"), "a b/é.json");
        assert_eq!(shown("a\u{1b}[31m\n\u{9b}\u{202e}\0"), r"a\u{1b}[31m\u{a}\u{9b}\u{202e}\u{0}");
        assert_eq!(shown(&"a".repeat(5000)).chars().count(), SHOWN + 1);
    }

    #[test]
    fn names_of_logs() {
        for (name, is_log) in [
            ("s3://b/1_CloudTrail_us-east-1_20260317T1510Z_a.json.gz", true),
            ("logs/1_CloudTrail_eu-west-1_x.bak", true),
            ("events.json", true),
            ("a.zip:b/EVENTS.NDJSON.GZ", true),
            ("1_CloudTrail-Digest_us-east-1_t.txt", false),
            ("__MACOSX/._a.json", false),
            ("logs/._a.json", false),
            ("notes.txt", false),
            ("a.json/readme", false),
            ("standard input", false),
        ] {
            assert_eq!(is_of_log(name), is_log, "{name}");
        }
    }

    #[test]
    fn names_are_joined() {
        assert_eq!(join("", "./a.json"), "a.json");
        assert_eq!(join("b.zip", "a.json"), "b.zip:a.json");
        assert_eq!(join("", "./"), "./");
        assert_eq!(join("", &"é".repeat(5000)).len(), MAX_NAME);
    }
}

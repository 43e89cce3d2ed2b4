//! Whether what a search finds depends on when it runs.

/// Functions of the present, and words that bounds of time have: each with what has to follow it, blanks
/// aside.
const WORDS: &[(&str, Next)] = &[
    ("now", Next::Is(b"(")),
    ("time", Next::Is(b"(")),
    // Statistics have these names too; what is given to them has a time of its own.
    ("earliest", Next::IsNot(b"(")),
    ("latest", Next::IsNot(b"(")),
    ("_index_earliest", Next::IsNot(b"(")),
    ("_index_latest", Next::IsNot(b"(")),
    ("addinfo", Next::IsNot(b"")),
    ("makeresults", Next::IsNot(b"")),
];

/// Options that reckon back from the present, `starthoursago` among them, by their ends.
const OPTIONS: &[&str] = &["ago", "starttime", "endtime"];

#[derive(Clone, Copy)]
enum Next {
    Is(&'static [u8]),
    IsNot(&'static [u8]),
}

/// Returns whether the result of a search, its macros expanded, may depend on the present.
pub(super) fn is_asked_for(search: &str) -> bool {
    let search = search.to_ascii_lowercase();
    let mut rest = search.as_str();
    while let Some(start) = rest.find(is_part_of_word) {
        let word = &rest[start..];
        let end = word.find(|c| !is_part_of_word(c)).unwrap_or(word.len());
        let (word, after) = word.split_at(end);
        rest = after;
        let next = after.trim_start().as_bytes().first().copied();
        let asks = |(name, expected): &(&str, Next)| {
            *name == word
                && match expected {
                    Next::Is(bytes) => next.is_some_and(|byte| bytes.contains(&byte)),
                    Next::IsNot(bytes) => next.is_none_or(|byte| !bytes.contains(&byte)),
                }
        };
        let is_option = next == Some(b'=') && OPTIONS.iter().any(|option| word.ends_with(option));
        if is_option || WORDS.iter().any(asks) {
            return true;
        }
    }
    false
}

fn is_part_of_word(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '.')
}

#[cfg(test)]
mod tests {
    use super::is_asked_for;

    #[test]
    fn the_present_is_asked_for() {
        for (search, asks) in [
            ("x | where _time > now()", true),
            ("x | eval age=Time ( )-_time", true),
            ("x earliest=-1h", true),
            ("x latest = @d", true),
            ("x _index_earliest=-1h", true),
            ("x [| inputlookup t | rename a as earliest | table earliest]", true),
            ("x starthoursago=24", true),
            ("x starttime=01/02/2024:00:00:00", true),
            ("x | addinfo", true),
            ("| makeresults | eval a=1", true),
            ("x | eval a=relative_time(now(),\"-1d\")", true),
            ("x | stats min(_time) as firstTime max(_time) as t", false),
            ("x | convert timeformat=\"%Y\" ctime(firstTime)", false),
            ("x | eval a=strftime(_time,\"%H\"), b=relative_time(_time,\"@d\")", false),
            ("x | stats earliest(a) latest ( b ) earliest_time(c)", false),
            ("x user=\"known user\" | rename a.now as latest_time", false),
        ] {
            assert_eq!(is_asked_for(search), asks, "{search}");
        }
    }
}

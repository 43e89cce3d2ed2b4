//! Checks Rust files: they start with a module doc, are not too long, and contain no unfinished
//! code.

use super::SourceFile;

/// Maximum number of lines before the tests of a file.
const MAX_CODE_LINES: usize = 600;

/// Maximum number of lines of a file, including its tests.
const MAX_LINES: usize = 700;

/// Macros that mark unfinished code or leftover debugging. The names omit the exclamation mark, so
/// that this file is not a finding itself.
const UNFINISHED: &[&str] = &["todo", "unimplemented", "dbg"];

/// Returns the findings about a Rust file; an empty list for other files.
pub(super) fn check(file: &SourceFile) -> Vec<String> {
    if !file.path.ends_with(".rs") {
        return Vec::new();
    }
    let mut findings = Vec::new();
    if !file.text.starts_with("//!") {
        findings.push(format!("{}: no module doc (`//!`) on top", file.path));
    }
    let code = file.text.lines().take_while(|line| line.trim() != "#[cfg(test)]").count();
    let all = file.text.lines().count();
    if code > MAX_CODE_LINES {
        findings.push(format!("{}: {code} lines before its tests; split it", file.path));
    } else if all > MAX_LINES {
        findings.push(format!("{}: {all} lines; split it", file.path));
    }
    for (index, line) in file.text.lines().enumerate() {
        if let Some(name) = UNFINISHED.iter().find(|name| calls_macro(line, name)) {
            findings.push(format!("{}:{}: `{name}!` is left over", file.path, index + 1));
        }
        if line.trim_start().starts_with(&format!("#[{}", "ignore")) {
            findings.push(format!("{}:{}: an ignored test", file.path, index + 1));
        }
    }
    findings
}

fn calls_macro(line: &str, name: &str) -> bool {
    let call = format!("{name}!(");
    line.match_indices(&call).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        !before.is_some_and(|before| before.is_alphanumeric() || before == '_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(text: &str) -> Vec<String> {
        check(&SourceFile { path: "a.rs".into(), text: text.into() })
    }

    #[test]
    fn size_counts_until_the_tests() {
        let code = "//! Doc.\n".to_owned() + &"fn f() {}\n".repeat(598);
        let tests = "#[cfg(test)]\n".to_owned() + &"fn t() {}\n".repeat(99);
        assert_eq!(findings(&format!("{code}{tests}")), [""; 0]);
        assert_eq!(
            findings(&format!("{code}\n\n{tests}")),
            ["a.rs: 601 lines before its tests; split it"]
        );
        assert_eq!(findings(&format!("{code}{tests}//\n//\n")), ["a.rs: 701 lines; split it"]);
    }

    #[test]
    fn what_is_unfinished_is_found() {
        assert_eq!(findings("fn f() {}"), ["a.rs: no module doc (`//!`) on top"]);
        for name in UNFINISHED {
            let text = format!("//! Doc.\nlet x = {name}!();\nlet y = my_{name}!();");
            assert_eq!(findings(&text), [format!("a.rs:2: `{name}!` is left over")]);
        }
        let ignored = format!("//! Doc.\n#[{} = \"slow\"]\n", "ignore");
        assert_eq!(findings(&ignored), ["a.rs:2: an ignored test"]);
    }
}

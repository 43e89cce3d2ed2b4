//! Tests of the `fmt` command.

use std::fs;

use crate::fixture::Fixture;

const RAW: &str = "index=main   user=ann|stats  count by user | append [search a|head]";
const FORMATTED: &str =
    "index=main user=ann\n| stats count by user\n| append [\n    search a\n    | head\n]\n";

#[test]
fn standard_input_goes_to_standard_output() {
    let fixture = Fixture::empty();
    for arguments in [&["fmt"][..], &["fmt", "-"]] {
        let run = fixture.run_piped(arguments, RAW);
        assert_eq!((run.status, run.out.as_str(), run.err.as_str()), (0, FORMATTED, ""));
    }
    let again = fixture.run_piped(&["fmt", "--check"], FORMATTED);
    assert_eq!((again.status, again.out.as_str(), again.err.as_str()), (0, "", ""));
    let yaml = fixture.run_piped(&["fmt", "--stdin", "yaml"], "search: a | b # c\nname: n\n");
    assert_eq!((yaml.status, yaml.out.as_str()), (0, "search: |- # c\n  a\n  | b\nname: n\n"));
    let wrong = fixture.run_piped(&["fmt"], "a | b \"");
    assert_eq!((wrong.status, wrong.out.as_str()), (1, ""));
    assert!(
        wrong.err.contains("<stdin>:1:7") && wrong.err.contains("never closed"),
        "{}",
        wrong.err
    );
}

#[test]
fn files_are_checked_and_written() {
    let fixture = Fixture::empty();
    fixture.write("in/a.spl", RAW);
    fixture.write("in/sub/b.yml", "# kept\nname: 'B'\nsearch: 'a=1 | head'\nx: y   # kept\n");
    fixture.write("in/c.yaml", "name: no search\n");
    fixture.write("in/d.csv", "a\n1\n");
    let check = fixture.run_builtin(&["fmt", "--check", "in"]);
    assert_eq!(check.status, 1);
    assert_eq!(check.err, "2 files would be formatted, 1 formatted already\n");
    let expected = "\
--- in/a.spl
+++ in/a.spl
@@ -1 +1,6 @@
-index=main   user=ann|stats  count by user | append [search a|head]
\\ No newline at end of file
+index=main user=ann
+| stats count by user
+| append [
+    search a
+    | head
+]
--- in/sub/b.yml
+++ in/sub/b.yml
@@ -1,4 +1,6 @@
 # kept
 name: 'B'
-search: 'a=1 | head'
+search: |-
+  a=1
+  | head
 x: y   # kept
";
    assert_eq!(check.out, expected);
    assert_eq!(fs::read_to_string(fixture.path("in/a.spl")).unwrap(), RAW);
    let written = fixture.run_builtin(&["fmt", "in"]);
    assert_eq!((written.status, written.out.as_str()), (0, ""));
    assert_eq!(written.err, "2 files formatted, 1 left as they were\n");
    assert_eq!(fs::read_to_string(fixture.path("in/a.spl")).unwrap(), FORMATTED);
    let again = fixture.run_builtin(&["fmt", "--check", "in"]);
    assert_eq!((again.status, again.out.as_str()), (0, ""));
    assert_eq!(again.err, "3 files formatted already\n");
}

#[test]
fn what_cannot_be_formatted_is_named_and_stays() {
    let fixture = Fixture::empty();
    let broken = "name: n\nsearch: |-\n  a=1\n  | eval b=\"x\n";
    fixture.write("in/a.yml", broken);
    fixture.write("in/b.spl", "a|b");
    let run = fixture.run_builtin(&["fmt", "in", "missing.spl"]);
    assert_eq!((run.status, run.out.as_str()), (1, ""));
    assert!(run.err.contains("in/a.yml:4:12"), "{}", run.err);
    assert!(run.err.contains("`missing.spl`: "), "{}", run.err);
    assert!(run.err.ends_with("1 file formatted, 2 cannot be formatted\n"), "{}", run.err);
    assert_eq!(fs::read_to_string(fixture.path("in/a.yml")).unwrap(), broken);
    let mixed = fixture.run_builtin(&["fmt", "-", "in"]);
    assert_eq!(mixed.status, 2);
    assert!(mixed.err.contains("name one or the other"), "{}", mixed.err);
}

#[test]
fn nothing_to_format_is_a_failure() {
    let fixture = Fixture::empty();
    std::fs::create_dir(fixture.path("empty")).unwrap();
    fixture.write("broken.spl", "a=\"");
    fixture.write("sound.spl", "a=1\n| head\n");
    for (arguments, status) in [
        (&["missing.spl"][..], 2),
        (&["empty"], 2),
        (&["--check", "empty", "missing.spl"], 2),
        (&["empty", "sound.spl"], 1),
        // It was read, and stays as it is.
        (&["broken.spl"], 1),
        (&["sound.spl"], 0),
    ] {
        let run = fixture.run_builtin(&[&["fmt"], arguments].concat());
        assert_eq!(run.status, status, "{run:?}");
    }
}

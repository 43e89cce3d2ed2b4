//! Tests of the `help` command.

use crate::fixture::Fixture;

#[test]
fn names_and_aliases_are_known() {
    let fixture = Fixture::empty();
    for (topic, part) in [
        ("head", "limit=<int>: How many rows to keep. Default `10`."),
        ("bucket", "bin [span=<span>"),
        ("ceil", "ceiling(<"),
        ("dc", "dc (statistics)"),
        ("mean", "avg (statistics)"),
        ("p95", "perc<number> (statistics)"),
        ("exactperc99.9", "exactperc<number> (statistics)"),
        ("upperperc<N>", "upperperc<number> (statistics)"),
        ("SPL2010", "option without effect"),
    ] {
        let shown = fixture.run_builtin(&["help", topic]);
        assert_eq!(shown.status, 0, "{topic}: {}", shown.err);
        assert!(shown.out.contains(part), "{topic}: {}", shown.out);
    }
    let unknown = fixture.run_builtin(&["help", "ceill"]);
    assert_eq!(unknown.status, 2);
    assert!(unknown.err.contains("did you mean `ceil`"), "{}", unknown.err);
}

#[test]
fn every_level_has_examples() {
    let fixture = Fixture::empty();
    for level in [
        &[][..],
        &["search"],
        &["hunt"],
        &["fields"],
        &["detections"],
        &["detections", "list"],
        &["detections", "show"],
        &["expand"],
        &["help"],
        &["completions"],
        &["man"],
    ] {
        for option in ["--help", "-h"] {
            let shown = fixture.run_builtin(&[level, &[option]].concat());
            assert_eq!(shown.status, 0, "{level:?}: {}", shown.err);
            assert!(shown.out.contains("Example"), "{level:?}: {}", shown.out);
            let command = [&["spilltrail"], &level[..level.len().min(1)]].concat().join(" ");
            let is_example = |line: &str| line.starts_with("  ") && line.contains(&command);
            assert!(shown.out.lines().any(is_example), "{level:?}: {}", shown.out);
        }
    }
}

#[test]
fn a_misspelt_word_is_recognized() {
    let fixture = Fixture::new();
    for (arguments, similar) in [
        (&["hnt", "logs"][..], "'hunt'"),
        (&["detections", "shwo"], "'show'"),
        (&["hunt", "logs", "--formt", "json"], "'--format'"),
        (&["hunt", "logs", "--format", "jsn"], "'json'"),
        (&["hunt", "logs", "--detection", "Key Maid"], "`Key Made`"),
        (&["hunt", "logs", "--tz", "Europe/Berln"], "`Europe/Berlin`"),
        (&["help", "hnt"], "`hunt`"),
        (&["help", "spl2O01"], "`SPL2001`"),
        (&["search", "* | statz count", "logs"], "`stats`"),
    ] {
        let run = match arguments[0] {
            "help" => fixture.run_builtin(arguments),
            _ => fixture.run(arguments),
        };
        assert_eq!(run.status, 2, "{arguments:?}");
        assert!(run.err.contains(similar), "{arguments:?}: {}", run.err);
    }
}

#[test]
fn completions_and_manual_pages_are_generated() {
    let fixture = Fixture::empty();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let run = fixture.run_builtin(&["completions", shell]);
        assert_eq!((run.status, run.err.as_str()), (0, ""), "{shell}");
        assert!(run.out.contains("fail-on-finding"), "{shell}");
    }
    for (arguments, part) in [(&["man"][..], ".TH spilltrail"), (&["man", "hunt"], "fail\\-on")] {
        let run = fixture.run_builtin(arguments);
        assert_eq!((run.status, run.err.as_str()), (0, ""));
        assert!(run.out.contains(part), "{}", run.out);
    }
    assert_eq!(fixture.run_builtin(&["man", "hnt"]).status, 2);
}

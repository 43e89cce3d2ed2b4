//! Tests of the configuration file.

use crate::fixture::{Fixture, Run};

fn configured(fixture: &Fixture, text: &str, arguments: &[&str]) -> Run {
    fixture.write("settings/c.toml", text);
    fixture.run_builtin(&[arguments, &["--config", "settings/c.toml"]].concat())
}

const CONTENT: &str = "content = ['../content']\nbuiltin = false\n";

fn allow(more: &str) -> String {
    format!(
        "{CONTENT}[[allow]]\ndetection = 'Key *'\nfield = 'user_arn'\nowner = 'ops'\n\
         reason = 'rotation'\n{more}\n"
    )
}

#[test]
fn settings_come_from_the_file_and_flags_win() {
    let fixture = Fixture::new();
    let listed = configured(&fixture, CONTENT, &["detections", "list", "--format", "ndjson"]);
    assert_eq!((listed.status, listed.lines().len()), (0, 4), "{}", listed.err);
    let macros = format!("{CONTENT}[macros]\nm = 'from file'\nn = 'from file'\n");
    let arguments = ["expand", "`m` `n`", "--macro", "m=from flag"];
    assert_eq!(configured(&fixture, &macros, &arguments).out.trim(), "from flag from file");
    let shown = configured(&fixture, &macros, &["config", "--threads", "2", "--format", "ndjson"]);
    let settings = &shown.lines()[0]["settings"];
    assert_eq!(settings["builtin"]["from"], "settings/c.toml:2");
    assert_eq!(settings["threads"]["from"], "--threads");
    assert_eq!(settings["threads"]["value"], 2);
    assert_eq!(settings["lookups"]["from"], "default");
}

#[test]
fn a_mistake_in_the_file_stops_the_run() {
    let fixture = Fixture::new();
    let run = configured(&fixture, "contnt = []\n", &["hunt", "logs"]);
    assert_eq!((run.status, run.out.as_str()), (2, ""));
    assert!(run.err.contains("settings/c.toml:1:1"), "{}", run.err);
    assert!(run.err.contains("did you mean `content`?"), "{}", run.err);
    let gone = fixture.run_builtin(&["hunt", "logs", "--config", "gone.toml"]);
    assert_eq!(gone.status, 2, "{}", gone.err);
    assert!(gone.err.contains("gone.toml"), "{}", gone.err);
}

#[test]
fn a_file_in_the_working_directory_is_not_read() {
    let fixture = Fixture::new();
    let text = allow("pattern = '*'");
    for name in ["config.toml", "spilltrail.toml", "logs/config.toml", "spilltrail/config.toml"] {
        fixture.write(name, &text);
    }
    let run = fixture.run(&["hunt", "logs"]);
    assert_eq!(run.out.lines().count(), 2, "{}", run.err);
}

#[test]
fn what_an_allow_list_hides_is_counted() {
    let fixture = Fixture::new();
    let one = allow("value = 'arn:aws:iam::111122223333:user/ann'");
    let run = configured(&fixture, &one, &["hunt", "logs", "--summary"]);
    let lines = run.lines();
    assert_eq!(lines.len(), 2, "{}", run.out);
    let summary = &lines[1]["summary"];
    assert_eq!((&summary["findings"], &summary["hidden"]), (&1.into(), &1.into()));
    assert_eq!(summary["allow_list"][0]["owner"], "ops");
    assert_eq!(summary["allow_list"][0]["hidden"], 1);
    assert!(run.err.contains("hidden by allow-list: 1 (owner ops)"), "{}", run.err);

    let all = allow("pattern = 'arn:*:user/*'");
    let arguments = ["hunt", "logs", "--format", "table", "--fail-on-finding"];
    let run = configured(&fixture, &all, &arguments);
    assert_eq!(run.status, 0, "{}", run.err);
    assert!(!run.out.contains("No findings"), "{}", run.out);
    assert!(run.out.contains("hidden by allow-list: 2 (owner ops)"), "{}", run.out);
    assert!(run.out.contains("     0  Key Made (2 hidden)"), "{}", run.out);
}

#[test]
fn an_expired_entry_hides_nothing_and_is_named() {
    let fixture = Fixture::new();
    let text = allow("pattern = '*'\nexpires = 2026-03-09");
    let now = ["--now", "2026-03-10T10:00:00Z"];
    let run = configured(&fixture, &text, &[&["hunt", "logs"][..], &now].concat());
    assert_eq!(run.out.lines().count(), 2, "{}", run.err);
    assert!(run.err.contains("settings/c.toml:3: this allow-list entry expired after 2026-03-09"));
    let valid = text.replace("03-09", "03-10");
    let run = configured(&fixture, &valid, &[&["hunt", "logs"][..], &now].concat());
    assert_eq!(run.out, "", "{}", run.err);
}

#[test]
fn networks_are_allowed_by_their_addresses() {
    let fixture = Fixture::new();
    let text = allow("cidr = '192.0.2.0/24'").replace("user_arn", "src_ip");
    let run = configured(&fixture, &text, &["hunt", "logs"]);
    assert_eq!(run.out, "", "{}", run.err);
    let other = text.replace("192.0.2.0", "198.51.100.0");
    let run = configured(&fixture, &other, &["hunt", "logs"]);
    assert_eq!(run.out.lines().count(), 2, "{}", run.err);
}

#[test]
fn all_conditions_of_an_entry_hold() {
    let fixture = Fixture::new();
    let both = |other: &str| format!("{}\nand = [{other}]", allow("pattern = 'arn:*:user/*'"));
    for (other, shown) in [
        ("{ field = 'src_ip', cidr = '192.0.2.0/24' }", 0),
        ("{ field = 'src_ip', cidr = '198.51.100.0/24' }", 2),
        ("{ field = 'user_arn', pattern = '*/ann' }", 1),
        ("{ field = 'user_arn', pattern = '*/ann' }, { field = 'src_ip', value = 'x' }", 2),
    ] {
        let run = configured(&fixture, &both(other), &["hunt", "logs"]);
        assert_eq!(run.out.lines().count(), shown, "{other}: {}", run.err);
    }
    for (other, expected) in [
        ("{ field = 'src_ip' }", "an allow-list entry needs one of `value`, `pattern` and `cidr`"),
        ("{ field = ' ', value = 'x' }", "`field` of an allow-list entry is empty"),
        ("{ field = 'a', value = 'x', cidr = 'y' }", "has both `value` and `cidr`"),
        ("{ value = 'x' }", "missing field `field`"),
    ] {
        let run = configured(&fixture, &both(other), &["hunt", "logs"]);
        assert_eq!(run.status, 2, "{other}");
        assert!(run.err.contains(expected), "{other}: {}", run.err);
    }
}

#[test]
fn an_entry_that_can_hide_nothing_is_warned_of() {
    let fixture = Fixture::new();
    let entry = allow("pattern = 'arn:*'");
    let of = |name: &str| entry.replace("Key *", name);
    for (text, expected) in [
        (of("Key Maed"), &["there is no detection `Key Maed`; did you mean `Key Made`?"][..]),
        (of("d1"), &["there is no detection `d1`; did you mean `Key Made`?"]),
        (of("Door *"), &["there is no detection `Door *`"]),
        (
            entry.replace("user_arn", "user_arm"),
            &["no result of `Key *` has the field `user_arm`; did you mean `user_arn`?"],
        ),
        (entry.clone(), &[]),
        (
            entry.replace("arn:*", "*"),
            &["it hides all that 3 detections may find, because it takes any value for harmless"],
        ),
    ] {
        let expected: Vec<String> =
            expected.iter().map(|text| format!("warning: settings/c.toml:3: {text}")).collect();
        let run = configured(&fixture, &text, &["config"]);
        assert_eq!(run.err.lines().collect::<Vec<_>>(), expected, "{text}");
        let run = configured(&fixture, &text, &["hunt", "logs"]);
        let warned: Vec<&str> =
            run.err.lines().filter(|line| line.contains("settings/c.toml:3")).collect();
        assert_eq!(warned, expected, "once: {text}");
    }
    let many = CONTENT.to_owned()
        + &allow("pattern = '*'").replace(CONTENT, "").replace("Key *", "gone").repeat(3);
    let run = configured(&fixture, &many, &["hunt", "logs"]);
    let counted = "warning: 3 allow-list entries hide nothing or everything \
                   (settings/c.toml:3, settings/c.toml:9 and 1 more)";
    assert!(run.err.contains(counted), "{}", run.err);
    let run = configured(&fixture, &many, &["config"]);
    assert_eq!(run.err.matches("there is no detection `gone`").count(), 3, "{}", run.err);
}

#[test]
fn an_entry_that_hid_nothing_is_mentioned_once() {
    let fixture = Fixture::new();
    let text = allow("value = 'nobody'");
    let note = "note: settings/c.toml:3: this allow-list entry hid nothing (`Key *`, owner ops)";
    for format in ["table", "ndjson"] {
        let run = configured(&fixture, &text, &["hunt", "logs", "--format", format]);
        assert_eq!(run.err.lines().filter(|line| *line == note).count(), 1, "{}", run.err);
    }
    let twice = text.clone() + &text.replace(CONTENT, "");
    let run = configured(&fixture, &twice, &["hunt", "logs"]);
    let note = "note: 2 allow-list entries hid nothing (settings/c.toml:3, settings/c.toml:9)";
    assert!(run.err.contains(note), "{}", run.err);
    // An entry that hides something is not mentioned.
    let run = configured(&fixture, &allow("pattern = 'arn:*'"), &["hunt", "logs"]);
    assert!(!run.err.contains("hid nothing"), "{}", run.err);
}

#[test]
fn a_setting_in_error_is_named_with_its_place() {
    let fixture = Fixture::new();
    for (text, message) in [
        ("content = ['../gone']\n", "check `content` in settings/c.toml:1"),
        ("[macros]\na = '1'\n'm(' = 'x'\n", "`macros` in settings/c.toml:3: the macro `m(=x`"),
        ("lookups = 'c.toml'\n", "check `lookups` in settings/c.toml:1"),
        ("threads = 1000\n", "settings/c.toml:1: expected 1 to 256 threads"),
    ] {
        let run = configured(&fixture, text, &["search", "| makeresults"]);
        assert_eq!(run.status, 2, "{text}: {}", run.err);
        assert!(run.err.contains(message), "{text}: {}", run.err);
        assert!(!run.err.contains("--content") && !run.err.contains("--macro"), "{}", run.err);
    }
    let run = fixture.run_builtin(&["search", "| makeresults", "--content", "gone"]);
    assert!(run.err.contains("check `--content`"), "{}", run.err);
}

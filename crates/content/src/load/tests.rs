//! Content that is read from folders, files and the program itself.

use std::fs;

use super::*;
use crate::set::TestLogs;
use crate::test_folder::TestFolder;

const PACK: &[(&str, &str)] = &[
    (
        "detections/a.yml",
        "name: A\nid: '1'\ntype: TTP\nsearch: x\ntests:\n- {name: t, attack_data: [{data: t.json}]}\n",
    ),
    ("macros/m.yml", "name: m\ndefinition: built in\n"),
    ("lookups/l.yml", "name: l\nfilename: rows.csv\n"),
    ("lookups/rows.csv", "a\n1\n"),
    ("stories/s.yml", "name: S\nnarrative: n\n"),
    ("deployments/d.yml", "name: d\ntype: Hunting\nalert_action: {notable: {}}\n"),
    ("t.json", "{}"),
];

fn messages(problems: &[ContentProblem]) -> Vec<String> {
    problems
        .iter()
        .map(|problem| {
            let file = problem.path.file_name().unwrap().to_string_lossy();
            format!("{file}: {}", problem.diagnostic.message)
        })
        .collect()
}

#[test]
fn a_pack_within_the_program() {
    let (set, problems) = load_embedded(PACK);
    assert_eq!(messages(&problems), Vec::<String>::new());
    let detection = set.detection("a").unwrap();
    let logs = set.test_logs(detection, &detection.tests[0].attack_data[0]);
    assert_eq!(logs, TestLogs::Embedded("{}"));
    assert_eq!(set.macros.get("m", 0).unwrap().definition, "built in");
    assert_eq!(set.lookup("l").unwrap().rows().unwrap().cells(), [["1"]]);
    assert_eq!(set.lookup("rows").unwrap().name, "rows.csv");
    assert!(set.stories.contains_key("S"));
    assert!(set.deployments.get(&crate::DetectionType::Hunting).unwrap().notable.is_some());
}

#[test]
fn one_bad_file_stops_no_other() {
    let folder = TestFolder::new(
        "bad",
        &[
            ("detections/cloud/a.yml", "name: A\nid: '1'\ntype: TTP\n"),
            ("detections/cloud/b.yml", "name: B\nid: '2'\ntype: TTP\nsearch: x\n"),
            ("detections/c.yml", "name: C\nid: 'x\n"),
            ("detections/.d.yml", "hidden: ["),
            ("detections/notes.txt", "no content"),
            ("lookups/l.yml", "name: l\n"),
            ("playbooks/p.yml", "name: P\n"),
        ],
    );
    let (set, problems) = load(std::slice::from_ref(&folder.0), BuiltinPack::LeftOut);
    assert_eq!(set.detections.len(), 1);
    assert_eq!(set.detections[0].path, folder.0.join("detections/cloud/b.yml"));
    let found = messages(&problems);
    assert_eq!(found.len(), 3, "{found:?}");
    assert_eq!(found[0], "c.yml: found unexpected end of stream");
    assert_eq!(found[1], "a.yml: missing key `search`");
    assert!(problems[0].place().is_some() && problems[0].is_error());
    assert!(!problems[2].is_error(), "{found:?}");
}

#[test]
fn event_types_tags_and_data_models() {
    let folder = TestFolder::new(
        "knowledge",
        &[
            (
                "event_types/a.yml",
                "event_types:\n- {name: seen, search: a=1, tags: [x]}\n- {name: aws_cloudtrail, search: b=1}\n",
            ),
            ("event_types/b.yml", "event_types:\n- {name: wrong, search: '(a'}\n"),
            (
                "event_types/c.yml",
                "event_types:\n- {name: third, search: d=1, sarch: d=2}\n- 4\n- {name: fourth, search: e=1, tags: x}\ntag: []\n",
            ),
            ("data_models/m.yml", "data_model: M\ndatasets: [{name: D, search: tag=x}]\n"),
            (
                "app/default/tags.conf",
                "[eventtype=seen]\ny = enabled\n[eventtype=no]\nz = enabled\n",
            ),
            ("app/default/eventtypes.conf", "[more]\nsearch = c=1\n"),
        ],
    );
    let (set, problems) = load(std::slice::from_ref(&folder.0), BuiltinPack::LeftOut);
    assert_eq!(
        messages(&problems),
        [
            "b.yml: the event type `wrong`: `(` is never closed",
            "c.yml: unknown key `sarch` in `event_types.*`",
            "c.yml: unknown key `tag`",
            "c.yml: an event type needs a name and a search",
            "c.yml: the event type `fourth`: its tags are no list of texts",
            "tags.conf: nothing defines the event type `no`, which has tags",
        ]
    );
    let types = set.knowledge.event_types();
    let tags = |name: &str| {
        let found = types.iter().find(|known| known.name == name);
        found.map(|known| known.tags.join(" "))
    };
    assert_eq!(tags("seen").as_deref(), Some("x y"));
    assert_eq!(tags("more").as_deref(), Some(""));
    assert_eq!((tags("third").as_deref(), tags("fourth")), (Some(""), None));
    // One of the same name is replaced, and the other built-in ones stay.
    assert_eq!(tags("aws_cloudtrail").as_deref(), Some(""));
    assert!(tags("aws_cloudtrail_change").is_some());
    assert!(set.knowledge.models().any(|model| model.name == "M"));
}

#[test]
fn many_problems_of_a_file_are_counted() {
    let text = "bad\n".repeat(8000);
    let twice = format!("event_types:\n{}", "- {name: a, search: x=1}\n".repeat(8000));
    let files = [("default/tags.conf", text.as_str()), ("event_types/a.yml", &twice)];
    let folder = TestFolder::new("many", &files);
    let (_, problems) = load(std::slice::from_ref(&folder.0), BuiltinPack::LeftOut);
    let of_tags: Vec<&ContentProblem> =
        problems.iter().filter(|problem| problem.path.ends_with("tags.conf")).collect();
    assert_eq!(of_tags.len(), MOST_TOLD + 1);
    assert_eq!(of_tags[MOST_TOLD].diagnostic.message, "7900 more warnings in this file");
    assert_eq!(of_tags[MOST_TOLD].place(), Some((101, 1)));
    assert!(Arc::ptr_eq(&of_tags[0].source_text, &of_tags[MOST_TOLD].source_text));
    let last = messages(&problems).into_iter().rfind(|told| told.starts_with("a.yml"));
    assert_eq!(last.as_deref(), Some("a.yml: 7979 more event types that are defined twice"));
}

#[test]
fn later_folders_win() {
    let first = TestFolder::new(
        "first",
        &[
            ("detections/a.yml", "name: A\nid: '1'\ntype: TTP\nsearch: old\n"),
            ("detections/b.yml", "name: B\nid: '2'\ntype: TTP\nsearch: old\n"),
            ("detections/c.yml", "name: C\nid: '3'\ntype: TTP\nsearch: old\n"),
            ("macros/m.yml", "name: m\ndefinition: old\n"),
        ],
    );
    let second = TestFolder::new(
        "second",
        &[
            ("detections/a.yml", "name: A\nid: '1'\ntype: TTP\nsearch: new\n"),
            ("detections/b.yml", "name: B\nid: '4'\ntype: TTP\nsearch: new\n"),
            ("detections/c.yml", "name: Other\nid: '3'\ntype: TTP\nsearch: new\n"),
            ("macros/m.yml", "name: m\ndefinition: new\n"),
        ],
    );
    let folders = [first.0.clone(), second.0.clone()];
    let (mut set, problems) = load(&folders, BuiltinPack::LeftOut);
    let searches: Vec<&str> = set.detections.iter().map(|d| d.search.as_str()).collect();
    assert_eq!(searches, ["new", "new", "new"]);
    assert_eq!(set.macros.get("m", 0).unwrap().definition, "new");
    let found = messages(&problems);
    assert!(found.len() == 1 && found[0].starts_with("c.yml: detection `Other`"), "{found:?}");
    set.override_macro("m=newest").unwrap();
    set.override_macros("n: x\n", "macros.yml").unwrap();
    assert_eq!(set.macros.get("m", 0).unwrap().definition, "newest");
    assert!(set.macros.get("n", 0).is_some());
}

#[test]
fn the_same_thing_twice_in_a_folder() {
    let folder = TestFolder::new(
        "twice",
        &[
            ("detections/a.yml", "name: A\nid: '1'\ntype: TTP\nsearch: one\n"),
            ("detections/b.yml", "name: A\nid: '1'\ntype: TTP\nsearch: two\n"),
            ("detections/c.yml", "name: A\nid: '2'\ntype: TTP\nsearch: three\n"),
            ("macros/m.yml", "name: m\ndefinition: x\n"),
            ("macros/n.yml", "name: m\ndefinition: y\n"),
        ],
    );
    let (set, problems) = load(std::slice::from_ref(&folder.0), BuiltinPack::LeftOut);
    assert_eq!(set.detections.len(), 2);
    assert_eq!(set.detection("1").unwrap().search, "two");
    assert_eq!(set.macros.get("m", 0).unwrap().definition, "y");
    assert_eq!(problems.len(), 3);
    assert!(problems.iter().all(|p| p.diagnostic.code == Code::DUPLICATE_CONTENT));
}

#[test]
fn schedules_are_found_by_name_by_type_and_in_the_file() {
    let search = "type: TTP\nsearch: x\n";
    let schedule = |name: &str, minute: u32| {
        format!("name: {name}\ncron_schedule: '{minute} * * * *'\nearliest_time: -2h@h\n")
    };
    let named = |name: &str| format!("name: {name}\nid: {name}\n{search}");
    let files = [
        ("schedules/a.yml", schedule("Default EventBasedDetection", 1)),
        ("schedules/b.yml", schedule("Default Baseline", 2)),
        ("schedules/c.yml", schedule("Night", 3)),
        ("detections/plain.yml", named("plain")),
        ("detections/named.yml", format!("{}schedule: Night\n", named("named"))),
        (
            "detections/own.yml",
            format!(
                "{}schedule: Night\ncustom_schedule: {{cron_schedule: '4 * * * *'}}\n",
                named("own")
            ),
        ),
        ("detections/wrong.yml", format!("{}schedule: Nigth\n", named("wrong"))),
        ("baselines/base.yml", "name: base\nid: base\nsearch: x\n".to_owned()),
    ];
    let files: Vec<(&str, &str)> =
        files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let folder = TestFolder::new("schedules", &files);
    let (set, problems) = load(std::slice::from_ref(&folder.0), BuiltinPack::LeftOut);
    assert_eq!(messages(&problems), ["wrong.yml: there is no schedule `Nigth`"]);
    assert_eq!(problems[0].place(), Some((5, 11)));
    assert_eq!(problems[0].diagnostic.help.as_deref(), Some("did you mean `Night`?"));
    let minute = |detection: &Detection| {
        let scheduling = detection.scheduling(&set).unwrap();
        scheduling.cron_schedule.split(' ').next().unwrap().to_owned()
    };
    for (name, expected) in [("plain", "1"), ("named", "3"), ("own", "4"), ("wrong", "1")] {
        assert_eq!(minute(set.detection(name).unwrap()), expected, "{name}");
    }
    assert_eq!(minute(set.baseline("BASE").unwrap()), "2");
    let (none, _) = load(&[folder.0.join("detections/plain.yml")], BuiltinPack::LeftOut);
    let scheduling = none.detections[0].scheduling(&none).unwrap();
    assert_eq!(scheduling.earliest_time, "-70m@m");
}

#[test]
fn a_plain_folder_is_told_apart_by_keys() {
    let folder = TestFolder::new(
        "plain",
        &[
            ("one.yml", "name: A\nid: '1'\ntype: TTP\nsearch: x\n"),
            ("two.yml", "name: m\ndefinition: x\n"),
            ("three.yml", "name: l\nfilename: rows.csv\n"),
            ("rows.csv", "a\n"),
            ("four.yml", "name: D\nhow_to_implement: y\n"),
            ("five.yml", "unrelated: true\n"),
        ],
    );
    let (set, problems) = load(std::slice::from_ref(&folder.0), BuiltinPack::LeftOut);
    assert_eq!(messages(&problems), ["four.yml: missing key `search`"]);
    assert_eq!((set.detections.len(), set.lookups.len()), (1, 2));
    assert!(set.macros.get("m", 0).is_some());
    let (single, problems) = load(&[folder.0.join("one.yml")], BuiltinPack::LeftOut);
    assert_eq!((single.detections.len(), problems.len()), (1, 0));
}

#[test]
fn folders_without_content_are_problems() {
    let folder = TestFolder::new("empty", &[("readme.txt", "x")]);
    let (_, problems) = load(std::slice::from_ref(&folder.0), BuiltinPack::LeftOut);
    assert_eq!(problems[0].diagnostic.code, Code::NO_CONTENT);
    let (_, problems) = load(&[folder.0.join("gone")], BuiltinPack::LeftOut);
    assert_eq!(problems[0].diagnostic.code, Code::UNREADABLE);
    assert_eq!(problems.len(), 1);
}

#[test]
fn a_file_beyond_the_limit_is_not_read() {
    let folder = TestFolder::new("large", &[("detections/a.yml", "name: A\nid: '1'\nsearch: x\n")]);
    let path = folder.0.join("detections/a.yml");
    fs::write(&path, vec![b'#'; MAX_YAML_BYTES as usize + 1]).unwrap();
    let (_, problems) = load(std::slice::from_ref(&folder.0), BuiltinPack::LeftOut);
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].diagnostic.code, Code::UNREADABLE);
    fs::write(&path, b"\xff\xfe").unwrap();
    let (_, problems) = load(std::slice::from_ref(&folder.0), BuiltinPack::LeftOut);
    assert!(problems[0].diagnostic.message.contains("UTF-8"));
}

#[test]
fn a_mistake_in_a_detection_is_a_warning_with_its_line() {
    let folder = TestFolder::new(
        "mistakes",
        &[
            ("detections/a.yml", "name: A\nid: '1'\ntype: TTP\nserach: x\n"),
            (
                "detections/b.yml",
                "name: B\nid: '2'\ntype: Anomoly\nsearch: x\ntags:\n  mitre_attack_id: [T99]\n",
            ),
        ],
    );
    let (_, problems) = load(std::slice::from_ref(&folder.0), BuiltinPack::LeftOut);
    let found: Vec<_> = problems
        .iter()
        .map(|problem| {
            let message = problem.diagnostic.message.split(':').next().unwrap();
            (message, problem.place(), problem.is_error())
        })
        .collect();
    assert_eq!(
        found,
        [
            ("unknown key `serach`", Some((4, 1)), false),
            ("missing key `search`", Some((1, 1)), true),
            ("unknown type `Anomoly`", Some((3, 7)), false),
            ("`T99` is not the id of an ATT&CK technique", Some((6, 21)), false),
        ]
    );
}

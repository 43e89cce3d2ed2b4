//! Tests of content folders that are not as they should be, and of kept lookups.

use crate::fixture::Fixture;

#[test]
fn a_missing_content_folder_ends_before_anything_runs() {
    let fixture = Fixture::new();
    for command in [&["hunt", "logs"][..], &["detections", "list"], &["expand", "x"]] {
        let run = fixture.run_builtin(&[command, &["--content", "gone"]].concat());
        assert_eq!((run.status, run.out.as_str()), (2, ""), "{command:?}");
        assert!(run.err.contains("the content folder gone: "), "{}", run.err);
    }
}

#[test]
fn mistakes_in_content_are_named_with_line_and_column() {
    let fixture = Fixture::new();
    fixture.detection(5, "Misspelled", "Anomoly", "eventName=X | stats count by user_arn", "");
    let run = fixture.run(&["hunt", "logs"]);
    let expected = "warning[SPL4006]: content/detections/d5.yml:7:7: unknown type `Anomoly`";
    assert!(run.err.contains(expected), "{}", run.err);
    assert!(run.err.contains("did you mean `Anomaly`?"), "{}", run.err);
    assert_eq!(run.status, 0);
    let listed = fixture.run(&["detections", "list"]);
    assert!(listed.err.contains("content/detections/d5.yml:7:7"), "{}", listed.err);
}

#[test]
fn kept_lookups_get_a_folder_and_are_replaced_whole() {
    let fixture = Fixture::new();
    let search = "| makeresults | eval a=1 | table a | outputlookup kept.csv";
    for _ in 0..2 {
        let run = fixture.run(&["search", search, "--lookups", "new/folder"]);
        assert_eq!(run.status, 0, "{}", run.err);
    }
    let kept = std::fs::read_to_string(fixture.path("new/folder/kept.csv")).unwrap();
    assert_eq!(kept, "a\n1\n");
    let files = std::fs::read_dir(fixture.path("new/folder")).unwrap().count();
    assert_eq!(files, 1);
}

/// Content may be a stranger's, and the folder of kept lookups may lie beside anything.
#[test]
fn a_lookup_is_read_from_the_kept_folder_only() {
    let fixture = Fixture::new();
    fixture.write("secret.csv", "user,left\nann,x\n");
    fixture.write("kept/plain.csv", "user,left\nbob,y\n");
    for (rows, found) in [
        ("filename: ../secret.csv", ""),
        ("collection: ../secret", ""),
        ("collection: secret/../../secret", ""),
        ("filename: plain.csv", "bob"),
        ("collection: plain", "bob"),
    ] {
        fixture.write("content/lookups/users.yml", &format!("name: users\n{rows}\n"));
        let search = "| inputlookup users | table user";
        let run = fixture.run(&["search", search, "--lookups", "kept", "--format", "csv"]);
        assert!(!run.out.contains("ann"), "{rows}: {run:?}");
        assert_eq!(run.out.lines().nth(1).unwrap_or_default(), found, "{rows}: {run:?}");
    }
}

/// What the definition says of columns is about the kept table, too.
#[test]
fn a_kept_lookup_is_as_its_definition_says() {
    let fixture = Fixture::new();
    fixture.write(
        "content/lookups/of_users.yml",
        "name: of_users\ncollection: of_users\nfields: [user, avg]\n",
    );
    for (fields, expected) in
        [("user avg more", "user,avg\na,2\n"), ("more avg", "avg\n2\n"), ("more", "user,avg\n")]
    {
        let search = format!(
            "| makeresults | eval user=\"a\", avg=2, more=1 | table {fields} | outputlookup of_users"
        );
        let run = fixture.run(&["search", &search, "--lookups", "kept"]);
        assert_eq!(run.status, 0, "{run:?}");
        let kept = std::fs::read_to_string(fixture.path("kept/of_users.csv")).unwrap();
        assert_eq!(kept, expected, "{fields}");
    }
    let definition = "name: matched\nfilename: matched.csv\nmatch_type: WILDCARD(nmae)\n";
    fixture.write("content/lookups/matched.yml", definition);
    fixture.write("content/lookups/matched.csv", "user,name\na,b\n");
    fixture.write("kept/matched.csv", "user,name\na,c\n");
    let search = "| makeresults | eval user=\"a\" | lookup matched user OUTPUT name | table name";
    for more in [&[][..], &["--lookups", "kept"]] {
        let run = fixture.run(&[&["search", search], more].concat());
        assert_eq!(run.status, 1, "{more:?}: {run:?}");
        assert!(run.err.contains("`match_type` names the column `nmae`"), "{more:?}: {run:?}");
    }
}

/// What runs under a known name is not what the name suggests if content has replaced it.
#[test]
fn content_that_replaces_other_content_is_told() {
    let fixture = Fixture::new();
    let task = "AWS Exfiltration via DataSync Task";
    fixture.write(
        "own/macros/cloudtrail.yml",
        "name: cloudtrail\ndescription: x\ndefinition: sourcetype=other\n",
    );
    fixture.write(
        "own/macros/aws_exfiltration_via_datasync_task_filter.yml",
        "name: aws_exfiltration_via_datasync_task_filter\ndescription: x\ndefinition: search a=b\n",
    );
    fixture.detection(5, task, "TTP", "eventName=X | stats count by user_arn", "");
    let note = "note: content replaces 1 macro (`cloudtrail`); `spilltrail detections list` names";
    let both =
        format!("note: content replaces 1 macro (`cloudtrail`) and 1 detection (`{task}`); ");
    let full = "note: content replaces the macro `cloudtrail`: own/macros/cloudtrail.yml\n";
    let own = ["--content", "own"];
    let twice = ["--no-builtin", "--content", "content", "--content", "content"];
    for (command, more, expected) in [
        (&["hunt", "logs"][..], &own[..], note),
        (&["hunt", "logs", "--all"], &own, full),
        (&["detections", "list"], &own, full),
        (&["hunt", "logs"], &["--content", "own", "--content", "content"], &both),
        // The same search replaces nothing.
        (&["hunt", "logs"], &twice, ""),
    ] {
        let run = fixture.run_builtin(&[command, more].concat());
        let count = run.err.matches("note: content replaces").count();
        assert_eq!(count, usize::from(!expected.is_empty()), "{}", run.err);
        assert!(run.err.contains(expected), "{command:?} {more:?}: {}", run.err);
    }
}

/// A warning about an own detection may be why it finds nothing, so that it is told without `--all`.
#[test]
fn warnings_of_own_detections_that_find_nothing_are_told() {
    let fixture = Fixture::new();
    let silent =
        "eventName=CreateKey | eval a=if(match(userIdentity.arn, \"a\"), 1, 0) | search a=1";
    fixture.detection(5, "Dotted", "TTP", silent, "");
    let note =
        "note: 1 detection that found nothing has warnings: Dotted (SPL2008); --all shows them\n";
    let line = "warning[SPL2008]: Dotted: ";
    for (options, status, expected) in
        [(&[][..], 0, note), (&["--detection", "Dotted"], 0, note), (&["--all"], 0, line)]
    {
        let run = fixture.run(&[&["hunt", "logs"], options].concat());
        assert_eq!(run.status, status, "{options:?}: {}", run.err);
        assert!(run.err.contains(expected), "{options:?}: {}", run.err);
    }
    // A collection is not the user's own, and what is named of it is.
    for number in 0..20 {
        let name = format!("content/detections/more{number}.yml");
        let text = std::fs::read_to_string(fixture.path("content/detections/d3.yml")).unwrap();
        let text = text.replace("Key Gone", &format!("More {number}"));
        fixture.write(&name, &text.replace("-000000000003", &format!("-0000000001{number:02}")));
    }
    let run = fixture.run(&["hunt", "logs"]);
    assert!(!run.err.contains("Dotted"), "{}", run.err);
    let run = fixture.run(&["hunt", "logs", "--detection", "Dotted"]);
    assert!(run.err.contains(note), "{}", run.err);
}

/// Mistakes in searches are told by the list, and shown with one of its detections.
#[test]
fn the_list_tells_of_mistakes_in_searches() {
    let fixture = Fixture::new();
    let run = fixture.run(&["detections", "list"]);
    assert_eq!((run.status, run.err.as_str()), (0, ""));
    let silent =
        "eventName=CreateKey | eval a=if(match(userIdentity.arn, \"a\"), 1, 0) | search a=1";
    fixture.detection(5, "Dotted", "TTP", silent, "");
    fixture.detection(
        6,
        "Odd",
        "TTP",
        "eventName=CreateKey | stats count by user_arn | frobnicate",
        "",
    );
    fixture.detection(7, "Open", "TTP", "eventName=CreateKey | where (", "");
    let run = fixture.run(&["detections", "list"]);
    let expected = "note: 2 detections have problems (1 SPL1006, 1 SPL2008): Dotted, Open; ";
    assert!(run.err.contains(expected), "{}", run.err);
    assert!(run.err.contains("1 detection uses what is not supported"), "{}", run.err);
    assert!(run.err.ends_with("`spilltrail detections show NAME` shows why\n"), "{}", run.err);
    let shown = fixture.run(&["detections", "show", "Open"]);
    assert!(shown.err.contains(" --> Open:1:"), "{}", shown.err);
}

/// A file that is not text is named, with what it lacks.
#[test]
fn files_that_are_not_text_are_named() {
    let fixture = Fixture::empty();
    std::fs::create_dir_all(fixture.path("content/detections")).unwrap();
    std::fs::write(fixture.path("content/detections/a.yml"), b"\xff\xfen\0").unwrap();
    let run = fixture.run(&["check", "--format", "table"]);
    assert_eq!(run.status, 3, "{}", run.err);
    assert!((run.out + &run.err).contains("detections/a.yml"), "{}", run.err);
}

/// No row can have two columns of one name; a lookup with them cannot be used.
#[test]
fn a_lookup_with_a_column_twice_is_refused() {
    let fixture = Fixture::new();
    fixture.write("content/lookups/two.csv", "x,x\n1,2\n");
    fixture.write("content/lookups/two.yml", "name: two\nlookup_type: csv\n");
    for search in ["| inputlookup two", "eventName=* | lookup two x OUTPUT x as y"] {
        let run = fixture.run(&["search", search, "logs"]);
        assert_eq!((run.status, run.out.as_str()), (2, ""), "{search} {}", run.err);
        let told = "error[SPL5003]: the lookup `two` has two columns `x`";
        assert!(run.err.contains(told), "{search} {}", run.err);
    }
}

/// What cannot be read of a damaged table would be lost if rows were added to the rest.
#[test]
fn rows_are_not_added_to_a_damaged_table() {
    let fixture = Fixture::new();
    let damaged = "user,ok\nann,1,2\n";
    for command in ["outputlookup append=t kept.csv", "outputcsv append=t kept"] {
        fixture.write("tables/kept.csv", damaged);
        let search = format!("| makeresults | eval user=\"eve\" | table user | {command}");
        let run = fixture.run(&["search", &search, "logs", "--lookups", "tables"]);
        assert_eq!((run.status, run.out.as_str()), (2, ""), "{command}: {}", run.err);
        assert!(run.err.contains("is damaged, so no rows can be added to it"), "{}", run.err);
        let kept = std::fs::read_to_string(fixture.path("tables/kept.csv")).unwrap();
        assert_eq!(kept, damaged, "{command}");
    }
}

/// What is nearly right says what is meant.
#[test]
fn mistakes_in_searches_say_what_is_meant() {
    let fixture = Fixture::new();
    fixture.write("content/lookups/known_users.csv", "user,ok\nann,1\n");
    for (search, status, told) in [
        ("* | lookup knwon_users user", 1, "help: did you mean `known_users`?"),
        (
            "* | stats sum a.b",
            2,
            "help: write a field into the parentheses of a function: `sum(a.b)`",
        ),
        ("* | if(a=1, 2, 3)", 2, "help: `if` is a function of `eval`: write `eval field=if(…)`"),
        ("* | eval if(a=1, 2, 3)", 2, "help: write the field for the value first"),
        ("* | stats count by user | eval a=lower(usr)", 0, "help: did you mean `user`?"),
        (
            "eventName=* | head 1 | map search=\"search sourcetype=$user$ latest=$_time$\"",
            0,
            "the search sets its own range: latest=$_time$",
        ),
    ] {
        let run = fixture.run(&["search", search, "logs", "--content", "content"]);
        assert_eq!(run.status, status, "{search}: {}", run.err);
        assert!(run.err.contains(told), "{search}: {}", run.err);
        assert!(!run.err.contains("of_row"), "{search}: {}", run.err);
    }
    fixture.write("content/macros/m.yml", "name: calls\ndefinition: eventName=CreateKey\n");
    fixture.detection(1, "Named", "Hunting", "`calls` | head", "");
    let run = fixture.run(&["expand", "--detection", "Named", "--content", "content"]);
    assert_eq!((run.status, run.out.as_str()), (0, "eventName=CreateKey | head\n"), "{}", run.err);
    assert_eq!(fixture.run(&["expand"]).status, 2);
}

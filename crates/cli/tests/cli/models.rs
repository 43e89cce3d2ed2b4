//! Tests of data models, event types and tags over logs.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::fixture::{Fixture, Run, call};

/// The environment variable that names the folder with logs of others.
const CASES: &str = "SPILLTRAIL_TEST_CASES";

/// Returns a folder with a console login, a new user, and the termination of an instance.
fn changes() -> Fixture {
    let fixture = Fixture::empty();
    let login = json!({
        "eventType": "AwsConsoleSignIn",
        "responseElements": {"ConsoleLogin": "Failure"},
        "additionalEventData": {"LoginTo": "https://console.aws.amazon.com/", "MFAUsed": "No"},
    });
    let user = json!({"responseElements": {"user": {"userName": "eve"}}});
    let items = json!({"items": [{"instanceId": "i-1", "imageId": "ami-1"}]});
    let ended = json!({"requestParameters": {"instancesSet": items}});
    let records = [
        call(0, "signin.amazonaws.com", "ConsoleLogin", login),
        call(1, "iam.amazonaws.com", "CreateUser", user),
        call(2, "ec2.amazonaws.com", "TerminateInstances", ended),
        call(3, "ec2.amazonaws.com", "DescribeInstances", json!({})),
    ];
    fixture.write("logs/a.json", &json!({ "Records": records }).to_string());
    fixture
}

fn search(fixture: &Fixture, search: &str) -> Run {
    fixture.run_builtin(&["search", search, "logs", "--format", "ndjson"])
}

#[test]
fn trails_fill_change_and_authentication() {
    let fixture = changes();
    let by = "All_Changes.user All_Changes.command All_Changes.action All_Changes.status \
              All_Changes.object All_Changes.object_category All_Changes.object_id \
              All_Changes.change_type All_Changes.user_type All_Changes.vendor_region \
              All_Changes.src All_Changes.user_agent";
    let changes = format!(
        "| tstats count from datamodel=Change by {by} | `drop_dm_object_name(All_Changes)`"
    );
    let common = json!({
        "status": "success", "user_type": "IAMUser", "vendor_region": "eu-west-1",
        "src": "192.0.2.1", "user_agent": "aws-cli", "count": 1,
    });
    let with = |mut row: Value| {
        for (key, value) in common.as_object().into_iter().flatten() {
            row[key] = value.clone();
        }
        row
    };
    let run = search(&fixture, &changes);
    let expected = [
        with(json!({"user": "ann", "command": "TerminateInstances", "action": "deleted",
            "object": "i-1", "object_category": "instance", "object_id": "i-1",
            "change_type": "virtual_server"})),
        with(json!({"user": "eve", "command": "CreateUser", "action": "created",
            "object": "eve", "object_category": "user", "object_id": "eve",
            "change_type": "AAA"})),
    ];
    assert_eq!((run.err.as_str(), run.lines().as_slice()), ("", &expected[..]));

    for (written, expected) in [
        (
            "| tstats count from datamodel=Authentication where Authentication.action=failure by Authentication.user Authentication.app Authentication.signature Authentication.dest Authentication.user_id Authentication.vendor_account | `drop_dm_object_name(Authentication)`",
            json!([{"user": "ann", "app": "AwsConsoleSignIn", "signature": "ConsoleLogin", "dest": "https://console.aws.amazon.com/", "user_id": "AIDA1", "vendor_account": "111122223333", "count": 1}]),
        ),
        // A field of a part of the dataset, of the events in that part.
        (
            "| tstats count from datamodel=Change by All_Changes.Instance_Changes.image_id",
            json!([{"All_Changes.Instance_Changes.image_id": "ami-1", "count": 1}]),
        ),
        // A field that a part has from its parent is of the events in the part, too.
        (
            "| tstats count from datamodel=Change by All_Changes.Instance_Changes.user",
            json!([{"All_Changes.Instance_Changes.user": "ann", "count": 1}]),
        ),
        (
            "| tstats count from datamodel=Change where All_Changes.Instance_Changes.user=*",
            json!([{"count": 1}]),
        ),
        (
            "| tstats count from datamodel=Change where nodename=All_Changes.Account_Management All_Changes.dvc!=x by All_Changes.command",
            json!([{"All_Changes.command": "CreateUser", "count": 1}]),
        ),
        (
            "| tstats count from datamodel=Change where All_Changes.result=CreateUser NOT All_Changes.tag=instance by _time span=1h",
            json!([{"_time": 1_773_133_200, "count": 1}]),
        ),
        // Options may stand between the aggregations.
        (
            "| tstats count summariesonly=false dc(All_Changes.command) as calls allow_old_summaries=true from datamodel=Change",
            json!([{"count": 2, "calls": 2}]),
        ),
        (
            "| datamodel Change Accounts_Created flat | table user tag",
            json!([{"user": "eve", "tag": ["account", "change", "cloud", "management"]}]),
        ),
        (
            "| from datamodel:\"Authentication.Failed_Authentication\" | stats count by user",
            json!([{"user": "ann", "count": 1}]),
        ),
        (
            "tag=instance | stats count by eventName, eventtype",
            json!([
                {"eventName": "TerminateInstances", "eventtype": "aws_cloudtrail", "count": 1},
                {"eventName": "TerminateInstances", "eventtype": "aws_cloudtrail_instance", "count": 1},
            ]),
        ),
        ("eventtype=*consolelogin* NOT tag=change | stats count", json!([{"count": 1}])),
    ] {
        let run = search(&fixture, written);
        assert_eq!((run.err.as_str(), json!(run.lines())), ("", expected), "{written}");
    }
}

/// A command that reads every field keeps those that are computed only where they are named.
#[test]
fn tags_survive_commands_that_read_all_fields() {
    let fixture = changes();
    let count = |written: &str| {
        let run = search(&fixture, written);
        json!(run.lines())
    };
    let expected = count("tag=change | stats count");
    assert_ne!(expected, json!([{"count": 0}]));
    for command in
        ["typer", "uniq", "tags outputfield=o", "kmeans k=2 recordVersion", "outputlookup x"]
    {
        let written =
            format!("* | eval recordVersion=1 | {command} | search tag=change | stats count");
        assert_eq!(count(&written), expected, "{command}");
    }
}

/// Nobody defines them, so that nothing matches, and that is said.
#[test]
fn what_nobody_defines_is_told() {
    let fixture = changes();
    for (written, told) in [
        ("tag=chnge", "no event type has the tag `chnge`"),
        ("eventtype=nosuch", "nothing defines the event type `nosuch`"),
        ("user=ann | search tag=chnge OR tag=chang", "no event type has the tag `chnge`"),
        ("* | where searchmatch(\"a=1 tag=chnge\")", "no event type has the tag `chnge`"),
        ("* | stats count by tag | search tag IN (chnge)", "no event type has the tag `chnge`"),
        ("* | typer | search eventtype=nosuch", "nothing defines the event type `nosuch`"),
        ("* | tags | search tag=chnge", "no event type has the tag `chnge`"),
        ("tag::user=admin", "no value of `user` has the tag `admin`"),
        ("* | where tag=\"chnge\"", "no event type has the tag `chnge`"),
        ("* | where eventtype IN (\"nosuch\")", "nothing defines the event type `nosuch`"),
        ("* | where in(eventtype, \"nosuch\")", "nothing defines the event type `nosuch`"),
        (
            "| from datamodel:Change.All_Changes | search tag=chnge",
            "no event type has the tag `chnge`",
        ),
        (
            "| tstats count from datamodel=Endpoint.Registry by Registry.dest",
            "SPL2025]: no event type here feeds the data model `Endpoint.Registry`",
        ),
    ] {
        let run = search(&fixture, written);
        assert_eq!(run.out, "", "{written}");
        assert!(run.err.contains(told), "{written}: {}", run.err);
        assert_eq!(run.status, i32::from(!told.contains("SPL2025")), "{written}");
    }
    // What nothing defines excludes nothing.
    for written in [
        "* | search NOT tag=chnge | stats count",
        "* | search tag!=chnge | stats count",
        "* | where tag!=\"chnge\" | stats count",
    ] {
        let run = search(&fixture, written);
        let is_told = run.err.contains("no event type has the tag `chnge`");
        assert!(run.status == 1 && is_told, "{written}: {run:?}");
    }
    // A command may make a field of this name.
    for written in [
        "* | eval tag=\"chnge\" | search tag=chnge | stats count",
        "* | eval tag=\"chnge\", b=if(tag=\"chnge\", 1, 0) | stats count",
        "* | fillnull value=chnge tag | search tag=chnge | stats count",
        "* | replace a with chnge in tag | search tag=chnge | stats count",
        "* | rename user as tag | search tag=chnge | stats count",
        "* | lookup aws_regions x OUTPUT tag | search tag=chnge | stats count",
        "| makeresults | search tag=chnge | stats count",
    ] {
        let run = search(&fixture, written);
        assert!(!run.err.contains("SPL2032"), "{written}: {}", run.err);
    }
}

/// A blank and the text `unknown` name no product.
#[test]
fn events_name_their_product() {
    let fixture = Fixture::empty();
    fixture.write(
        "logs/rows.json",
        "{\"k\":1,\"vendor_product\":\"A B\",\"vendor\":\"C\"}\n\
         {\"k\":2,\"vendor_product\":\"\",\"vendor\":\"C\",\"product\":\"D\"}\n\
         {\"k\":3,\"vendor_product\":\"unknown\",\"vendor\":\"\"}\n\
         {\"k\":4,\"vendor\":\"C\",\"product\":\"\"}\n\
         {\"k\":5,\"vendor\":\"unknown\",\"product\":\"D\"}\n",
    );
    fixture.write(
        "content/data_models/named.yml",
        "data_model: Named\ndatasets:\n- {name: N, search: k=*, fields: [k], vendor_product: true}\n",
    );
    let written = "| from datamodel:Named.N | sort k | fields k vendor_product";
    let run =
        fixture.run(&["search", written, "logs", "--content", "content", "--format", "ndjson"]);
    let names: Vec<Value> =
        run.lines().into_iter().map(|mut row| row["vendor_product"].take()).collect();
    assert_eq!(
        json!(names),
        json!(["A B", "C D", "json", "C unknown", "unknown D"]),
        "{}",
        run.err
    );
}

#[test]
fn content_adds_event_types_and_data_models() {
    let fixture = changes();
    fixture.write(
        "content/event_types/ours.yml",
        "event_types:\n- name: looks\n  search: eventName=Describe*\n  tags: [look]\n",
    );
    fixture.write("content/eventtypes.conf", "[logins]\nsearch = eventName=ConsoleLogin\n");
    fixture.write("content/tags.conf", "[eventtype=logins]\nlook = enabled\n");
    fixture.write(
        "content/data_models/ours.yml",
        "data_model: Ours\ndatasets:\n- name: Looks\n  search: tag=look\n  unknown: [reason]\n  calculated: {who: upper(user)}\n",
    );
    let written =
        "| tstats count from datamodel=Ours where Looks.who=ANN by Looks.who Looks.reason";
    let run = fixture.run(&["search", written, "logs", "--format", "ndjson"]);
    let expected = json!([{"Looks.who": "ANN", "Looks.reason": "unknown", "count": 2}]);
    assert_eq!((run.err.as_str(), json!(run.lines())), ("", expected));
}

/// Events of such types may not be found, so that each search that asks for them says so.
#[test]
fn event_types_that_nest_too_deep_are_told() {
    let fixture = changes();
    let types = (0..20).map(|i| {
        let search =
            if i == 19 { "eventName=*".to_owned() } else { format!("eventtype=t{}", i + 1) };
        format!("- {{name: t{i}, search: '{search}', tags: [c{i}]}}\n")
    });
    let types: String = types.collect();
    fixture.write("content/event_types/ours.yml", &format!("event_types:\n{types}"));
    fixture.write(
        "content/data_models/ours.yml",
        "data_model: M\ndatasets:\n- {name: Deep, search: tag=c0}\n- {name: Flat, search: tag=c19}\n",
    );
    let nested = "nests more than 16 event types";
    for (search, told, place) in [
        ("tag=c0 | stats count", "the event type `t0`", "tag=c0 | stats count\n  | ^^^^^^"),
        (
            "* | search tag=c0 | stats count",
            "events may lack values of `tag`: the event type `t1`",
            ", and others do, too",
        ),
        ("* | stats count by tag", "events may lack values of `tag`: the event type `t1`", ""),
        ("| tstats count from datamodel=M.Deep", "the event type `t0`", "^^^^^^"),
        ("| from datamodel:M.Deep | stats count", "the event type `t0`", "^^^^^^"),
        ("| tstats count from datamodel=M.Flat", "", ""),
        ("tag=c3 | stats count", "", ""),
    ] {
        let run = fixture.run(&["search", search, "logs", "--format", "ndjson"]);
        if told.is_empty() {
            assert_eq!((run.err.as_str(), run.lines()[0]["count"].clone()), ("", json!(4)));
            continue;
        }
        assert!(run.err.contains(&format!("{told} {nested}")), "{search}: {}", run.err);
        assert!(run.err.contains(place), "{search}: {}", run.err);
        assert_eq!(run.err.matches(nested).count(), 1, "{search}: {}", run.err);
    }
}

/// What the published detections that read Change or Authentication ask for, over the logs of others.
///
/// The numbers were counted in the raw events, by the name of the call, its source and its error.
/// Nothing can match two of the conditions: the add-on gives security groups their own category, and
/// calls on instances another type of change than `EC2`.
#[test]
fn published_conditions_over_logs_of_others() {
    let Some(cases) = std::env::var_os(CASES) else { return };
    let corpus = PathBuf::from(cases).join("corpus");
    let fixture = Fixture::empty();
    // The condition, and the numbers of events of `invictus`, `stratus-a` and `crafted-2026`.
    for (condition, expected) in [
        ("Change", [439, 7, 18]),
        ("Change where All_Changes.status=success", [124, 3, 10]),
        (
            "Change where All_Changes.action=deleted AND All_Changes.status=success AND All_Changes.object_category=instance",
            [2, 0, 0],
        ),
        (
            "Change where (All_Changes.action=created) AND All_Changes.status=success AND All_Changes.object_category=instance",
            [2, 0, 0],
        ),
        (
            "Change where All_Changes.object_category=firewall AND All_Changes.status=success",
            [0, 0, 0],
        ),
        (
            "Change where All_Changes.user_type=AssumedRole AND All_Changes.status=success",
            [2, 0, 0],
        ),
        ("Change where All_Changes.action=created", [52, 1, 1]),
        (
            "Change where All_Changes.action=created All_Changes.Instance_Changes.image_id=ami*",
            [8, 1, 0],
        ),
        (
            "Change where All_Changes.action=modified All_Changes.change_type=EC2 All_Changes.status=success",
            [0, 0, 0],
        ),
        (
            "Change where (All_Changes.action=started OR All_Changes.action=created) All_Changes.status=success",
            [42, 0, 1],
        ),
        (
            "Change WHERE All_Changes.object_category = \"security_group\" (All_Changes.action = modified OR All_Changes.action = deleted OR All_Changes.action = created)",
            [8, 1, 0],
        ),
        ("Authentication", [25, 12, 83]),
        ("Authentication where Authentication.signature=ConsoleLogin", [2, 1, 83]),
        ("Authentication where Authentication.signature=AssumeRole", [23, 10, 0]),
        (
            "Authentication where Authentication.action = failure Authentication.app=AwsConsoleSignIn Authentication.signature=ConsoleLogin",
            [0, 0, 81],
        ),
    ] {
        for (folder, expected) in ["invictus", "stratus-a", "crafted-2026"].iter().zip(expected) {
            let logs = corpus.join(folder);
            let written = format!("| tstats count from datamodel={condition}");
            let logs = logs.to_str().unwrap();
            let run = fixture.run(&["search", &written, logs, "--format", "ndjson"]);
            assert_eq!(json!(run.lines()), json!([{ "count": expected }]), "{folder}: {condition}");
        }
    }
}

/// Beyond their limit, event types are not compared, which the status says.
#[test]
fn event_types_beyond_their_limit_are_in_the_status() {
    let fixture = Fixture::new();
    let many: String = (0..6000).map(|n| format!("- {{name: t{n}, search: user=a{n} OR user=b{n} OR user=c{n} OR user=d{n} OR user=e{n} OR user=f{n} OR user=g{n} OR user=h{n}, tags: [wide]}}\n")).collect();
    fixture.write("content/event_types/wide.yml", &format!("event_types:\n{many}"));
    let run = fixture.run(&["search", "tag=wide | stats count", "logs"]);
    assert_eq!(run.status, 1, "{}", run.err);
    assert!(run.err.contains("warning[SPL1005]"), "{}", run.err);
}

//! What is said about searches that are valid and most likely not meant.

use crate::fixture::Fixture;

/// A detection that finds nothing because of its own search is no all-clear.
#[test]
fn a_mistake_in_a_search_is_told_with_its_place_in_the_file() {
    for (search, status, is_clean, code, said) in [
        // The search can return no row.
        (
            "eventName=CreateKey | stats count as n by user_arn | where count>0",
            1,
            false,
            "SPL2015",
            "`stats` leaves only other fields",
        ),
        (
            "eventName=CreateKey | fields user_arn | stats count by src_ip",
            1,
            false,
            "SPL2015",
            "`fields` leaves only other fields",
        ),
        ("eventName=CreateKey or eventName=ListKeys", 1, false, "SPL2016", "write `OR`"),
        ("eventName=CreateKey stats count by user_arn", 1, false, "SPL2017", "write `| stats`"),
        ("eventName='CreateKey'", 1, false, "SPL2018", "write `\"CreateKey\"`"),
        (
            "eventName=CreateKey | where \"user_arn\"=\"a\"",
            1,
            false,
            "SPL2019",
            "write `'user_arn'`",
        ),
        (
            "eventName=CreateKey | where userIdentity.type=\"User\"",
            1,
            false,
            "SPL2008",
            "a dot joins",
        ),
        // These logs have nothing that it finds.
        ("eventName=CreatKey", 0, false, "SPL2021", "did you mean `CreateKey`?"),
        ("eventname=CreateKey", 1, false, "SPL2021", "did you mean `eventName`?"),
        (
            "eventName=CreateKey | stats count by user_arm",
            1,
            false,
            "SPL2021",
            "did you mean `user_arn`?",
        ),
        (
            "eventName=CreateKey errorMessage!=denied",
            0,
            false,
            "SPL2019",
            "write `NOT errorMessage=\"denied\"`",
        ),
        (
            "eventName=CreateKey | where like(eventName, \"Del*\")",
            1,
            false,
            "SPL2020",
            "write `\"Del%\"`",
        ),
        (
            "eventName=CreateKey | stats count as n by user_arn | convert ctime(n) | where src_ip=1",
            1,
            false,
            "SPL2015",
            "`stats` leaves only other fields",
        ),
        (
            "eventName=CreateKey | where errorCode=success",
            1,
            false,
            "SPL2019",
            "write `\"success\"`",
        ),
        ("eventName=CreateKey | where userIdentity=User", 1, false, "SPL2019", "write `\"User\"`"),
        ("eventName=CreateKey | where usr_arn=\"x\"", 1, false, "SPL2021", "`user_arn`?"),
        ("eventName=CreateKey | search usr_arn=*", 1, false, "SPL2021", "`user_arn`?"),
        ("eventName=CreateKey | regex usr_arn=\"x\"", 1, false, "SPL2021", "`user_arn`?"),
        // What is not required leaves the search its rows.
        ("eventName=DeleteKey OR eventName='X'", 0, false, "SPL2018", "write `\"X\"`"),
        (
            "eventName=CreateKey | stats count by user_arn | where count>99 OR other>3",
            0,
            true,
            "SPL2015",
            "`stats` leaves only other fields",
        ),
        (
            "eventName=CreateKey | where isnull(user_arn) OR userIdentity.type=\"x\"",
            0,
            true,
            "",
            "note: 1 detection that found nothing has warnings: Mine (SPL2008); --all shows them\n",
        ),
        // Nothing is wrong.
        ("eventName=CreateKey | where 1=2", 0, true, "", ""),
        ("eventName=CreateKey | where errorMessage=\"denied\"", 0, true, "", ""),
        ("eventName=CreateKey | where errorCode=errorMessage", 0, true, "", ""),
        ("eventName=CreateKey | stats count by user_arn | where count>99", 0, true, "", ""),
        ("eventName=DeleteKey", 0, false, "", ""),
        (
            "eventName=CreateKey | eval a=if(match(userIdentity.arn, \"a\"), 1, 0) | search a=1",
            0,
            true,
            "",
            "note: 1 detection that found nothing has warnings: Mine (SPL2008); --all shows them\n",
        ),
    ] {
        let fixture = Fixture::new();
        fixture.detection(5, "Mine", "TTP", search, "");
        let run = fixture.run(&["hunt", "logs", "--detection", "Mine", "--summary"]);
        let summary = run.lines().pop().unwrap()["summary"].clone();
        let detection = &summary["detections"][0];
        assert_eq!(summary["events"], 4, "{search}");
        let outcome = (run.status, detection["status"] == "clean");
        assert_eq!(outcome, (status, is_clean), "{search} {detection} {}", run.err);
        if code.is_empty() {
            assert_eq!(run.err, said, "{search}");
            continue;
        }
        assert_eq!(run.err.matches("warning[").count(), 1, "{search} {}", run.err);
        for part in [&format!("warning[{code}]"), "content/detections/d5.yml:9:", said] {
            assert!(run.err.contains(part), "{search} {part}: {}", run.err);
        }
        assert_eq!(detection["messages"][0]["code"], code, "{search}");
        if status == 1 {
            assert_eq!(detection["status"], "cannot fire", "{search}");
        }
    }
}

#[test]
fn a_search_is_told_the_same_as_a_detection() {
    let fixture = Fixture::new();
    for (search, said) in [
        ("* | stats count by user_arn | where isnotnull(src_ip)", "warning[SPL2015]"),
        (
            "* | stats count by user_arn | where NOT [search * | head 1 | table user_arn] \
             | where isnotnull(src_ip)",
            "warning[SPL2015]",
        ),
        ("eventName=CreateKey and eventName=ListKeys", "warning[SPL2016]"),
        ("select eventName from logs where a=1", "warning[SPL2017]"),
        ("eventName=\u{201c}CreateKey\u{201d}", "warning[SPL2018]"),
        ("src_ip=192.0.2.0/33", "warning[SPL2019]"),
        ("* | where eventName=\"Create*\"", "warning[SPL2020]"),
        ("eventSource=iam", "warning[SPL2021]"),
        ("eventName=CreateKeg", "note: no event has the eventName `CreateKeg`; did you mean"),
        ("errorMessage!=a", "`NOT errorMessage=\"a\"` matches those without it, too"),
        ("eventName=DeleteKey", ""),
    ] {
        let run = fixture.run(&["search", search, "logs"]);
        assert_eq!(run.status, 0, "{search} {}", run.err);
        assert!(run.err.contains(said), "{search}: {}", run.err);
        assert_eq!(
            run.err.contains("warning["),
            said.starts_with("warning"),
            "{search} {}",
            run.err
        );
    }
}

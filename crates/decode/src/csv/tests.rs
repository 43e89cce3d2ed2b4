//! Tests reading tables through the splitter.

use std::fmt::Write as _;
use std::io::Read;

use proptest::prelude::*;

use crate::record::MAX_RECORD;
use crate::split::{Item, Splitter};

/// Gives a few bytes at a time.
struct Slowly<'a>(&'a [u8], usize);

impl Read for Slowly<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.1.min(buffer.len()).min(self.0.len());
        buffer[..length].copy_from_slice(&self.0[..length]);
        self.0 = &self.0[length..];
        Ok(length)
    }
}

/// Lists the items of a text, one per line.
fn items(text: &[u8]) -> Vec<String> {
    let mut splitter = Splitter::new(Slowly(text, 1000));
    let mut list = Vec::new();
    while let Some(item) = splitter.next_item() {
        let mut line = String::new();
        let _ = match item {
            Item::Record(record) => write!(line, "{:?} {}", record.format, record.text),
            Item::Damage(damage) => write!(line, "{:?} {}", damage.kind, damage.message),
            Item::Skipped(kind) => write!(line, "skipped {kind:?}"),
        };
        list.push(line);
    }
    list
}

fn check(text: &str, expected: &[&str]) {
    assert_eq!(items(text.as_bytes()), expected, "{text}");
}

#[test]
fn the_consoles_event_history_is_cloudtrail() {
    for (header, row, record) in [
        (
            "Event name,Event time,User name,Event source,Resource type,Resource name,AWS access key,AWS region,Error code,Read-only,Source IP address,Event ID,Request ID",
            "ListBuckets,\"March 17, 2026, 10:00:00 (UTC)\",ann,s3.amazonaws.com,,,AKIA,eu-central-1,,true,203.0.113.9,e1,r1",
            r#"CloudTrail {"eventName":"ListBuckets","eventTime":"2026-03-17T10:00:00Z","userIdentity":{"userName":"ann","accessKeyId":"AKIA"},"eventSource":"s3.amazonaws.com","awsRegion":"eu-central-1","readOnly":true,"sourceIPAddress":"203.0.113.9","eventID":"e1","requestID":"r1"}"#,
        ),
        (
            "Event ID,Event name,Event time,User name,Event source,Resources,AWS region,Source IP address,Error code,Access key",
            "e1,GetObject,2026-03-17 10:00:00,ann,s3.amazonaws.com,\"[{\"\"resourceName\"\":\"\"b\"\"}]\",eu-west-1,203.0.113.9,AccessDenied,",
            r#"CloudTrail {"eventID":"e1","eventName":"GetObject","eventTime":"2026-03-17T10:00:00Z","userIdentity":{"userName":"ann"},"eventSource":"s3.amazonaws.com","resources":[{"resourceName":"b"}],"awsRegion":"eu-west-1","sourceIPAddress":"203.0.113.9","errorCode":"AccessDenied"}"#,
        ),
    ] {
        check(&format!("\u{feff}{header}\r\n{row}\r\n\r\n{row}"), &[record, record]);
    }
}

#[test]
fn athenas_results_are_cloudtrail() {
    check(
        "\"eventversion\",\"useridentity\",\"eventtime\",\"eventname\",\"requestparameters\",\"responseelements\",\"readonly\",\"day\"\n\
         \"1.08\",\"{type=IAMUser, arn=arn:aws:iam::1:user/a, sessioncontext=null}\",\"2026-03-17T10:00:00Z\",\"GetObject\",\"{\"\"bucketName\"\":\"\"b\"\"}\",\"null\",\"false\",\"17\"\n\
         ,\"{\"\"type\"\":\"\"Root\"\"}\",\"soon\",\"A\nB\",,,\"maybe\",\n",
        &[
            r#"CloudTrail {"eventVersion":"1.08","userIdentity":{"type":"IAMUser","arn":"arn:aws:iam::1:user/a"},"eventTime":"2026-03-17T10:00:00Z","eventName":"GetObject","requestParameters":{"bucketName":"b"},"readOnly":false,"day":"17"}"#,
            r#"CloudTrail {"userIdentity":{"type":"Root"},"eventTime":"soon","eventName":"A\nB","readOnly":"maybe"}"#,
        ],
    );
    // The parts of a map cannot be told apart, because its keys are not known.
    let text = "eventName,eventTime,requestParameters\n\
                A,2026-03-17 10:00:00.000,\"{bucketName=b, key=x, y=z}\"\n\
                B,2026-03-17 10:00:00.250,\"{bucketName=b}\"\n";
    check(
        text,
        &[
            r#"CloudTrail {"eventName":"A","eventTime":"2026-03-17T10:00:00Z","requestParameters":"{bucketName=b, key=x, y=z}"}"#,
            "UnreadableCell line 2: `requestParameters` is not JSON, and its parts cannot be told apart for certain; it is kept as text, and so are others like it in this file",
            r#"CloudTrail {"eventName":"B","eventTime":"2026-03-17T10:00:00.250Z","requestParameters":"{bucketName=b}"}"#,
        ],
    );
}

#[test]
fn dotted_columns_are_nested() {
    check(
        "_time,eventName,eventSource,userIdentity.arn,useridentity.sessioncontext.sessionissuer.username,resources{}.ARN,tag\n\
         1773741600,A,s3,arn:1,r,arn:2,x\n",
        &[
            r#"CloudTrail {"eventTime":"2026-03-17T10:00:00Z","eventName":"A","eventSource":"s3","userIdentity":{"arn":"arn:1","sessionContext":{"sessionIssuer":{"userName":"r"}}},"resources{}.ARN":"arn:2","tag":"x"}"#,
        ],
    );
}

#[test]
fn dotted_columns_hold_lists_and_objects() {
    // As flattened data frames are written: `requestParameters` itself is there for records in which
    // it is null.
    let header = "eventName,eventTime,requestParameters,requestParameters.add.items,requestParameters.tags,requestParameters.policyDocument,requestParameters.note";
    let list = r#""[{""group"": ""all""}]""#;
    for (row, parameters) in [
        (format!(",{list},,,"), r#"{"add":{"items":[{"group": "all"}]}}"#),
        (",[{'group': 'all'}],,,".to_owned(), r#"{"add":{"items":[{"group":"all"}]}}"#),
        (format!("null,{list},,,"), r#"{"add":{"items":[{"group": "all"}]}}"#),
        (r#",,"{""a"":""b""}",,"#.to_owned(), r#"{"tags":{"a":"b"}}"#),
        // A policy is text in CloudTrail, and so is what is no JSON.
        (r#",,,"{""Version"":1}","#.to_owned(), r#"{"policyDocument":"{\"Version\":1}"}"#),
        (",,,,[a note]".to_owned(), r#"{"note":"[a note]"}"#),
    ] {
        let record = format!(
            r#"CloudTrail {{"eventName":"A","eventTime":"2026-03-17T10:00:00Z","requestParameters":{parameters}}}"#
        );
        check(&format!("{header}\nA,2026-03-17T10:00:00Z,{row}\n"), &[&record]);
    }
    let whole = r#""{""add"":1}""#;
    check(
        &format!("{header}\nA,2026-03-17T10:00:00Z,{whole},x,,,\n"),
        &[
            r#"CloudTrail {"eventName":"A","eventTime":"2026-03-17T10:00:00Z","requestParameters":{"add":1},"requestParameters.add.items":"x"}"#,
        ],
    );
}

#[test]
fn a_cell_may_hold_the_whole_event() {
    let event = r#"{"eventVersion":"1.08","eventName":"A"}"#;
    let cell = format!("\"{}\"", event.replace('"', "\"\""));
    let record = format!("CloudTrail {event}");
    for header in ["\"_raw\",_time", "eventJson,x", "@message,@timestamp", "body,x"] {
        check(&format!("{header}\n{cell},1\n"), &[&record]);
    }
    check(&format!("eventJson\n{cell}\n{cell}"), &[&record, &record]);
    check(&format!("_time\t_raw\n1\t{event}\n"), &[&record]);
    // A request that contains a record is no record.
    check(
        &format!("eventName,eventTime,requestParameters\nPut,0,{cell}\n"),
        &[&format!(
            r#"CloudTrail {{"eventName":"Put","eventTime":"1970-01-01T00:00:00Z","requestParameters":{event}}}"#
        )],
    );
    let invocation =
        r#"{"schemaType":"ModelInvocationLog","modelId":"m","timestamp":"2026-03-17T10:00:00Z"}"#;
    let cell = invocation.replace('"', "\"\"");
    check(&format!("@message,x\n\"{cell}\",1\n"), &[&format!("ModelInvocation {invocation}")]);
    check("_raw,host\nsome text,h\n", &[r#"Csv {"_raw":"some text","host":"h"}"#]);
    check(
        "_raw,host\n\"{\"\"eventVersion\"\":\"\"1\",h\n",
        &[
            r#"Csv {"_raw":"{\"eventVersion\":\"1","host":"h"}"#,
            "UnreadableCell line 2: the event in `_raw` is not valid JSON; kept as fields",
        ],
    );
}

#[test]
fn other_tables_are_rows() {
    for (text, rows) in [
        ("user,count\nann,1\nbob,\n", vec![r#"{"user":"ann","count":"1"}"#, r#"{"user":"bob"}"#]),
        ("user;count\n\"a;b\";1\n", vec![r#"{"user":"a;b","count":"1"}"#]),
        ("user\tcount\r\nann, the first\t1\r\n", vec![r#"{"user":"ann, the first","count":"1"}"#]),
        ("eventName,count\nGetObject,7\n", vec![r#"{"eventName":"GetObject","count":"7"}"#]),
        // Names that are missing or there twice, which only a header with a known name may have.
        ("_raw,,a,a\nx,1,2,3\n", vec![r#"{"_raw":"x","column_2":"1","a":"2","a_2":"3"}"#]),
        ("a,b\n,\n\n  \n1,2\n", vec![r#"{"a":"1","b":"2"}"#]),
    ] {
        let rows: Vec<String> = rows.iter().map(|row| format!("Csv {row}")).collect();
        assert_eq!(items(text.as_bytes()), rows, "{text}");
    }
    check("Dear Bob, this is prose.\nIt has commas, too.\n", &["skipped NotJson"]);
}

#[test]
fn each_file_of_a_table_brings_its_header() {
    let header = "eventName,eventSource,errorCode,eventID";
    let rows = |count: usize| {
        let row = |index| {
            format!(
                r#"CloudTrail {{"eventName":"A","eventSource":"s3","errorCode":"No","eventID":"{index}"}}"#
            )
        };
        (1..=count).map(row).collect::<Vec<_>>()
    };
    let reordered = |index: usize| {
        format!(
            r#"CloudTrail {{"eventID":"{index}","errorCode":"No","eventSource":"s3","eventName":"A"}}"#
        )
    };
    for other in [
        // The same header: as it is, quoted, in other case, with blanks, and after a mark.
        "\neventName,eventSource,errorCode,eventID\nA,s3,No,2",
        "\n\"eventName\",\"eventSource\",\"errorCode\",\"eventID\"\r\nA,s3,No,2",
        "\n\u{feff}\"eventName\",eventSource,errorCode,eventID\nA,s3,No,2",
        "\neventname, event source , Error code,EVENT_ID\nA,s3,No,2",
        "\nsep=,\neventName,eventSource,errorCode,eventID\nA,s3,No,2",
        // Another order, separator, and a file before it without a line end.
        "\neventName;eventSource;errorCode;eventID\nA;s3;No;2",
        "\nsep=;\r\neventName;eventSource;errorCode;eventID\r\nA;s3;No;2",
        "\n\u{feff}eventName\teventSource\terrorCode\teventID\nA\ts3\tNo\t2",
        "eventName,eventSource,errorCode,eventID\nA,s3,No,2",
        "\u{feff}\"eventName\",\"eventSource\",\"errorCode\",\"eventID\"\nA,s3,No,2",
    ] {
        let text = format!("{header}\nA,s3,No,1{other}\n");
        assert_eq!(items(text.as_bytes()), rows(2), "{text}");
    }
    for other in [
        "\neventID,errorCode,eventSource,eventName\n2,No,s3,A",
        "eventID,errorCode,eventSource,eventName\n2,No,s3,A",
        "\n\"eventid\"\t\"errorcode\"\t\"eventsource\"\t\"eventname\"\n2\tNo\ts3\tA",
    ] {
        let text = format!("{header}\nA,s3,No,1{other}\n");
        assert_eq!(items(text.as_bytes()), [rows(1)[0].clone(), reordered(2)], "{text}");
    }
    // A table of other columns, and one of whole events.
    let event = r#"{"eventVersion":"1.08","eventName":"B"}"#;
    let cell = event.replace('"', "\"\"");
    check(
        &format!("eventName,eventSource\nA,s3\n_time,_raw\n1,\"{cell}\"\n_raw\n\"{cell}\"\n"),
        &[
            r#"CloudTrail {"eventName":"A","eventSource":"s3"}"#,
            &format!("CloudTrail {event}"),
            &format!("CloudTrail {event}"),
        ],
    );
    check(
        "user,count\nann,1\nuser,count\nbob,2\ncount,user\n3,eve\neventName,eventTime,eventID\nA,0,1\n",
        &[
            r#"Csv {"user":"ann","count":"1"}"#,
            r#"Csv {"user":"bob","count":"2"}"#,
            r#"Csv {"count":"3","user":"eve"}"#,
            r#"CloudTrail {"eventName":"A","eventTime":"1970-01-01T00:00:00Z","eventID":"1"}"#,
        ],
    );
    // Names of fields may be values.
    check(
        "field,type\neventName,string\n_raw,string\n",
        &[
            r#"Csv {"field":"eventName","type":"string"}"#,
            r#"Csv {"field":"_raw","type":"string"}"#,
        ],
    );
}

#[test]
fn a_missing_value_has_many_spellings() {
    let header =
        "eventName,eventTime,eventSource,errorCode,userAgent,requestParameters,readOnly,note";
    for null in
        ["\\N", "NULL", "None", "nan", "N/A", "-", "(null)", "<null>", "\"\"\"\"\"\"", "[NULL]"]
    {
        check(
            &format!("{header}\nA,0,s3,{null},{null},{null},{null},{null}\n"),
            &[
                r#"CloudTrail {"eventName":"A","eventTime":"1970-01-01T00:00:00Z","eventSource":"s3"}"#,
            ],
        );
    }
    // Where all codes are there, a user may have chosen the text; no user chooses a loader's.
    check(
        "eventName,eventTime,errorCode,userAgent,userIdentity.userName,x\nA,0,No,NULL,None,\\N\n",
        &[
            r#"CloudTrail {"eventName":"A","eventTime":"1970-01-01T00:00:00Z","errorCode":"No","userAgent":"NULL","userIdentity":{"userName":"None"}}"#,
        ],
    );
    check(
        "eventName,eventTime,requestParameters,errorCode\nA,NaT,{},{}\n",
        &[r#"CloudTrail {"eventName":"A","requestParameters":{}}"#],
    );
    // Other tables keep what they have.
    check("user,errorCode\nNULL,-\n", &[r#"Csv {"user":"NULL","errorCode":"-"}"#]);
}

#[test]
fn lines_above_a_header_are_titles_or_reported() {
    let row = r#"CloudTrail {"eventName":"A","eventTime":"1970-01-01T00:00:00Z","awsRegion":"r"}"#;
    let table = "eventName,eventTime,awsRegion\nA,0,r\n";
    let lines = "RaggedRow the header of the table is line 3; 2 lines above it are not read: they may be rows";
    let line =
        "RaggedRow the header of the table is line 3; a line above it is not read: it may be a row";
    for (above, report) in [
        ("", None),
        ("sep=,\r\n", None),
        ("# made by a tool\n\n", None),
        ("Export of trail, 2026\nby Ann\nsep=,\n", None),
        ("1,2,3,4,5,6\n7,8,9,10,11,12\n", Some(lines)),
        ("Title\n1,\"{}\"\n", Some(line)),
    ] {
        let expected: Vec<&str> = [row].into_iter().chain(report).collect();
        check(&format!("{above}{table}"), &expected);
    }
}

#[test]
fn a_bad_row_costs_no_other_row() {
    let first = r#"Csv {"a":"1","b":"2","c":"3"}"#;
    let last = r#"Csv {"a":"7","b":"8","c":"9"}"#;
    let ragged = |line, count| {
        format!(
            "RaggedRow line {line}: expected 3 cells as in the header, found {count}; the row is kept"
        )
    };
    let open = "RaggedRow line 3: a quote in it is not closed; the row ends with its line";
    for (middle, expected) in [
        ("4,5", vec![r#"Csv {"a":"4","b":"5"}"#.to_owned(), ragged(3, 2)]),
        (
            "4,5,6,7",
            vec![r#"Csv {"a":"4","b":"5","c":"6","column_4":"7"}"#.to_owned(), ragged(3, 4)],
        ),
        ("4,5,6,,", vec![r#"Csv {"a":"4","b":"5","c":"6"}"#.to_owned()]),
        ("4,\"5,6", vec![r#"Csv {"a":"4","b":"5,6"}"#.to_owned(), open.to_owned(), ragged(3, 2)]),
        ("4,5,\"6", vec![r#"Csv {"a":"4","b":"5","c":"6"}"#.to_owned(), open.to_owned()]),
        ("4,\"5\n, 5\"", vec![r#"Csv {"a":"4","b":"5\n, 5"}"#.to_owned(), ragged(3, 2)]),
        (
            "4,\"5\n5\"5,6",
            vec![
                r#"Csv {"a":"4","b":"5\n55","c":"6"}"#.to_owned(),
                "RaggedRow line 3: its quotes do not match; the row is kept".to_owned(),
            ],
        ),
        ("4,\"5\n5\",6", vec![r#"Csv {"a":"4","b":"5\n5","c":"6"}"#.to_owned()]),
    ] {
        let text = format!("a,b,c\n1,2,3\n{middle}\n7,8,9\n");
        let mut all = vec![first.to_owned()];
        all.extend(expected);
        all.push(last.to_owned());
        assert_eq!(items(text.as_bytes()), all, "{middle}");
    }
    // A quote is closed by that of a later row, with the right number of cells by chance.
    check(
        "a,b,c\n1,\"x,3\n4,y,6\n7,\"z\",9\n",
        &[
            r#"Csv {"a":"1","b":"x,3"}"#,
            "RaggedRow line 2: a quote in it is not closed; the row ends with its line",
            "RaggedRow line 2: expected 3 cells as in the header, found 2; the row is kept",
            r#"Csv {"a":"4","b":"y","c":"6"}"#,
            r#"Csv {"a":"7","b":"z","c":"9"}"#,
        ],
    );
    check(
        "a,b\n1,\"two",
        &[
            r#"Csv {"a":"1","b":"two"}"#,
            "TruncatedDocument line 2: the text ends inside a cell; the row is kept",
        ],
    );
    assert_eq!(
        items(b"a,b\n1,\xff\n"),
        [
            "Csv {\"a\":\"1\",\"b\":\"\u{fffd}\"}",
            "InvalidUtf8 line 2: the text is not UTF-8; the event is kept"
        ]
    );
}

#[test]
fn a_row_that_is_too_large_is_left_out() {
    let (first, last) = (r#"Csv {"a":"1","b":"2"}"#, r#"Csv {"a":"3","b":"4"}"#);
    let long = "x".repeat(MAX_RECORD);
    let lines = "x\n".repeat(MAX_RECORD);
    let large = "RecordTooLarge line 3: a row of more than 8 MiB is left out";
    for (middle, expected) in [
        (format!("{long},"), large),
        (format!("\"{long}{long}\",y"), large),
        (format!("\"{lines}\",y"), large),
        (",".repeat(100_000), "RaggedRow line 3: a row of more than 16384 cells is left out"),
    ] {
        let text = format!("a,b\n1,2\n{middle}\n3,4\n");
        assert_eq!(items(text.as_bytes()), [first, expected, last]);
    }
    // A quote that is never closed costs neither rows nor time in proportion to their square.
    let row = "1,\"2\n".repeat(50_000);
    let found = items(format!("a,b\n{row}").as_bytes());
    assert_eq!(found.iter().filter(|item| *item == first).count(), 50_000);
}

proptest! {
    /// Whatever follows a header, reading ends, and every line that is a row by itself before the
    /// first quote is an event.
    #[test]
    fn reading_ends(pieces in prop::collection::vec(
        prop::sample::select(vec!["1,2\n", "x", ",", "\"", "\n", "\r\n", "\"\"", " ", "{}"]), 0..40,
    )) {
        let text = format!("a,b\n1,2\n{}", pieces.concat());
        let found = items(text.as_bytes());
        let good = pieces.iter().take_while(|piece| **piece == "1,2\n").count();
        let row = r#"Csv {"a":"1","b":"2"}"#;
        prop_assert!(found.iter().take_while(|item| *item == row).count() >= good, "{found:?}");
    }
}

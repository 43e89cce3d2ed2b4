//! `foreach`, with what logs can have as names.

use spilltrail_event::Value;

use crate::run;
use crate::testing::{context, rows};

/// Returns the rows of a search as text, or the first message.
async fn found(search: &str, lines: &str) -> String {
    let context = context(rows(lines), 64 << 20);
    match run::prepare(search, None, &context).await {
        Err(diagnostics) => diagnostics[0].message.clone(),
        Ok(prepared) => {
            let rows = prepared.collect(&context).await.unwrap();
            let shown = |(name, value): (String, Value<'static>)| {
                format!("{name}={}", value.members().join(","))
            };
            let rows =
                rows.iter().map(|row| row.into_iter().map(shown).collect::<Vec<_>>().join(" "));
            rows.collect::<Vec<_>>().join("; ")
        }
    }
}

#[tokio::test]
async fn templates_for_fields() {
    const ROWS: &str = "{\"a_x\":\"1\",\"a_y\":\"2\",\"b\":\"word\"}\n{\"a_x\":\"5\"}";
    for (search, expected) in [
        // A missing field makes the sum missing, as in any expression.
        ("| eval t=0 | foreach a_* [eval t=t+<<FIELD>>] | table t", "t=3; "),
        ("| foreach a_* b [eval <<FIELD>>=upper(<<FIELD>>)]", "a_x=1 a_y=2 b=WORD; a_x=5"),
        ("| foreach new [eval <<FIELD>>=\"<<FIELD>>\"] | table new", "new=new; new=new"),
        ("| foreach a_* a_x [eval n=mvappend(n,\"<<FIELD>>\")] | table n", "n=a_x,a_y; n=a_x,a_y"),
        ("| foreach z* [eval n=1] | table b", "b=word; "),
        (
            "| foreach a_* [eval n=<<FIELD>> | eval <<MATCHSTR>>=n*2] | table x y n",
            "x=2 y=4 n=2; x=10",
        ),
        // Other commands than `eval`.
        ("| foreach a_* [where <<FIELD>>>1] | stats count", "count=0"),
        ("| foreach a_* [fillnull value=0 <<FIELD>>] | table a_*", "a_x=1 a_y=2; a_x=5 a_y=0"),
        (
            "| foreach a_* [rex field=<<FIELD>> \"(?<d_<<MATCHSTR>>>.)\"] | table d_*",
            "d_x=1 d_y=2; d_x=5",
        ),
        ("| foreach a_* [eval {b}_<<MATCHSTR>>=<<FIELD>>] | table word_*", "word_x=1 word_y=2; "),
        ("| foreach a_* [stats count]", "`stats` cannot be in a template of `foreach`"),
        ("| foreach a_* [eval x=foo(<<FIELD>>)]", "there is no eval function `foo`"),
        ("| foreach a_* [nosuch]", "the command `nosuch` is not supported"),
        ("| foreach a_*", "expected commands in square brackets"),
        ("| foreach [eval x=1]", "expected a field"),
        ("| foreach a_* [eval x=1] b", "expected a field or the end of the command, found `b`"),
    ] {
        assert_eq!(found(search, ROWS).await, expected, "{search}");
    }
}

#[tokio::test]
async fn templates_for_values() {
    const ROWS: &str =
        "{\"m\":[\"a\",\"b\"],\"j\":\"[1,{\\\"k\\\":2}]\",\"s\":\"one\"}\n{\"s\":\"2\"}";
    for (search, expected) in [
        (
            "| foreach mode=multivalue m [eval n=mvappend(n,<<ITEM>>.<<ITER>>)] | table n",
            "n=a0,b1; ",
        ),
        ("| foreach m mode=multivalue [eval n=n.\"<<ITEM>>,\"] | table n", "; "),
        (
            "| eval n=\"\" | foreach m mode=multivalue [eval n=n.\"<<ITEM>>,\"] | table n",
            "n=a,b,; n=",
        ),
        ("| foreach mode=json_array j [eval n=mvappend(n,<<ITEM>>)] | table n", "n=1,{\"k\":2}; "),
        ("| foreach mode=json_array s [eval n=<<ITEM>>] | table n", "; "),
        ("| foreach mode=auto_collections s [eval n=<<ITEM>>] | table n", "n=one; n=2"),
        ("| foreach mode=auto_collections j [eval n=<<ITER>>] | table n", "n=1; "),
        // The field itself may change while its values are listed.
        ("| foreach mode=multivalue m [eval m=<<ITEM>>] | table m", "m=b; "),
        (
            "| foreach mode=multivalue m s [eval n=1]",
            "expected one field for this mode, found `s` too",
        ),
        (
            "| foreach mode=multivalue m [eval '<<ITEM>>'=1]",
            "a field named by a value is not supported in `foreach`",
        ),
        (
            "| foreach mode=multivalue m [where a=1]",
            "the template for the values of a field must be one `eval`",
        ),
    ] {
        assert_eq!(found(search, ROWS).await, expected, "{search}");
    }
}

#[tokio::test]
async fn many_fields_are_one_step() {
    let fields: Vec<String> = (0..2000).map(|field| format!("\"f{field}\":\"1\"")).collect();
    let row = format!("{{{}}}", fields.join(","));
    let search = "| eval t=0 | foreach f* [eval t=t+<<FIELD>>] | table t";
    assert_eq!(found(search, &row).await, "t=2000");
    let message = found("| foreach f* [fillnull <<FIELD>>]", &row).await;
    assert!(message.starts_with("`foreach` becomes 2000 commands for 2000 fields"), "{message}");
}

/// Names come from the logs: whatever they have, they stay names.
#[tokio::test]
async fn names_cannot_become_a_part_of_the_search() {
    const EVERY: &str = "| foreach * [eval '<<FIELD>>'='<<FIELD>>'.\"x\"]";
    for (search, row, expected) in [
        (EVERY, r#"{"a":"1","b{}.c":"2","d":"3"}"#, "a=1x b{}.c=2x d=3x"),
        (EVERY, r#"{"a":"1","{a}":"2"}"#, "a=1x {a}=2x"),
        (EVERY, r#"{"q\"r":"1","s't":"2","u\\":"3"}"#, "q\"r=1x s't=2x u\\=3x"),
        (EVERY, r#"{"k' | stats count | eval q='y":"1"}"#, "k' | stats count | eval q='y=1x"),
        (
            EVERY,
            r#"{"z'=1, user=\"nobody\", 'y":"1","user":"ann"}"#,
            "z'=1, user=\"nobody\", 'y=1x user=annx",
        ),
        // Outside of quotes, too.
        (
            "| foreach * [eval n=mvappend(n,<<FIELD>>)] | table n",
            r#"{"a b":"1","c.d":"2","3":"3"}"#,
            "n=1,2,3",
        ),
        ("| foreach n* [eval n=<<FIELD>>*<<MATCHSTR>>] | table n", r#"{"n5":"2"}"#, "n=10"),
        (
            "| foreach n* [eval n=mvappend(n,'<<MATCHSTR>>')] | table n",
            r#"{"n5":"2","5":"z"}"#,
            "n=z",
        ),
        (
            "| foreach n [eval <<MATCHSTR>>=1]",
            r#"{"n":"1"}"#,
            "a token is empty where a name has to be, for the field `n`",
        ),
        (
            "| foreach n [eval x=<<MATCHSTR>>]",
            r#"{"n":"1"}"#,
            "a token is empty where a name has to be, for the field `n`",
        ),
        (
            "| foreach mode=multivalue n itemstr=\"\" [eval x=1]",
            r#"{"n":"1"}"#,
            "expected a text for `itemstr`, found none",
        ),
        // Other commands are texts that names are put into.
        (
            "| foreach * [where '<<FIELD>>'>1 | fillnull '<<FIELD>>'] | stats count",
            r#"{"a":"2","k'>0 | stats count | where 'y":"2"}"#,
            "count=1",
        ),
        (
            "| foreach * [fillnull value=x <<FIELD>>] | stats count",
            r#"{"a":"2","b | delete":"2"}"#,
            "count=1",
        ),
        ("| foreach * [rex field=\"<<FIELD>>\" \"(?<c>.)\"] | table c", r#"{"a\"b":"2"}"#, "c=2"),
    ] {
        assert_eq!(found(search, row).await, expected, "{search} {row}");
    }
}

#[tokio::test]
async fn a_field_whose_name_is_left_out_is_told() {
    let search = "| foreach * [fillnull value=x <<FIELD>>]";
    let context = context(rows(r#"{"a":"2","b | delete":"2"}"#), 64 << 20);
    run::prepare(search, None, &context).await.unwrap();
    let messages = context.observations.messages();
    let [message] = messages.as_slice() else { panic!("{messages:?}") };
    assert_eq!(
        message.message,
        "`foreach` leaves out the field `b | delete`, whose name needs quotes"
    );
}

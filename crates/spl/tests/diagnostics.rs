//! Tests the complete rendered diagnostics that a user sees for a wrong search.

use spilltrail_diagnostic::{Color, Diagnostic, render};
use spilltrail_spl::{Arguments, MacroDefinition, MacroSet, expand_macros, parse};

/// Returns the rendered diagnostics of a search, with each command parsed according to its name.
fn rendered(text: &str) -> String {
    let mut macros = MacroSet::builtin();
    macros.insert(MacroDefinition {
        name: "late".to_owned(),
        arguments: vec!["field".to_owned()],
        definition: "where $field$ > > 5".to_owned(),
        is_eval: false,
        validation: None,
        error_message: None,
        origin: "test".to_owned(),
    });
    let (expansion, mut diagnostics) = expand_macros(text, &macros);
    let (pipeline, found) = parse(&expansion.text);
    let readable = found.is_empty();
    let mut later = found;
    for command in pipeline.commands.iter().filter(|_| readable) {
        let mut arguments = Arguments::new(command);
        let result: Result<(), Diagnostic> = match command.name.value.as_str() {
            "search" => arguments.search().map(drop),
            "where" => arguments.eval().map(drop),
            "eval" => arguments.assignments().map(drop),
            "stats" => arguments.stats().map(drop),
            _ => {
                arguments.rest();
                Ok(())
            }
        };
        later.extend(result.and_then(|()| arguments.finish()).err());
    }
    diagnostics.extend(later.into_iter().map(|diagnostic| expansion.relocate(diagnostic)));
    let texts: Vec<_> = diagnostics
        .iter()
        .map(|diagnostic| render(diagnostic, "<search>", text, Color::Never, None))
        .collect();
    texts.join("\n")
}

fn check(text: &str, expected: &str) {
    let found = rendered(text);
    assert_eq!(found.trim(), expected.trim(), "\n{found}");
}

#[test]
fn brackets_and_quotes_show_where_they_open() {
    check(
        r#"a=1 | stats count by user | where (n>5 AND m<3 | table user"#,
        r#"
error[SPL1001]: `(` is never closed
 --> <search>:1:35
  |
1 | a=1 | stats count by user | where (n>5 AND m<3 | table user
  |                                   ^ opened here
  |
  = help: add the missing `)`
"#,
    );
    check(
        r#"x="open | stats count"#,
        r#"
error[SPL1001]: quote is never closed
 --> <search>:1:3
  |
1 | x="open | stats count
  |   ^ opened here
  |
  = help: close it, or write `\"` for a quote inside a text
"#,
    );
    check(
        r#"a=1 | append [ search b=2 | stats count"#,
        r#"
error[SPL1001]: `[` is never closed
 --> <search>:1:14
  |
1 | a=1 | append [ search b=2 | stats count
  |              ^ opened here
  |
  = help: add the missing `]`
"#,
    );
    check(
        r#"a=1, b=2) c=3"#,
        r#"
error[SPL1001]: expected a search term, AND, OR or the end, found `)`
 --> <search>:1:9
  |
1 | a=1, b=2) c=3
  |         ^ expected a search term, AND, OR or the end
  |
  = help: remove the `)`, or add the missing `(` before it
"#,
    );
}

#[test]
fn expressions_show_where_reading_stopped() {
    check(
        r#"eventName=Get* | eval x= | eval y=1"#,
        r#"
error[SPL1006]: expected an expression, found the end
 --> <search>:1:25
  |
1 | eventName=Get* | eval x= | eval y=1
  |                         ^ expected an expression
"#,
    );
    check(
        r#"eventName=Get* | eval risk=if(n>5,"high" "low")"#,
        r#"
error[SPL1008]: expected an operator, `,` or `)`, found `"low"`
 --> <search>:1:42
  |
1 | eventName=Get* | eval risk=if(n>5,"high" "low")
  |                              -           ^^^^^ expected an operator, `,` or `)`
  |                              |
  |                              in the arguments of `if`
  |
  = help: separate arguments by `,`, and join texts by `.`
"#,
    );
    check(
        r#"| where userIdentity.type{}="Root""#,
        r#"
error[SPL1007]: expected an operator or the end of the command, found `{`
 --> <search>:1:26
  |
1 | | where userIdentity.type{}="Root"
  |                          ^ expected an operator or the end of the command
  |
  = help: in an expression a field's name needs single quotes unless it consists of letters, digits and `_`
"#,
    );
    check(
        r#"| where a=1 AND"#,
        r#"
error[SPL1006]: expected an expression, found the end
 --> <search>:1:16
  |
1 | | where a=1 AND
  |                ^ expected an expression
"#,
    );
    check(
        r#"| eval n==1"#,
        r#"
error[SPL1008]: expected `=`, found `==`
 --> <search>:1:9
  |
1 | | eval n==1
  |         ^^ expected `=`
  |
  = help: a comparison belongs into `where`, or into `if(…)` after the `=`
"#,
    );
}

#[test]
fn searches_show_where_reading_stopped() {
    check(
        r#"a IN (1 2"#,
        r#"
error[SPL1001]: `(` is never closed
 --> <search>:1:6
  |
1 | a IN (1 2
  |      ^ opened here
  |
  = help: add the missing `)`
"#,
    );
    check(
        r#"status=404,500"#,
        r#"
error[SPL1008]: expected a search term, AND, OR or the end, found `,`
 --> <search>:1:11
  |
1 | status=404,500
  |           ^ expected a search term, AND, OR or the end
  |
  = help: put a value that holds a comma in double quotes
"#,
    );
    check(
        r#"user= OR role=x"#,
        r#"
error[SPL1008]: expected a value to compare `user` with, found `OR`
 --> <search>:1:7
  |
1 | user= OR role=x
  |       ^^ expected a value to compare `user` with
  |
  = help: put the word in quotes if it is the value
"#,
    );
    check(
        r#"a=1 OR | head"#,
        r#"
error[SPL1006]: expected a search term, found the end
 --> <search>:1:7
  |
1 | a=1 OR | head
  |       ^ expected a search term
"#,
    );
}

#[test]
fn statistics_show_where_reading_stopped() {
    check(
        r#"| stats sum(a+b) as c"#,
        r#"
error[SPL1008]: expected `)`, found `+`
 --> <search>:1:14
  |
1 | | stats sum(a+b) as c
  |            - ^ expected `)`
  |            |
  |            to close this
  |
  = help: an expression in a statistics function is written `sum(eval(…))`, with a name after AS
"#,
    );
    check(
        r#"| stats count(n>5)"#,
        r#"
error[SPL1008]: expected `)`, found `>`
 --> <search>:1:16
  |
1 | | stats count(n>5)
  |              - ^ expected `)`
  |              |
  |              to close this
  |
  = help: an expression in a statistics function is written `sum(eval(…))`, with a name after AS
"#,
    );
    check(
        r#"| stats count by"#,
        r#"
error[SPL1006]: expected a field, found the end
 --> <search>:1:17
  |
1 | | stats count by
  |                 ^ expected a field
"#,
    );
}

#[test]
fn pipelines_and_macros() {
    check(
        r#"a=1 || stats count"#,
        r#"
error[SPL1003]: expected a command, found nothing
 --> <search>:1:6
  |
1 | a=1 || stats count
  |      ^ expected a command
  |
  = help: remove the pipe, or write a command after it
"#,
    );
    check(
        r#"a=1 | `late(bytes)` | stats count"#,
        r#"
error[SPL1008]: expected an expression, found `>`
 --> <search>:1:7
  |
1 | a=1 | `late(bytes)` | stats count
  |       ^^^^^^^^^^^^^ expected an expression
  |
  = note: in macro `late(1)`: `where bytes > > 5`
"#,
    );
    check(
        r#"`cloudtrial` eventName=x"#,
        r#"
error[SPL1101]: unknown macro `cloudtrial`
 --> <search>:1:1
  |
1 | `cloudtrial` eventName=x
  | ^^^^^^^^^^^^
  |
  = help: a macro with a similar name exists: `cloudtrail`
"#,
    );
    check(
        r#"a=1 | "stats" count"#,
        r#"
error[SPL1008]: expected a command, found `"`
 --> <search>:1:7
  |
1 | a=1 | "stats" count
  |       ^ expected a command
  |
  = help: a pipe is followed by a command's name
"#,
    );
}

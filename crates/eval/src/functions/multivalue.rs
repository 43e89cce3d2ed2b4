//! Functions that accept or return multivalues and do not evaluate an expression for each member.

use std::borrow::Cow;
use std::collections::HashSet;

use spilltrail_event::Value;

use super::Category::Multivalue;
use super::text::literal_regex;
use super::{Arity, EvalFunction, doc, returns, take};
use crate::operators::number;
use crate::{CallContext, Type, limits};

pub(super) static COMMANDS: EvalFunction = EvalFunction::row(
    doc(
        "commands",
        Multivalue,
        "Return the names of the commands of a search.",
        "commands(<search>)",
        &[(r#"commands("search a | stats count | head 5")"#, "search | stats | head")],
    ),
    Arity::Exactly(1),
    returns::multi,
    |_, arguments| {
        let Some(text) = arguments[0].to_text() else { return Value::Null };
        let (pipeline, _) = spilltrail_spl::parse(&text);
        let names = pipeline.commands.into_iter().map(|command| Cow::Owned(command.name.value));
        Value::multi(names.collect())
    },
);

pub(super) static MVAPPEND: EvalFunction = EvalFunction::row(
    doc(
        "mvappend",
        Multivalue,
        "Return all values of all arguments, without nulls.",
        "mvappend(<value>, …)",
        &[(r#"mvappend("a", split("b,c", ","))"#, "a | b | c"), (r#"mvappend(missing, "a")"#, "a")],
    ),
    Arity::AtLeast(1),
    returns::multi,
    |_, arguments| {
        let members = (0..arguments.len()).flat_map(|index| take(arguments, index).into_members());
        Value::multi(members.collect())
    },
);

pub(super) static MVCOUNT: EvalFunction = EvalFunction::row(
    doc(
        "mvcount",
        Multivalue,
        "Count the values; null for a missing field.",
        "mvcount(<multivalue>)",
        &[(r#"mvcount(split("a,b", ","))"#, "2"), ("mvcount(missing)", "null")],
    ),
    Arity::Exactly(1),
    returns::number,
    |_, arguments| match &arguments[0] {
        Value::Null => Value::Null,
        Value::Multi(members) => Value::Number(members.len() as f64),
        _ => Value::Number(1.0),
    },
);

pub(super) static MVDEDUP: EvalFunction = EvalFunction::row(
    doc(
        "mvdedup",
        Multivalue,
        "Remove repeated values; the first of each stays.",
        "mvdedup(<multivalue>)",
        &[(r#"mvdedup(split("b,a,b", ","))"#, "b | a")],
    ),
    Arity::Exactly(1),
    returns::multi,
    |_, arguments| {
        let mut members = take(arguments, 0).into_members();
        let mut seen = HashSet::new();
        members.retain(|member| seen.insert(member.clone()));
        Value::multi(members)
    },
);

pub(super) static MVFIND: EvalFunction = EvalFunction::row(
    doc(
        "mvfind",
        Multivalue,
        "Return the index, from 0, of the first value that matches a regular expression.",
        "mvfind(<multivalue>, <regex>)",
        &[(r#"mvfind(split("ab,bc", ","), "^b")"#, "1"), (r#"mvfind("ab", "x")"#, "null")],
    ),
    Arity::Exactly(2),
    returns::number,
    |context, arguments| {
        let Some(pattern) = arguments[1].to_text() else { return Value::Null };
        let found = context.with_regex(&pattern, |regex| {
            arguments[0].members().iter().position(|member| regex.is_match(member))
        });
        crate::number(found.flatten().map(|place| place as f64))
    },
)
.prepared(|preparation| literal_regex(preparation, 1));

pub(super) static MVINDEX: EvalFunction = EvalFunction::row(
    doc(
        "mvindex",
        Multivalue,
        "Return the value at an index, or the values between two indexes; 0 is the first, -1 the last.",
        "mvindex(<multivalue>, <start>[, <end>])",
        &[
            (r#"mvindex(split("a,b,c", ","), 1)"#, "b"),
            (r#"mvindex(split("a,b,c", ","), -2, -1)"#, "b | c"),
            (r#"mvindex(split("a,b,c", ","), 3)"#, "null"),
        ],
    )
    .differs(&["An end index beyond the last value means the last value."]),
    Arity::Between(2, 3),
    |arguments| if arguments.len() == 3 { Type::Multi } else { Type::Untyped },
    mvindex,
);

fn mvindex<'a>(_: &CallContext<'a>, arguments: &mut [Value<'a>]) -> Value<'a> {
    let mut members = take(arguments, 0).into_members();
    let count = members.len() as i64;
    let place = |argument: &Value<'_>| {
        let place = number(argument)? as i64;
        Some(if place < 0 { place.saturating_add(count) } else { place })
    };
    let Some(start) = place(&arguments[1]) else { return Value::Null };
    let end = match arguments.get(2) {
        Some(end) => match place(end) {
            Some(end) => end.min(count - 1),
            None => return Value::Null,
        },
        None => start,
    };
    if start < 0 || start > end || end >= count {
        return Value::Null;
    }
    Value::multi(members.drain(start as usize..=end as usize).collect())
}

pub(super) static MVJOIN: EvalFunction = EvalFunction::row(
    doc(
        "mvjoin",
        Multivalue,
        "Join the values with a delimiter.",
        "mvjoin(<multivalue>, <delimiter>)",
        &[(r#"mvjoin(split("a b", " "), "; ")"#, "a; b")],
    ),
    Arity::Exactly(2),
    returns::string,
    |_, arguments| {
        let delimiter = take(arguments, 1);
        let Some(delimiter) = delimiter.to_text() else { return Value::Null };
        match take(arguments, 0) {
            Value::Multi(members) => {
                let texts: usize =
                    members.iter().map(|member| member.len() + delimiter.len()).sum();
                let is_allowed = limits::allows("mvjoin", texts);
                if is_allowed { Value::text(members.join(&*delimiter)) } else { Value::Null }
            }
            single => single,
        }
    },
);

pub(super) static MVREVERSE: EvalFunction = EvalFunction::row(
    doc(
        "mvreverse",
        Multivalue,
        "Reverse the order of the values.",
        "mvreverse(<multivalue>)",
        &[(r#"mvreverse(split("a,b,c", ","))"#, "c | b | a")],
    ),
    Arity::Exactly(1),
    returns::multi,
    |_, arguments| {
        let mut members = take(arguments, 0).into_members();
        members.reverse();
        Value::multi(members)
    },
);

pub(super) static MVSORT: EvalFunction = EvalFunction::row(
    doc(
        "mvsort",
        Multivalue,
        "Sort the values in byte order.",
        "mvsort(<multivalue>)",
        &[(r#"mvsort(split("9,10,B,a", ","))"#, "10 | 9 | B | a")],
    ),
    Arity::Exactly(1),
    returns::multi,
    |_, arguments| {
        let mut members = take(arguments, 0).into_members();
        members.sort();
        Value::multi(members)
    },
);

pub(super) static MVZIP: EvalFunction = EvalFunction::row(
    doc(
        "mvzip",
        Multivalue,
        "Join the values of two fields pair by pair, until one field has no more.",
        "mvzip(<multivalue>, <multivalue>[, <delimiter>])",
        &[
            (r#"mvzip(split("a,b", ","), split("1,2,3", ","))"#, "a,1 | b,2"),
            (r#"mvzip("a", "b", "=")"#, "a=b"),
        ],
    ),
    Arity::Between(2, 3),
    returns::multi,
    |_, arguments| {
        let delimiter = match arguments.get(2) {
            Some(delimiter) => match delimiter.to_text() {
                Some(delimiter) => delimiter.into_owned(),
                None => return Value::Null,
            },
            None => ",".to_owned(),
        };
        let (left, right) = (arguments[0].members(), arguments[1].members());
        let pairs = left.iter().zip(&right);
        let size = |(left, right): (&Cow<'_, str>, &Cow<'_, str>)| {
            left.len() + delimiter.len() + right.len() + limits::MEMBER
        };
        if !limits::allows("mvzip", pairs.clone().map(size).sum()) {
            return Value::Null;
        }
        Value::multi(
            pairs.map(|(left, right)| Cow::Owned(format!("{left}{delimiter}{right}"))).collect(),
        )
    },
);

pub(super) static SPLIT: EvalFunction = EvalFunction::row(
    doc(
        "split",
        Multivalue,
        "Split a text at each delimiter; an empty delimiter splits it into characters.",
        "split(<text>, <delimiter>)",
        &[
            (r#"split("arn:aws:iam", ":")"#, "arn | aws | iam"),
            (r#"split("ab", "")"#, "a | b"),
            (r#"mvcount(split("a,,b", ","))"#, "3"),
        ],
    ),
    Arity::Exactly(2),
    returns::multi,
    |_, arguments| {
        let delimiter = take(arguments, 1);
        let Some(delimiter) = delimiter.to_text() else { return Value::Null };
        let members = take(arguments, 0).into_members();
        let size = |member: &Cow<'_, str>| {
            let parts = member.matches(&*delimiter).count() + 1;
            member.len() + parts * limits::MEMBER
        };
        if !limits::allows("split", members.iter().map(size).sum()) {
            return Value::Null;
        }
        let parts = members.into_iter().flat_map(|member| split(member, &delimiter));
        Value::multi(parts.collect())
    },
);

fn split<'a>(text: Cow<'a, str>, delimiter: &str) -> Vec<Cow<'a, str>> {
    let own = |part: &str| Cow::Owned(part.to_owned());
    match text {
        text if text.is_empty() => vec![text],
        Cow::Borrowed(text) if delimiter.is_empty() => {
            text.split_inclusive(|_: char| true).map(Cow::Borrowed).collect()
        }
        Cow::Borrowed(text) => text.split(delimiter).map(Cow::Borrowed).collect(),
        Cow::Owned(text) if delimiter.is_empty() => {
            text.split_inclusive(|_: char| true).map(own).collect()
        }
        Cow::Owned(text) => text.split(delimiter).map(own).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitting() {
        for (text, delimiter, parts) in
            [("a::b", "::", "a b"), ("äb", "", "ä b"), ("", ",", ""), (",a,", ",", " a ")]
        {
            assert_eq!(split(Cow::Borrowed(text), delimiter).join(" "), parts);
            assert_eq!(split(Cow::Owned(text.to_owned()), delimiter).join(" "), parts);
        }
    }
}

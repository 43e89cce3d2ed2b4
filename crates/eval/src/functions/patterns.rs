//! Functions that test text: in, like, match, cidrmatch, searchmatch.

use std::net::IpAddr;

use ipnet::IpNet;
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_event::{Predicate, Value};

use super::Category::Conditional;
use super::text::literal_regex;
use super::{Arity, Asks, EvalFunction, doc, returns, take};
use crate::operators::any_text;
use crate::{
    Call, CallContext, Constants, Evaluation, Preparation, RowRecord, any_equal, boolean, like,
};

pub(super) static CIDRMATCH: EvalFunction = EvalFunction::row(
    doc(
        "cidrmatch",
        Conditional,
        "Return true if an IPv4 or IPv6 address is in a CIDR block.",
        "cidrmatch(<block>, <address>)",
        &[
            (r#"if(cidrmatch("10.0.0.0/8", "10.2.3.4"), "in", "out")"#, "in"),
            (r#"if(cidrmatch("10.0.0.0/8", "ec2.amazonaws.com"), "in", "out")"#, "out"),
        ],
    ),
    Arity::Exactly(2),
    returns::boolean,
    cidrmatch,
)
.prepared(|preparation| {
    let Some((text, _)) = preparation.literal_text(0) else { return Ok(Constants::Nothing) };
    if let Some(block) = network(text) {
        return Ok(Constants::Network(block));
    }
    preparation.doubt(0, "not an IP address or block, such as 10.0.0.0/8, so nothing matches");
    Ok(Constants::Nothing)
});

fn cidrmatch<'a>(context: &CallContext<'a>, arguments: &mut [Value<'a>]) -> Value<'a> {
    let contains = |block: &IpNet, text: &str| {
        text.trim().parse::<IpAddr>().is_ok_and(|address| block.contains(&address))
    };
    if let Constants::Network(block) = context.prepared {
        return boolean(any_text(&arguments[1], |text| contains(block, text)));
    }
    let Some(block) = arguments[0].to_text() else { return Value::Null };
    let block = network(&block);
    boolean(any_text(&arguments[1], |text| {
        block.as_ref().is_some_and(|block| contains(block, text))
    }))
}

/// Parses an IP block; a single address is a block of one address.
fn network(text: &str) -> Option<IpNet> {
    let text = text.trim();
    text.parse().ok().or_else(|| text.parse().ok().map(|address: IpAddr| IpNet::from(address)))
}

pub(super) static IN: EvalFunction = EvalFunction::row(
    doc(
        "in",
        Conditional,
        "Return true if the first value equals one of the others.",
        "in(<value>, <value>, …)",
        &[(r#"if(in("b", "a", "b"), "yes", "no")"#, "yes")],
    ),
    Arity::AtLeast(2),
    returns::boolean,
    |_, arguments| {
        let value = take(arguments, 0);
        // Only the compiler knows literals, so it compiles calls to the operator `IN`.
        let others = (1..arguments.len()).map(|index| (take(arguments, index), false));
        boolean(any_equal(&value, others))
    },
);

pub(super) static LIKE: EvalFunction = EvalFunction::row(
    doc(
        "like",
        Conditional,
        "Return true if the whole text matches a pattern: `%` matches any text, `_` one character.",
        "like(<text>, <pattern>)",
        &[
            (r#"if(like("DescribeInstances", "Describe%"), 1, 0)"#, "1"),
            (r#"if(like("DescribeInstances", "describe%"), 1, 0)"#, "0"),
        ],
    ),
    Arity::Exactly(2),
    returns::boolean,
    |_, arguments| like(&arguments[0], &arguments[1]),
);

pub(super) static MATCH: EvalFunction = EvalFunction::row(
    doc(
        "match",
        Conditional,
        "Return true if a regular expression matches a part of the text, or of any value.",
        "match(<text>, <regex>)",
        &[
            (r#"if(match("AssumeRole", "^Assume|^Get"), 1, 0)"#, "1"),
            (r#"if(match("AssumeRole", "(?i)ROLE$"), 1, 0)"#, "1"),
        ],
    )
    .differs(&["A match that takes more than a million steps, or on a long value too much time, counts as no match and is told."]),
    Arity::Exactly(2),
    returns::boolean,
    |context, arguments| {
        let Some(pattern) = arguments[1].to_text() else { return Value::Null };
        let text = &arguments[0];
        boolean(
            context
                .with_regex(&pattern, |regex| any_text(text, |text| regex.is_match(text)))
                .flatten(),
        )
    },
)
.prepared(|preparation| literal_regex(preparation, 1));

pub(super) static SEARCHMATCH: EvalFunction = EvalFunction::special(
    doc(
        "searchmatch",
        Conditional,
        "Return true if the event matches a search expression, as in the search command.",
        "searchmatch(<search>)",
        &[],
    ),
    Arity::Exactly(1),
    returns::boolean,
    searchmatch,
)
.prepared(prepare_searchmatch)
.asks(Asks::Search);

fn searchmatch<'a>(call: &'a Call, evaluation: Evaluation<'a>) -> Value<'a> {
    match &call.prepared {
        Constants::Search(predicate, slots) => {
            Value::Bool(predicate.matches(&RowRecord { row: evaluation.row, slots }))
        }
        _ => Value::Null,
    }
}

fn prepare_searchmatch(preparation: &mut Preparation<'_>) -> Result<Constants, Diagnostic> {
    let Some((text, span)) = preparation.literal_text(0) else {
        return Err(preparation.refuse(0, "expected a string literal"));
    };
    let Some(compile) = &preparation.context.compile_search else {
        return Err(Diagnostic::unsupported(
            Code::UNSUPPORTED_FUNCTION,
            "`searchmatch` is not supported here",
        )
        .at(span));
    };
    let predicate: Predicate = compile(text)?;
    let names: Vec<String> = predicate.fields().into_iter().map(str::to_owned).collect();
    let slots = names
        .into_iter()
        .filter_map(|name| preparation.slot(&name).map(|slot| (name, slot)))
        .collect();
    Ok(Constants::Search(predicate, slots))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks() {
        for (block, address, inside) in [
            ("10.1.2.3/16", "10.1.200.200", true),
            ("192.0.2.7", "192.0.2.7", true),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "10.0.0.1", false),
        ] {
            let block = network(block).unwrap();
            assert_eq!(block.contains(&address.parse::<IpAddr>().unwrap()), inside, "{block}");
        }
        assert_eq!(network("10.0.0.0/99"), None);
    }
}

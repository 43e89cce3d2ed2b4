//! Names of calls that several services have.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use spilltrail_diagnostic::{Code, Span, edit_distance};

use super::pipelines::{conjuncts, is_of_cloudtrail, leading, values};
use super::{Doubt, Weight};
use crate::{Pipeline, SearchExpr};

/// The names that calls of several services have, each with the services, as in the hosts of their
/// endpoints, the best known first. They are from the service models of AWS's SDK for Python (botocore 1.44).
const SHARED: &str = include_str!("shared_calls.txt");

/// The services of each call, by its name in lower case.
static SERVICES: LazyLock<BTreeMap<String, &str>> = LazyLock::new(|| {
    let calls = SHARED.lines().filter_map(|line| line.split_once(' '));
    calls.map(|(call, services)| (call.to_ascii_lowercase(), services)).collect()
});

/// Most services that a message names.
const NAMED: usize = 4;

/// Groups of members that tell the calls of one service from those of another.
const OF_CALLS: &[&str] = &["requestParameters.", "responseElements.", "additionalEventData."];

/// The names of sign-in events, which are no calls of a service and resemble none of one.
const SIGN_IN: &[&str] = &[
    "CheckMfa",
    "ConsoleLogin",
    "CredentialChallenge",
    "CredentialVerification",
    "GetSigninToken",
    "PasswordRecoveryCompleted",
    "PasswordRecoveryRequested",
    "SwitchRole",
    "UserAuthentication",
];

/// The most edits that make one name of another by mistake.
const MOST_EDITS: usize = 2;

/// Finds a search for sign-in events by a name that is nearly right. The names of most calls are not known
/// here, and many of them differ in a letter or two.
pub(super) fn misspelled(pipeline: &Pipeline, found: &mut Vec<Doubt>) {
    let Some(expression) = leading(pipeline).filter(may_be_of_cloudtrail) else { return };
    expression.walk(&mut |part| {
        let Some((names, _)) =
            values(part, "eventName").filter(|_| !matches!(part, SearchExpr::Or(_)))
        else {
            return;
        };
        for name in names {
            let near = SIGN_IN.iter().map(|known| (edit_distance(name, known), *known));
            let Some((edits, meant)) = near.min() else { continue };
            let is_near = (1..=MOST_EDITS).contains(&edits) && !name.contains('*');
            let Some(span) = place(&expression, name).filter(|_| is_near) else { continue };
            let message = format!("no event of CloudTrail is a `{name}`");
            let doubt = Doubt::new(Weight::Advice, Code::OTHER_NAME, message, span);
            found.push(doubt.help(format!("did you mean `{meant}`?")));
        }
    });
}

/// Returns false for a search for events of another sourcetype than CloudTrail's.
fn may_be_of_cloudtrail(expression: &SearchExpr) -> bool {
    let names_other = expression.any(&|part| {
        let written = values(part, "sourcetype");
        written.is_some_and(|(names, _)| names.iter().any(|name| !name.starts_with("aws:")))
    });
    is_of_cloudtrail(expression) || !names_other
}

/// Finds a search for calls by a name that several services have, without their `eventSource`.
pub(super) fn without_source(pipeline: &Pipeline, found: &mut Vec<Doubt>) {
    let Some(expression) = leading(pipeline).filter(is_of_cloudtrail) else { return };
    let is_told_apart = |text: &str| {
        text.contains("eventSource") || OF_CALLS.iter().any(|group| text.contains(group))
    };
    // Any condition on the service or on a member of the call tells them apart.
    let conditions = pipeline
        .commands
        .iter()
        .filter(|command| matches!(command.name.value.as_str(), "search" | "where" | "regex"));
    if conditions.into_iter().any(|command| is_told_apart(&command.arguments.value)) {
        return;
    }
    let parts = conjuncts(&expression);
    let Some((names, _)) = parts.iter().find_map(|part| values(part, "eventName")) else { return };
    let mut shared = names.iter().filter_map(|name| Some((*name, services(name)?)));
    let Some((name, services)) = shared.next() else { return };
    let others = match shared.count() {
        0 => String::new(),
        1 => "; 1 more of the names here is, too".to_owned(),
        others => format!("; {others} more of the names here are, too"),
    };
    let Some(span) = place(&expression, name) else { return };
    let more = match services.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let named = services.iter().take(NAMED).copied().collect::<Vec<_>>().join("`, `");
    let message = format!("`{name}` is a call of several services: `{named}`{more}{others}");
    let help = format!(
        "add the service that is meant, such as `eventSource={}.amazonaws.com`",
        services[0]
    );
    found.push(Doubt::new(Weight::Advice, Code::ANY_SERVICE, message, span).help(help));
}

/// Returns the services that have a call of this name, if they are several.
fn services(name: &str) -> Option<Vec<&'static str>> {
    Some(SERVICES.get(&name.to_ascii_lowercase())?.split(' ').collect())
}

/// Returns the place at which an expression compares `eventName` with this value.
fn place(expression: &SearchExpr, name: &str) -> Option<Span> {
    let mut found = None;
    expression.walk(&mut |part| match part {
        SearchExpr::Compare { field, value, .. }
            if field.value == "eventName" && value.value.text == name =>
        {
            found.get_or_insert(value.span);
        }
        SearchExpr::In { field, values } if field.value == "eventName" => {
            if let Some(value) = values.iter().find(|value| value.value.text == name) {
                found.get_or_insert(value.span);
            }
        }
        _ => {}
    });
    found
}

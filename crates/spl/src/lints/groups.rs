//! BY fields that rows may lack. Such rows are not counted in any group.

use spilltrail_diagnostic::{Code, Span, Spanned};

use super::constants::name_of;
use super::pipelines::{conjuncts, is_of_cloudtrail, leading, values};
use super::{Doubt, Weight};
use crate::{
    Arguments, BinaryOp, Command, EvalExpr, EvalNode, Pipeline, Required, SearchExpr, UnaryOp,
    boolean,
};

/// Values of `errorCode` that any call can have.
const OF_ANY_CALL: &[&str] =
    &["success", "failure", "AccessDenied", "AccessDeniedException", "UnauthorizedOperation"];

/// Why rows may lack a field.
type Why = String;

/// The fields that rows may lack so far.
#[derive(Debug, Default)]
struct Rows {
    /// Fields that a command may leave empty, with the reason.
    empty: Vec<(String, Why)>,
    /// Fields without which no row is left.
    present: Vec<String>,
    /// Fields that conditions have restricted to some values.
    restricted: Vec<String>,
    /// Whether the rows are events of CloudTrail.
    are_events: bool,
    /// Whether the events are those of some calls only.
    are_of_calls: bool,
    /// Whether a condition on the outcome of calls is met.
    have_outcome: bool,
}

/// Finds BY fields that rows may lack.
pub(super) fn may_be_null(pipeline: &Pipeline, found: &mut Vec<Doubt>) {
    let mut rows = Rows::default();
    if let Some(expression) = leading(pipeline).filter(is_of_cloudtrail) {
        rows.are_events = true;
        let parts = conjuncts(&expression);
        let is_of_one = |name: &str| !name.contains('*') && !OF_ANY_CALL.contains(&name);
        rows.are_of_calls = ["eventName", "errorCode"].iter().any(|field| {
            let values = parts.iter().find_map(|part| values(part, field));
            values.is_some_and(|(values, _)| values.into_iter().all(is_of_one))
        });
        rows.have_outcome = has_outcome(&expression);
    }
    let mut doubts = Vec::new();
    for command in &pipeline.commands {
        rows.follow(command, &mut doubts);
    }
    // A later condition on the field leaves such rows out as well.
    let filters = pipeline.commands.iter().flat_map(|command| {
        let place = command.name.span;
        Required::of(command).fields.into_iter().map(move |field| (place, field.name))
    });
    let filters: Vec<(Span, String)> = filters.collect();
    let is_meant = |field: &Spanned<String>| {
        let mut later = filters.iter().filter(|(place, _)| place.start > field.span.end);
        later.any(|(_, name)| *name == field.value)
    };
    let told = doubts.into_iter().filter(|(field, _)| !is_meant(field));
    found.extend(told.map(|(_, doubt)| doubt));
}

/// Returns true if an expression says something about the outcome of calls.
fn has_outcome(expression: &SearchExpr) -> bool {
    expression.any(&|part| match part {
        SearchExpr::Compare { field, .. } | SearchExpr::In { field, .. } => {
            let name = field.value.as_str();
            matches!(name, "errorCode" | "errorMessage" | "status" | "result" | "action" | "msg")
                || name.starts_with("responseElements")
        }
        SearchExpr::Term { .. } => true,
        _ => false,
    })
}

impl Rows {
    fn follow(&mut self, command: &Command, found: &mut Vec<(Spanned<String>, Doubt)>) {
        let mut arguments = Arguments::new(command);
        let required = Required::of(command);
        for field in required.fields {
            self.restricted.push(field.name.clone());
            self.present.push(field.name);
        }
        match command.name.value.as_str() {
            "search" | "regex" | "head" | "tail" | "sort" | "reverse" | "bin" | "bucket"
            | "fields" | "table" | "convert" | "fieldformat" | "outputlookup" => {}
            "where" => {
                if let Ok(condition) = arguments.eval() {
                    self.require(&condition);
                }
            }
            "eval" => {
                for assigned in arguments.assignments().unwrap_or_default() {
                    let name = assigned.target.value;
                    let why = self.why_empty(&assigned.value);
                    self.forget(&name);
                    match why {
                        Some(why) => self.empty.push((name, why)),
                        None => self.present.push(name),
                    }
                }
            }
            // What a pattern does not find is left out on purpose.
            "rex" => groups(&command.arguments.value).for_each(|name| self.forget(name)),
            "fillnull" => {
                arguments.option("value");
                match arguments.fields() {
                    Ok(fields) if !fields.is_empty() => {
                        for field in fields {
                            self.forget(&field.value);
                            self.present.push(field.value);
                        }
                    }
                    _ => *self = Self::default(),
                }
            }
            "lookup" => self.lookup(command),
            "dedup" => {
                let (fields, keeps_empty) = deduplicated(&mut arguments);
                if !keeps_empty {
                    for field in fields {
                        found.extend(self.doubt(&field, "dedup"));
                        self.present.push(field.value);
                    }
                }
            }
            "stats" => {
                while arguments.any_option().is_some() {}
                if let Ok(stats) = arguments.stats() {
                    found.extend(stats.by.iter().filter_map(|field| self.doubt(field, "stats")));
                }
                *self = Self::default();
            }
            // Other commands may fill in any field, or make other rows.
            _ => *self = Self::default(),
        }
    }

    fn forget(&mut self, name: &str) {
        self.empty.retain(|(known, _)| known != name);
        self.present.retain(|known| known != name);
    }

    /// Notes the fields that a condition requires by a function.
    fn require(&mut self, condition: &EvalExpr) {
        let mut waiting = vec![condition];
        while let Some(part) = waiting.pop() {
            match &part.node {
                EvalNode::Binary(BinaryOp::And, left, right) => {
                    waiting.extend([left.as_ref(), right.as_ref()]);
                }
                EvalNode::Call { name, arguments } if name.value != "isnull" => {
                    self.present.extend(arguments.iter().filter_map(field));
                }
                EvalNode::Unary(UnaryOp::Not, inner) => {
                    if let EvalNode::Call { name, arguments } = &inner.node
                        && name.value == "isnull"
                    {
                        self.present.extend(arguments.iter().filter_map(field));
                    }
                }
                _ => {}
            }
        }
    }

    /// Returns true if a condition may hold for all the rows that others of its `case` leave: it asks
    /// for missing values, or for a field that earlier conditions have restricted.
    fn covers(&self, condition: &EvalExpr) -> bool {
        let mut covers = false;
        condition.walk(&mut |part| match &part.node {
            EvalNode::Call { name, .. } => {
                covers |= matches!(name.value.as_str(), "isnull" | "isnotnull");
            }
            EvalNode::Unary(UnaryOp::Not, _) => covers = true,
            EvalNode::Field(name) => covers |= self.restricted.contains(name),
            _ => {}
        });
        covers
    }

    /// Returns why the value of an expression may be null, if that is certain.
    fn why_empty(&self, value: &EvalExpr) -> Option<Why> {
        match &value.node {
            EvalNode::Field(name) => self.why(name),
            EvalNode::Call { name, arguments } => match name.value.as_str() {
                "null" => Some("it is null".to_owned()),
                "case" => {
                    let conditions = arguments.iter().step_by(2);
                    let always = |condition: &EvalExpr| match &condition.node {
                        EvalNode::Call { name, .. } => name.value == "true",
                        EvalNode::Binary(BinaryOp::Compare(_), left, right) => {
                            let is_constant = |side: &EvalExpr| {
                                matches!(side.node, EvalNode::Number(_) | EvalNode::Text(_))
                            };
                            is_constant(left) && is_constant(right)
                        }
                        // `isnull(x)` beside a condition on `x` may be all there is.
                        _ => false,
                    };
                    let covers = |condition: &EvalExpr| always(condition) || self.covers(condition);
                    let is_covered = conditions.into_iter().any(covers);
                    (!is_covered).then(|| "no condition of `case` may hold".to_owned())
                }
                "if" => {
                    let is_null = |branch: &&EvalExpr| match &branch.node {
                        EvalNode::Call { name, .. } => name.value == "null",
                        _ => false,
                    };
                    let branches = arguments.iter().skip(1);
                    branches.clone().find(is_null).map(|_| "`if` gives null".to_owned())
                }
                _ => None,
            },
            _ => None,
        }
    }

    fn lookup(&mut self, command: &Command) {
        let text = &command.arguments.value;
        let lower = text.to_ascii_lowercase();
        let Some(at) = lower.find(" output").map(|at| at + 1) else {
            *self = Self::default();
            return;
        };
        let word = text.get(at..).unwrap_or_default();
        let is_new = word.get(..9).is_some_and(|word| word.eq_ignore_ascii_case("outputnew"));
        let listed = word.split_once(char::is_whitespace).map_or("", |(_, rest)| rest);
        let words: Vec<&str> = listed
            .split(|c: char| c.is_whitespace() || c == ',')
            .filter(|word| !word.is_empty())
            .collect();
        let mut index = 0;
        while index < words.len() {
            let has_name = words.get(index + 1).is_some_and(|word| word.eq_ignore_ascii_case("as"));
            let name = if has_name { words.get(index + 2) } else { words.get(index) };
            index += if has_name { 3 } else { 1 };
            let Some(name) = name.map(|name| name.trim_matches('"').to_owned()) else { continue };
            if is_new && (self.present.contains(&name) || self.why(&name).is_none()) {
                continue;
            }
            self.forget(&name);
            self.empty.push((name, "the lookup may have no row for it".to_owned()));
        }
    }

    /// Returns why rows may lack a field; `None` if they have it, or if that is not known.
    fn why(&self, name: &str) -> Option<Why> {
        if self.present.iter().any(|present| present == name) {
            return None;
        }
        if let Some((_, why)) = self.empty.iter().find(|(empty, _)| empty == name) {
            return Some(why.clone());
        }
        if !self.are_events {
            return None;
        }
        let is_in =
            |object: &str| name.strip_prefix(object).is_some_and(|rest| rest.starts_with('.'));
        let why = if is_in("responseElements") && !self.have_outcome {
            "calls that fail have no `responseElements`"
        } else if is_in("requestParameters") && !self.are_of_calls {
            "each call has its own `requestParameters`"
        } else if name == "errorMessage" && !self.have_outcome {
            "calls that succeed have no `errorMessage`"
        } else if is_in("userIdentity.sessionContext.sessionIssuer") {
            "only sessions of roles have it"
        } else {
            return None;
        };
        Some(why.to_owned())
    }

    /// Returns the doubt about a BY field, with the field.
    fn doubt(&self, by: &Spanned<String>, command: &str) -> Option<(Spanned<String>, Doubt)> {
        let field = &by.value;
        let why = self.why(field)?;
        let message = format!("`{command}` drops the rows without `{field}`: {why}");
        let help = format!(
            "to keep them, write `fillnull value=\"unknown\" {}` before",
            if field.contains(' ') { name_of(field) } else { field.clone() }
        );
        let doubt = Doubt::new(Weight::Advice, Code::NULL_GROUP, message, by.span).help(help);
        Some((by.clone(), doubt))
    }
}

/// Returns the fields of a `dedup`, and whether it keeps the rows that lack one.
fn deduplicated(arguments: &mut Arguments<'_>) -> (Vec<Spanned<String>>, bool) {
    let (mut fields, mut keeps_empty) = (Vec::new(), false);
    arguments.integer();
    loop {
        if let Some((name, value)) = arguments.any_option() {
            if name.value.eq_ignore_ascii_case("keepempty") {
                keeps_empty = boolean(&value.value) == Some(true);
            }
            continue;
        }
        match arguments.fields_until(&["sortby"]) {
            Ok(more) => fields.extend(more),
            Err(_) => return (fields, keeps_empty),
        }
    }
}

/// Returns the names of the groups in a pattern.
fn groups(pattern: &str) -> impl Iterator<Item = &str> {
    pattern.split("(?").skip(1).filter_map(|rest| {
        let rest = rest.strip_prefix('P').unwrap_or(rest);
        rest.strip_prefix('<')?.split_once('>').map(|(name, _)| name)
    })
}

fn field(argument: &EvalExpr) -> Option<String> {
    match &argument.node {
        EvalNode::Field(name) => Some(name.clone()),
        _ => None,
    }
}

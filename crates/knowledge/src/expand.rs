//! Replaces comparisons with event types and tags by the searches of the event types.

use spilltrail_diagnostic::{Code, Diagnostic, Span};
use spilltrail_spl::{CompareOp, SearchExpr, SearchLiteral};

use crate::Knowledge;
use crate::set::{Asked, is_class};

/// The deepest nesting of event types that name other event types.
const MAX_DEPTH: usize = 16;

/// The most parts of searches that event types put into one expression.
const MAX_PARTS: usize = 50_000;

/// An expression in which searches stand for event types and tags.
#[derive(Debug, Clone, PartialEq)]
pub struct Expanded {
    /// The expression.
    pub expression: SearchExpr,
    /// Warnings about event types that it leaves out, so that events of them may not match.
    pub warnings: Vec<Diagnostic>,
}

/// How many parts of searches can be put into expressions.
#[derive(Debug)]
pub struct Budget(usize);

impl Default for Budget {
    fn default() -> Self {
        Self(MAX_PARTS)
    }
}

impl Knowledge {
    /// Replaces each comparison with `eventtype` or `tag` by the searches of the event types that
    /// satisfy it.
    ///
    /// The comparison itself stays an alternative, because events may have fields of these names. It
    /// stays alone, with a warning, for an event type that names itself, and for one that is nested
    /// or grows beyond the limits.
    #[must_use]
    pub fn expand(&self, expression: &SearchExpr) -> Expanded {
        self.expand_within(expression, &mut Budget::default())
    }

    /// Expands an expression as [`expand`](Self::expand) does, as one of several that have their limit of
    /// parts together.
    #[must_use]
    pub fn expand_within(&self, expression: &SearchExpr, budget: &mut Budget) -> Expanded {
        let mut expander = Expander::new(self, budget.0);
        let expression = expander.expanded(expression);
        budget.0 = expander.parts;
        Expanded { expression, warnings: expander.warnings }
    }
}

struct Expander<'k> {
    knowledge: &'k Knowledge,
    /// The indexes of the event types whose searches are being expanded, from the outermost.
    open: Vec<usize>,
    /// How many more parts of searches can be put in.
    parts: usize,
    /// Where the expression has the comparison that is being expanded.
    span: Span,
    warnings: Vec<Diagnostic>,
}

impl<'k> Expander<'k> {
    fn new(knowledge: &'k Knowledge, parts: usize) -> Self {
        let (open, warnings) = (Vec::new(), Vec::new());
        Self { knowledge, open, parts, span: Span::new(0, 0), warnings }
    }

    fn expanded(&mut self, expression: &SearchExpr) -> SearchExpr {
        match expression {
            SearchExpr::And(parts) => SearchExpr::And(self.all(parts)),
            SearchExpr::Or(parts) => SearchExpr::Or(self.all(parts)),
            SearchExpr::Not(part) => SearchExpr::Not(Box::new(self.expanded(part))),
            SearchExpr::Compare { field, op, value } => {
                self.classified(expression, &field.value, *op, &[&value.value])
            }
            SearchExpr::In { field, values } => {
                let values: Vec<&SearchLiteral> = values.iter().map(|value| &value.value).collect();
                self.classified(expression, &field.value, CompareOp::Eq, &values)
            }
            other => other.clone(),
        }
    }

    fn all(&mut self, parts: &[SearchExpr]) -> Vec<SearchExpr> {
        parts.iter().map(|part| self.expanded(part)).collect()
    }

    fn classified(
        &mut self,
        written: &SearchExpr,
        field: &str,
        op: CompareOp,
        literals: &[&SearchLiteral],
    ) -> SearchExpr {
        if !is_class(field) {
            return written.clone();
        }
        if self.open.is_empty() {
            self.span = span_of(written);
        }
        let mut alternatives = vec![written.clone()];
        let asked = Asked::new(field, op, literals);
        for (index, event_type) in self.knowledge.event_types().iter().enumerate() {
            if asked.is_met_by(event_type) {
                let search = self.search_of(index);
                alternatives.extend(search.filter(|search| !alternatives.contains(search)));
            }
        }
        if alternatives.len() == 1 { alternatives.remove(0) } else { SearchExpr::Or(alternatives) }
    }

    /// Returns the expanded search of an event type, or `None` if it must be left out.
    fn search_of(&mut self, index: usize) -> Option<SearchExpr> {
        let knowledge = self.knowledge;
        let event_type = &knowledge.event_types()[index];
        if self.open.contains(&index) {
            self.warn(
                format!("the event type `{}` names itself", event_type.name),
                "the search of an event type cannot ask for that type, nor for a tag that it has",
            );
            return None;
        }
        if self.open.len() > MAX_DEPTH {
            let outer = &knowledge.event_types()[self.open[0]].name;
            self.warn(
                format!("the event type `{outer}` nests more than {MAX_DEPTH} event types"),
                "write the conditions of the inner event types into it",
            );
            return None;
        }
        let mut parts = 0;
        event_type.search.walk(&mut |_| parts += 1);
        let Some(left) = self.parts.checked_sub(parts) else {
            self.warn(
                format!("the event types have more than {MAX_PARTS} conditions together"),
                "ask for fewer event types, or give them shorter searches",
            );
            return None;
        };
        self.parts = left;
        self.open.push(index);
        let mut search = self.expanded(&event_type.search);
        self.open.pop();
        search.place(self.span);
        Some(search)
    }

    /// Adds a warning once.
    fn warn(&mut self, message: String, help: &str) {
        if self.warnings.iter().all(|warning| warning.message != message) {
            let warning = Diagnostic::warning(Code::TOO_DEEP, message);
            self.warnings.push(warning.at(self.span).help(help));
        }
    }
}

fn span_of(expression: &SearchExpr) -> Span {
    match expression {
        SearchExpr::Compare { field, value, .. } => field.span.to(value.span),
        SearchExpr::In { field, .. } => field.span,
        _ => Span::new(0, 0),
    }
}

#[cfg(test)]
mod tests {
    use spilltrail_spl::parse_search;

    use super::*;
    use crate::EventType;

    fn knowledge(types: &[(&str, &str, &[&str])]) -> Knowledge {
        let mut knowledge = Knowledge::default();
        for (name, search, tags) in types {
            let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
            let search = parse_search(search).unwrap();
            knowledge.add_event_type(EventType { name: (*name).to_owned(), search, tags });
        }
        knowledge
    }

    /// Returns the fields that an expanded expression compares, in order.
    fn compared(knowledge: &Knowledge, search: &str) -> String {
        let expanded = knowledge.expand(&parse_search(search).unwrap()).expression;
        let mut names = Vec::new();
        expanded.walk(&mut |part| match part {
            SearchExpr::Compare { field, value, .. } => {
                names.push(format!("{}:{}", field.value, value.value.text));
            }
            SearchExpr::In { field, .. } => names.push(format!("{}:in", field.value)),
            _ => {}
        });
        names.join(" ")
    }

    #[test]
    fn comparisons_stand_for_searches() {
        let knowledge = knowledge(&[
            ("login", "action=login", &["authentication", "default"]),
            ("vpn", "eventtype=login app=vpn", &["network"]),
            ("", "host=web1", &["web"]),
        ]);
        for (search, expected) in [
            ("tag=authentication", "tag:authentication action:login"),
            ("tag=AUTH*", "tag:AUTH* action:login"),
            ("tag::eventtype=default", "tag::eventtype:default action:login"),
            ("tag::eventtype=w*", "tag::eventtype:w*"),
            ("tag::host=w*", "tag::host:w* host:web1"),
            ("tag=w*", "tag:w* host:web1"),
            ("tag IN (x, network)", "tag:in eventtype:login action:login app:vpn"),
            ("eventtype=vpn", "eventtype:vpn eventtype:login action:login app:vpn"),
            // Some tag of the type is another one.
            (
                "tag!=default",
                "tag:default action:login eventtype:login action:login app:vpn host:web1",
            ),
            ("NOT tag=network b=2", "tag:network eventtype:login action:login app:vpn b:2"),
            ("tag=x user=y", "tag:x user:y"),
        ] {
            assert_eq!(compared(&knowledge, search), expected, "{search}");
            let warnings = knowledge.expand(&parse_search(search).unwrap()).warnings;
            assert_eq!(warnings, [], "{search}");
        }
    }

    #[test]
    fn event_types_that_name_themselves_end() {
        let long = vec!["a=1"; MAX_PARTS / 2].join(" ");
        let chain: Vec<_> =
            (0..30).map(|i| (format!("t{i:02}"), format!("tag=c{}", i + 1))).collect();
        let tags: Vec<_> = (0..30).map(|i| format!("c{i}")).collect();
        let tags: Vec<_> = tags.iter().map(|tag| [tag.as_str()]).collect();
        let chain: Vec<_> = chain
            .iter()
            .zip(&tags)
            .map(|((name, search), tags)| (&**name, &**search, &tags[..]))
            .collect();
        // Each asks twice for the one before, so that the last has two to the thirtieth parts.
        let doubled: Vec<_> =
            chain.iter().map(|(_, search, _)| format!("({search}) OR ({search} b=1)")).collect();
        let doubled: Vec<_> = chain
            .iter()
            .zip(&doubled)
            .map(|((name, _, tags), search)| (*name, &**search, *tags))
            .collect();
        for (types, search, expected, warning) in [
            (
                &[("a", "eventtype=a (eventtype=a OR x=1)", &[][..])][..],
                "eventtype=a",
                "eventtype:a eventtype:a eventtype:a x:1",
                Some("the event type `a` names itself"),
            ),
            (
                &[("a", "tag=t x=1 tag=t", &["u"]), ("b", "tag=u y=1", &["t"])],
                "c=1 tag=u",
                "c:1 tag:u tag:t tag:u y:1 x:1 tag:t tag:u y:1",
                Some("the event type `a` names itself"),
            ),
            (
                &[("a", "tag=* x=1", &["u"])],
                "tag=u",
                "tag:u tag:* x:1",
                Some("the event type `a` names itself"),
            ),
            (
                &chain[..],
                "tag=c20",
                "tag:c20 tag:c21 tag:c22 tag:c23 tag:c24 tag:c25 tag:c26 tag:c27 tag:c28 tag:c29 tag:c30",
                None,
            ),
            (
                &chain[..],
                "tag=c0 d=1",
                "d:1",
                Some("the event type `t00` nests more than 16 event types"),
            ),
            (
                &doubled[..],
                "tag=c14 d=1",
                "d:1",
                Some("the event types have more than 50000 conditions together"),
            ),
            (
                &[("a", &long, &["u"]), ("b", &long, &["u"])],
                "tag=u d=1",
                "d:1",
                Some("the event types have more than 50000 conditions together"),
            ),
        ] {
            let knowledge = knowledge(types);
            let found = compared(&knowledge, search);
            assert!(
                found.ends_with(expected) && found.len() < 1_000_000,
                "{search}: {found:.1000}"
            );
            let warnings = knowledge.expand(&parse_search(search).unwrap()).warnings;
            let told = warnings.first().map(|warning| warning.message.as_str());
            assert_eq!(told, warning, "{search}");
            let spans = warnings.iter().filter_map(Diagnostic::span);
            spans.for_each(|span| assert!(search[span.start..span.end].contains('='), "{search}"));
        }
    }
}

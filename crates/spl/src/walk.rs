//! Walks over expressions; only this module knows which forms have operands.

use std::slice;

use spilltrail_diagnostic::Span;

use crate::ast::{EvalExpr, EvalNode, SearchExpr};

impl SearchExpr {
    /// Returns the direct operands; the expressions inside a subsearch are not included.
    #[must_use]
    pub fn children(&self) -> &[Self] {
        match self {
            Self::And(parts) | Self::Or(parts) => parts,
            Self::Not(part) => slice::from_ref(part.as_ref()),
            Self::All
            | Self::Compare { .. }
            | Self::In { .. }
            | Self::Term { .. }
            | Self::Time { .. }
            | Self::Subsearch { .. } => &[],
        }
    }

    /// Returns [`SearchExpr::children`] as mutable references.
    pub fn children_mut(&mut self) -> &mut [Self] {
        match self {
            Self::And(parts) | Self::Or(parts) => parts,
            Self::Not(part) => slice::from_mut(part.as_mut()),
            Self::All
            | Self::Compare { .. }
            | Self::In { .. }
            | Self::Term { .. }
            | Self::Time { .. }
            | Self::Subsearch { .. } => &mut [],
        }
    }

    /// Visits the expression and all its operands, each before its own operands, in the order of
    /// the text.
    pub fn walk<'a>(&'a self, visit: &mut dyn FnMut(&'a Self)) {
        visit(self);
        self.children().iter().for_each(|child| child.walk(visit));
    }

    /// Visits the expression and all its operands for changes, each before its own operands.
    pub fn walk_mut(&mut self, visit: &mut dyn FnMut(&mut Self)) {
        visit(self);
        self.children_mut().iter_mut().for_each(|child| child.walk_mut(visit));
    }

    /// Sets all spans, for an expression whose text is not a part of the search.
    pub fn place(&mut self, span: Span) {
        self.walk_mut(&mut |part| match part {
            Self::Compare { field, value, .. } => {
                field.span = span;
                value.span = span;
            }
            Self::In { field, values } => {
                field.span = span;
                values.iter_mut().for_each(|value| value.span = span);
            }
            Self::Term { text, .. } => text.span = span,
            Self::Time { bound, modifier } => {
                bound.span = span;
                modifier.span = span;
            }
            Self::Subsearch { value_of, pipeline } => {
                value_of.iter_mut().for_each(|compared| compared.field.span = span);
                pipeline.span = span;
            }
            Self::All | Self::And(_) | Self::Or(_) | Self::Not(_) => {}
        });
    }

    /// Returns true if `is_wanted` holds for the expression or any expression inside it.
    #[must_use]
    pub fn any(&self, is_wanted: &dyn Fn(&Self) -> bool) -> bool {
        is_wanted(self) || self.children().iter().any(|child| child.any(is_wanted))
    }
}

impl EvalExpr {
    /// Makes the expression read the field `to` wherever it reads `from`.
    pub fn rename_field(&mut self, from: &str, to: &str) {
        match &mut self.node {
            EvalNode::Field(name) if name == from => to.clone_into(name),
            _ => self.children_mut().into_iter().for_each(|child| child.rename_field(from, to)),
        }
    }

    /// Sets all spans, for an expression whose text is not a part of the search.
    pub fn place(&mut self, span: Span) {
        self.span = span;
        match &mut self.node {
            EvalNode::Call { name, .. } => name.span = span,
            EvalNode::Subsearch(pipeline) => pipeline.span = span,
            _ => {}
        }
        self.children_mut().into_iter().for_each(|child| child.place(span));
    }

    /// Returns the direct operands, in the order of the text; the expressions inside a subsearch
    /// are not included.
    #[must_use]
    pub fn children(&self) -> Vec<&Self> {
        match &self.node {
            EvalNode::Call { arguments, .. } => arguments.iter().collect(),
            EvalNode::Unary(_, operand) => vec![operand.as_ref()],
            EvalNode::Binary(_, left, right) => vec![left.as_ref(), right.as_ref()],
            EvalNode::In(left, members) => std::iter::once(left.as_ref()).chain(members).collect(),
            EvalNode::Number(_)
            | EvalNode::Text(_)
            | EvalNode::Field(_)
            | EvalNode::Subsearch(_) => Vec::new(),
        }
    }

    /// Returns [`EvalExpr::children`] as mutable references.
    pub fn children_mut(&mut self) -> Vec<&mut Self> {
        match &mut self.node {
            EvalNode::Call { arguments, .. } => arguments.iter_mut().collect(),
            EvalNode::Unary(_, operand) => vec![operand.as_mut()],
            EvalNode::Binary(_, left, right) => vec![left.as_mut(), right.as_mut()],
            EvalNode::In(left, members) => std::iter::once(left.as_mut()).chain(members).collect(),
            EvalNode::Number(_)
            | EvalNode::Text(_)
            | EvalNode::Field(_)
            | EvalNode::Subsearch(_) => Vec::new(),
        }
    }

    /// Visits the expression and all its operands, each before its own operands, in the order of
    /// the text.
    pub fn walk<'a>(&'a self, visit: &mut dyn FnMut(&'a Self)) {
        visit(self);
        self.children().into_iter().for_each(|child| child.walk(visit));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{parse_eval, parse_search};

    #[test]
    fn every_part_is_visited_in_order() {
        let tree = parse_eval("if(a > -b, c IN (d, e), [ | makeresults | eval x=y ])").unwrap();
        let mut fields = Vec::new();
        tree.walk(&mut |expr| {
            if let EvalNode::Field(name) = &expr.node {
                fields.push(name.as_str());
            }
        });
        assert_eq!(fields, ["a", "b", "c", "d", "e"]);
        let mut changed = tree.clone();
        changed.children_mut()[1].children_mut()[0].node = EvalNode::Field("f".to_owned());
        assert_ne!(changed, tree);
    }

    #[test]
    fn search_expressions_are_visited_too() {
        let mut tree = parse_search("a=1 NOT (b=2 OR c IN (3))").unwrap();
        let mut fields = Vec::new();
        tree.walk(&mut |expr| match expr {
            SearchExpr::Compare { field, .. } | SearchExpr::In { field, .. } => {
                fields.push(field.value.clone());
            }
            _ => {}
        });
        assert_eq!(fields, ["a", "b", "c"]);
        assert!(tree.any(&|expr| matches!(expr, SearchExpr::In { .. })));
        tree.walk_mut(&mut |expr| {
            if let SearchExpr::In { .. } = expr {
                *expr = SearchExpr::All;
            }
        });
        assert!(!tree.any(&|expr| matches!(expr, SearchExpr::In { .. })));
    }

    #[test]
    fn every_span_of_a_search_expression_is_set() {
        let mut tree =
            parse_search("earliest=-1d word a=1 NOT (b=2 OR c IN (3, 4)) d=[ search x=1 ]")
                .unwrap();
        tree.place(Span::new(7, 7));
        let shown = format!("{tree:?}");
        let spans = shown.matches("start: ").count();
        assert!(spans > 8);
        let mut placed = 0;
        tree.walk(&mut |part| {
            if let SearchExpr::Subsearch { pipeline, .. } = part {
                assert_eq!(pipeline.span, Span::new(7, 7));
                placed += 1;
            }
        });
        assert_eq!(placed, 1);
        // The commands of a subsearch keep theirs.
        let subsearch = shown.find("commands: ").unwrap();
        let outside = shown[..subsearch].matches("start: ").count();
        assert_eq!(shown[..subsearch].matches("start: 7, end: 7").count(), outside, "{shown}");
    }
}

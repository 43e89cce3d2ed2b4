//! Expressions as plain data, for plans that are sent elsewhere; the receiver compiles them again.

use std::any::Any;
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use spilltrail_diagnostic::Diagnostic;
use spilltrail_eval::Expression;
use spilltrail_event::Field;
use spilltrail_spl::EvalExpr;

use crate::lookups::{CarriedTable, Lookups};
use crate::planning::eval::eval_context;
use crate::rows::zone;

/// Everything needed to compile an expression: its syntax tree, the fields that it reads, the
/// search's clock and time zone, and the lookups that it names.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ExpressionState {
    tree: EvalExpr,
    fields: Vec<Field>,
    #[serde(with = "spilltrail_event::exact")]
    now: f64,
    zone: String,
    lookups: BTreeMap<String, CarriedTable>,
    rounds_products: bool,
}

impl ExpressionState {
    /// Returns the state of a compiled expression.
    pub(crate) fn of(expression: &Expression) -> Self {
        let lookups = expression.lookups().and_then(|lookups| {
            let lookups: &dyn Any = lookups;
            lookups.downcast_ref::<Lookups>()
        });
        Self {
            tree: expression.tree().clone(),
            fields: expression.columns().to_vec(),
            now: expression.now(),
            zone: zone::name(expression.zone()),
            lookups: lookups.map(|lookups| lookups.tables().clone()).unwrap_or_default(),
            rounds_products: expression.rounds_products(),
        }
    }

    /// Compiles the expression.
    ///
    /// # Errors
    /// Returns one line that says why the expression does not compile here.
    pub(crate) fn compile(&self) -> Result<Expression, String> {
        let zone = zone::of(&self.zone).map_err(|error| error.to_string())?;
        let mut context = eval_context(self.now, zone, Lookups::new(self.lookups.clone()));
        context.rounds_products = self.rounds_products;
        Expression::compile(&self.tree, &self.fields, &context).map_err(|errors| messages(&errors))
    }
}

fn messages(errors: &[Diagnostic]) -> String {
    errors.iter().map(|error| error.message.as_str()).collect::<Vec<_>>().join("; ")
}

impl PartialEq for ExpressionState {
    fn eq(&self, other: &Self) -> bool {
        self.tree == other.tree
            && self.fields == other.fields
            && self.now.to_bits() == other.now.to_bits()
            && self.zone == other.zone
            && self.lookups == other.lookups
            && self.rounds_products == other.rounds_products
    }
}

impl Eq for ExpressionState {}

impl Hash for ExpressionState {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.tree.hash(state);
        self.fields.hash(state);
        self.now.to_bits().hash(state);
        self.lookups.hash(state);
    }
}

/// A compiled expression in an operator, serialized as its [`ExpressionState`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "ExpressionState", into = "ExpressionState")]
pub(crate) struct CarriedExpression(Arc<Expression>);

impl CarriedExpression {
    /// Returns a short text for comparing plans, with identities in place of lookup tables.
    pub(crate) fn identity(&self) -> String {
        let ExpressionState { tree, fields, now, zone, lookups, rounds_products } =
            ExpressionState::of(self);
        let lookups: BTreeMap<&String, String> =
            lookups.iter().map(|(name, table)| (name, table.identity())).collect();
        format!("{tree:?} {fields:?} {now:?} {zone} {lookups:?} {rounds_products}")
    }
}

impl From<Expression> for CarriedExpression {
    fn from(expression: Expression) -> Self {
        Self(Arc::new(expression))
    }
}

impl TryFrom<ExpressionState> for CarriedExpression {
    type Error = String;

    fn try_from(state: ExpressionState) -> Result<Self, String> {
        state.compile().map(Self::from)
    }
}

impl From<CarriedExpression> for ExpressionState {
    fn from(carried: CarriedExpression) -> Self {
        Self::of(&carried)
    }
}

impl Deref for CarriedExpression {
    type Target = Expression;

    fn deref(&self) -> &Expression {
        &self.0
    }
}

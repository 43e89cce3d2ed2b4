//! The engine's codec with ours in it.

use std::sync::Arc;

use datafusion::arrow::datatypes::Schema;
use datafusion::common::{DataFusionError, Result, internal_datafusion_err, not_impl_err};
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF};
use datafusion::physical_plan::{ExecutionPlan, PhysicalExpr};
use datafusion_proto::bytes::{
    physical_plan_from_bytes_with_extension_codec, physical_plan_to_bytes_with_extension_codec,
};
use datafusion_proto::physical_plan::{
    PhysicalExtensionCodec, PhysicalPlanDecodeContext, PhysicalProtoConverterExtension,
};
use datafusion_proto::protobuf::PhysicalExprNode;
use prost::Message;
use spilltrail_search::run::codec;

/// Before the bytes of an operator.
const OPERATOR: u8 = 0;
/// Before the bytes of a source.
const SOURCE: u8 = 1;

/// Writes and reads what is ours.
#[derive(Debug)]
struct Ours;

/// Returns a plan as bytes.
///
/// # Errors
/// Fails at a node that nobody can write.
pub(super) fn encode(plan: Arc<dyn ExecutionPlan>) -> Result<Vec<u8>> {
    physical_plan_to_bytes_with_extension_codec(plan, &Ours).map(|bytes| bytes.to_vec())
}

/// Returns the plan of bytes.
///
/// # Errors
/// Fails if the bytes are not of a plan.
pub(super) fn decode(bytes: &[u8], task: &TaskContext) -> Result<Arc<dyn ExecutionPlan>> {
    physical_plan_from_bytes_with_extension_codec(bytes, task, &Ours)
}

impl PhysicalExtensionCodec for Ours {
    fn try_encode(
        &self,
        node: Arc<dyn ExecutionPlan>,
        buffer: &mut Vec<u8>,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<()> {
        let expression = |expression: &Arc<dyn PhysicalExpr>| {
            Ok(converter.physical_expr_to_proto(expression, self)?.encode_to_vec())
        };
        let (tag, bytes) = match codec::encode_operator(node.as_ref(), &expression)? {
            Some(bytes) => (OPERATOR, bytes),
            None => match spilltrail_source::codec::encode(node.as_ref())? {
                Some(bytes) => (SOURCE, bytes),
                None => return not_impl_err!("the node {} cannot travel", node.name()),
            },
        };
        buffer.push(tag);
        buffer.extend(bytes);
        Ok(())
    }

    fn try_decode(
        &self,
        buffer: &[u8],
        inputs: &[Arc<dyn ExecutionPlan>],
        task: &TaskContext,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let context = PhysicalPlanDecodeContext::new(task, self);
        let expression = |bytes: &[u8], columns: &Schema| {
            let node = PhysicalExprNode::decode(bytes)
                .map_err(|error| DataFusionError::External(Box::new(error)))?;
            converter.proto_to_physical_expr(&node, columns, &context)
        };
        match (buffer.split_first(), inputs) {
            (Some((&OPERATOR, bytes)), [input]) => {
                codec::decode_operator(bytes, input.clone(), &expression)
            }
            (Some((&SOURCE, bytes)), []) => spilltrail_source::codec::decode(bytes),
            _ => Err(internal_datafusion_err!("a node that is not ours")),
        }
    }

    fn try_encode_udf(&self, function: &ScalarUDF, buffer: &mut Vec<u8>) -> Result<()> {
        buffer.extend(codec::encode_function(function)?.into_iter().flatten());
        Ok(())
    }

    fn try_decode_udf(&self, _: &str, bytes: &[u8]) -> Result<Arc<ScalarUDF>> {
        codec::decode_function(bytes).map(Arc::new)
    }

    fn try_encode_udaf(&self, function: &AggregateUDF, buffer: &mut Vec<u8>) -> Result<()> {
        buffer.extend(codec::encode_aggregate(function)?.into_iter().flatten());
        Ok(())
    }

    fn try_decode_udaf(&self, _: &str, bytes: &[u8]) -> Result<Arc<AggregateUDF>> {
        codec::decode_aggregate(bytes).map(Arc::new)
    }
}

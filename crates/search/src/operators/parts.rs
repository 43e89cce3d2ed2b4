//! Work on a batch in parts, for when the result of the whole batch would be too large.

use datafusion::arrow::array::RecordBatch;
use datafusion::common::Result;

use super::Running;
use crate::rows::cut::Cutter;

/// The running half of an operator that turns each part of a batch into one output batch.
pub(super) struct InParts<F> {
    cutter: Cutter,
    work: F,
}

impl<F> InParts<F>
where
    F: FnMut(&RecordBatch) -> Result<RecordBatch> + Send + 'static,
{
    /// Returns the running half that applies `work` to each part.
    ///
    /// If a part is too large, `work` must fail with the error that [`Cutter::next`] recognizes.
    pub(super) fn start(work: F) -> Box<dyn Running> {
        Box::new(Self { cutter: Cutter::default(), work })
    }
}

impl<F> Running for InParts<F>
where
    F: FnMut(&RecordBatch) -> Result<RecordBatch> + Send,
{
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>> {
        self.cutter.put(batch);
        self.more()
    }

    fn more(&mut self) -> Result<Option<RecordBatch>> {
        self.cutter.next(|part| (self.work)(&part))
    }
}

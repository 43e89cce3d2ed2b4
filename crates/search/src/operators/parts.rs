//! Work that is done on a part of a batch where all of it would become too large.

use datafusion::arrow::array::RecordBatch;
use datafusion::common::Result;

use super::Running;
use crate::rows::cut::Cutter;

/// The running half of an operator that makes a batch of each part.
pub(super) struct InParts<F> {
    cutter: Cutter,
    work: F,
}

impl<F> InParts<F>
where
    F: FnMut(&RecordBatch) -> Result<RecordBatch> + Send + 'static,
{
    /// Returns the running half that does `work`, which fails as [`Cutter::next`] needs it.
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

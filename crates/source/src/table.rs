//! Logs as a DataFusion table.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use object_store::ObjectMeta;
use spilltrail_decode::schema_of;
use spilltrail_event::ScanRequest;

use crate::file_source::LogSource;
use crate::logs::Logs;
use crate::wanted::Wanted;

/// The events of one leading search over a set of logs.
#[derive(Debug)]
pub struct LogTable {
    logs: Arc<Logs>,
    request: ScanRequest,
    schema: SchemaRef,
}

impl LogTable {
    pub(crate) fn new(logs: Arc<Logs>, request: ScanRequest) -> Self {
        let schema = schema_of(&request.fields);
        Self { logs, request, schema }
    }
}

#[async_trait]
impl TableProvider for LogTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut request = self.request.clone();
        let mut schema = self.schema.clone();
        if let Some(projection) = projection {
            request.fields =
                projection.iter().map(|index| self.request.fields[*index].clone()).collect();
            schema = Arc::new(schema.project(projection)?);
        }
        let files: Vec<PartitionedFile> = self
            .logs
            .files_for(&Wanted::of(&request.predicate))
            .into_iter()
            .map(|index| {
                let file = &self.logs.files()[index];
                #[expect(clippy::default_trait_access, reason = "the time type is another crate's")]
                let meta = ObjectMeta {
                    location: file.location(),
                    last_modified: Default::default(),
                    size: file.size,
                    e_tag: None,
                    version: None,
                };
                PartitionedFile::new_from_meta(meta).with_extension(FileIndex(index))
            })
            .collect();
        let source = Arc::new(LogSource::new(self.logs.clone(), request, schema));
        let config = FileScanConfigBuilder::new(ObjectStoreUrl::local_filesystem(), source)
            .with_file_group(FileGroup::new(files))
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}

/// The place of a file in its [`Logs`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct FileIndex(pub(crate) usize);

//! Follows the file with the tokens of senders, which commands change while the server runs.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use spilltrail_app::{CancellationToken, ServeSink, Trouble};
use spilltrail_server::hec::Collector;

use crate::report;

/// How often the file is looked at.
const EVERY: Duration = Duration::from_secs(2);

/// Gives the collector the tokens of a file whenever they are others than before. If the file cannot be
/// read, the tokens that are known stay.
pub(super) async fn follow(
    path: PathBuf,
    collector: Arc<Collector>,
    sink: Arc<dyn ServeSink>,
    cancel: CancellationToken,
) {
    let mut trouble = Trouble::new(sink, "network", "tokens");
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        let read = {
            let path = path.clone();
            tokio::task::spawn_blocking(move || crate::token::read(&path)).await
        };
        let Ok(read) = read else { return };
        let tokens = trouble.of(read.map_err(|error| format!("{error:#}")));
        if let Some(tokens) = tokens.filter(|tokens| tokens != &*collector.tokens()) {
            collector.set_tokens(tokens);
            report::line(format_args!("note: the tokens of senders have changed"));
        }
    }
}

//! Follows the file with the tokens of senders, which commands change while the server runs.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use spilltrail_app::{CancellationToken, ServeSink, Trouble};
use spilltrail_server::hec::{Collector, Tokens};

use crate::report;

/// How often the file is looked at.
const EVERY: Duration = Duration::from_secs(2);

/// Returns the sourcetypes that tokens give events.
pub(super) fn sourcetypes(tokens: &Tokens) -> BTreeSet<String> {
    tokens.list().iter().filter_map(|token| token.sourcetype.clone()).collect()
}

/// Gives the collector the tokens of a file whenever they are others than before. If the file cannot be
/// read, the tokens that are known stay. Detections know of the sourcetypes that are `offered`.
pub(super) async fn follow(
    path: PathBuf,
    collector: Arc<Collector>,
    mut offered: BTreeSet<String>,
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
            let sourcetypes = sourcetypes(&tokens);
            collector.set_tokens(tokens);
            report::line(format_args!("note: the tokens of senders have changed"));
            for name in sourcetypes {
                if !offered.contains(&name) {
                    report::line(format_args!(
                        "note: detections that ask for the sourcetype `{name}` run once the server \
                         is started again"
                    ));
                    offered.insert(name);
                }
            }
        }
    }
}

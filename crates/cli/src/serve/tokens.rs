//! Follows the file with the tokens of senders, which commands change while the server runs.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use spilltrail_app::CancellationToken;
use spilltrail_server::hec::Collector;

use crate::report;

/// How often the file is looked at.
const EVERY: Duration = Duration::from_secs(2);

/// Gives the collector the tokens of a file whenever they are others than before.
pub(super) async fn follow(path: PathBuf, collector: Arc<Collector>, cancel: CancellationToken) {
    let mut told = String::new();
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        let read = {
            let path = path.clone();
            tokio::task::spawn_blocking(move || crate::token::read(&path)).await
        };
        match read {
            Ok(Ok(tokens)) => {
                told.clear();
                if tokens != *collector.tokens() {
                    collector.set_tokens(tokens);
                    report::line(format_args!("note: the tokens of senders have changed"));
                }
            }
            Ok(Err(error)) => {
                // The tokens that are known stay, and each mistake is told once.
                let mistake = format!("{error:#}");
                if mistake != told {
                    report::line(format_args!("warning: {mistake}"));
                    told = mistake;
                }
            }
            Err(_) => return,
        }
    }
}

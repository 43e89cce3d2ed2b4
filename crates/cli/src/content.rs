//! Content for a command, with what is wrong with it on standard error.

use anyhow::Result;
use spilltrail_app::Content;

use crate::arguments::ContentOptions;
use crate::report;

/// Loads what the options name, and prints what cannot be used.
pub(crate) fn load(options: &ContentOptions) -> Result<Content> {
    let content = Content::load(&options.content())?;
    report::content(&content.problems);
    Ok(content)
}

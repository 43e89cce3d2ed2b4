//! Loads content for a command and reports its problems on standard error.

use anyhow::Result;
use spilltrail_app::Content;

use crate::arguments::ContentOptions;
use crate::report;

/// Loads the content that the options select, and reports files that cannot be used.
pub(crate) fn load(options: &ContentOptions) -> Result<Content> {
    let content = Content::load(&options.content())?;
    report::content(&content.problems);
    Ok(content)
}

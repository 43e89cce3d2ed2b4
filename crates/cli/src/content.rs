//! Loads content for a command and reports its problems on standard error.

use anyhow::Result;
use spilltrail_app::Content;

use crate::arguments::ContentOptions;
use crate::report;

/// Loads the content that the options select. Reports files that cannot be used, and the first of
/// the warnings about others.
pub(crate) fn load(options: &ContentOptions) -> Result<Content> {
    let content = Content::load(&options.content())?;
    report::content_in_short(&content.problems);
    Ok(content)
}

/// Loads the content that the options select, for a command about content, and reports every
/// problem in full.
pub(crate) fn load_for_review(options: &ContentOptions) -> Result<Content> {
    let content = Content::load(&options.content())?;
    report::content(&content.problems);
    Ok(content)
}

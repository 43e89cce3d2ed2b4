//! Loads content for a command and reports its problems on standard error.

use anyhow::Result;
use spilltrail_app::Content;

use crate::arguments::ContentOptions;
use crate::report::{self, Detail};

/// Loads the content that the options select, and reports files that cannot be used. Warnings about
/// others are reported if they are few, else counted.
pub(crate) fn load(options: &ContentOptions) -> Result<Content> {
    load_for(options, Detail::Counted)
}

/// Works like [`load`]; `detail` says whether all warnings are reported.
pub(crate) fn load_for(options: &ContentOptions, detail: Detail) -> Result<Content> {
    let content = Content::load(&options.content())?;
    report::content(&content.problems, detail);
    Ok(content)
}

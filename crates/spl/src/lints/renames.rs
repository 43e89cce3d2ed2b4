//! Fields that a `rename` takes away or replaces.

use std::collections::BTreeMap;

use spilltrail_diagnostic::Code;

use super::pipelines::Effect;
use super::{Doubt, Weight};
use crate::Pipeline;

/// Finds fields that are read after they were renamed, and fields that a rename replaces.
pub(super) fn lost_or_replaced(pipeline: &Pipeline, found: &mut Vec<Doubt>) {
    // The new names of fields that were renamed.
    let mut gone: BTreeMap<String, String> = BTreeMap::new();
    // The commands that made fields which nothing has read since.
    let mut unread: BTreeMap<String, String> = BTreeMap::new();
    for command in &pipeline.commands {
        let name = command.name.value.as_str();
        let effect = Effect::of(command);
        for read in &effect.reads {
            unread.remove(&read.value);
            let Some(new) = gone.get(&read.value) else { continue };
            let message = format!("no row has `{}`: it was renamed to `{new}`", read.value);
            let doubt = Doubt::new(Weight::Advice, Code::LOST_FIELD, message, read.span);
            found.push(doubt.help(format!("read `{new}`, or rename it later")));
        }
        if effect.is_unknown || effect.closes {
            // Other commands may make the field again, or read any.
            gone.clear();
            unread.clear();
        }
        for (made, _) in &effect.makes {
            gone.remove(&made.value);
            unread.insert(made.value.clone(), name.to_owned());
        }
        for (from, to) in &effect.renames {
            if from.value == to.value {
                continue;
            }
            let moved = unread.remove(&from.value);
            if let Some(maker) = unread.get(&to.value) {
                let message = format!("`rename` replaces `{}`, which `{maker}` made", to.value);
                let doubt = Doubt::new(Weight::Advice, Code::SHADOWED, message, to.span);
                found.push(doubt.help(format!(
                    "give `{}` another name, or leave out what makes `{}`",
                    from.value, to.value
                )));
            }
            gone.remove(&to.value);
            gone.insert(from.value.clone(), to.value.clone());
            unread.insert(to.value.clone(), moved.unwrap_or_else(|| name.to_owned()));
        }
    }
}

//! Tests that the page of each diagnostic code is complete, and that its examples are right.
//!
//! A page has the sections in [`SECTIONS`]. Its examples are `console` blocks behind a line that
//! begins with `Wrong` or `Right` and ends with a colon. The last command of a wrong one raises the
//! page's code and no other, and ends with a status that the page names; a right one raises no code
//! and ends with status 0.

use anyhow::{Context, Result, ensure};
use spilltrail_diagnostic::{Code, Entry, REGISTRY};

use super::blocks::{self, Block, Shell};
use super::run_block;

/// The sections of each page, in order.
const SECTIONS: [&str; 4] = ["## Causes", "## What to do", "## Exit status", "## Read on"];

/// The codes without examples: a bug, a signal, and the failure of a second search after the first
/// one succeeded. `tests/runner/codes.rs` raises them.
const NOT_SHOWN: [Code; 3] = [Code::INTERNAL, Code::CANCELED, Code::EVIDENCE];

#[test]
fn every_page_explains_its_code() -> Result<()> {
    for entry in REGISTRY {
        check(entry).with_context(|| format!("the page of {}", entry.code))?;
    }
    Ok(())
}

fn check(entry: &Entry) -> Result<()> {
    let mut sections = Vec::new();
    let mut rest = entry.page;
    for heading in SECTIONS {
        let (_, after) = rest.split_once(&format!("\n{heading}\n")).context(heading)?;
        let section = after.split("\n## ").next().unwrap_or_default();
        ensure!(section.trim().len() > 10, "`{heading}` has no text");
        sections.push(section);
        rest = after;
    }
    let [causes, remedies, statuses, links] = sections[..] else { unreachable!() };
    ensure!(causes.contains("\n- ") || causes.contains("\n1. "), "the causes are no list");
    ensure!(links.contains("](../"), "nothing to read on");
    let wrong = examples(remedies, "Wrong")?;
    let right = examples(remedies, "Right")?;
    let is_shown = !NOT_SHOWN.contains(&entry.code);
    ensure!(wrong.is_empty() != is_shown, "{} wrong examples", wrong.len());
    ensure!(!right.is_empty() || !is_shown, "no right example");
    for block in wrong {
        let ran = run_block(&block)?;
        let codes = codes(&ran.shown);
        ensure!(codes == [entry.code.to_string()], "{codes:?} in\n{}", ran.shown);
        let status = format!("`{}`", ran.status);
        ensure!(statuses.contains(&status), "the status {status} is not named\n{}", ran.shown);
    }
    for block in right {
        let ran = run_block(&block)?;
        let codes = codes(&ran.shown);
        ensure!(codes.is_empty() && ran.status == 0, "{} {codes:?} in\n{}", ran.status, ran.shown);
    }
    Ok(())
}

/// Returns the examples of a section whose introduction begins with `kind`.
fn examples<'a>(section: &'a str, kind: &str) -> Result<Vec<Block<'a>>> {
    let mut found = Vec::new();
    for block in blocks::of(section, Shell::Console) {
        let start = block.text.as_ptr() as usize - section.as_ptr() as usize;
        let before = section[..start].trim_end().trim_end_matches("```console").trim_end();
        let introduction = before.lines().next_back().unwrap_or_default();
        ensure!(
            introduction.ends_with(':')
                && ["Wrong", "Right"].iter().any(|kind| introduction.starts_with(kind)),
            "an example is introduced by {introduction:?}"
        );
        if introduction.starts_with(kind) {
            found.push(block);
        }
    }
    Ok(found)
}

/// Returns the different codes of the diagnostics in an output.
fn codes(shown: &str) -> Vec<String> {
    let marked = shown.split("[SPL").skip(1).filter_map(|rest| rest.split_once(']'));
    let mut codes: Vec<String> = marked.map(|(number, _)| format!("SPL{number}")).collect();
    codes.sort();
    codes.dedup();
    codes
}

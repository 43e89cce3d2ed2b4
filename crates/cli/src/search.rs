//! `search` and `expand`.

use std::io::Write;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use anyhow::{Result, anyhow, bail};
use futures::StreamExt;
use indexmap::IndexMap;
use jiff::tz::TimeZone;
use spilltrail_diagnostic::{Color, Diagnostic, render};
use spilltrail_event::TimeBounds;
use spilltrail_search::context::{LookupStore, LookupTable, SearchContext};
use spilltrail_search::memory::MemoryEvents;
use spilltrail_search::{rows, run};
use spilltrail_spl::{MacroSet, expand_macros, time};

use crate::arguments::{ExpandOptions, SearchOptions, TimeOptions};
use crate::{input_rows, output};

#[derive(Debug, Default)]
struct Lookups(Mutex<IndexMap<String, Arc<LookupTable>>>);

impl LookupStore for Lookups {
    fn read(&self, name: &str) -> std::result::Result<Option<Arc<LookupTable>>, String> {
        Ok(self.0.lock().map_err(|error| error.to_string())?.get(name).cloned())
    }

    fn write(&self, name: &str, table: LookupTable) -> std::result::Result<(), String> {
        self.0.lock().map_err(|error| error.to_string())?.insert(name.to_owned(), Arc::new(table));
        Ok(())
    }
}

pub(crate) async fn run(options: SearchOptions) -> Result<ExitCode> {
    let Some((spl, _logs)) = options.positionals.split_first() else { bail!("no search given") };
    let rows = match &options.rows {
        Some(path) => input_rows::read(path)?,
        None => Vec::new(),
    };
    let (now, zone, range) = times(&options.time)?;
    let context = SearchContext {
        session: run::session(256 << 20)?,
        events: Arc::new(MemoryEvents::new(rows)),
        lookups: Arc::new(Lookups::default()),
        geo: None,
        macros: Arc::new(MacroSet::builtin()),
        now,
        zone,
        range,
        observations: Arc::default(),
    };
    let fail = |diagnostics: &[Diagnostic]| {
        for diagnostic in diagnostics {
            eprintln!("{}", render(diagnostic, "<search>", spl, Color::Never));
        }
        ExitCode::from(2)
    };
    let prepared = match run::prepare(spl, &context).await {
        Ok(prepared) => prepared,
        Err(diagnostics) => return Ok(fail(&diagnostics)),
    };
    let mut stream = match prepared.stream(&context).await {
        Ok(stream) => stream,
        Err(diagnostic) => return Ok(fail(&[diagnostic])),
    };
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    while let Some(batch) = stream.next().await {
        let batch = match batch {
            Ok(batch) => batch,
            Err(error) => {
                let diagnostic = spilltrail_search::error::from_engine(&error);
                return Ok(fail(&[prepared.relocate(diagnostic)]));
            }
        };
        for row in rows::batch_rows(&batch) {
            output::ndjson(&row, &mut out)?;
        }
    }
    out.flush()?;
    for message in context.observations.messages() {
        eprintln!("{}", render(&prepared.relocate(message), "<search>", spl, Color::Never));
    }
    Ok(ExitCode::SUCCESS)
}

fn times(options: &TimeOptions) -> Result<(f64, TimeZone, TimeBounds)> {
    let zone = TimeZone::get(&options.tz)?;
    let clock = jiff::Timestamp::now().as_duration().as_secs_f64();
    let resolve = |text: &Option<String>, now: f64| match text {
        Some(text) => time::resolve(text, now, &zone).map_err(|error| anyhow!("{text}: {error}")),
        None => Ok(None),
    };
    let now = resolve(&options.now, clock)?.unwrap_or(clock);
    let range = TimeBounds {
        earliest: resolve(&options.earliest, now)?,
        latest: resolve(&options.latest, now)?,
    };
    Ok((now, zone, range))
}

pub(crate) fn expand(options: &ExpandOptions) -> Result<ExitCode> {
    let (expansion, diagnostics) = expand_macros(&options.spl, &MacroSet::builtin());
    for diagnostic in &diagnostics {
        eprintln!("{}", render(diagnostic, "<search>", &options.spl, Color::Never));
    }
    if diagnostics.iter().any(|d| d.severity > spilltrail_diagnostic::Severity::Warning) {
        return Ok(ExitCode::from(2));
    }
    println!("{}", expansion.text);
    Ok(ExitCode::SUCCESS)
}

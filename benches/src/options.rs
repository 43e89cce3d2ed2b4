//! What was asked for on the command line.

use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};

use crate::generate::{Files, Recipe};
use crate::table::Format;
use crate::{floor, measure};

/// How to call it.
pub const USAGE: &str = "\
usage: cargo xtask bench [options]                  measure, and print a table
       cargo xtask bench generate --out DIR [data]  write logs and what is in them
       cargo xtask bench floor DIR                  run the floor alone

data, generated below the target folder unless --data names some:
  --events N        events in all (200000)
  --days D          days that they are spread over (1)
  --seed S          equal seeds give equal bytes (1)
  --files-of M      events a file; by default a file for each account, region and five minutes
  --data DIR        logs that are there already, with their ground_truth.json

what is measured:
  --runs N          runs of each, by turns, after one that is not counted (5)
  --spilltrail PATH the program (built from this clone by default)
  --content DIR     run all detections of this folder too
  --python PATH     measure the engines that this Python has: duckdb, chdb, polars, orjson
  --floor PATH      a floor from elsewhere too, called as `PATH DIR lazy 1`

output:
  --growth          how cost grows instead: with events, detections, matches, files
  --sizes N,N,…     numbers of events for that (200000,1000000)
  --format FORMAT   text or markdown (text)";

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    /// Explain.
    Help,
    /// Write logs.
    Generate {
        /// Which.
        recipe: Recipe,
        /// Where.
        out: PathBuf,
    },
    /// Run the floor.
    Floor(PathBuf),
    /// Run one command and say what it cost.
    Measure {
        /// Where its output goes.
        stdout: PathBuf,
        /// The command.
        command: Vec<String>,
    },
    /// Measure.
    Bench(Bench),
}

/// What to measure and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bench {
    /// Logs that are there already.
    pub data: Option<PathBuf>,
    /// The logs to generate otherwise.
    pub recipe: Recipe,
    /// Runs of each subject.
    pub runs: usize,
    /// The program.
    pub spilltrail: Option<PathBuf>,
    /// Content to run too.
    pub content: Option<PathBuf>,
    /// A Python with other engines.
    pub python: Option<PathBuf>,
    /// A floor from elsewhere.
    pub floor: Option<PathBuf>,
    /// How tables are written.
    pub format: Format,
    /// Whether growth is measured instead.
    pub growth: bool,
    /// Numbers of events for that.
    pub sizes: Vec<u64>,
}

impl Task {
    /// Reads the arguments.
    pub fn parse(arguments: &[String]) -> Result<Self> {
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        match words[..] {
            ["help" | "--help" | "-h", ..] => Ok(Self::Help),
            [task, folder] if task == floor::TASK => Ok(Self::Floor(folder.into())),
            [task, stdout, ref command @ ..] if task == measure::TASK => Ok(Self::Measure {
                stdout: stdout.into(),
                command: command.iter().map(|&word| word.to_owned()).collect(),
            }),
            ["generate", ref options @ ..] => {
                let (bench, out) = parse_options(options, true)?;
                let out = out.context("`generate` needs `--out DIR`")?;
                Ok(Self::Generate { recipe: bench.recipe, out })
            }
            ref options => Ok(Self::Bench(parse_options(options, false)?.0)),
        }
    }
}

fn parse_options(words: &[&str], is_generate: bool) -> Result<(Bench, Option<PathBuf>)> {
    let recipe = Recipe { events: 200_000, days: 1, seed: 1, files: Files::AsDelivered };
    let mut bench = Bench {
        data: None,
        recipe,
        runs: 5,
        spilltrail: None,
        content: None,
        python: None,
        floor: None,
        format: Format::Text,
        growth: false,
        sizes: vec![200_000, 1_000_000],
    };
    let mut out = None;
    let mut words = words.iter().copied();
    while let Some(option) = words.next() {
        if option == "--growth" && !is_generate {
            bench.growth = true;
            continue;
        }
        let is_known = match option {
            "--events" | "--days" | "--seed" | "--files-of" => true,
            "--out" => is_generate,
            "--data" | "--runs" | "--spilltrail" | "--content" | "--python" | "--floor"
            | "--format" | "--sizes" => !is_generate,
            _ => false,
        };
        ensure!(is_known, "`{option}` is not known here\n\n{USAGE}");
        let value = words.next().with_context(|| format!("`{option}` needs a value"))?;
        let path = || Some(PathBuf::from(value));
        match option {
            "--events" => bench.recipe.events = number(option, value)?,
            "--days" => bench.recipe.days = number(option, value)?,
            "--seed" => {
                bench.recipe.seed =
                    value.parse().with_context(|| format!("`{option}`: `{value}`"))?;
            }
            "--files-of" => bench.recipe.files = Files::Of(number(option, value)?),
            "--runs" => bench.runs = number(option, value)? as usize,
            "--sizes" => {
                let sizes = value.split(',').map(|size| number(option, size));
                bench.sizes = sizes.collect::<Result<_>>()?;
            }
            "--format" => {
                bench.format = match value {
                    "text" => Format::Text,
                    "markdown" => Format::Markdown,
                    _ => bail!("`--format` is `text` or `markdown`, not `{value}`"),
                }
            }
            "--out" => out = path(),
            "--data" => bench.data = path(),
            "--spilltrail" => bench.spilltrail = path(),
            "--content" => bench.content = path(),
            "--python" => bench.python = path(),
            _ => bench.floor = path(),
        }
    }
    ensure!(
        !(bench.growth && bench.data.is_some()),
        "`--growth` generates its own logs and takes no `--data`"
    );
    Ok((bench, out))
}

fn number(option: &str, value: &str) -> Result<u64> {
    let number: u64 =
        value.parse().with_context(|| format!("`{option}` needs a number, not `{value}`"))?;
    ensure!(number > 0, "`{option}` must be at least 1");
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Task> {
        Task::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    fn message(line: &str) -> String {
        format!("{:#}", parse(line).unwrap_err())
    }

    #[test]
    fn options_are_taken() {
        let line = "--events 9 --days 2 --seed 0 --files-of 3 --runs 1 --python py --floor f \
                    --content c --spilltrail s --format markdown";
        let Ok(Task::Bench(bench)) = parse(line) else { panic!("{line}") };
        let files = Files::Of(3);
        assert_eq!(bench.recipe, Recipe { events: 9, days: 2, seed: 0, files });
        assert_eq!((bench.runs, bench.format), (1, Format::Markdown));
        assert_eq!(bench.python, Some("py".into()));
        assert_eq!(bench.floor, Some("f".into()));
        assert_eq!(bench.content, Some("c".into()));
        assert_eq!(bench.spilltrail, Some("s".into()));
        let Ok(Task::Bench(bench)) = parse("--growth --sizes 1,2") else { panic!() };
        assert!(bench.growth);
        assert_eq!(bench.sizes, [1, 2]);
    }

    #[test]
    fn tasks_are_told_apart() {
        assert_eq!(parse("floor d").unwrap(), Task::Floor("d".into()));
        assert_eq!(parse("--help").unwrap(), Task::Help);
        let (stdout, command) = ("o".into(), vec!["a".to_owned(), "--b".to_owned()]);
        assert_eq!(parse("measure o a --b").unwrap(), Task::Measure { stdout, command });
        let Ok(Task::Generate { recipe, out }) = parse("generate --out d --events 5") else {
            panic!()
        };
        assert_eq!((recipe.events, out), (5, "d".into()));
    }

    #[test]
    fn mistakes_are_told() {
        assert_eq!(message("--events"), "`--events` needs a value");
        assert!(message("--events many").starts_with("`--events` needs a number, not `many`"));
        assert_eq!(message("--runs 0"), "`--runs` must be at least 1");
        assert!(message("--evens 3").starts_with("`--evens` is not known here\n"));
        assert!(message("generate --out d --runs 3").starts_with("`--runs` is not known here"));
        assert_eq!(message("generate"), "`generate` needs `--out DIR`");
        assert_eq!(message("--format html"), "`--format` is `text` or `markdown`, not `html`");
        assert!(message("--growth --data d").starts_with("`--growth` generates its own logs"));
    }
}

//! Runs every target over its corpus in `fuzz/corpus`, and over changes of it, without a fuzzer.
//!
//! `SPILLTRAIL_FUZZ_SECONDS` sets how long each target runs over changes; `SPILLTRAIL_FUZZ_TARGET`
//! selects one.

#[path = "../../../crates/spl/tests/common/random.rs"]
mod random;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use cpu_time::ThreadTime;
use random::Random;
use spilltrail_fuzz_targets::{TARGETS, Target};

/// Changes that each target is given if no time is set.
const CHANGES: usize = 400;

/// The longest time of the processor that one input may take, in a build without optimizations.
const PATIENCE: Duration = Duration::from_secs(20);

/// The largest input that is made.
const LARGEST: usize = 1 << 16;

fn corpus(target: &Target) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus").join(target.name);
    let entries = fs::read_dir(&folder);
    let entries = entries.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("a file").path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("a file that can be read")).collect()
}

/// Changes an input a few times: bytes are replaced, removed or repeated, and parts of other inputs
/// put in.
fn changed(corpus: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut input = corpus[random.below(corpus.len())].clone();
    for _ in 0..=random.below(6) {
        let at = random.below(input.len() + 1);
        let length = random.below(input.len() - at + 1).min(1 << random.below(12));
        match random.below(6) {
            0 if at < input.len() => input[at] = u8::try_from(random.below(256)).unwrap_or(0),
            1 if at < input.len() => input[at] ^= 1 << random.below(8),
            2 => drop(input.drain(at..at + length)),
            3 => {
                let times = 1 << random.below(8);
                let part = input[at..at + length].repeat(times);
                input.splice(at..at, part);
            }
            4 => {
                let other = &corpus[random.below(corpus.len())];
                let from = random.below(other.len() + 1);
                let part = other[from..].iter().copied().take(1 << random.below(12));
                input.splice(at..at, part.collect::<Vec<_>>());
            }
            _ => input.truncate(at),
        }
        input.truncate(LARGEST);
    }
    input
}

fn run(target: &Target, input: &[u8]) {
    let start = ThreadTime::now();
    let outcome = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    let shown = String::from_utf8_lossy(&input[..input.len().min(4096)]).into_owned();
    assert!(outcome.is_ok(), "`{}` panics on {shown:?}", target.name);
    let time = start.elapsed();
    assert!(time < PATIENCE, "`{}` takes {time:?} for {shown:?}", target.name);
}

#[test]
fn no_target_panics_on_its_corpus_or_changes_of_it() {
    let seconds = std::env::var("SPILLTRAIL_FUZZ_SECONDS").ok();
    let seconds = seconds.map(|seconds| seconds.parse().unwrap()).map(Duration::from_secs);
    let chosen = std::env::var("SPILLTRAIL_FUZZ_TARGET").ok();
    for target in TARGETS {
        if chosen.as_ref().is_some_and(|chosen| chosen != target.name) {
            continue;
        }
        let corpus = corpus(target);
        assert!(!corpus.is_empty(), "{}: no corpus", target.name);
        corpus.iter().for_each(|input| run(target, input));
        let mut random = Random(0x5eed_1234_5678_9abc);
        let (start, mut runs) = (Instant::now(), 0);
        while seconds.map_or(runs < CHANGES, |seconds| start.elapsed() < seconds) {
            run(target, &changed(&corpus, &mut random));
            runs += 1;
        }
    }
}

#[test]
fn every_target_has_a_fuzzer() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    for target in TARGETS {
        let name = target.name;
        let text = fs::read_to_string(fuzz.join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(text.contains(&format!("run(\"{name}\", data)")), "{name}");
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name}");
    }
}

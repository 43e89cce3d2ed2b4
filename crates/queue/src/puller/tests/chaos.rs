//! A puller among failures of all kinds, at random.

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::timeout;

use super::*;

/// Whatever fails in whatever order, a message is deleted only if all its objects were stored, and in
/// the end all were.
#[tokio::test(start_paused = true)]
async fn nothing_is_lost_whatever_fails() {
    for seed in 0..40 {
        let mut random = fastrand::Rng::with_seed(seed);
        let fake = Fake::default();
        let options = PullOptions {
            most_out: random.usize(1..12),
            most_batch: random.usize(1..5),
            window: random.usize(0..30),
            ..PullOptions::default()
        };
        let mut bench = Bench::at(&fake, options);
        let mut named: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut stored: BTreeSet<String> = BTreeSet::new();
        let mut out: Vec<Batch> = Vec::new();
        for step in 0..400 {
            if step < 150 {
                let objects: Vec<String> =
                    (0..random.usize(0..4)).map(|_| random.u8(0..40).to_string()).collect();
                let pairs: Vec<(&str, &str)> =
                    objects.iter().map(|key| (key.as_str(), "1")).collect();
                fake.send(message(&pairs));
                named.insert(format!("m{}", step + 1), objects);
                let action = *random
                    .choice(&[Action::Receive, Action::Delete, Action::Change])
                    .expect("there are some");
                match random.u8(0..10) {
                    0 => fake.fail(action, Answer::Cut),
                    1 => fake.fail(action, Answer::Lost),
                    2 => fake.fail(action, Answer::Silence),
                    3 => fake.fail(action, Answer::Late(Duration::from_secs(random.u64(0..9)))),
                    4 => fake.fail(action, Answer::Status(503, "{}".into())),
                    _ => {}
                }
            }
            let wait = Duration::from_secs(random.u64(0..40));
            if let Ok(Ok(batch)) = timeout(wait, bench.puller.next()).await {
                out.push(batch.unwrap());
            }
            if !out.is_empty() && random.bool() {
                let batch = out.swap_remove(random.usize(..out.len()));
                let fails = step < 300 && random.u8(0..4) == 0;
                if fails && random.bool() {
                    drop(batch);
                } else {
                    let which: Vec<usize> = if fails { vec![0] } else { Vec::new() };
                    for (place, object) in batch.objects.iter().enumerate() {
                        if !which.contains(&place) {
                            stored.insert(object.key.clone());
                        }
                    }
                    batch.failed(&which);
                }
            }
            let left: BTreeSet<String> = fake.left().into_iter().collect();
            for (message, objects) in named.iter().filter(|(name, _)| !left.contains(*name)) {
                assert!(objects.iter().all(|key| stored.contains(key)), "{seed}: {message}");
            }
        }
        while !fake.left().is_empty() {
            for batch in out.drain(..) {
                batch.stored();
            }
            if let Ok(Ok(batch)) = timeout(MINUTE, bench.puller.next()).await {
                out.push(batch.unwrap());
            }
        }
        let counts = bench.puller.finish().await;
        assert_eq!(counts.unreadable, 0);
    }
}

//! What several of the tests need.

mod random;

pub(crate) use random::Random;

/// Returns fewer than `count` random pieces, joined.
pub(crate) fn text(random: &mut Random, pieces: &[&str], count: usize) -> String {
    (0..random.below(count)).map(|_| pieces[random.below(pieces.len())]).collect()
}

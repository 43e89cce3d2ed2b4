//! Groups points around means: Lloyd's algorithm, repeated from several starts.

use spilltrail_eval::cancel::is_canceled;

/// How far two points are from each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Distance {
    /// The sum of the differences.
    CityBlock,
    /// The sum of the squares of the differences.
    SquaredEuclidean,
    /// One minus the cosine of the angle between them.
    Cosine,
}

impl Distance {
    fn between(self, one: &[f64], other: &[f64]) -> f64 {
        let pairs = || one.iter().zip(other);
        match self {
            Self::CityBlock => pairs().map(|(a, b)| (a - b).abs()).sum(),
            Self::SquaredEuclidean => pairs().map(|(a, b)| (a - b) * (a - b)).sum(),
            Self::Cosine => {
                let product: f64 = pairs().map(|(a, b)| a * b).sum();
                let length = |point: &[f64]| point.iter().map(|a| a * a).sum::<f64>().sqrt();
                let lengths = length(one) * length(other);
                if lengths == 0.0 { 1.0 } else { 1.0 - product / lengths }
            }
        }
    }
}

/// How points are grouped.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    pub(super) count: usize,
    pub(super) starts: usize,
    pub(super) rounds: usize,
    pub(super) tolerance: f64,
    pub(super) distance: Distance,
}

/// Points with the same number of coordinates, one after another.
#[derive(Debug, Default)]
pub(super) struct Points {
    pub(super) dimensions: usize,
    pub(super) coordinates: Vec<f64>,
}

impl Points {
    pub(super) fn count(&self) -> usize {
        self.coordinates.len().checked_div(self.dimensions).unwrap_or(0)
    }

    fn iter(&self) -> impl Iterator<Item = &[f64]> {
        self.coordinates.chunks_exact(self.dimensions.max(1))
    }
}

/// The groups of points.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Clusters {
    /// The number of the cluster of each point, from 0.
    pub(super) labels: Vec<usize>,
    /// The center of each cluster. Clusters are in the order of their centers.
    pub(super) centers: Vec<Vec<f64>>,
    /// The sum of the distances between the points and their centers.
    distortion: f64,
}

/// Groups the points; returns the groups with the smallest distortion, or `None` if the run was
/// canceled.
///
/// The starts are chosen by a fixed sequence, so that equal points have equal groups.
pub(super) fn clusters(points: &Points, settings: Settings) -> Option<Clusters> {
    let mut best: Option<Clusters> = None;
    for start in 0..settings.starts.max(1) {
        let found = from_start(points, settings, start as u64)?;
        if best.as_ref().is_none_or(|best| found.distortion < best.distortion) {
            best = Some(found);
        }
    }
    best.map(Clusters::sorted)
}

fn from_start(points: &Points, settings: Settings, start: u64) -> Option<Clusters> {
    let centers = starting(points, settings.count, start);
    let mut clusters = Clusters { labels: Vec::new(), centers, distortion: f64::INFINITY };
    for _ in 0..settings.rounds.max(1) {
        let before = clusters.distortion;
        clusters.assign(points, settings.distance)?;
        clusters.center(points);
        // A round that is no better is the last one, so that there is an end without a tolerance, too.
        if before - clusters.distortion <= settings.tolerance {
            break;
        }
    }
    clusters.assign(points, settings.distance)?;
    Some(clusters)
}

/// Returns different points to begin with, as many as there are, up to `count`.
fn starting(points: &Points, count: usize, start: u64) -> Vec<Vec<f64>> {
    let mut order: Vec<usize> = (0..points.count()).collect();
    let mut state = start.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut centers: Vec<Vec<f64>> = Vec::new();
    for place in 0..order.len() {
        if centers.len() == count {
            break;
        }
        let left = order.len() - place;
        let chosen = place + usize::try_from(next(&mut state) % left as u64).unwrap_or(0);
        order.swap(place, chosen);
        let at = order[place] * points.dimensions;
        let point = &points.coordinates[at..at + points.dimensions];
        if !centers.iter().any(|center| center == point) {
            centers.push(point.to_vec());
        }
    }
    centers
}

/// Returns the next number of the sequence `SplitMix64`.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

impl Clusters {
    /// Puts each point into the cluster with the nearest center.
    fn assign(&mut self, points: &Points, distance: Distance) -> Option<()> {
        self.labels.clear();
        self.distortion = 0.0;
        for point in points.iter() {
            if is_canceled() {
                return None;
            }
            let distances = self.centers.iter().map(|center| distance.between(point, center));
            let nearest = distances.enumerate().min_by(|one, other| one.1.total_cmp(&other.1));
            let (label, nearest) = nearest.unwrap_or((0, 0.0));
            self.labels.push(label);
            self.distortion += nearest;
        }
        Some(())
    }

    /// Moves each center to the mean of its points.
    #[expect(clippy::cast_precision_loss, reason = "points are fewer than 2^53")]
    fn center(&mut self, points: &Points) {
        let mut sums = vec![(vec![0.0; points.dimensions], 0_usize); self.centers.len()];
        for (point, label) in points.iter().zip(&self.labels) {
            let (sum, count) = &mut sums[*label];
            sum.iter_mut().zip(point).for_each(|(sum, coordinate)| *sum += coordinate);
            *count += 1;
        }
        for (center, (sum, count)) in self.centers.iter_mut().zip(sums) {
            // A cluster that has lost its points keeps its center.
            if count > 0 {
                *center = sum.into_iter().map(|sum| sum / count as f64).collect();
            }
        }
    }

    /// Returns the same clusters without empty ones, in the order of their centers.
    fn sorted(self) -> Self {
        let mut is_used = vec![false; self.centers.len()];
        self.labels.iter().for_each(|label| is_used[*label] = true);
        let mut order: Vec<usize> = (0..is_used.len()).filter(|label| is_used[*label]).collect();
        order.sort_by(|one, other| {
            let pairs = self.centers[*one].iter().zip(&self.centers[*other]);
            let differing = pairs.map(|(a, b)| a.total_cmp(b)).find(|order| order.is_ne());
            differing.unwrap_or(one.cmp(other))
        });
        let mut places = vec![0; self.centers.len()];
        order.iter().enumerate().for_each(|(place, label)| places[*label] = place);
        Self {
            labels: self.labels.iter().map(|label| places[*label]).collect(),
            centers: order.iter().map(|label| self.centers[*label].clone()).collect(),
            distortion: self.distortion,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: Settings = Settings {
        count: 2,
        starts: 10,
        rounds: 10_000,
        tolerance: 0.0,
        distance: Distance::SquaredEuclidean,
    };

    fn grouped(dimensions: usize, coordinates: &[f64], settings: Settings) -> Clusters {
        let points = Points { dimensions, coordinates: coordinates.to_vec() };
        clusters(&points, settings).unwrap()
    }

    #[test]
    fn points_are_in_the_cluster_with_the_nearest_mean() {
        for (dimensions, coordinates, settings, labels, centers) in [
            (
                1,
                &[10.0, 1.0, 2.0, 12.0, 3.0][..],
                SETTINGS,
                vec![1, 0, 0, 1, 0],
                vec![vec![2.0], vec![11.0]],
            ),
            (
                2,
                &[0.0, 0.0, 5.0, 5.0, 0.0, 2.0, 5.0, 7.0],
                SETTINGS,
                vec![0, 1, 0, 1],
                vec![vec![0.0, 1.0], vec![5.0, 6.0]],
            ),
            // Directions count, and not how far a point is.
            (
                2,
                &[1.0, 0.0, 100.0, 0.0, 0.0, 1.0, 0.0, 100.0],
                Settings { distance: Distance::Cosine, ..SETTINGS },
                vec![1, 1, 0, 0],
                vec![vec![0.0, 50.5], vec![50.5, 0.0]],
            ),
            (
                1,
                &[0.0, 1.0, 9.0],
                Settings { distance: Distance::CityBlock, ..SETTINGS },
                vec![0, 0, 1],
                vec![vec![0.5], vec![9.0]],
            ),
            // There are no more clusters than different points.
            (1, &[4.0, 4.0, 4.0], SETTINGS, vec![0, 0, 0], vec![vec![4.0]]),
            (
                1,
                &[3.0, 1.0, 2.0],
                Settings { count: 9, ..SETTINGS },
                vec![2, 0, 1],
                vec![vec![1.0], vec![2.0], vec![3.0]],
            ),
            (1, &[], SETTINGS, vec![], vec![]),
        ] {
            let found = grouped(dimensions, coordinates, settings);
            assert_eq!((found.labels, found.centers), (labels, centers), "{coordinates:?}");
        }
    }

    #[test]
    fn limits_end_the_search() {
        let coordinates: Vec<f64> = (0..1_000).map(|n| f64::from(n % 37)).collect();
        let best = grouped(1, &coordinates, SETTINGS);
        for settings in [
            Settings { rounds: 1, starts: 1, ..SETTINGS },
            Settings { tolerance: f64::INFINITY, starts: 1, ..SETTINGS },
            Settings { rounds: 0, starts: 0, ..SETTINGS },
        ] {
            let found = grouped(1, &coordinates, settings);
            assert!(found.distortion > best.distortion, "{settings:?}");
        }
        assert_eq!(grouped(1, &coordinates, SETTINGS), best);
    }
}

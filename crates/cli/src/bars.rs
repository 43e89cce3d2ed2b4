//! Draws sparklines.

use std::borrow::Cow;

use spilltrail_search::stats::SPARKLINE_MARK;

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Returns a sparkline as a line of bars, or `None` if these members of a multivalue are something
/// else. The highest bar is the greatest value, and a blank stands for one that is no number.
pub(crate) fn sparkline(members: &[Cow<'_, str>]) -> Option<String> {
    let (mark, values) = members.split_first()?;
    if mark != SPARKLINE_MARK {
        return None;
    }
    let values: Vec<Option<f64>> = values.iter().map(|value| number(value)).collect();
    let known = || values.iter().flatten().copied();
    let (low, high) = (known().fold(0.0, f64::min), known().fold(0.0, f64::max));
    let bar = |value: &Option<f64>| value.map_or(' ', |value| bar_of(value, low, high));
    Some(values.iter().map(bar).collect())
}

fn number(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|value| value.is_finite())
}

fn bar_of(value: f64, low: f64, high: f64) -> char {
    let share = if high > low { (value - low) / (high - low) } else { 0.0 };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the share is from 0 to 1"
    )]
    let step = (share * 7.0).round() as usize;
    BARS[step.min(7)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_become_bars() {
        for (members, bars) in [
            ("##__SPARKLINE__##,0,1,2,7", Some("▁▂▃█")),
            ("##__SPARKLINE__##,5,5", Some("██")),
            ("##__SPARKLINE__##,0,0", Some("▁▁")),
            ("##__SPARKLINE__##,-1,0,1,,inf", Some("▁▅█  ")),
            ("##__SPARKLINE__##", Some("")),
            ("1,2", None),
        ] {
            let members: Vec<Cow<'_, str>> = members.split(',').map(Into::into).collect();
            assert_eq!(sparkline(&members).as_deref(), bars, "{members:?}");
        }
    }
}

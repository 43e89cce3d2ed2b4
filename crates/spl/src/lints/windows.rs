//! Time ranges of searches that end before CloudTrail has delivered their events.

use spilltrail_diagnostic::{Code, Span};

use super::pipelines::{is_of_cloudtrail, leading};
use super::{Doubt, Weight};
use crate::time::{Modifier, parse_modifier, resolve};
use crate::{Pipeline, SearchExpr};

/// Seconds after which CloudTrail has usually delivered an event.
const DELIVERY: f64 = 15.0 * 60.0;

/// Finds a search that looks only at the last minutes, in which no event has been delivered yet.
pub(super) fn too_short(pipeline: &Pipeline, found: &mut Vec<Doubt>) {
    let Some(expression) = leading(pipeline).filter(is_of_cloudtrail) else { return };
    let mut earliest: Option<(f64, Span, String)> = None;
    let mut ends_now = true;
    expression.walk(&mut |part| {
        let SearchExpr::Time { bound, modifier } = part else { return };
        match bound.value.as_str() {
            "earliest" => {
                earliest = ago(&modifier.value)
                    .map(|seconds| (seconds, modifier.span, modifier.value.clone()));
            }
            "latest" => ends_now = ago(&modifier.value).is_some_and(|seconds| seconds < DELIVERY),
            _ => {}
        }
    });
    if let Some((seconds, span, written)) = earliest
        && ends_now
        && seconds < DELIVERY
    {
        let message = format!(
            "`earliest={written}` leaves out events that CloudTrail delivers later: that can take 15 minutes"
        );
        let doubt = Doubt::new(Weight::Advice, Code::SHORT_WINDOW, message, span);
        found.push(
            doubt.help("begin at least an hour ago, such as `earliest=-70m@m latest=-10m@m`"),
        );
    }
}

/// Returns how many seconds before now a relative time is, without its snapping.
fn ago(modifier: &str) -> Option<f64> {
    match parse_modifier(modifier).ok()? {
        Modifier::Now => Some(0.0),
        Modifier::Relative(_) => {
            // The instant is a Monday at noon, so that no snapping to a minute or hour shows.
            const NOW: f64 = 1_767_614_400.0;
            let then = resolve(modifier, NOW, &jiff::tz::TimeZone::UTC).ok()??;
            Some(NOW - then)
        }
        _ => None,
    }
}

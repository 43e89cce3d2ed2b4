//! Time ranges of searches that end before CloudTrail has delivered their events.

use spilltrail_diagnostic::{Code, Span};

use super::pipelines::{is_of_cloudtrail, leading};
use super::{Doubt, Weight};
use crate::time::{SLOW_DELIVERY, longest_ago};
use crate::{Pipeline, SearchExpr};

/// Finds a search that looks only at the last minutes, in which no event has been delivered yet.
pub(super) fn too_short(pipeline: &Pipeline, found: &mut Vec<Doubt>) {
    let Some(expression) = leading(pipeline).filter(is_of_cloudtrail) else { return };
    let mut earliest: Option<(f64, Span, String)> = None;
    let mut ends_now = true;
    expression.walk(&mut |part| {
        let SearchExpr::Time { bound, modifier } = part else { return };
        match bound.value.as_str() {
            "earliest" => {
                earliest = longest_ago(&modifier.value)
                    .map(|seconds| (seconds, modifier.span, modifier.value.clone()));
            }
            "latest" => {
                let ends = longest_ago(&modifier.value);
                ends_now = ends.is_some_and(|seconds| seconds < SLOW_DELIVERY);
            }
            _ => {}
        }
    });
    if let Some((seconds, span, written)) = earliest
        && ends_now
        && seconds < SLOW_DELIVERY
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

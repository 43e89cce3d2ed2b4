//! Explains how a hunt would read the logs for its detections, without reading them.

use std::collections::BTreeSet;
use std::sync::Arc;

use spilltrail_decode::{Profile, needed_words};
use spilltrail_detect::AnalyzedContent;
use spilltrail_detect::hunt::{Job, plan};
use spilltrail_event::{Comparison, Predicate, ScanRequest, StopToken};
use spilltrail_search::analysis::Need;
use spilltrail_search::events::shared::{SharedEvents, whole_events};
use spilltrail_search::pool;

use super::AT_A_TIME;
use super::held::{self, Chosen};
use crate::cancel::{StopWhenDropped, until_cancelled};
use crate::clock::Clock;
use crate::content::Content;
use crate::environment::Environment;
use crate::error::AppError;
use crate::listing;
use crate::logs::{LogEvents, LogReader};
use crate::options::HuntOptions;

/// The event sets that the first pass over the logs collects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanPlan {
    /// The requests of each detection, in the order in which detections run.
    pub detections: Vec<DetectionScan>,
    /// Number of distinct event sets that the detections request together.
    pub sets: usize,
    /// Names of the detections that run afterwards, over the risk that the others raise.
    pub correlations: Vec<String>,
    /// Names of the detections that are held back, with what each needs. Events that turn out to say
    /// themselves what they are may bring them back.
    pub held: Vec<(String, Need)>,
}

/// The event sets that one detection requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetectionScan {
    /// Name of the detection.
    pub name: String,
    /// Event sets that the detection requests in the first pass.
    pub asked: Vec<EventsAsked>,
    /// True if the detection can be planned only after these events are read. Events that the plan
    /// then requests and the first pass did not collect need another pass.
    pub is_waiting: bool,
}

/// A requested set of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventsAsked {
    /// Event names, or patterns for them, that the set is limited to; `None` if it is not limited.
    pub event_names: Option<BTreeSet<String>>,
    /// Words of which each event in the set contains at least one; `None` if no such list exists.
    pub needles: Option<Vec<String>>,
    /// Fields that are extracted from each event.
    pub fields: Vec<String>,
    /// True if `fields` covers the whole event.
    pub is_whole: bool,
}

/// Returns the event sets that the first pass of a hunt would collect; reads no log.
///
/// # Errors
/// As [`hunt`](crate::hunt()).
pub async fn explain_scan(content: &Content, options: &HuntOptions) -> Result<ScanPlan, AppError> {
    let stop = StopWhenDropped::default();
    until_cancelled(&options.run.cancel, explain(content, options, stop.token())).await
}

async fn explain(
    content: &Content,
    options: &HuntOptions,
    stop: StopToken,
) -> Result<ScanPlan, AppError> {
    let selected = options.select.choose(&content.set)?;
    let analyzed = AnalyzedContent::new(content.set.clone());
    let offer = held::offer(options, &content.set.knowledge).await?;
    let chosen = Chosen::new(&selected, &analyzed, &offer);
    let clock = Clock::new(&options.run.time)?;
    clock.check_range()?;
    let wanted = chosen.wanted(&clock);
    let logs = listing::list(&options.logs, &options.run.read, wanted, None, stop).await?;
    let events = Arc::new(LogEvents(logs.clone()));
    let environment =
        Environment::new(&content.set, events, clock, &options.run, pool::HUNT_LIMIT, AT_A_TIME)?;
    let reader = Arc::new(LogReader::new(logs, environment.scan_options()));
    let shared = SharedEvents::new(environment.events.clone(), reader);
    let jobs = plan(&analyzed, &chosen.run, &shared, &|| environment.context())
        .await
        .map_err(AppError::Reading)?;
    let name = |job: &Job| content.set.detections[job.place].name.clone();
    let detections = jobs.iter().map(|job| DetectionScan {
        name: name(job),
        asked: job.requests().iter().map(|asked| scan(asked, options.run.read.profile)).collect(),
        is_waiting: job.is_waiting(),
    });
    let held = chosen
        .held
        .into_iter()
        .map(|(index, need)| (content.set.detections[index].name.clone(), need))
        .collect();
    let correlations = chosen.correlate.iter();
    let correlations =
        correlations.map(|index| content.set.detections[*index].name.clone()).collect();
    let sets = shared.requests().len();
    Ok(ScanPlan { detections: detections.collect(), sets, correlations, held })
}

fn scan(request: &ScanRequest, profile: Profile) -> EventsAsked {
    let whole = whole_events();
    EventsAsked {
        event_names: event_names(&request.predicate),
        needles: needed_words(request, profile),
        fields: request.fields.iter().map(|field| field.name.clone()).collect(),
        is_whole: whole.iter().all(|field| request.fields.contains(field)),
    }
}

/// Returns the event names, or patterns for them, that `predicate` requires; `None` if an event
/// of any name can match.
fn event_names(predicate: &Predicate) -> Option<BTreeSet<String>> {
    match predicate {
        Predicate::Compare { field, op: Comparison::Eq, value } if field == "eventName" => {
            Some(BTreeSet::from([value.text.clone()]))
        }
        Predicate::In { field, values } if field == "eventName" => {
            Some(values.patterns().iter().map(|value| value.text.clone()).collect())
        }
        Predicate::And(parts) => parts.iter().find_map(event_names),
        Predicate::Or(parts) => {
            let names: Option<Vec<_>> = parts.iter().map(event_names).collect();
            Some(names?.into_iter().flatten().collect())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use spilltrail_event::{CaseRule, Pattern};

    use super::*;

    #[test]
    fn names_of_events() {
        let named = |name: &str| Predicate::Compare {
            field: "eventName".to_owned(),
            op: Comparison::Eq,
            value: Pattern::new(name, CaseRule::Ignore),
        };
        let other = || Predicate::Exists("errorCode".to_owned());
        let names = |predicate: Predicate| {
            event_names(&predicate).map(|names| names.into_iter().collect::<Vec<_>>().join(", "))
        };
        let either = Predicate::Or(vec![named("B"), named("A*")]);
        assert_eq!(names(Predicate::And(vec![other(), either])).as_deref(), Some("A*, B"));
        assert_eq!(names(Predicate::Or(vec![named("B"), other()])), None);
        assert_eq!(names(Predicate::Not(Box::new(named("B")))), None);
        let ten = Predicate::any(('A'..'K').map(|name| named(&name.to_string())).collect());
        assert_eq!(names(ten).as_deref(), Some("A, B, C, D, E, F, G, H, I, J"));
    }
}

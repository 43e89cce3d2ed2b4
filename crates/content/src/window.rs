//! Whether the runs of a schedule see every event, which is delivered some time after it happened.

use spilltrail_spl::time::ago;

use crate::deployment::Scheduling;

impl Scheduling {
    /// Returns why runs of this schedule miss events that are delivered `delay` seconds after they
    /// happened; `None` if they do not, or if that cannot be told.
    #[must_use]
    pub fn misses(&self, delay: f64) -> Option<String> {
        let every = interval(&self.cron_schedule)?;
        let (from, to) = (ago(&self.earliest_time)?, ago(&self.latest_time)?);
        // An event is seen by a run that comes after its delivery, and while it is in the window.
        let seen = from - to.max(delay);
        if from - to < every {
            Some(format!(
                "each run looks at {}, and the next comes after {}",
                span(from - to),
                span(every)
            ))
        } else if seen < every {
            Some(format!(
                "an event that is delivered after {} is in no run: each looks from {} ago to {} ago, every {}",
                span(delay),
                span(from),
                span(to),
                span(every)
            ))
        } else {
            None
        }
    }
}

/// Returns the seconds between the runs of a schedule, if they are always as many.
fn interval(cron: &str) -> Option<f64> {
    let fields: Vec<&str> = cron.split_whitespace().collect();
    let [minute, hour, "*", "*", "*"] = fields[..] else { return None };
    let every = |field: &str| -> Option<f64> {
        match field {
            "*" => Some(1.0),
            field => field.strip_prefix("*/")?.parse().ok(),
        }
    };
    let is_number = |field: &str| field.parse::<u8>().is_ok();
    match (every(minute), every(hour)) {
        (Some(minutes), _) if hour == "*" => Some(minutes * 60.0),
        (None, Some(hours)) if is_number(minute) => Some(hours * 3600.0),
        (None, None) if is_number(minute) && is_number(hour) => Some(86_400.0),
        _ => None,
    }
}

fn span(seconds: f64) -> String {
    let minutes = (seconds / 60.0).round();
    let (count, unit) =
        if minutes >= 120.0 { ((minutes / 60.0).round(), "hour") } else { (minutes, "minute") };
    format!("{count} {unit}{}", if (count - 1.0).abs() < 0.5 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use spilltrail_spl::time::USUAL_DELIVERY;

    use super::*;

    #[test]
    fn runs_that_miss_events() {
        for (cron, from, to, expected) in [
            ("0 * * * *", "-70m@m", "-10m@m", ""),
            ("0 * * * *", "-60m@m", "now", "an event that is delivered after 5 minutes"),
            ("*/5 * * * *", "-5m", "now", "an event that is delivered after 5 minutes"),
            ("*/5 * * * *", "-15m", "now", ""),
            ("0 * * * *", "-30m", "now", "each run looks at 30 minutes, and the next"),
            ("10 0 * * *", "-1450m@m", "-10m@m", ""),
            ("0 8 * * 1", "-5m", "now", ""),
            ("whenever", "-5m", "now", ""),
            ("0 * * * *", "0", "now", ""),
        ] {
            let scheduling = Scheduling {
                cron_schedule: cron.to_owned(),
                earliest_time: from.to_owned(),
                latest_time: to.to_owned(),
                ..Scheduling::default()
            };
            let why = scheduling.misses(USUAL_DELIVERY).unwrap_or_default();
            assert!(why.starts_with(expected) && expected.is_empty() == why.is_empty(), "{why}");
        }
    }
}

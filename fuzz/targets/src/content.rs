//! Loads a file of content: the folder that it is in on the first line, and then its YAML.

use spilltrail_content::ContentSet;

use crate::{check, halves, text};

pub(crate) fn run(data: &[u8]) {
    let text = text(data);
    let (folder, yaml) = halves(&text, "\n");
    let path = format!("{}/a.yml", folder.trim_end_matches('\r'));
    let (set, problems) = ContentSet::of_texts(&[(path.as_str(), yaml)]);
    for problem in &problems {
        check(&problem.diagnostic, &problem.source_text);
        let _ = problem.place();
    }
    for detection in set.detections.iter().chain(&set.baselines) {
        let _ = (detection.outcome(&set.deployments), detection.annotations());
        let _ = (detection.notable(&set.deployments), detection.severity());
        for data in detection.tests.iter().flat_map(|test| &test.attack_data) {
            let _ = set.test_logs(detection, data);
        }
    }
    let mut set = set;
    if let Err(diagnostic) = set.override_macros(yaml, "fuzz") {
        check(&diagnostic, yaml);
    }
    let _ = set.override_macro(yaml);
}

//! The files of content that a search is made of.

use std::path::PathBuf;

use spilltrail_content::LookupSource;
use spilltrail_detect::AnalyzedContent;
use spilltrail_search::analysis::Analysis;

/// Returns the file of the detection at index `place`, those of the macros and lookups that it uses,
/// those of their rows, which may be missing, and those of event types, tags and data models, if it
/// may use any.
pub(crate) fn of_detection(content: &AnalyzedContent, place: usize) -> Vec<PathBuf> {
    let set = &content.set;
    let analysis = content.detection(place);
    let mut files = vec![set.detections[place].path.clone()];
    let used = analysis.expansion.macros_used();
    let macros = set.macros.iter().filter(|known| used.contains(&known.title()));
    files.extend(macros.map(|known| PathBuf::from(&known.origin)));
    for lookup in analysis.facts.lookups_read.iter().filter_map(|name| set.lookup(name)) {
        files.extend(match &lookup.source {
            LookupSource::File(path) => Some(path.clone()),
            LookupSource::Missing(name) => Some(lookup.path.with_file_name(name)),
            LookupSource::Embedded(_) | LookupSource::Collection(_) => None,
        });
        files.push(lookup.path.clone());
    }
    if may_use_knowledge(analysis) {
        files.extend(set.knowledge_files.iter().cloned());
    }
    files
}

/// Returns true if the results of a search may depend on event types, tags or data models: an event
/// type may use others, so a search that names one depends on all.
pub(crate) fn may_use_knowledge(analysis: &Analysis) -> bool {
    let text = analysis.expansion.text.to_ascii_lowercase();
    !analysis.facts.data_models.is_empty()
        || ["tag", "eventtype", "typer"].iter().any(|f| text.contains(f))
}

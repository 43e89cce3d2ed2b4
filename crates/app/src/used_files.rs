//! The files of content that a search is made of.

use std::collections::BTreeSet;
use std::path::PathBuf;

use spilltrail_content::LookupSource;
use spilltrail_detect::AnalyzedContent;
use spilltrail_search::analysis::Analysis;
use spilltrail_spl::Expansion;

/// Returns the file of the detection at index `place`, those of the searches, macros and lookups that it
/// uses, those of their rows, which may be missing, and those of event types, tags and data models, if
/// it may use any.
pub(crate) fn of_detection(content: &AnalyzedContent, place: usize) -> Vec<PathBuf> {
    let set = &content.set;
    let analysis = content.detection(place);
    let mut files = vec![set.detections[place].path.clone()];
    let used: BTreeSet<&String> = analysis.expansions().flat_map(Expansion::macros_used).collect();
    let macros = set.macros.iter().filter(|known| used.contains(&known.title()));
    files.extend(macros.map(|known| PathBuf::from(&known.origin)));
    let used: BTreeSet<&String> =
        analysis.expansions().flat_map(Expansion::searches_used).collect();
    let searches = set.detections.iter().chain(&set.baselines);
    let searches = searches.filter(|known| used.contains(&known.name));
    files.extend(searches.map(|known| known.path.clone()));
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
    let names_class = |expansion: &Expansion| {
        let text = expansion.text.to_ascii_lowercase();
        ["tag", "eventtype", "typer"].iter().any(|name| text.contains(name))
    };
    !analysis.facts.data_models.is_empty() || analysis.expansions().any(names_class)
}

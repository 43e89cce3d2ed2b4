//! Finds out which searches read members that the sources of CloudTrail events leave out, as the
//! console's event history leaves out `requestParameters`.

use std::collections::{BTreeMap, BTreeSet};

use spilltrail_decode::{LeftOut, Member, MemberSet, Profile};
use spilltrail_detect::Missing;
use spilltrail_search::analysis::Analysis;
use spilltrail_source::ReadReport;

use crate::unread::Unread;

/// The names of the fields that a search reads.
fn names(analysis: &Analysis) -> impl Iterator<Item = &String> {
    let demand = &analysis.demand;
    analysis.facts.fields.iter().chain(&demand.names).chain(&demand.patterns)
}

/// Returns which of the members that some events lack a search reads.
pub(crate) fn are_read(lacking: MemberSet, analysis: &Analysis, profile: Profile) -> MemberSet {
    names(analysis).filter_map(|name| lacking.loses(name, profile)).collect()
}

/// Returns the fields that a search reads and that no event can have, because every source leaves them
/// out.
pub(crate) fn missing(read: &LeftOut, analysis: &Analysis, profile: Profile) -> Option<Missing> {
    let lacking = read.never_present();
    let lost = |name: &&String| lacking.loses(name, profile).is_some();
    let fields: BTreeSet<&String> = names(analysis).filter(lost).collect();
    let rows = lacking.iter().map(|member| read.events[&member]).max()?;
    let fields: Vec<String> = fields.into_iter().cloned().collect();
    (!fields.is_empty()).then_some(Missing { fields, rows })
}

/// Returns what is left out of events, of the members that searches read: those together of which the
/// same events in the same files have none.
pub(crate) fn unread(read: &ReadReport, members: MemberSet) -> Vec<Unread> {
    let mut groups: BTreeMap<_, Vec<Member>> = BTreeMap::new();
    for member in members.iter() {
        if let (Some(count), Some(files)) =
            (read.total.left_out.events.get(&member), read.left_out.get(&member))
        {
            groups.entry((*count, files)).or_default().push(member);
        }
    }
    let groups = groups.into_iter().rev();
    groups.map(|((count, files), members)| Unread::members(count, &members, files)).collect()
}

#[cfg(test)]
mod tests {
    use spilltrail_search::analysis::analyze;
    use spilltrail_spl::MacroSet;

    use super::*;

    #[test]
    fn fields_that_searches_read() {
        let profile = Profile::Superset;
        let mut thin = LeftOut::default();
        thin.events.extend([(Member::RequestParameters, 5), (Member::UserIdentity, 5)]);
        for (search, fields) in [
            ("eventName=A | stats count by awsRegion", &[][..]),
            ("eventName=A | stats count by user", &["user"]),
            ("eventName=A requestParameters.a=1 | stats count", &["requestParameters.a"]),
            (
                "eventName=A | where 'requestParameters.b{}.c'=1 | stats count by requestParameters.a",
                &["requestParameters.a", "requestParameters.b{}.c"],
            ),
            ("eventName=A | where user_arn!=aws_account_id", &["aws_account_id", "user_arn"]),
            ("eventName=A | stats values(requestParameters.*) as *", &["requestParameters.*"]),
            ("eventName=A requestParametersX=1", &[]),
        ] {
            let analysis = analyze(search, &MacroSet::default());
            let read = are_read(thin.members(), &analysis, profile);
            assert_eq!(read.is_empty(), fields.is_empty(), "{search}");
            let missing = missing(&thin, &analysis, profile).map(|missing| missing.fields);
            assert_eq!(missing.unwrap_or_default(), fields, "{search}");
        }
        let analysis = analyze("requestParameters.a=1", &MacroSet::default());
        thin.present = [Member::RequestParameters].into_iter().collect();
        assert_eq!(missing(&thin, &analysis, profile), None);
    }
}

//! What a search needs that the events of a run may lack: a data model, or the events of a product.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use spilltrail_diagnostic::{Diagnostic, Span, Spanned};
use spilltrail_event::{CaseRule, Pattern, fields};
use spilltrail_knowledge::{Knowledge, Scope, is_class};
use spilltrail_spl::{CompareOp, SearchExpr, SearchLiteral};

use super::Analysis;
use crate::planning::index::{OF_RISK, asks_for_risk, is_splunks_own};

/// Something that a search needs and that the events of a run lack.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Need {
    /// The kind of what is needed.
    pub kind: NeedKind,
    /// Its name, as the search writes it.
    pub name: String,
}

/// The kind of something that a search needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NeedKind {
    /// A data model.
    DataModel,
    /// Events with this `sourcetype`.
    Sourcetype,
    /// Events with this `source`.
    Source,
    /// Events with this `eventtype`.
    EventType,
    /// Events with this `tag`.
    Tag,
    /// An index that Splunk fills.
    Index,
    /// The risk that other detections of the run raise.
    Risk,
    /// Events with this field, which only other products have.
    Field,
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            NeedKind::DataModel => "data model",
            NeedKind::Sourcetype => "sourcetype",
            NeedKind::Source => "source",
            NeedKind::EventType => "event type",
            NeedKind::Tag => "tag",
            NeedKind::Index => "index",
            NeedKind::Risk => return f.write_str("the risk that other detections raise"),
            NeedKind::Field => "field",
        };
        write!(f, "the {kind} `{}`", self.name)
    }
}

impl Need {
    /// Returns the need of a search that reads only risk events.
    #[must_use]
    pub fn risk() -> Self {
        Self { kind: NeedKind::Risk, name: OF_RISK.to_owned() }
    }
}

/// What is known about the events of a run before they are read.
#[derive(Debug, Clone, Default)]
pub struct Offer {
    /// The sourcetypes that events can have.
    pub sourcetypes: Vec<String>,
    /// The names of the logs as the user gave them: files, folders or patterns. The `source` of an
    /// event begins with one of them.
    pub logs: Vec<String>,
    /// The fields among those by which searches pick events that events have in their own text:
    /// their values are not known.
    pub own: Vec<String>,
    /// The index of all events; `None` if they have none, so that any index of logs may be theirs.
    pub index: Option<String>,
    /// The indexes that events can be in; `None` if it is not known that each is in one of these.
    pub indexes: Option<BTreeSet<String>>,
    /// The event types, tags and data models.
    pub knowledge: Arc<Knowledge>,
}

impl Analysis {
    /// Returns what the search needs and the offer lacks, so that no event can match it: a data model
    /// that it reads anywhere, or what its first command asks for.
    ///
    /// Returns `None` if an event may match.
    #[must_use]
    pub fn unmet(&self, offer: &Offer) -> Option<Need> {
        let models = self.facts.data_models.iter();
        let unmet_model =
            models.filter(|(model, dataset)| !is_fed(model, dataset.as_deref(), offer));
        let unmet_model = unmet_model.map(|(model, _)| model.clone()).next();
        if let Some(name) = unmet_model {
            return Some(Need { kind: NeedKind::DataModel, name });
        }
        let mut required = self.required.iter();
        required.find_map(|condition| unmet(&offer.knowledge.expand(condition).expression, offer))
    }

    /// Returns the data models that the search reads and no event type feeds.
    #[must_use]
    pub fn unfed_models(&self, knowledge: &Knowledge) -> BTreeSet<String> {
        let is_fed = |model: &str, dataset: Option<&str>| {
            scope(model, dataset, knowledge)
                .map_or(true, |scope| knowledge.may_match(&scope.search))
        };
        let models = self.facts.data_models.iter();
        let unfed = models.filter(|(model, dataset)| !is_fed(model, dataset.as_deref()));
        unfed.map(|(model, _)| model.clone()).collect()
    }
}

impl Analysis {
    /// Returns true if the search reads risk events and no other events.
    #[must_use]
    pub fn reads_only_risk(&self, knowledge: &Knowledge) -> bool {
        let models = &self.facts.data_models;
        let is_of_risk = |(model, dataset): &(String, Option<String>)| {
            scope(model, dataset.as_deref(), knowledge)
                .is_ok_and(|scope| asks_for_risk(&scope.search))
        };
        let leads = self.leading.is_some() || !models.is_empty();
        leads && !self.facts.reads_logs && models.iter().all(is_of_risk)
    }
}

/// Returns the part of a data model that a search reads.
fn scope(model: &str, dataset: Option<&str>, knowledge: &Knowledge) -> Result<Scope, Diagnostic> {
    let named = |name: &str| Spanned::new(name.to_owned(), Span::new(0, 0));
    knowledge.scope(&named(model), dataset.map(named).as_ref())
}

/// Returns true if an event of the offer may be in the dataset. A dataset that does not exist is a
/// mistake in the search, which is told when it is planned.
fn is_fed(model: &str, dataset: Option<&str>, offer: &Offer) -> bool {
    scope(model, dataset, &offer.knowledge).map_or(true, |scope| {
        unmet(&offer.knowledge.expand(&scope.search).expression, offer).is_none()
    })
}

/// Returns why no event of the offer can match, or `None` if one may.
fn unmet(expression: &SearchExpr, offer: &Offer) -> Option<Need> {
    match expression {
        SearchExpr::And(parts) => parts.iter().find_map(|part| unmet(part, offer)),
        SearchExpr::Or(parts) => {
            let needs: Option<Vec<Need>> = parts.iter().map(|part| unmet(part, offer)).collect();
            needs?.into_iter().next()
        }
        SearchExpr::Compare { field, op: CompareOp::Eq, value } => {
            unmet_value(&field.value, &value.value, offer)
        }
        SearchExpr::In { field, values } => {
            let needs = values.iter().map(|value| unmet_value(&field.value, &value.value, offer));
            needs.collect::<Option<Vec<Need>>>()?.into_iter().next()
        }
        // A comparison other than `=` fails on an absent field, too, but is not what picks a source.
        _ => None,
    }
}

fn unmet_value(field: &str, literal: &SearchLiteral, offer: &Offer) -> Option<Need> {
    let text = literal.text.as_str();
    let of = |kind, name: &str| Some(Need { kind, name: name.to_owned() });
    if offer.own.iter().any(|own| own == field) {
        return None;
    }
    match field {
        fields::SOURCETYPE => {
            let pattern = Pattern::new(text, CaseRule::Ignore);
            let is_met = offer.sourcetypes.iter().any(|name| pattern.matches(name));
            if is_met { None } else { of(NeedKind::Sourcetype, text) }
        }
        fields::SOURCE if !may_be_log(text, offer) => of(NeedKind::Source, text),
        fields::INDEX => {
            let pattern = Pattern::new(text, CaseRule::Ignore);
            let is_met = match (&offer.indexes, &offer.index) {
                (Some(indexes), _) => indexes.iter().any(|index| pattern.matches(index)),
                (None, Some(index)) => pattern.matches(index),
                (None, None) => !is_splunks_own(text),
            };
            if is_met { None } else { of(NeedKind::Index, text) }
        }
        "eventtype" => of(NeedKind::EventType, text),
        _ if is_class(field) => of(NeedKind::Tag, text),
        _ if fields::OF_OTHER_PRODUCTS.contains(&field) => of(NeedKind::Field, field),
        _ => None,
    }
}

/// Returns true if an event of the logs may have a `source` that matches the literal.
fn may_be_log(literal: &str, offer: &Offer) -> bool {
    let fixed = |text: &str| -> String {
        let text = text.trim_start_matches("./");
        text.split(['*', '?', '[', '{']).next().unwrap_or_default().to_ascii_lowercase()
    };
    let wanted = fixed(literal);
    // Files are seldom named with a colon, but the sources of other products are, as in
    // `WinEventLog:Security`.
    if !wanted.contains(':') {
        return true;
    }
    offer.logs.iter().map(|name| fixed(name)).any(|log| {
        // The literal may name a file below the log, and a pattern may cover the log.
        wanted.starts_with(&log) || (literal.contains('*') && log.starts_with(&wanted))
    })
}

#[cfg(test)]
mod tests {
    use spilltrail_spl::MacroSet;

    use super::*;
    use crate::analysis::analyze;

    fn need(search: &str) -> Option<String> {
        let offer = Offer {
            sourcetypes: vec!["aws:cloudtrail".into(), "json".into()],
            logs: vec!["./logs".into(), "s3://trail".into()],
            knowledge: Knowledge::builtin(),
            ..Offer::default()
        };
        need_of(search, &offer)
    }

    fn need_of(search: &str, offer: &Offer) -> Option<String> {
        let analysis = analyze(search, &MacroSet::builtin());
        analysis.unmet(offer).map(|need| need.to_string())
    }

    #[test]
    fn a_field_of_the_events_themselves_may_have_any_value() {
        let offer = |own: &str| Offer { own: vec![own.to_owned()], ..Offer::default() };
        for (search, own, expected) in [
            ("tag=cloud", "tag", None),
            ("tag=cloud", "EventCode", Some("the tag `cloud`")),
            ("EventCode=4624 Channel=Security", "EventCode", Some("the field `Channel`")),
            ("sourcetype=linux tag=x", "sourcetype", Some("the tag `x`")),
            ("source=WinEventLog:x", "source", None),
            ("index=notable", "index", None),
        ] {
            assert_eq!(need_of(search, &offer(own)).as_deref(), expected, "{search} {own}");
        }
    }

    #[test]
    fn indexes_of_a_lake() {
        let indexes = ["main", "risk"].map(str::to_owned).into();
        let offer = Offer { indexes: Some(indexes), ..Offer::default() };
        for (search, expected) in [
            ("index=main", None),
            ("index=Risk a=b", None),
            ("index=r*", None),
            ("index=aws", Some("the index `aws`")),
            ("index=notable", Some("the index `notable`")),
            ("index IN (aws, main)", None),
        ] {
            assert_eq!(need_of(search, &offer).as_deref(), expected, "{search}");
        }
    }

    #[test]
    fn an_index_that_all_events_have() {
        let offer = Offer { index: Some("main".to_owned()), ..Offer::default() };
        for (search, expected) in [
            ("index=main", None),
            ("index=MA*", None),
            ("index=aws", Some("the index `aws`")),
            ("index=notable", Some("the index `notable`")),
            ("index=aws OR index=main", None),
        ] {
            assert_eq!(need_of(search, &offer).as_deref(), expected, "{search}");
        }
    }

    #[test]
    fn what_no_event_can_meet() {
        let cases = [
            (
                "sourcetype=xmlwineventlog EventID=1 | stats count",
                "the sourcetype `xmlwineventlog`",
            ),
            ("(sourcetype=a OR sourcetype=b*) user=x", "the sourcetype `a`"),
            ("sourcetype IN (a, b)", "the sourcetype `a`"),
            ("user=x eventtype=okta", "the event type `okta`"),
            ("tag=windows tag=cloud", "the tag `windows`"),
            (
                "(eventtype=w OR Channel=security OR source=XmlWinEventLog:Security) EventCode=4625",
                "the event type `w`",
            ),
            ("source=WinEventLog:*", "the source `WinEventLog:*`"),
            ("user=x | head 5 | search a=1 tag=windows", "the tag `windows`"),
            ("user=x | search eventtype IN (okta) | stats count", "the event type `okta`"),
            ("EventCode=4104", "the field `EventCode`"),
            ("| tstats count where sourcetype=linux by user", "the sourcetype `linux`"),
            ("| metasearch index=_internal x", "the index `_internal`"),
            ("| metadata type=hosts index=_internal", "the index `_internal`"),
            ("| eventcount index=_audit", "the index `_audit`"),
            ("| multisearch [search sourcetype=a] [search sourcetype=b]", "the sourcetype `a`"),
            ("| union [search sourcetype=a x] [search sourcetype=b]", "the sourcetype `a`"),
            ("tag::user=windows", "the tag `windows`"),
            ("* | tags | typer | search eventtype=okta", "the event type `okta`"),
            ("| from datamodel:Change.All_Changes | search tag=windows", "the tag `windows`"),
            ("index=_internal", "the index `_internal`"),
            ("index=notable*", "the index `notable*`"),
            ("| tstats count from datamodel=Endpoint.Processes by x", "the data model `Endpoint`"),
            (
                "| tstats summariesonly=t count FROM datamodel = \"Web\" where a=b",
                "the data model `Web`",
            ),
            ("| from datamodel:Risk.All_Risk | stats count", "the data model `Risk`"),
            ("| datamodel Endpoint Processes search", "the data model `Endpoint`"),
            ("| datamodel strict_fields=f Endpoint Processes flat", "the data model `Endpoint`"),
            ("a=1 | append [| tstats count from datamodel=Web]", "the data model `Web`"),
        ];
        for (search, expected) in cases {
            assert_eq!(need(search).as_deref(), Some(expected), "{search}");
        }
    }

    #[test]
    fn what_an_event_may_meet() {
        for search in [
            "sourcetype=aws:cloudtrail eventName=x",
            "sourcetype=AWS:* eventName=x",
            "sourcetype=linux OR eventName=x",
            "NOT sourcetype=linux",
            "sourcetype!=linux",
            "sourcetype IN (linux, json)",
            "eventType=AwsApiCall",
            "source=*cloudtrail*",
            "source=\"logs/a:b.json\"",
            "source=\"s3://trail/AWSLogs/x\"",
            "source=s3:*",
            "index=aws eventName=x",
            "[search sourcetype=linux | fields user]",
            "eventName=x | search sourcetype=linux",
            "| tstats count where sourcetype=json OR sourcetype=linux",
            "| tstats count from datamodel=Change where sourcetype=linux",
            "| metadata type=hosts index=aws",
            "| multisearch [search sourcetype=linux] [search eventName=x]",
            "| union [search sourcetype=linux] [| inputlookup t]",
            "| inputlookup t | search sourcetype=linux tag=windows",
            "| makeresults",
            // The events behind added rows may be others.
            "sourcetype=linux | append [search eventName=x]",
            "sourcetype=linux | appendcols [search eventName=x]",
            "sourcetype=linux | stats count | inputlookup append=t t",
            "| tstats count where sourcetype=linux | append [search eventName=x]",
            "| union [search sourcetype=linux | append [search eventName=x]] [search sourcetype=linux]",
            "| tstats count from datamodel=Change where All_Changes.user=a",
            "| from datamodel:\"Authentication.Authentication\"",
            // A description reads no events.
            "| datamodel Endpoint Processes",
            "a=1 | append [| datamodel strict_fields=f Endpoint]",
            "tag=change",
            "eventtype=aws_cloudtrail*",
            "* | search tag=change",
            "* | search tag=windows OR a=1",
            "* | eval tag=\"windows\" | search tag=windows",
        ] {
            assert_eq!(need(search), None, "{search}");
        }
    }
}

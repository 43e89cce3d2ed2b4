//! Finds text that is valid SPL and most likely not what its author means.
//!
//! Each lint is a function over one part of a search, in [`OF_SEARCHES`], [`OF_CONDITIONS`] or
//! [`OF_PIPELINES`]. Those with a weight above [`Weight::IfNothing`] are silent about Splunk's published
//! detections.

mod addresses;
mod calls;
mod constants;
mod foreign;
mod groups;
mod limits;
mod nested;
mod operators;
mod patterns;
mod pipelines;
mod quotes;
mod renames;
mod types;
mod values;
mod windows;

use spilltrail_diagnostic::{Code, Diagnostic, Span};

pub use self::constants::{Equality, equality};
use crate::{Arguments, Command, EvalExpr, EvalNode, Pipeline, Required, SearchExpr};

/// A part of a search that is most likely a mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// The warning.
    pub diagnostic: Diagnostic,
    /// How sure it is, and what follows from it.
    pub weight: Weight,
}

/// What follows from a [`Doubt`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// It can be meant, and the search may find less than it seems to. It is told to those who check
    /// their content, and not in a run.
    Advice,
    /// It can be meant. It is told to those who check their content, and in a run only if the search
    /// finds nothing.
    IfNothing,
    /// The search does something else than it seems to do.
    Doubtful,
    /// With it, the search finds nothing, whatever the events are. A lint gives this weight to what
    /// never holds; where that is not required, it is [`Weight::Doubtful`].
    NeverMet,
}

impl Weight {
    /// Returns true if a run tells it, which may have found nothing.
    #[must_use]
    pub fn is_told(self, found_nothing: bool) -> bool {
        match self {
            Self::Advice => false,
            Self::IfNothing => found_nothing,
            Self::Doubtful | Self::NeverMet => true,
        }
    }
}

impl Doubt {
    fn new(weight: Weight, code: Code, message: impl Into<String>, span: Span) -> Self {
        Self { diagnostic: Diagnostic::warning(code, message).at(span), weight }
    }

    fn help(self, help: impl Into<String>) -> Self {
        Self { diagnostic: self.diagnostic.help(help), weight: self.weight }
    }
}

/// A search expression, with what is around it.
struct Searched<'a> {
    expression: &'a SearchExpr,
    /// Whether the expression is that of the first command, which matches events and not rows.
    is_leading: bool,
}

/// An eval expression, with what is around it.
struct Evaluated<'a> {
    expression: &'a EvalExpr,
    /// The commands before it in its pipeline.
    before: &'a [Command],
}

type PipelineLint = fn(&Pipeline, &mut Vec<Doubt>);

/// The lints of search expressions. Each is called once per expression.
const OF_SEARCHES: &[fn(&Searched<'_>, &mut Vec<Doubt>)] = &[
    operators::in_lower_case,
    operators::list_without_parentheses,
    foreign::sql,
    foreign::comments,
    foreign::missing_pipe,
    quotes::of_values,
    addresses::of_searches,
    values::event_source,
    values::field_in_other_case,
];

/// The lints of eval expressions. Each is called for every expression and all of its operands.
const OF_CONDITIONS: &[fn(&Evaluated<'_>, &mut Vec<Doubt>)] = &[
    constants::compared,
    constants::null,
    constants::bare_word,
    patterns::of_like,
    patterns::of_equality,
    patterns::of_regex,
    addresses::of_functions,
    addresses::of_equality,
];

/// The lints of pipelines, which give [`Weight::Advice`]. Each is called once per pipeline.
const OF_PIPELINES: &[PipelineLint] = &[
    calls::misspelled,
    calls::without_source,
    groups::may_be_null,
    limits::of_subsearches,
    renames::lost_or_replaced,
    types::compared,
    windows::too_short,
];

impl Pipeline {
    /// Returns what is most likely a mistake in the pipeline and its subsearches, in the order of the
    /// text, without what is [`Weight::Advice`]. Commands that cannot be read are skipped.
    #[must_use]
    pub fn doubts(&self) -> Vec<Doubt> {
        self.doubts_of(&[])
    }

    /// Returns the doubts with [`Weight::Advice`] too, which take longer to find.
    #[must_use]
    pub fn doubts_and_advice(&self) -> Vec<Doubt> {
        self.doubts_of(OF_PIPELINES)
    }

    fn doubts_of(&self, of_pipelines: &[PipelineLint]) -> Vec<Doubt> {
        let mut found = Vec::new();
        self.add_doubts(true, of_pipelines, &mut found);
        found.sort_by_key(|doubt| doubt.diagnostic.span());
        found.dedup();
        found
    }

    /// Adds the doubts of a pipeline, which finds events or gets rows.
    fn add_doubts(
        &self,
        finds_events: bool,
        of_pipelines: &[PipelineLint],
        found: &mut Vec<Doubt>,
    ) {
        of_pipelines.iter().for_each(|lint| lint(self, found));
        for (index, command) in self.commands.iter().enumerate() {
            let before = self.commands.get(..index).unwrap_or_default();
            let is_leading = finds_events && index == 0 && !self.leading_pipe;
            let first = found.len();
            match command.name.value.as_str() {
                "search" => of_search(command, is_leading, of_pipelines, found),
                "where" => {
                    let read = Arguments::new(command).eval();
                    read.iter().for_each(|condition| {
                        of_condition(condition, before, of_pipelines, found);
                    });
                }
                "eval" => {
                    let read = Arguments::new(command).assignments().unwrap_or_default();
                    read.iter().for_each(|assigned| {
                        of_condition(&assigned.value, before, of_pipelines, found);
                    });
                }
                _ => of_nested(command, of_pipelines, found),
            }
            // What is an alternative, negated or hidden in a function may hold nevertheless.
            let required = Required::of(command);
            for doubt in &mut found[first..] {
                if !doubt.diagnostic.span().is_some_and(|span| required.has(span)) {
                    doubt.weight = doubt.weight.min(Weight::Doubtful);
                }
            }
        }
    }
}

fn of_search(
    command: &Command,
    is_leading: bool,
    of_pipelines: &[PipelineLint],
    found: &mut Vec<Doubt>,
) {
    let Ok(expression) = Arguments::new(command).search() else { return };
    let searched = Searched { expression: &expression, is_leading };
    OF_SEARCHES.iter().for_each(|lint| lint(&searched, found));
    expression.walk(&mut |part| {
        if let SearchExpr::Subsearch { pipeline, .. } = part {
            pipeline.add_doubts(true, of_pipelines, found);
        }
    });
}

fn of_nested(command: &Command, of_pipelines: &[PipelineLint], found: &mut Vec<Doubt>) {
    for nested in nested::searches(command) {
        // What is filled in later may be what a lint of a whole pipeline misses.
        let of_pipelines = if nested.is_whole { of_pipelines } else { &[] };
        let first = found.len();
        nested.pipeline.add_doubts(!nested.has_rows, of_pipelines, found);
        found[first..].iter_mut().for_each(|doubt| nested.place(doubt));
    }
}

fn of_condition(
    condition: &EvalExpr,
    before: &[Command],
    of_pipelines: &[PipelineLint],
    found: &mut Vec<Doubt>,
) {
    condition.walk(&mut |part| {
        if let EvalNode::Subsearch(pipeline) = &part.node {
            pipeline.add_doubts(true, of_pipelines, found);
        }
        let evaluated = Evaluated { expression: part, before };
        OF_CONDITIONS.iter().for_each(|lint| lint(&evaluated, found));
    });
}

#[cfg(test)]
mod tests {
    use super::{Doubt, Weight};
    use crate::{Pipeline, parse};

    /// Returns each doubt as its code, its text in the search, and its help.
    fn doubts(search: &str) -> Vec<String> {
        shown(search, Pipeline::doubts_and_advice)
    }

    fn shown(search: &str, doubts: fn(&Pipeline) -> Vec<Doubt>) -> Vec<String> {
        let (pipeline, problems) = parse(search);
        assert_eq!(problems, [], "{search}");
        let shown = |doubt: &Doubt| {
            let span = doubt.diagnostic.span().unwrap();
            let help = doubt.diagnostic.help.as_deref().unwrap_or_default();
            format!("{} {}: {help}", doubt.diagnostic.code, &search[span.start..span.end])
        };
        doubts(&pipeline).iter().map(shown).collect()
    }

    #[test]
    fn mistakes_are_told_with_what_to_write() {
        for (search, expected) in [
            // Operators.
            ("a=1 or b=2", "SPL2016 or: write `OR`"),
            ("a=1 and b=2", "SPL2016 and: write `AND`, or nothing"),
            ("a=1 not b=2", "SPL2016 not: write `NOT`"),
            ("* | search a=1 or (b=2 c=3)", "SPL2016 or: write `OR`"),
            ("a=1 [search b=2 or c=3 | dedup d | fields d]", "SPL2016 or: write `OR`"),
            ("a=1 b IN c", "SPL2016 IN: write `b IN (c)`"),
            ("a=1 b in \"c\"", "SPL2016 in: write `b IN (\"c\")`"),
            // What is not SPL.
            (
                "select * from logs where a=1",
                "SPL2017 select: write `eventName=NAME | table FIELD, FIELD`",
            ),
            ("a=1 -- note", "SPL2017 --: write a comment between three backticks on each side"),
            ("a=1 // note", "SPL2017 //: write a comment between three backticks on each side"),
            ("a=1 # note", "SPL2017 #: write a comment between three backticks on each side"),
            ("a=1 stats count by b", "SPL2017 stats: write `| stats`"),
            ("a=1 where b>2", "SPL2017 where: write `| where`"),
            ("stats count by b", "SPL2017 stats: write `* | stats`"),
            ("top b", "SPL2017 top: write `* | top`"),
            ("* | stats count by b | search top b", "SPL2017 top: write `| top`"),
            // Quotes.
            ("a='b'", "SPL2018 'b': write `\"b\"`"),
            ("a IN ('b', c)", "SPL2018 'b': write `\"b\"`"),
            ("a=\u{201c}b\u{201d}", "SPL2018 \u{201c}b\u{201d}: write `\"b\"`"),
            ("a=1 \u{2018}b\u{2019}", "SPL2018 \u{2018}b\u{2019}: write `\"b\"`"),
            // Addresses.
            ("src=203.0.113.0/33", "SPL2019 203.0.113.0/33: expected a prefix from 0 to 32"),
            (
                "* | where cidrmatch(\"2001:db8::/129\", a)",
                "SPL2019 \"2001:db8::/129\": expected a prefix from 0 to 128",
            ),
            (
                "* | where cidrmatch(src, \"10.0.0.0/8\")",
                "SPL2019 cidrmatch(src, \"10.0.0.0/8\"): write `cidrmatch(\"10.0.0.0/8\", src)`",
            ),
            (
                "* | where src=\"10.0.0.0/8\"",
                "SPL2019 \"10.0.0.0/8\": write `cidrmatch(\"10.0.0.0/8\", src)`",
            ),
            (
                "* | where src!=\"10.0.0.0/8\"",
                "SPL2019 \"10.0.0.0/8\": write `NOT cidrmatch(\"10.0.0.0/8\", src)`",
            ),
            (
                "* | where src IN (\"10.0.0.1\", \"10.0.1.0/24\")",
                "SPL2019 \"10.0.1.0/24\": write `cidrmatch(\"10.0.1.0/24\", src)`",
            ),
            // Conditions.
            ("* | where \"a.b\"=\"c\"", "SPL2019 \"a.b\"=\"c\": write `'a.b'` to mean the field"),
            ("* | where \"count\">10", "SPL2019 \"count\">10: write `'count'` to mean the field"),
            ("* | where a=null", "SPL2019 a=null: write `isnull(a)`"),
            ("* | where 'a b'!=null()", "SPL2019 'a b'!=null(): write `isnotnull('a b')`"),
            (
                "* | where type=AssumedRole",
                "SPL2019 AssumedRole: write `\"AssumedRole\"` to mean the text",
            ),
            (
                "* | where type IN (\"a\", AssumedRole)",
                "SPL2019 AssumedRole: write `\"AssumedRole\"` to mean the text",
            ),
            (
                "* | where awsRegion=eu-central-1",
                "SPL2019 eu-central-1: write `\"eu-central-1\"` to mean the text",
            ),
            (
                "* | where \"Number of reads\" > 5",
                "SPL2019 \"Number of reads\" > 5: write `'Number of reads'` to mean the field",
            ),
            // Patterns.
            ("* | where like(a, \"x*\")", "SPL2020 \"x*\": write `\"x%\"`"),
            ("* | eval c=if(a LIKE \"*x\", 1, 0)", "SPL2020 \"*x\": write `\"%x\"`"),
            ("* | where a=\"Create*\"", "SPL2020 \"Create*\": write `like(a, \"Create%\")`"),
            ("* | where a!=\"Create*\"", "SPL2020 \"Create*\": write `NOT like(a, \"Create%\")`"),
            ("* | where a IN (\"x\", \"*y\")", "SPL2020 \"*y\": write `like(a, \"%y\")`"),
            ("* | where match(a, \"/x/\")", "SPL2020 \"/x/\": write `\"x\"`"),
            // Names and values.
            ("eventSource=s3", "SPL2021 s3: write `s3.amazonaws.com`"),
            ("eventname=GetObject", "SPL2021 eventname: did you mean `eventName`?"),
            (
                "useridentity.TYPE=Root",
                "SPL2021 useridentity.TYPE: did you mean `userIdentity.type`?",
            ),
        ] {
            assert_eq!(doubts(search), [expected], "{search}");
        }
    }

    /// One message has all: the same condition mends them.
    #[test]
    fn further_names_of_calls_are_counted() {
        for (names, expected) in [
            ("CreateUser", None),
            ("CreateUser, StopLogging", None),
            ("StopLogging, CreateUser, DeletePolicy", Some("; 1 more of the names here is, too")),
            ("CreateUser, TagResource, DeletePolicy", Some("; 2 more of the names here are, too")),
        ] {
            let (pipeline, _) = parse(&format!("sourcetype=aws:cloudtrail eventName IN ({names})"));
            let doubts = pipeline.doubts_and_advice();
            let message = doubts[0].diagnostic.message.as_str();
            assert_eq!(message.find("; ").map(|at| &message[at..]), expected, "{message}");
        }
    }

    #[test]
    fn searches_in_arguments_have_their_places() {
        for (search, expected) in [
            ("a=1 | append [search b='c']", "SPL2018 'c': write `\"c\"`"),
            (
                "a=1 | append extendtimerange=t [search b='c' | stats count]",
                "SPL2018 'c': write `\"c\"`",
            ),
            ("a=1 | appendcols [search b=1 or c=2]", "SPL2016 or: write `OR`"),
            ("a=1 | join type=left user, src [search b=1 or c=2]", "SPL2016 or: write `OR`"),
            (
                "a=1 | join \"user name\" [search b=1 | append [search c='d']]",
                "SPL2018 'd': write `\"d\"`",
            ),
            ("| multisearch [search a=1] [search b='c']", "SPL2018 'c': write `\"c\"`"),
            ("| set diff [search a=1] [search b='c']", "SPL2018 'c': write `\"c\"`"),
            ("| union maxout=5 [search a=1], [search b='c']", "SPL2018 'c': write `\"c\"`"),
            ("* | appendpipe [where a=null]", "SPL2019 a=null: write `isnull(a)`"),
            // Rows may have a field of this name.
            ("* | appendpipe [search eventname=x]", ""),
            (
                "* | foreach * [eval '<<FIELD>>'=if('<<FIELD>>'=null, 1, 0)]",
                "SPL2019 '<<FIELD>>'=null: write `isnull('<<FIELD>>')`",
            ),
            ("* | foreach a* [eval <<FIELD>>=if(<<FIELD>> = 1, 1, 0)]", ""),
            ("* | map [search user=$user$ b='c']", "SPL2018 'c': write `\"c\"`"),
            ("* | map search=\"search user=$user$ b='c'\"", "SPL2018 'c': write `\"c\"`"),
            (
                "* | map maxsearches=5 search=\"user=\\\"$user$\\\" c=\\\"\\\\d\\\" | where é=\\\"Create*\\\"\"",
                "SPL2020 \\\"Create*\\\": write `like(é, \"Create%\")`",
            ),
            ("* | map search=\"search b='c' [x\"", ""),
            ("* | map savedsearch x=1", ""),
        ] {
            assert_eq!(shown(search, Pipeline::doubts).join("; "), expected, "{search}");
        }
    }

    /// What is no condition of the whole command leaves it rows.
    #[test]
    fn only_what_is_required_keeps_a_search_from_finding_anything() {
        for (search, weight) in [
            ("a='b'", Weight::NeverMet),
            ("a=1 AND (b='c')", Weight::NeverMet),
            ("a=1 OR b='c'", Weight::Doubtful),
            ("NOT a='b'", Weight::Doubtful),
            ("a!='b'", Weight::Doubtful),
            ("a IN ('b', c)", Weight::Doubtful),
            ("a=1 or b=2", Weight::NeverMet),
            ("a=1 OR (b=2 or c=3)", Weight::Doubtful),
            ("a=1 [search b=2 or c=3 | dedup d | fields d]", Weight::Doubtful),
            ("a=1 | append [search a='b' | stats count]", Weight::Doubtful),
            ("a=1 | join b [search a='b' | dedup b]", Weight::Doubtful),
            ("eventSource=s3", Weight::NeverMet),
            ("eventSource=s3 OR a=1", Weight::Doubtful),
            ("* | where \"a\"=\"b\"", Weight::NeverMet),
            ("* | where \"a\"!=\"b\"", Weight::Doubtful),
            ("* | where \"count\">10", Weight::Doubtful),
            ("* | where a=null", Weight::NeverMet),
            ("* | where a!=null()", Weight::NeverMet),
            ("* | where isnull(a) OR a=null", Weight::Doubtful),
            ("* | where if(a=null, 1, 0)=0", Weight::Doubtful),
            ("* | eval f=if(a=null, 1, 0)", Weight::Doubtful),
            ("* | where cidrmatch(a, \"10.0.0.0/8\")", Weight::NeverMet),
            ("* | where NOT cidrmatch(a, \"10.0.0.0/8\")", Weight::Doubtful),
            ("* | where like(a, \"x*\")", Weight::NeverMet),
            ("* | where like(a, \"x*\") OR b=1", Weight::Doubtful),
            ("* | where a=\"Create*\"", Weight::NeverMet),
            ("* | where a!=\"Create*\"", Weight::Doubtful),
            ("* | where a IN (\"Create*\")", Weight::Doubtful),
        ] {
            let (pipeline, _) = parse(search);
            let doubts = pipeline.doubts();
            let [doubt] = doubts.as_slice() else { panic!("{search}: {doubts:?}") };
            assert_eq!(doubt.weight, weight, "{search}");
            assert_eq!(pipeline.doubts_and_advice(), doubts, "{search}");
        }
    }

    #[test]
    fn advice_is_about_rows_that_a_search_loses() {
        const AWS: &str = "sourcetype=aws:cloudtrail";
        for (search, expected) in [
            // BY fields that rows may lack.
            ("eventName=X | stats count by responseElements.a", "SPL2022 responseElements.a"),
            ("eventName=X errorCode=success | stats count by responseElements.a", ""),
            ("eventName=X responseElements.a=* | stats count by responseElements.a", ""),
            ("eventName=X | fillnull responseElements.a | stats count by responseElements.a", ""),
            (
                "errorCode=AccessDenied | stats count by requestParameters.a",
                "SPL2022 requestParameters.a",
            ),
            ("eventName=X | stats count by requestParameters.a", ""),
            ("eventName=X | dedup errorMessage", "SPL2022 errorMessage"),
            ("eventName=X | dedup errorMessage keepempty=true", ""),
            ("eventName=X | dedup 2 errorMessage keepempty=false", "SPL2022 errorMessage"),
            ("eventName=X | dedup keepempty=1 errorMessage sortby -user", ""),
            ("eventName=X | dedup errorMessage | search errorMessage=*", ""),
            ("eventName=X | dedup errorMessage | search error=*", "SPL2022 errorMessage"),
            ("eventName=X | eval k=case(a=1, \"b\") | stats count by k", "SPL2022 k"),
            ("eventName=X | eval k=case(a=1, \"b\", 1=1, \"c\") | stats count by k", ""),
            ("eventName=X | eval k=case(isnotnull(a), \"b\") | stats count by k", ""),
            ("eventName=X a=1 | eval k=case(a=1, \"b\") | stats count by k", ""),
            ("eventName=X | eval k=if(a=1, b, null()) | stats count by k", "SPL2022 k"),
            ("eventName=X | eval k=if(a=1, b, null()) | where isnotnull(k) | stats count by k", ""),
            ("eventName=X | lookup l a OUTPUT o | stats count by o", "SPL2022 o"),
            ("eventName=X | lookup l a OUTPUT b AS o | fillnull o | stats count by o", ""),
            ("eventName=X | lookup l a OUTPUT o | stats count by o | where o=1", ""),
            ("eventName=X | stats count by a | stats count by responseElements.a", ""),
            // Names of sign-in events.
            ("eventName=ConsoleLogon", "SPL2021 ConsoleLogon"),
            ("(eventName=A OR eventName IN (B, SwitchRoles))", "SPL2021 SwitchRoles"),
            ("eventName=consolelogin", ""),
            ("eventName=Console*", ""),
            ("eventName!=ConsoleLogon", ""),
            // Calls of several services.
            ("eventName=CreateUser", "SPL2023 CreateUser"),
            ("(eventName=PutMetricData OR eventName=createuser)", "SPL2023 createuser"),
            ("eventName IN (StopLogging, DeletePolicy)", "SPL2023 DeletePolicy"),
            ("eventName=CreateUser eventSource=iam.amazonaws.com", ""),
            ("eventName=CreateUser | where eventSource=\"iam.amazonaws.com\"", ""),
            ("eventName=CreateUser requestParameters.userName=*", ""),
            ("eventName=CreateAccessKey", ""),
            ("NOT eventName=CreateUser", ""),
            // Windows.
            ("earliest=-5m", "SPL2024 -5m"),
            ("earliest=-5m@m latest=now", "SPL2024 -5m@m"),
            ("earliest=@m", "SPL2024 @m"),
            ("earliest=-5m@h", ""),
            ("earliest=@h", ""),
            ("earliest=@d latest=now", ""),
            ("earliest=@w1", ""),
            ("earliest=-5m latest=@d", ""),
            ("earliest=-20m", ""),
            ("earliest=-70m@m latest=-60m@m", ""),
            (
                "a=1 | append [search sourcetype=aws:cloudtrail earliest=-5m | stats count]",
                "SPL2024 -5m",
            ),
            ("a=1 | map [search sourcetype=aws:cloudtrail earliest=-5m]", ""),
            // Subsearches.
            ("[search eventName=B | fields user]", "SPL2026 eventName=B"),
            ("a=1 | join user [search eventName=B | table user x]", "SPL2026 eventName=B"),
            (
                "| set diff [search a=1 | stats count by b] [search eventName=B | table b]",
                "SPL2026 eventName=B",
            ),
            ("a=1 | join type=left user [search eventName=B | dedup user]", ""),
            ("[search eventName=B | stats count by user | fields user]", ""),
            ("[| inputlookup l | fields user]", ""),
            // Renames.
            ("a=1 | eval u=1 | rename v as u", "SPL2027 u"),
            ("a=1 | eval u=1 | where u>0 | rename v as u", ""),
            ("a=1 | rename v as u | where v=1", "SPL2015 v"),
            ("a=1 | rename v as u | eval v=2 | where v=1", ""),
            ("a=1 | rename v as u | spath | where v=1", ""),
            ("a=1 | rename v as u, w as v | where v=1", ""),
            // Numbers and texts.
            ("a=1 | stats count by b | where count > \"ten\"", "SPL2028 count > \"ten\""),
            ("a=1 | stats count by b | where count > \"10\"", ""),
            ("a=1 | stats count by b | search count>many", "SPL2028 many"),
            ("a=1 | stats count by b | search count>nan", "SPL2028 nan"),
            ("a=1 | stats count by b | where count > \"-inf\"", "SPL2028 count > \"-inf\""),
            ("a=1 | stats count by b | search count>-.5", ""),
            ("a=1 | eval n=tostring(b, \"commas\") | where n > 1000", "SPL2028 n > 1000"),
            ("a=1 | eval n=tostring(b) | where n > 1000", ""),
            (
                "a=1 | convert ctime(t) | where t > relative_time(now(), \"-1d\")",
                "SPL2028 t > relative_time(now(), \"-1d\")",
            ),
            ("a=1 | convert ctime(t) as s | where t > now()", ""),
            ("a=1 | stats count by b | where count != \"n/a\"", ""),
        ] {
            let search = format!("{AWS} {search}");
            let told = doubts(&search);
            let told: Vec<&str> = told.iter().filter_map(|told| told.split(": ").next()).collect();
            assert_eq!(told.join(", "), expected, "{search}");
        }
        // Other logs have calls of these names, too.
        assert_eq!(doubts("eventName=CreateUser | stats count by responseElements.a"), [""; 0]);
        assert_eq!(doubts("sourcetype=vendor:audit eventName=ConsoleLogon"), [""; 0]);
    }

    #[test]
    fn what_may_be_meant_is_no_mistake() {
        for search in [
            "a=1 OR b=2 AND NOT c=3",
            "error or failure",
            "not found",
            "a=1 \"or\" b=2",
            "a IN (b, c) | where a IN (b)",
            "stats",
            "a=1 table",
            "select",
            "a=1 user's",
            "a=\"'b'\"",
            "a=\"--\" http://host/path",
            "src=203.0.113.0/24 path=/a/99",
            "* | where cidrmatch(\"10.0.0.0/8\", src) AND cidrmatch(net, src)",
            "* | where a=\"b\" AND 'c.d'!=\"\" AND 1=1 AND x=\"10.0.0.1\"",
            "* | eval a=\"b\" | where isnull(a) AND a=b",
            "* | where like(a, \"%x*\") AND a=\"*\" AND b=\"arn:aws:s3:::*\"",
            "* | rex \"(?<Who>.*)\" | where user=Who",
            "* | where total=count-errors AND awsRegion=a - b AND user IN (src_user, \"x\")",
            "* | eval a=1 | where awsRegion=a-1",
            "* | where \"some words\"=\"other words\"",
            "ErrorCode=5 EventID=1",
            "* | where match(a, \"/x\") AND match(a, \"x/\")",
            "eventSource=s3* eventSource=s3.amazonaws.com eventSource!=s3",
            "eventName=A useridentity=b user_arn=c userAgent=d",
            "* | search eventname=GetObject",
        ] {
            assert_eq!(doubts(search), [""; 0], "{search}");
        }
    }
}

//! Finds the members of CloudTrail records that a source leaves out of its events.
//!
//! CloudTrail writes certain members into every event of an API call, if only as `null`. A source of
//! whose events none has such a member, such as the console's event history, a query that kept a few
//! members, or a table without the column, says nothing about it, and searches for it find nothing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::cloudtrail::inputs::Input;
use crate::cloudtrail::{Profile, derived_field};
use crate::json::{for_each_member, value_end};

/// A member of CloudTrail records that searches read and sources leave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Member {
    /// `userIdentity`
    UserIdentity,
    /// `requestParameters`
    RequestParameters,
    /// `responseElements`
    ResponseElements,
    /// `eventName`
    EventName,
    /// `eventSource`
    EventSource,
    /// `eventType`
    EventType,
    /// `sourceIPAddress`
    #[serde(rename = "sourceIPAddress")]
    SourceIpAddress,
    /// `userAgent`
    UserAgent,
    /// `awsRegion`
    AwsRegion,
    /// `errorCode`
    ErrorCode,
    /// `errorMessage`
    ErrorMessage,
    /// `additionalEventData`
    AdditionalEventData,
    /// `recipientAccountId`
    RecipientAccountId,
}

impl Member {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::UserIdentity,
        Self::RequestParameters,
        Self::ResponseElements,
        Self::EventName,
        Self::EventSource,
        Self::EventType,
        Self::SourceIpAddress,
        Self::UserAgent,
        Self::AwsRegion,
        Self::ErrorCode,
        Self::ErrorMessage,
        Self::AdditionalEventData,
        Self::RecipientAccountId,
    ];

    /// The names of the members, in the order of [`Self::ALL`].
    const NAMES: [&'static str; Self::ALL.len()] = [
        "userIdentity",
        "requestParameters",
        "responseElements",
        "eventName",
        "eventSource",
        "eventType",
        "sourceIPAddress",
        "userAgent",
        "awsRegion",
        "errorCode",
        "errorMessage",
        "additionalEventData",
        "recipientAccountId",
    ];

    /// Returns the name of the member in records.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    /// Returns true if every event of an API call has the member. The others are in some events only,
    /// so only a table shows that they were left out.
    const fn is_always_there(self) -> bool {
        !matches!(
            self,
            Self::ErrorCode
                | Self::ErrorMessage
                | Self::AdditionalEventData
                | Self::RecipientAccountId
        )
    }

    /// Returns true for the name of the member, and for names of fields inside it.
    fn contains(self, field: &str) -> bool {
        field
            .strip_prefix(self.name())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '{']))
    }

    /// Returns the paths of which a table needs one, whole or in part, to have the member. Only the
    /// name of a caller is too little of an identity: the fields about the caller are not in it.
    pub(crate) fn needed_paths(self) -> &'static [&'static str] {
        match self {
            Self::UserIdentity => &["userIdentity.arn", "userIdentity.principalId"],
            _ => std::slice::from_ref(&Self::NAMES[self as usize]),
        }
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// What an event says of itself that decides which members it must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Manner {
    /// It says that it is no event of an API call.
    pub(crate) is_no_call: bool,
    /// It says that its call changes nothing.
    pub(crate) is_read_only: bool,
}

impl Manner {
    /// Notes the `eventType`, given without its quotes; null says nothing.
    #[inline]
    pub(crate) fn see_type(&mut self, event_type: &[u8]) {
        self.is_no_call |= event_type != b"AwsApiCall" && event_type != b"null";
    }

    /// Notes the value of `readOnly`, given without quotes.
    #[inline]
    pub(crate) fn see_read_only(&mut self, value: &[u8]) {
        self.is_read_only = value == b"true";
    }
}

/// A set of members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MemberSet(u16);

impl MemberSet {
    /// The members that every event of an API call has.
    const ALWAYS: Self = {
        let (mut bits, mut index) = (0, 0);
        while index < Member::ALL.len() {
            if Member::ALL[index].is_always_there() {
                bits |= Member::ALL[index].bit();
            }
            index += 1;
        }
        Self(bits)
    };

    /// The members that are often `null`. A program that drops nulls drops them with these.
    const NULLABLE: Self = Self(Member::RequestParameters.bit() | Member::ResponseElements.bit());

    /// Adds a member.
    #[inline]
    pub(crate) fn insert(&mut self, member: Member) {
        self.0 |= member.bit();
    }

    /// Returns true if `member` is in the set.
    #[must_use]
    pub fn has(self, member: Member) -> bool {
        self.0 & member.bit() != 0
    }

    /// Returns true if the set has no member.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns the members, in the order of [`Member::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Member> {
        Member::ALL.into_iter().filter(move |member| self.has(*member))
    }

    /// Returns a member without which no event has the field, or `None` if events without the members
    /// of this set may have it.
    ///
    /// A field that is derived from several members is lost with the caller's identity and with the
    /// error code, because what other members say in their place is something else; or with all of
    /// them.
    #[must_use]
    pub fn loses(self, field: &str, profile: Profile) -> Option<Member> {
        if self.is_empty() {
            return None;
        }
        if let Some(member) = Member::ALL.into_iter().find(|member| member.contains(field)) {
            return self.has(member).then_some(member);
        }
        let member = |input: &Input| {
            let path = input.path();
            Member::ALL.into_iter().find(|member| member.contains(path))
        };
        // The name of an event and its source choose between the other members.
        let inputs = derived_field(field, profile)?.inputs();
        let names = |input: &&Input| !matches!(input, Input::EventName | Input::EventSource);
        let mut read: Vec<Option<Member>> = inputs.iter().filter(names).map(member).collect();
        if read.is_empty() {
            read = inputs.iter().map(member).collect();
        }
        let is_vital = |member: &Member| {
            matches!(member, Member::UserIdentity | Member::ErrorCode) && self.has(*member)
        };
        if let Some(vital) = read.iter().flatten().find(|member| is_vital(member)) {
            return Some(*vital);
        }
        let are_lost = read.iter().all(|member| member.is_some_and(|member| self.has(member)));
        read.first().copied().flatten().filter(|_| are_lost)
    }
}

impl FromIterator<Member> for MemberSet {
    fn from_iter<T: IntoIterator<Item = Member>>(members: T) -> Self {
        Self(members.into_iter().fold(0, |bits, member| bits | member.bit()))
    }
}

/// What the sources of CloudTrail events leave out of them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LeftOut {
    /// The number of events without each member that their source leaves out.
    pub events: BTreeMap<Member, u64>,
    /// The members that some events have.
    pub present: MemberSet,
}

impl LeftOut {
    /// Returns the members that some events lack.
    #[must_use]
    pub fn members(&self) -> MemberSet {
        self.events.keys().copied().collect()
    }

    /// Returns the members that no event has.
    #[must_use]
    pub fn never_present(&self) -> MemberSet {
        self.members().iter().filter(|member| !self.present.has(*member)).collect()
    }

    /// Counts events without these members.
    fn add(&mut self, missing: MemberSet, events: u64) {
        for member in missing.iter() {
            *self.events.entry(member).or_default() += events;
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (member, count) in &other.events {
            *self.events.entry(*member).or_default() += count;
        }
        self.present.0 |= other.present.0;
    }

    /// Counts the events of a table with these members.
    pub(crate) fn see_table(&mut self, columns: MemberSet, events: u64) {
        if events == 0 {
            return;
        }
        self.present.0 |= columns.0;
        let missing = Member::ALL.into_iter().filter(|member| !columns.has(*member));
        self.add(missing.collect(), events);
    }
}

/// What the events of one text have shown so far.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// The number of events.
    count: u64,
    left_out: LeftOut,
    /// The number of events without each member that may have been `null` in them.
    nulls: BTreeMap<Member, u64>,
}

impl Seen {
    /// Looks at a CloudTrail event.
    pub(crate) fn see(&mut self, record: &str) {
        let bytes = record.as_bytes();
        let (mut has, mut manner) = (MemberSet::default(), Manner::default());
        for_each_member(bytes, |name, value| {
            let end = value_end(bytes, value);
            let name = &bytes[name];
            let text = || record.get(value..end).unwrap_or_default().trim_matches('"').as_bytes();
            if name == b"readOnly" {
                manner.see_read_only(text());
            }
            if let Some(member) = Member::ALL.iter().find(|member| member.name().as_bytes() == name)
            {
                has.insert(*member);
                if *member == Member::EventType {
                    manner.see_type(text());
                }
            }
            Some(end)
        });
        self.see_members(has, manner);
    }

    /// Counts a CloudTrail event that has these members.
    #[inline]
    pub(crate) fn see_members(&mut self, has: MemberSet, manner: Manner) {
        self.count += 1;
        self.left_out.present.0 |= has.0;
        // Events of sign-ins and services may lack some.
        if !manner.is_no_call && has.0 & MemberSet::ALWAYS.0 != MemberSet::ALWAYS.0 {
            self.see_missing(MemberSet(MemberSet::ALWAYS.0 & !has.0), has, manner);
        }
    }

    /// Counts an event of an API call without some members.
    fn see_missing(&mut self, missing: MemberSet, has: MemberSet, manner: Manner) {
        let may_be_null = manner.is_read_only || has.has(Member::ErrorCode);
        let nulls = if may_be_null { missing.0 & MemberSet::NULLABLE.0 } else { 0 };
        for member in MemberSet(nulls).iter() {
            *self.nulls.entry(member).or_default() += 1;
        }
        self.left_out.add(MemberSet(missing.0 & !nulls), 1);
    }

    /// Adds what the events of a text have shown to the report of its file. `columns` has the members
    /// of the table, if the text is a table of records.
    pub(crate) fn tell(mut self, columns: Option<MemberSet>, report: &mut LeftOut) {
        if let Some(columns) = columns {
            return report.see_table(columns, self.count);
        }
        // A source that gives the member in one event leaves out only its nulls in others.
        for (member, count) in self.nulls {
            if !self.left_out.present.has(member) {
                *self.left_out.events.entry(member).or_default() += count;
            }
        }
        report.merge(&self.left_out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"{"eventVersion":"1","eventType":"AwsApiCall","eventName":"A","eventSource":"s","userIdentity":{},"requestParameters":null,"responseElements":null,"sourceIPAddress":"a","userAgent":"b","awsRegion":"c"}"#;

    fn seen(records: &[String]) -> LeftOut {
        let mut seen = Seen::default();
        records.iter().for_each(|record| seen.see(record));
        let mut left_out = LeftOut::default();
        seen.tell(None, &mut left_out);
        left_out
    }

    #[test]
    fn events_without_a_member() {
        let whole = WHOLE.to_owned();
        let call = WHOLE.replace("\"requestParameters\":null,", "");
        let nobody = WHOLE.replace("\"userIdentity\":{},", "");
        let inner = WHOLE.replace("\"requestParameters\":null", "\"x\":{\"requestParameters\":1}");
        let read = call.replace("{\"eventVersion\"", "{\"readOnly\":true,\"eventVersion\"");
        let write = read.replace("\"readOnly\":true", "\"readOnly\":false");
        let failed = read.replace("\"readOnly\":true", "\"errorCode\":\"AccessDenied\"");
        let read_by_nobody = read.replace("\"userIdentity\":{},", "");
        let sign_in = call.replace("AwsApiCall", "AwsConsoleSignIn");
        let untyped = call.replace("\"eventType\":\"AwsApiCall\",", "");
        for (records, expected) in [
            (vec![&whole, &whole], vec![]),
            (vec![&call, &call], vec![(Member::RequestParameters, 2)]),
            (vec![&whole, &call], vec![(Member::RequestParameters, 1)]),
            (vec![&inner], vec![(Member::RequestParameters, 1)]),
            (vec![&nobody, &call], vec![(Member::UserIdentity, 1), (Member::RequestParameters, 1)]),
            (vec![&sign_in], vec![]),
            (vec![&untyped], vec![(Member::RequestParameters, 1), (Member::EventType, 1)]),
            // Where another event has the member, those that may have had nulls are not counted.
            (vec![&read, &whole], vec![]),
            (vec![&whole, &failed, &read], vec![]),
            (vec![&read, &failed], vec![(Member::RequestParameters, 2)]),
            (vec![&read, &call], vec![(Member::RequestParameters, 2)]),
            (vec![&whole, &write, &read], vec![(Member::RequestParameters, 1)]),
            (vec![&whole, &read_by_nobody], vec![(Member::UserIdentity, 1)]),
        ] {
            let records: Vec<String> = records.into_iter().cloned().collect();
            let left_out = seen(&records);
            assert_eq!(left_out.events, expected.into_iter().collect(), "{records:?}");
        }
        let none = seen(std::slice::from_ref(&call)).never_present();
        assert_eq!(none, [Member::RequestParameters].into_iter().collect());
        assert!(seen(&[whole, call]).never_present().is_empty());
    }

    #[test]
    fn tables_lack_what_they_have_no_column_of() {
        let mut left_out = LeftOut::default();
        let mut seen = Seen::default();
        seen.see(r#"{"eventName":"A"}"#);
        let columns: MemberSet =
            Member::ALL.into_iter().filter(|member| *member != Member::ErrorCode).collect();
        seen.tell(Some(columns), &mut left_out);
        assert_eq!(left_out.events, [(Member::ErrorCode, 1)].into_iter().collect());
        assert_eq!(left_out.never_present().iter().collect::<Vec<_>>(), [Member::ErrorCode]);
        Seen::default().tell(Some(MemberSet::default()), &mut left_out);
        assert_eq!(left_out.events.len(), 1);
    }

    #[test]
    fn fields_that_are_lost_with_a_member() {
        use Member::{ErrorCode, RequestParameters, SourceIpAddress, UserIdentity};
        for (members, field, lost) in [
            (&[RequestParameters][..], "requestParameters", Some(RequestParameters)),
            (&[RequestParameters], "requestParameters.a{}.b", Some(RequestParameters)),
            (&[RequestParameters], "requestParameters{}", Some(RequestParameters)),
            (&[RequestParameters], "requestParametersX", None),
            (&[RequestParameters], "userIdentity.arn", None),
            (&[RequestParameters], "user", None),
            (&[RequestParameters], "aws_account_id", None),
            (&[RequestParameters], "desc", Some(RequestParameters)),
            (&[UserIdentity], "userIdentity.arn", Some(UserIdentity)),
            (&[UserIdentity], "user", Some(UserIdentity)),
            (&[UserIdentity], "user_arn", Some(UserIdentity)),
            (&[UserIdentity], "aws_account_id", Some(UserIdentity)),
            (&[UserIdentity], "command", None),
            (&[Member::EventName], "command", Some(Member::EventName)),
            (&[SourceIpAddress], "src_ip", Some(SourceIpAddress)),
            (&[ErrorCode], "action", Some(ErrorCode)),
            (&[ErrorCode], "unknown", None),
            (&[], "user", None),
        ] {
            let set: MemberSet = members.iter().copied().collect();
            assert_eq!(set.loses(field, Profile::Superset), lost, "{members:?} {field}");
        }
    }
}

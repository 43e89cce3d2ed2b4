//! Derives the fields that Splunk's add-on for AWS gives a CloudTrail event beyond its JSON
//! members: other names for members (`src_ip`), calculated fields (`user_arn`) and looked-up fields
//! (`action`).
//!
//! The rules are our own formulation. Each field lists the members it is derived from, so that a
//! search pays only for the members it reads. See the add-on's source types and CIM change notes.

mod actions;
mod categories;
mod identity;
pub(crate) mod inputs;
mod legacy;
mod network;
mod objects;
mod reference;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use spilltrail_event::Kind;

use crate::nulls::is_null;
use inputs::{Input, Inputs};
pub use reference::{FieldDoc, field_docs};

/// The version of the add-on that the derived fields follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Profile {
    /// The newest add-on; where it gives no acting user, the closest available value.
    #[default]
    #[serde(rename = "superset")]
    Superset,
    /// Version 7.0, including its gaps and the defect in its table.
    #[serde(rename = "ta-7.0")]
    Ta70,
}

/// The values of a derived field.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Values<'a> {
    None,
    One(Cow<'a, str>),
    Many(Vec<Cow<'a, str>>),
}

impl<'a> From<Option<Cow<'a, str>>> for Values<'a> {
    fn from(value: Option<Cow<'a, str>>) -> Self {
        value.map_or(Self::None, Self::One)
    }
}

impl From<Option<&'static str>> for Values<'_> {
    fn from(value: Option<&'static str>) -> Self {
        value.map_or(Self::None, |value| Self::One(Cow::Borrowed(value)))
    }
}

impl<'a> From<Vec<Cow<'a, str>>> for Values<'a> {
    fn from(values: Vec<Cow<'a, str>>) -> Self {
        if values.is_empty() { Self::None } else { Self::Many(values) }
    }
}

impl Values<'_> {
    /// Calls `visit` with each value until it returns true; returns whether it did.
    pub(crate) fn any(&self, visit: &mut dyn FnMut(&str) -> bool) -> bool {
        match self {
            Self::None => false,
            Self::One(value) => visit(value),
            Self::Many(values) => values.iter().any(|value| visit(value)),
        }
    }
}

/// How a derived field gets its values.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Rule {
    /// Another name for a member.
    Alias(Input),
    /// The same text for every event.
    Constant(&'static str),
    /// Calculated from members.
    Eval { inputs: &'static [Input], value: for<'a> fn(&Inputs<'a>) -> Values<'a> },
}

/// A field derived from members of the JSON text that have other names.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Derived {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) rule: Rule,
}

impl Derived {
    const fn alias(name: &'static str, input: Input) -> Self {
        Self { name, kind: Kind::Text, rule: Rule::Alias(input) }
    }

    const fn constant(name: &'static str, value: &'static str) -> Self {
        Self { name, kind: Kind::Text, rule: Rule::Constant(value) }
    }

    const fn eval(
        name: &'static str,
        inputs: &'static [Input],
        value: for<'a> fn(&Inputs<'a>) -> Values<'a>,
    ) -> Self {
        Self { name, kind: Kind::Text, rule: Rule::Eval { inputs, value } }
    }

    const fn multi(self) -> Self {
        Self { kind: Kind::Multi, ..self }
    }

    /// Returns the members that the field is derived from.
    pub(crate) fn inputs(&self) -> &[Input] {
        match &self.rule {
            Rule::Alias(input) => std::slice::from_ref(input),
            Rule::Constant(_) => &[],
            Rule::Eval { inputs, .. } => inputs,
        }
    }

    /// Returns the field's values in an event.
    pub(crate) fn values<'a>(&self, inputs: &Inputs<'a>) -> Values<'a> {
        match self.rule {
            Rule::Alias(input) if self.kind == Kind::Multi => inputs.all(input).into(),
            Rule::Alias(input) => inputs.text(input).into(),
            Rule::Constant(value) => Values::One(Cow::Borrowed(value)),
            Rule::Eval { value, .. } => value(inputs),
        }
    }
}

/// Returns the derived fields of a profile.
pub(crate) fn derived_fields(profile: Profile) -> &'static [Derived] {
    match profile {
        Profile::Superset => SUPERSET,
        Profile::Ta70 => legacy::TA70,
    }
}

/// Returns the derived field with a name, or `None` if no field has it.
pub(crate) fn derived_field(name: &str, profile: Profile) -> Option<&'static Derived> {
    derived_fields(profile).iter().find(|field| field.name == name)
}

/// Returns the kind of a field of CloudTrail events.
///
/// Names with `{}` and derived fields that list things (such as the instances of a call) are
/// multivalue, `_time` is a number, and any other field is text.
#[must_use]
pub fn kind_of(name: &str, profile: Profile) -> Kind {
    match derived_field(name, profile) {
        Some(field) => field.kind,
        None if name == spilltrail_event::fields::TIME => Kind::Number,
        None if name.contains("{}") => Kind::Multi,
        None => Kind::Text,
    }
}

/// The newest rules; fields without any other order are listed in this order.
static SUPERSET: &[Derived] = &[
    ACTION,
    APP,
    AUTHENTICATION_METHOD,
    Derived::eval("aws_account_id", identity::ACCOUNT_INPUTS, identity::account),
    Derived::eval("change_type", &[Input::EventName, Input::EventSource], |inputs| {
        change_type(inputs, Profile::Superset)
    }),
    Derived::alias("command", Input::EventName),
    Derived::alias("desc", Input::RequestParameters),
    Derived::eval("dest", objects::DEST_INPUTS, objects::dest).multi(),
    DEST_IP_RANGE,
    DEST_PORT_RANGE,
    DIRECTION,
    DVC,
    ERROR_CODE,
    IMAGE_ID,
    INSTANCE_TYPE,
    MSG,
    Derived::eval("object", objects::OBJECT_INPUTS, objects::object).multi(),
    OBJECT_ATTRS,
    OBJECT_CATEGORY,
    Derived::eval("object_id", objects::OBJECT_INPUTS, objects::object).multi(),
    PRODUCT,
    PROTOCOL,
    PROTOCOL_CODE,
    REASON,
    REGION,
    RESULT,
    RESULT_ID,
    RULE_ACTION,
    SIGNATURE,
    SRC,
    SRC_IP,
    SRC_IP_RANGE,
    SRC_PORT_RANGE,
    Derived::eval("src_user", identity::SRC_USER_INPUTS, identity::src_user),
    Derived::eval("src_user_id", identity::SRC_USER_INPUTS, identity::src_user_id),
    Derived::eval("src_user_name", identity::SRC_USER_INPUTS, identity::src_user_name),
    Derived::eval("src_user_role", identity::SRC_USER_INPUTS, identity::src_user_role),
    Derived::eval("src_user_type", identity::SRC_USER_INPUTS, identity::src_user_type),
    START_TIME,
    STATUS,
    TEMP_ACCESS_KEY,
    Derived::eval("user", identity::USER_INPUTS, identity::user),
    Derived::eval("userName", identity::USER_NAME_INPUTS, identity::short_name),
    USER_ACCESS_KEY,
    USER_AGENT,
    USER_ARN,
    USER_GROUP_ID,
    Derived::eval("user_id", &[Input::EventName, Input::IdentityPrincipal], identity::user_id),
    Derived::eval("user_name", identity::USER_INPUTS, identity::user_name),
    Derived::eval("user_role", identity::ROLE_INPUTS, identity::user_role),
    Derived::alias("user_type", Input::IdentityType),
    VENDOR,
    Derived::eval("vendor_account", &[Input::IdentityAccount, Input::Recipient], |inputs| {
        inputs.first_of(&[Input::IdentityAccount, Input::Recipient]).into()
    }),
    VENDOR_PRODUCT,
    VENDOR_REGION,
];

// Fields whose rule is the same in every profile.

const ACTION: Derived = Derived::eval("action", OUTCOME_INPUTS, |inputs| {
    outcome(inputs, Profile::Superset).map(|outcome| outcome.0).into()
});
const STATUS: Derived = Derived::eval("status", OUTCOME_INPUTS, |inputs| {
    outcome(inputs, Profile::Superset).map(|outcome| outcome.1).into()
});
const APP: Derived = Derived::alias("app", Input::EventType);
const AUTHENTICATION_METHOD: Derived = Derived::eval(
    "authentication_method",
    &[Input::EventName, Input::MfaUsed, Input::IdentityType, Input::MfaAuthenticated],
    authentication_method,
);
const DEST_IP_RANGE: Derived =
    Derived::eval("dest_ip_range", network::INPUTS, network::dest_ip_range).multi();
const DEST_PORT_RANGE: Derived =
    Derived::eval("dest_port_range", network::INPUTS, network::dest_port_range).multi();
const SRC_IP_RANGE: Derived =
    Derived::eval("src_ip_range", network::INPUTS, network::src_ip_range).multi();
const SRC_PORT_RANGE: Derived =
    Derived::eval("src_port_range", network::INPUTS, network::src_port_range).multi();
const PROTOCOL: Derived = Derived::eval("protocol", network::INPUTS, network::protocol).multi();
const PROTOCOL_CODE: Derived =
    Derived::eval("protocol_code", network::INPUTS, network::protocol_code).multi();
const DIRECTION: Derived = Derived::eval("direction", network::INPUTS, network::direction);
const RULE_ACTION: Derived = Derived::eval("rule_action", network::INPUTS, network::rule_action);
const DVC: Derived = Derived::alias("dvc", Input::EventSource);
const ERROR_CODE: Derived =
    Derived::eval("errorCode", ERROR_INPUTS, |inputs| error_code(inputs).into());
const IMAGE_ID: Derived = Derived::alias("image_id", Input::ImageItem).multi();
const INSTANCE_TYPE: Derived = Derived::alias("instance_type", Input::InstanceType);
const MSG: Derived = Derived::eval("msg", &[Input::ErrorCode], |inputs| {
    Values::One(inputs.text(Input::ErrorCode).unwrap_or(Cow::Borrowed("success")))
});
const OBJECT_ATTRS: Derived = Derived::eval("object_attrs", &[Input::EventName], |inputs| {
    let is_bucket =
        inputs.is(Input::EventName, "CreateBucket") || inputs.is(Input::EventName, "DeleteBucket");
    is_bucket.then_some("bucket").into()
});
const OBJECT_CATEGORY: Derived = Derived::eval("object_category", &[Input::EventName], |inputs| {
    let event_name = inputs.text(Input::EventName).unwrap_or_default();
    Values::One(Cow::Borrowed(categories::object_category(&event_name)))
});
const PRODUCT: Derived = Derived::constant("product", "CloudTrail");
const REASON: Derived = Derived::alias("reason", Input::ErrorMessage);
const REGION: Derived = Derived::alias("region", Input::AwsRegion);
const RESULT: Derived = Derived::alias("result", Input::ErrorMessage);
const RESULT_ID: Derived = Derived::alias("result_id", Input::ErrorCode);
const SIGNATURE: Derived = Derived::alias("signature", Input::EventName);
const SRC: Derived = Derived::alias("src", Input::SourceAddress);
const SRC_IP: Derived = Derived::alias("src_ip", Input::SourceAddress);
const START_TIME: Derived = Derived::alias("start_time", Input::EventTime);
const TEMP_ACCESS_KEY: Derived = Derived::alias("temp_access_key", Input::TemporaryKey);
const USER_ACCESS_KEY: Derived = Derived::alias("user_access_key", Input::IdentityAccessKey);
const USER_AGENT: Derived =
    Derived::eval("user_agent", &[Input::UserAgent, Input::UserAgentItem], |inputs| {
        inputs.first_of(&[Input::UserAgent, Input::UserAgentItem]).into()
    });
const USER_ARN: Derived =
    Derived::eval("user_arn", &[Input::IdentityArn, Input::RequestRoleArn], |inputs| {
        inputs.first_of(&[Input::IdentityArn, Input::RequestRoleArn]).into()
    });
const USER_GROUP_ID: Derived = Derived::alias("user_group_id", Input::IdentityAccount);
const VENDOR: Derived = Derived::constant("vendor", "Amazon Web Services");
const VENDOR_PRODUCT: Derived = Derived::constant("vendor_product", "AWS CloudTrail");
const VENDOR_REGION: Derived = Derived::alias("vendor_region", Input::AwsRegion);

const ERROR_INPUTS: &[Input] = &[Input::ErrorCode, Input::ConsoleLogin];
const OUTCOME_INPUTS: &[Input] = &[Input::EventName, Input::ErrorCode, Input::ConsoleLogin];

/// Returns the calculated `errorCode`, which every event has.
///
/// A failed console login has no code of its own, so it gets `failure`.
fn error_code<'a>(inputs: &Inputs<'a>) -> Option<Cow<'a, str>> {
    let failed = inputs.is(Input::ConsoleLogin, "Failure");
    let otherwise = if failed { "failure" } else { "success" };
    // Programs that write all members of a record have a spelling for those that it lacks.
    let code = inputs.text(Input::ErrorCode).filter(|code| !is_null(code));
    code.or(Some(Cow::Borrowed(otherwise)))
}

fn outcome(inputs: &Inputs<'_>, profile: Profile) -> Option<(&'static str, &'static str)> {
    let event_name = inputs.text(Input::EventName)?;
    let code = error_code(inputs).unwrap_or_default();
    actions::outcome(&event_name, &code, profile)
}

fn change_type<'a>(inputs: &Inputs<'a>, profile: Profile) -> Values<'a> {
    let event_name = inputs.text(Input::EventName).unwrap_or_default();
    let event_source = inputs.text(Input::EventSource).unwrap_or_default();
    categories::change_type(&event_name, &event_source, profile).into()
}

fn authentication_method<'a>(inputs: &Inputs<'a>) -> Values<'a> {
    let event_name = inputs.text(Input::EventName).unwrap_or_default();
    let by_role = inputs.is(Input::IdentityType, "AssumedRole")
        && inputs.is(Input::MfaAuthenticated, "false");
    let method = match &*event_name {
        "CheckMfa" => Some("MFA"),
        "ConsoleLogin" if inputs.is(Input::MfaUsed, "Yes") => Some("MFA"),
        "ConsoleLogin" if inputs.is(Input::MfaUsed, "No") => Some("SFA"),
        "AssumeRole" | "ListAliases" if by_role => Some("SFA"),
        _ => None,
    };
    method.into()
}

#[cfg(test)]
mod tests;

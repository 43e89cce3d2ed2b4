//! Defines the rules of version 7.0 of the add-on that differ from the newest ones.
//!
//! Their best-known gap: calls by an assumed role have no `user`, except for a few events.

use std::borrow::Cow;

use super::identity::{self, after_last, is_assume_role, part, tail};
use super::inputs::{Input, Inputs};
use super::{Derived, OUTCOME_INPUTS, Profile, Values, change_type, objects, outcome};

type Text<'a> = Option<Cow<'a, str>>;

/// The fields of version 7.0.
pub(super) static TA70: &[Derived] = &[
    Derived::eval("action", OUTCOME_INPUTS, |inputs| {
        outcome(inputs, Profile::Ta70).map(|outcome| outcome.0).into()
    }),
    super::APP,
    super::AUTHENTICATION_METHOD,
    Derived::eval("aws_account_id", identity::ACCOUNT_INPUTS, identity::account),
    Derived::eval("change_type", &[Input::EventName, Input::EventSource], |inputs| {
        change_type(inputs, Profile::Ta70)
    }),
    Derived::alias("command", Input::EventName),
    Derived::alias("desc", Input::RequestParameters),
    Derived::eval("dest", objects::DEST_INPUTS, objects::dest_ta70).multi(),
    super::DEST_IP_RANGE,
    super::DEST_PORT_RANGE,
    super::DIRECTION,
    super::DVC,
    super::ERROR_CODE,
    super::IMAGE_ID,
    super::INSTANCE_TYPE,
    super::MSG,
    Derived::eval("object", objects::OBJECT_INPUTS, objects::object).multi(),
    super::OBJECT_ATTRS,
    super::OBJECT_CATEGORY,
    Derived::eval("object_id", objects::OBJECT_INPUTS, objects::object).multi(),
    super::PRODUCT,
    super::PROTOCOL,
    super::PROTOCOL_CODE,
    super::REASON,
    super::REGION,
    super::RESULT,
    super::RESULT_ID,
    super::RULE_ACTION,
    super::SIGNATURE,
    super::SRC,
    super::SRC_IP,
    super::SRC_IP_RANGE,
    super::SRC_PORT_RANGE,
    Derived::eval("src_user", INPUTS, src_user),
    Derived::eval("src_user_role", identity::SRC_USER_INPUTS, identity::src_user_role),
    super::START_TIME,
    Derived::eval("status", OUTCOME_INPUTS, |inputs| {
        outcome(inputs, Profile::Ta70).map(|outcome| outcome.1).into()
    }),
    super::TEMP_ACCESS_KEY,
    Derived::eval("user", INPUTS, user),
    Derived::eval("userName", INPUTS, short_name),
    super::USER_ACCESS_KEY,
    super::USER_AGENT,
    super::USER_ARN,
    super::USER_GROUP_ID,
    Derived::eval("user_id", INPUTS, user_id),
    Derived::eval("user_name", INPUTS, user_name),
    Derived::eval("user_role", identity::ROLE_INPUTS, identity::user_role),
    Derived::eval("user_type", INPUTS, user_type),
    super::VENDOR,
    Derived::eval("vendor_account", &[Input::IdentityAccount, Input::Recipient], |inputs| {
        inputs.first_of(&[Input::IdentityAccount, Input::Recipient]).into()
    }),
    super::VENDOR_PRODUCT,
    super::VENDOR_REGION,
];

const INPUTS: &[Input] = &[
    Input::AccessKeyUserName,
    Input::AssumedRoleArn,
    Input::AssumedRoleId,
    Input::CreatedUserId,
    Input::CreatedUserName,
    Input::ErrorMessage,
    Input::EventName,
    Input::EventType,
    Input::IdentityAccount,
    Input::IdentityArn,
    Input::IdentityPrincipal,
    Input::IdentityType,
    Input::IdentityUserName,
    Input::IssuerPrincipal,
    Input::IssuerType,
    Input::IssuerUserName,
    Input::LoginProfileUserName,
    Input::LoginTo,
    Input::NewUserName,
    Input::RequestRoleArn,
    Input::RequestUserName,
    Input::ResourceType,
    Input::SourceIdentity,
];

/// Calls whose subject appears only in the error message.
const BY_MESSAGE: [&str; 5] = [
    "GetAccountSummary",
    "GetUser",
    "ListAccessKeys",
    "ListAccountAliases",
    "ListSigningCertificates",
];

fn event_name<'a>(inputs: &Inputs<'a>) -> Cow<'a, str> {
    inputs.text(Input::EventName).unwrap_or_default()
}

fn is_by_role(inputs: &Inputs<'_>) -> bool {
    inputs.is(Input::IdentityType, "AssumedRole")
}

/// Returns true for calls on instances, volumes and buckets, and for all calls that begin with
/// `Put`.
fn is_resource_call(event_name: &str) -> bool {
    ["Instances", "Volume", "Bucket"].iter().any(|end| event_name.ends_with(end))
        || event_name.starts_with("Put")
}

/// Returns the part of an error message after `resource:`, or else the message itself.
fn named_in_message<'a>(inputs: &Inputs<'a>) -> Text<'a> {
    let message = inputs.text(Input::ErrorMessage)?;
    let named = message.rfind("resource").and_then(|at| {
        let rest =
            message.get(at + "resource".len()..)?.trim_start().strip_prefix(':')?.trim_start();
        Some(rest.strip_prefix("user").map_or(rest, str::trim_start).to_owned())
    });
    Some(named.map_or(message, Cow::Owned))
}

/// Returns the user that an IAM call acts on; the outer `None` means that it is no such call.
pub(super) fn subject<'a>(inputs: &Inputs<'a>, event_name: &str) -> Option<Text<'a>> {
    Some(match event_name {
        "CreateLoginProfile" => inputs.text(Input::LoginProfileUserName),
        "CreateUser" => inputs.text(Input::CreatedUserName),
        "DeleteUser" | "DeleteLoginProfile" => inputs.text(Input::RequestUserName),
        "UpdateUser" => inputs.text(Input::NewUserName),
        "CreateAccessKey" => {
            inputs.text(Input::AccessKeyUserName).or_else(|| named_in_message(inputs))
        }
        "CreateVirtualMFADevice" => inputs.text(Input::IdentityUserName),
        name if BY_MESSAGE.contains(&name) => named_in_message(inputs),
        _ => return None,
    })
}

fn user<'a>(inputs: &Inputs<'a>) -> Values<'a> {
    let event_name = event_name(inputs);
    let caller = || inputs.first_of(&[Input::IdentityUserName, Input::IssuerUserName]);
    if let Some(subject) = subject(inputs, &event_name) {
        return subject.into();
    }
    let last = |input| inputs.text(input).map(|arn| after_last(arn, '/'));
    let user = match &*event_name {
        "PutBucketAcl" => inputs.text(Input::IdentityUserName),
        "CreateLoadBalancerListeners"
        | "CreateLoadBalancerPolicy"
        | "CreateLogGroup"
        | "CreateLogStream"
        | "GetBucketEncryption"
        | "CreateNetworkInterface"
        | "DeleteNetworkInterface" => inputs.text(Input::IssuerUserName),
        "AssumeRole" if is_by_role(inputs) => last(Input::RequestRoleArn),
        name if is_assume_role(name) => last(Input::AssumedRoleArn),
        "ConsoleLogin" if is_by_role(inputs) && inputs.text(Input::LoginTo).is_some() => inputs
            .text(Input::IdentityPrincipal)
            .and_then(|id| part(&id, ':', 1))
            .or_else(|| inputs.text(Input::IdentityUserName)),
        "ListAliases" | "ListRoles" => caller(),
        _ if inputs.is(Input::EventType, "AwsConsoleSignIn") => caller(),
        name if is_resource_call(name) => caller(),
        _ => inputs.text(Input::IdentityUserName),
    };
    user.into()
}

fn arn_tail<'a>(inputs: &Inputs<'a>) -> Text<'a> {
    inputs.first_of(&[Input::IdentityArn, Input::RequestRoleArn]).map(tail)
}

fn user_name<'a>(inputs: &Inputs<'a>) -> Values<'a> {
    let event_name = event_name(inputs);
    if event_name == "ListRoles" {
        let principal = inputs.text(Input::IdentityPrincipal);
        return principal.and_then(|id| part(&id, ':', 0)).into();
    }
    match subject(inputs, &event_name) {
        Some(subject) => subject.into(),
        None => inputs
            .first_of(&[Input::IdentityUserName, Input::IssuerUserName])
            .or_else(|| arn_tail(inputs))
            .into(),
    }
}

fn short_name<'a>(inputs: &Inputs<'a>) -> Values<'a> {
    inputs
        .first_of(&[Input::IdentityUserName, Input::SourceIdentity, Input::IssuerUserName])
        .or_else(|| arn_tail(inputs))
        .into()
}

fn user_id<'a>(inputs: &Inputs<'a>) -> Values<'a> {
    let first = |input| inputs.text(input).and_then(|id| part(&id, ':', 0));
    let of_caller = first(Input::IdentityPrincipal);
    let event_name = event_name(inputs);
    let is_login = event_name == "ConsoleLogin";
    let id = match &*event_name {
        "CheckMfa" => of_caller.or_else(|| inputs.text(Input::IdentityAccount)),
        _ if is_login && inputs.is(Input::IdentityType, "IAMUser") => {
            of_caller.or_else(|| inputs.text(Input::IdentityAccount))
        }
        "ConsoleLogin" | "ListAliases" | "ListRoles" | "DeleteNetworkInterface"
            if is_by_role(inputs) =>
        {
            first(Input::IssuerPrincipal).or(of_caller)
        }
        "CreateUser" => inputs.text(Input::CreatedUserId),
        "DeleteUser" | "UpdateUser" => inputs.text(Input::RequestUserName),
        _ if inputs.is(Input::EventType, "AwsApiCall") => first(Input::AssumedRoleId),
        _ => inputs.text(Input::IdentityUserName),
    };
    id.into()
}

fn user_type<'a>(inputs: &Inputs<'a>) -> Values<'a> {
    let event_name = event_name(inputs);
    let of_caller = || inputs.text(Input::IdentityType);
    let kind = match &*event_name {
        "CreateLoginProfile" | "CreateAccessKey" | "CreateVirtualMFADevice" => None,
        name if name.ends_with("User") || BY_MESSAGE.contains(&name) => None,
        "ConsoleLogin" if is_by_role(inputs) && inputs.text(Input::LoginTo).is_none() => {
            inputs.text(Input::IssuerType)
        }
        "ListAliases" | "ListRoles" | "DeleteNetworkInterface" => inputs.text(Input::IssuerType),
        name if is_assume_role(name) => {
            let types = inputs.all(Input::ResourceType);
            if types.is_empty() {
                inputs.text(Input::AssumedRoleArn).and_then(|arn| part(&arn, '/', 1))
            } else {
                Some(Cow::Owned(types.join(",")))
            }
        }
        _ => of_caller(),
    };
    kind.into()
}

fn src_user<'a>(inputs: &Inputs<'a>) -> Values<'a> {
    let event_name = event_name(inputs);
    let session = || inputs.text(Input::IdentityPrincipal).and_then(|id| part(&id, ':', 1));
    let user = match &*event_name {
        name if is_assume_role(name) => inputs.first_of(&[
            Input::IdentityUserName,
            Input::SourceIdentity,
            Input::IssuerUserName,
        ]),
        "CreateUser" | "CreateLoginProfile" | "DeleteNetworkInterface" => session(),
        "ConsoleLogin" if inputs.text(Input::LoginTo).is_some() => None,
        "ConsoleLogin" => session(),
        "ListAliases" | "ListRoles" => {
            inputs.text(Input::IdentityArn).map(|arn| after_last(arn, '/'))
        }
        name if is_resource_call(name) => {
            inputs.first_of(&[Input::IdentityUserName, Input::IssuerUserName])
        }
        _ => inputs.text(Input::IdentityUserName),
    };
    user.into()
}

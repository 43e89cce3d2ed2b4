//! Derives the fields that say who made a call: `user`, `user_name`, `userName` and related fields.

use std::borrow::Cow;

use super::Values;
use super::inputs::{Input, Inputs};

type Text<'a> = Option<Cow<'a, str>>;

pub(super) const ACCOUNT_INPUTS: &[Input] =
    &[Input::IdentityType, Input::Recipient, Input::IdentityAccount];

pub(super) const USER_NAME_INPUTS: &[Input] = &[
    Input::IdentityArn,
    Input::IdentityUserName,
    Input::IssuerUserName,
    Input::RequestRoleArn,
    Input::SourceIdentity,
];

pub(super) const ROLE_INPUTS: &[Input] =
    &[Input::EventName, Input::IdentityType, Input::RequestRoleArn, Input::AssumedRoleArn];

pub(super) const USER_INPUTS: &[Input] = &[
    Input::AccessKeyUserName,
    Input::AssumedRoleArn,
    Input::CreatedUserName,
    Input::ErrorMessage,
    Input::EventName,
    Input::IdentityArn,
    Input::IdentityPrincipal,
    Input::IdentityType,
    Input::IdentityUserName,
    Input::IssuerUserName,
    Input::LoginProfileUserName,
    Input::LoginTo,
    Input::NewUserName,
    Input::RequestRoleArn,
    Input::RequestUserName,
];

pub(super) const SRC_USER_INPUTS: &[Input] = &[
    Input::EventName,
    Input::IdentityArn,
    Input::IdentityPrincipal,
    Input::IdentityType,
    Input::IdentityUserName,
    Input::IssuerUserName,
    Input::LoginTo,
    Input::SourceIdentity,
];

/// Returns the text after the last `separator`, or the whole text without one.
pub(super) fn after_last<'a>(text: Cow<'a, str>, separator: char) -> Cow<'a, str> {
    let last = |text: &str| text.rfind(separator).map_or(0, |at| at + separator.len_utf8());
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[last(text)..]),
        Cow::Owned(text) => Cow::Owned(text[last(&text)..].to_owned()),
    }
}

/// Returns the part with this index between `separator`s.
pub(super) fn part<'a>(text: &Cow<'a, str>, separator: char, index: usize) -> Text<'a> {
    match text {
        Cow::Borrowed(text) => text.split(separator).nth(index).map(Cow::Borrowed),
        Cow::Owned(text) => text.split(separator).nth(index).map(|part| Cow::Owned(part.into())),
    }
}

/// Returns the name at the end of an ARN.
pub(super) fn tail(arn: Cow<'_, str>) -> Cow<'_, str> {
    after_last(after_last(arn, ':'), '/')
}

pub(super) fn is_assume_role(event_name: &str) -> bool {
    matches!(event_name, "AssumeRole" | "AssumeRoleWithSAML" | "AssumeRoleWithWebIdentity")
}

fn event_name<'a>(inputs: &Inputs<'a>) -> Cow<'a, str> {
    inputs.text(Input::EventName).unwrap_or_default()
}

/// `aws_account_id`: the recipient's account for other accounts and services, else the caller's.
pub(super) fn account<'a>(inputs: &Inputs<'a>) -> Values<'a> {
    let is_foreign = inputs.is(Input::IdentityType, "AWSAccount")
        || inputs.is(Input::IdentityType, "AWSService");
    inputs.text(if is_foreign { Input::Recipient } else { Input::IdentityAccount }).into()
}

/// Returns the user that an IAM call acts on, where its request or response names that user.
fn subject<'a>(inputs: &Inputs<'a>, event_name: &str) -> Text<'a> {
    inputs.text(match event_name {
        "CreateLoginProfile" => Input::LoginProfileUserName,
        "CreateUser" => Input::CreatedUserName,
        "DeleteUser" | "DeleteLoginProfile" => Input::RequestUserName,
        "UpdateUser" => Input::NewUserName,
        "CreateAccessKey" => Input::AccessKeyUserName,
        _ => return None,
    })
}

/// Returns the caller: a user, the role behind a session, or the name at the end of the ARN.
fn actor<'a>(inputs: &Inputs<'a>) -> Text<'a> {
    inputs
        .first_of(&[Input::IdentityUserName, Input::IssuerUserName])
        .or_else(|| inputs.text(Input::IdentityArn).map(tail))
}

/// Returns the session that a call for a role began.
fn begun_session<'a>(inputs: &Inputs<'a>, event_name: &str) -> Text<'a> {
    if event_name == "AssumeRole" && inputs.is(Input::IdentityType, "AssumedRole") {
        return inputs.text(Input::RequestRoleArn).map(|arn| after_last(arn, '/'));
    }
    if !is_assume_role(event_name) {
        return None;
    }
    inputs.text(Input::AssumedRoleArn).map(|arn| after_last(arn, '/'))
}

/// `user`: the user that an IAM call acts on, where the event names one; otherwise the caller, if
/// it has an ARN or a principal id.
pub(super) fn user<'a>(inputs: &Inputs<'a>) -> Values<'a> {
    let Some(principal) = inputs.first_of(&[Input::IdentityPrincipal, Input::IdentityArn]) else {
        return Values::None;
    };
    let event_name = event_name(inputs);
    if let Some(subject) = super::legacy::subject(inputs, &event_name) {
        return subject.into();
    }
    let console_session = || {
        let by_role = inputs.is(Input::IdentityType, "AssumedRole");
        let applies = event_name == "ConsoleLogin" && by_role;
        let login_to = inputs.text(Input::LoginTo).filter(|_| applies);
        login_to.and_then(|_| part(&principal, ':', 1))
    };
    begun_session(inputs, &event_name)
        .or_else(console_session)
        .or_else(|| actor(inputs))
        .or_else(|| Some(principal.clone()))
        .into()
}

/// `user_name`: requires a name; a principal id alone gives no value.
pub(super) fn user_name<'a>(inputs: &Inputs<'a>) -> Values<'a> {
    let event_name = event_name(inputs);
    if event_name == "CreateVirtualMFADevice" {
        return inputs.text(Input::IdentityUserName).into();
    }
    subject(inputs, &event_name).or_else(|| actor(inputs)).into()
}

/// `userName`: only set for callers with an ARN.
pub(super) fn short_name<'a>(inputs: &Inputs<'a>) -> Values<'a> {
    let Some(arn) = inputs.text(Input::IdentityArn) else { return Values::None };
    inputs
        .first_of(&[Input::IdentityUserName, Input::SourceIdentity, Input::IssuerUserName])
        .or_else(|| Some(tail(arn)))
        .into()
}

/// `user_id`: the principal id without its session; no value for the calls of [`is_bucket_change`].
pub(super) fn user_id<'a>(inputs: &Inputs<'a>) -> Values<'a> {
    if is_bucket_change(&event_name(inputs)) {
        return Values::None;
    }
    inputs.text(Input::IdentityPrincipal).and_then(|id| part(&id, ':', 0)).into()
}

/// `user_role`: only set for calls that begin a session.
pub(super) fn user_role<'a>(inputs: &Inputs<'a>) -> Values<'a> {
    if !is_assume_role(&event_name(inputs)) || inputs.is(Input::IdentityType, "AWSService") {
        return Values::None;
    }
    let by_role = inputs.is(Input::IdentityType, "AssumedRole");
    inputs.text(if by_role { Input::RequestRoleArn } else { Input::AssumedRoleArn }).into()
}

/// Returns true for bucket calls whose caller is the `src_user` and that have no `user_id`.
fn is_bucket_change(event_name: &str) -> bool {
    matches!(event_name, "CreateBucket" | "DeleteBucket" | "PutBucketPolicy" | "PutBucketWebsite")
}

/// `src_user`: the caller who changed something, for calls whose `user` may be somebody else.
pub(super) fn src_user<'a>(inputs: &Inputs<'a>) -> Values<'a> {
    let event_name = event_name(inputs);
    let session = || inputs.text(Input::IdentityPrincipal).and_then(|id| part(&id, ':', 1));
    let by_name = || inputs.first_of(&[Input::IdentityUserName, Input::IssuerUserName]);
    let user = match &*event_name {
        name if is_assume_role(name) => inputs.first_of(&[
            Input::IdentityUserName,
            Input::SourceIdentity,
            Input::IssuerUserName,
        ]),
        "CreateUser" | "CreateLoginProfile" | "DeleteNetworkInterface" => session(),
        "ConsoleLogin" if inputs.text(Input::LoginTo).is_none() => session(),
        "ListAliases" | "ListRoles" => {
            inputs.text(Input::IdentityArn).map(|arn| after_last(arn, '/'))
        }
        "PutBucketAcl" => by_name(),
        name if is_bucket_change(name) => by_name(),
        name if name.ends_with("Instances") && !name.starts_with("Describe") => by_name(),
        name if name.ends_with("Volume") => by_name(),
        _ => None,
    };
    user.into()
}

/// `src_user_id`: only set for calls that begin a session.
pub(super) fn src_user_id<'a>(inputs: &Inputs<'a>) -> Values<'a> {
    if !is_assume_role(&event_name(inputs)) {
        return Values::None;
    }
    inputs.text(Input::IdentityPrincipal).and_then(|id| part(&id, ':', 0)).into()
}

/// `src_user_name`: only set for calls that change a user.
pub(super) fn src_user_name<'a>(inputs: &Inputs<'a>) -> Values<'a> {
    let changes_user = matches!(
        &*event_name(inputs),
        "CreateAccessKey"
            | "CreateLoginProfile"
            | "CreateUser"
            | "CreateVirtualMFADevice"
            | "DeleteLoginProfile"
            | "DeleteUser"
            | "UpdateUser"
    );
    inputs.text(Input::IdentityUserName).filter(|_| changes_user).into()
}

/// `src_user_role`: the ARN of the session that assumed another role.
pub(super) fn src_user_role<'a>(inputs: &Inputs<'a>) -> Values<'a> {
    let applies =
        is_assume_role(&event_name(inputs)) && inputs.is(Input::IdentityType, "AssumedRole");
    inputs.text(Input::IdentityArn).filter(|_| applies).into()
}

/// `src_user_type`: only set for calls that begin a session.
pub(super) fn src_user_type<'a>(inputs: &Inputs<'a>) -> Values<'a> {
    inputs.text(Input::IdentityType).filter(|_| is_assume_role(&event_name(inputs))).into()
}

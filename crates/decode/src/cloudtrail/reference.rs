//! Documents the derived fields for the book: what each means and which members it is made of.

use spilltrail_event::Kind;

use super::{Profile, Rule, derived_field, derived_fields};

/// A derived field, as the book describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldDoc {
    /// The name.
    pub name: &'static str,
    /// Whether the field holds one value or several.
    pub kind: Kind,
    /// The meaning, in one sentence.
    pub meaning: &'static str,
    /// The paths of the members that the field is made of.
    pub members: Vec<&'static str>,
    /// True if the field is just another name for its member.
    pub is_alias: bool,
    /// True if version 7.0 of the add-on has the field.
    pub in_ta70: bool,
}

/// The meaning of each field, in the order of [`derived_fields`].
const MEANINGS: &[(&str, &str)] = &[
    (
        "action",
        "What the call did: `created`, `deleted`, `modified`, `read`, `started`, `stopped`, `restarted`, `success`, `failure` or `unknown`. Only set for 160 calls that the add-on knows.",
    ),
    ("app", "The event type."),
    ("authentication_method", "`MFA` or `SFA`, for logins and a few other calls."),
    (
        "aws_account_id",
        "The caller's account; for callers in other accounts and AWS services, the account that received the event.",
    ),
    (
        "change_type",
        "The area of the change, such as `AAA`, `EC2`, `firewall` or `storage`; from the call or from the service.",
    ),
    ("command", "The call."),
    ("desc", "The request parameters as JSON."),
    ("dest", "The host, bucket, instances or user that the call acted on; by default the service."),
    ("dest_ip_range", "Addresses of an outbound rule of a security group or network ACL."),
    ("dest_port_range", "Ports of an inbound rule, such as `22-22`."),
    ("direction", "`inbound` or `outbound`, for rules of security groups and network ACLs."),
    ("dvc", "The service."),
    (
        "errorCode",
        "The error code. An event without one has `success`; a failed console login has `failure`.",
    ),
    ("image_id", "Images of launched instances."),
    ("instance_type", "The instance type."),
    ("msg", "The error code, or `success`."),
    ("object", "The name or id of the object that the call created, changed or deleted."),
    ("object_attrs", "`bucket`, for calls that create or delete one."),
    (
        "object_category",
        "The kind of the object, such as `instance`, `bucket`, `user` or `security_group`; by default `unknown`.",
    ),
    ("object_id", "The same as `object`."),
    ("product", "Always `CloudTrail`."),
    ("protocol", "Protocols of a security group or network ACL rule, such as `tcp` or `all`."),
    ("protocol_code", "Their numbers, such as `6`, or `-1` for all."),
    ("reason", "The error message."),
    ("region", "The region."),
    ("result", "The error message."),
    ("result_id", "The error code; missing if the call succeeded."),
    ("rule_action", "`allow` or `deny`, for network ACL rules."),
    ("signature", "The call."),
    ("src", "The caller's address, or the service that made the call."),
    ("src_ip", "The same as `src`."),
    ("src_ip_range", "Addresses of an inbound rule."),
    ("src_port_range", "Ports of an outbound rule."),
    (
        "src_user",
        "Who made the call, for calls whose `user` may be someone else: calls that assume a role, create a user, or change a bucket, instance or volume.",
    ),
    ("src_user_id", "The caller's id, for calls that assume a role."),
    ("src_user_name", "The caller's user name, for calls that change a user."),
    ("src_user_role", "The caller's ARN, if a role assumed another role."),
    ("src_user_type", "The caller's type, for calls that assume a role."),
    ("start_time", "The time as CloudTrail writes it."),
    ("status", "`success` or `failure`, for the calls that have an `action`."),
    ("temp_access_key", "The key that the call issued."),
    (
        "user",
        "The user that an IAM call is about, if it names one; otherwise the caller: the user name, the role behind a session, or the name at the end of the ARN.",
    ),
    ("userName", "The caller's name, if the caller has an ARN."),
    ("user_access_key", "The key that signed the call."),
    ("user_agent", "The caller's program."),
    ("user_arn", "The caller's ARN; for callers without one, the role that the call assumes."),
    ("user_group_id", "The caller's account."),
    ("user_id", "The caller's id, without the session. Missing for four bucket calls."),
    ("user_name", "Like `user`, but missing if only an id is known."),
    ("user_role", "The role that the call assumes."),
    ("user_type", "The type of the caller, such as `IAMUser`, `AssumedRole` or `AWSService`."),
    ("vendor", "Always `Amazon Web Services`."),
    ("vendor_account", "The caller's account, or the account that received the event."),
    ("vendor_product", "Always `AWS CloudTrail`."),
    ("vendor_region", "The region."),
];

/// Returns every field that the default profile derives, sorted by name without regard to case.
#[must_use]
pub fn field_docs() -> Vec<FieldDoc> {
    let described = derived_fields(Profile::Superset).iter().zip(MEANINGS);
    described
        .map(|(field, (_, meaning))| FieldDoc {
            name: field.name,
            kind: field.kind,
            meaning,
            members: field.inputs().iter().map(|input| input.path()).collect(),
            is_alias: matches!(field.rule, Rule::Alias(_)),
            in_ta70: derived_field(field.name, Profile::Ta70).is_some(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_has_its_meaning() {
        let fields: Vec<&str> = derived_fields(Profile::Superset).iter().map(|f| f.name).collect();
        let described: Vec<&str> = MEANINGS.iter().map(|(name, _)| *name).collect();
        assert_eq!(described, fields);
        assert!(MEANINGS.iter().all(|(_, meaning)| meaning.ends_with('.')));
        assert_eq!(field_docs().len(), fields.len());
    }
}

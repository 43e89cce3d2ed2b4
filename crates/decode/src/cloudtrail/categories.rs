//! Derives `change_type` and `object_category`: the kind of object that an API call concerns.

use super::Profile;

/// Calls that manage IAM users and their credentials.
pub(crate) const USER_EVENTS: &[&str] = &[
    "CreateAccessKey",
    "CreateLoginProfile",
    "CreateUser",
    "CreateVirtualMFADevice",
    "DeleteLoginProfile",
    "DeleteUser",
    "GetAccountSummary",
    "GetUser",
    "ListAccessKeys",
    "ListAccountAliases",
    "ListSigningCertificates",
    "UpdateUser",
];

const INSTANCE_EVENTS: &[&str] =
    &["RebootInstances", "RunInstances", "StartInstances", "StopInstances", "TerminateInstances"];

const VOLUME_EVENTS: &[&str] = &["AttachVolume", "CreateVolume", "DeleteVolume", "DetachVolume"];

const BUCKET_EVENTS: &[&str] = &[
    "CreateBucket",
    "DeleteBucket",
    "GetBucketEncryption",
    "PutBucketAcl",
    "PutBucketPublicAccessBlock",
    "PutObject",
];

/// Bucket settings that count as storage changes but have no object category.
pub(crate) const BUCKET_SETTING_EVENTS: &[&str] = &["PutBucketPolicy", "PutBucketWebsite"];

const SECURITY_GROUP_EVENTS: &[&str] = &[
    "AuthorizeSecurityGroupEgress",
    "AuthorizeSecurityGroupIngress",
    "CreateSecurityGroup",
    "DeleteSecurityGroup",
    "RevokeSecurityGroupEgress",
    "RevokeSecurityGroupIngress",
];

const NETWORK_ACL_EVENTS: &[&str] = &[
    "CreateNetworkAcl",
    "CreateNetworkAclEntry",
    "DeleteNetworkAcl",
    "DeleteNetworkAclEntry",
    "ReplaceNetworkAclAssociation",
    "ReplaceNetworkAclEntry",
];

const INTERFACE_EVENTS: &[&str] = &["CreateNetworkInterface", "DeleteNetworkInterface"];
const LOAD_BALANCER_EVENTS: &[&str] = &["CreateLoadBalancerListeners", "CreateLoadBalancerPolicy"];

/// A group of events and the category of their object.
type Group = (&'static [&'static str], &'static str);

static CATEGORIES: &[Group] = &[
    (INSTANCE_EVENTS, "instance"),
    (SECURITY_GROUP_EVENTS, "security_group"),
    (BUCKET_EVENTS, "bucket"),
    (VOLUME_EVENTS, "volume"),
    (USER_EVENTS, "user"),
    (INTERFACE_EVENTS, "network_interface"),
    (NETWORK_ACL_EVENTS, "ACL"),
    (&["CreateChangeSet", "CreateStack"], "stack"),
    (&["CreateDeliveryStream"], "delivery_stream"),
    (&["CreateKeyspace"], "keyspace"),
    (LOAD_BALANCER_EVENTS, "load_balancer"),
    (&["CreateQueue"], "message_queue"),
    (&["CreateTable"], "table"),
    (&["CreateFunction20150331"], "function"),
    (&["CreateLogGroup"], "log_group"),
    (&["CreateLogStream"], "log_stream"),
    (&["ListAliases"], "alias"),
];

static CHANGES_BY_EVENT: &[Group] = &[
    (BUCKET_EVENTS, "storage"),
    (BUCKET_SETTING_EVENTS, "storage"),
    (VOLUME_EVENTS, "storage"),
    (NETWORK_ACL_EVENTS, "firewall"),
    (SECURITY_GROUP_EVENTS, "firewall"),
    (INTERFACE_EVENTS, "firewall"),
    (INSTANCE_EVENTS, "virtual_server"),
    (USER_EVENTS, "AAA"),
    (&["GetFederationToken", "GetSessionToken"], "AAA"),
    (LOAD_BALANCER_EVENTS, "network"),
    (&["CreateQueue"], "processing"),
    (&["CreateDeliveryStream", "CreateKeyspace", "CreateTable"], "data"),
    (&["CreateChangeSet", "CreateFunction20150331"], "resources"),
    (&["CreateLogGroup", "CreateLogStream"], "logging"),
];

/// The change type by the first label of the event source.
static CHANGES_BY_SOURCE: &[(&str, &str)] = &[
    ("iam", "AAA"),
    ("ec2", "EC2"),
    ("sts", "STS"),
    ("sns", "SNS"),
    ("cloudformation", "cloud_resources"),
    ("firehose", "stream"),
    ("lambda", "resources"),
    ("elasticloadbalancing", "network"),
    ("cassandra", "data"),
    ("sqs", "messaging"),
];

/// Change types by source in version 7.0 only; newer add-ons do not treat every call to these
/// services as a change.
static CHANGES_BY_SOURCE_TA70: &[(&str, &str)] = &[("s3", "storage"), ("logs", "logging")];

/// Returns `object_category`, which is `unknown` for calls in no group.
pub(crate) fn object_category(event_name: &str) -> &'static str {
    find(CATEGORIES, event_name).unwrap_or("unknown")
}

/// Returns `change_type`, determined by the call or otherwise by the service.
pub(crate) fn change_type(
    event_name: &str,
    event_source: &str,
    profile: Profile,
) -> Option<&'static str> {
    let service = event_source.strip_suffix(".amazonaws.com").unwrap_or_default();
    let service = service.split('.').next().unwrap_or_default();
    let by_source = |table: &[(&str, &'static str)]| {
        table.iter().find(|(name, _)| *name == service).map(|(_, change)| *change)
    };
    find(CHANGES_BY_EVENT, event_name)
        .or_else(|| by_source(CHANGES_BY_SOURCE))
        .or_else(|| (profile == Profile::Ta70).then(|| by_source(CHANGES_BY_SOURCE_TA70)).flatten())
}

fn find(groups: &[Group], event_name: &str) -> Option<&'static str> {
    groups.iter().find(|(events, _)| events.contains(&event_name)).map(|(_, value)| *value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes() {
        for (event, source, profile, change) in [
            ("CreateUser", "iam.amazonaws.com", Profile::Superset, Some("AAA")),
            ("DescribeVpcs", "ec2.amazonaws.com", Profile::Superset, Some("EC2")),
            ("AssumeRole", "sts.eu-west-1.amazonaws.com", Profile::Superset, Some("STS")),
            ("GetObject", "s3.amazonaws.com", Profile::Superset, None),
            ("GetObject", "s3.amazonaws.com", Profile::Ta70, Some("storage")),
            ("DeleteBucket", "s3.amazonaws.com", Profile::Superset, Some("storage")),
            ("CreateKey", "kms.amazonaws.com", Profile::Ta70, None),
        ] {
            assert_eq!(change_type(event, source, profile), change, "{event}");
        }
        assert_eq!(object_category("DeleteBucket"), "bucket");
        assert_eq!(object_category("PutBucketPolicy"), "unknown");
    }
}

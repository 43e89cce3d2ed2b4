//! Derives the fields `action` and `status`: what an API call did and how it ended.
//!
//! Events with the same outcome form a group; an event in no group has neither field. The facts are
//! those of the action and status lookup of the Splunk Add-on for AWS (its CIM change notes list
//! them).

use std::sync::LazyLock;

use foldhash::HashMap;

use super::Profile;

/// The field values for a group of events.
struct Outcome {
    success: &'static str,
    /// `action` and `status` for any other error code; `None` if the fields are then absent.
    failure: Option<(&'static str, &'static str)>,
    events: &'static [&'static str],
}

/// Returns `action` and `status` of an event, or `None` if it has neither; `error_code` is the
/// calculated one.
pub(crate) fn outcome(
    event_name: &str,
    error_code: &str,
    profile: Profile,
) -> Option<(&'static str, &'static str)> {
    let group = BY_EVENT.get(event_name)?;
    if error_code == "success" {
        return Some((group.success, "success"));
    }
    // The add-on's table calls a failed CreateQueue a success; only its own profile repeats that.
    if event_name == "CreateQueue" && profile == Profile::Ta70 {
        return Some(("created", "success"));
    }
    group.failure
}

/// The group of each event; if several groups contain an event, the first one counts.
static BY_EVENT: LazyLock<HashMap<&str, &Outcome>> = LazyLock::new(|| {
    let events = |group: &'static Outcome| group.events.iter().map(move |event| (*event, group));
    OUTCOMES.iter().rev().flat_map(events).collect()
});

static OUTCOMES: &[Outcome] = &[
    Outcome {
        success: "deleted",
        failure: Some(("deleted", "failure")),
        events: &[
            "DeleteBucket",
            "DeleteNetworkAcl",
            "DeleteNetworkInterface",
            "DeleteSecurityGroup",
            "DeleteUser",
            "DeleteVolume",
            "RevokeSecurityGroupEgress",
            "RevokeSecurityGroupIngress",
            "TerminateInstances",
        ],
    },
    Outcome {
        success: "modified",
        failure: Some(("modified", "failure")),
        events: &[
            "AttachVolume",
            "AuthorizeSecurityGroupEgress",
            "AuthorizeSecurityGroupIngress",
            "CreateAccessKey",
            "CreateChangeSet",
            "CreateLoadBalancerListeners",
            "CreateLoadBalancerPolicy",
            "CreateNetworkAclEntry",
            "DeleteLoginProfile",
            "DeleteNetworkAclEntry",
            "DeleteUserPolicy",
            "DetachVolume",
            "PutBucketAcl",
            "PutBucketPublicAccessBlock",
            "PutObject",
            "PutUserPolicy",
            "ReplaceNetworkAclAssociation",
            "ReplaceNetworkAclEntry",
            "UpdateUser",
        ],
    },
    Outcome {
        success: "created",
        failure: Some(("created", "failure")),
        events: &[
            "CreateBucket",
            "CreateDeliveryStream",
            "CreateFunction20150331",
            "CreateKeyspace",
            "CreateLogGroup",
            "CreateLogStream",
            "CreateNetworkAcl",
            "CreateSecurityGroup",
            "CreateTable",
            "CreateUser",
            "CreateVolume",
            "RunInstances",
        ],
    },
    Outcome {
        success: "success",
        failure: Some(("failure", "failure")),
        events: &[
            "AssumeRole",
            "AssumeRoleWithSAML",
            "AssumeRoleWithWebIdentity",
            "ConsoleLogin",
            "GetFederationToken",
            "GetSessionToken",
        ],
    },
    Outcome {
        success: "deleted",
        failure: Some(("unknown", "failure")),
        events: &[
            "DeleteAccessKey",
            "DeleteAccountAlias",
            "DeleteAccountPasswordPolicy",
            "DeleteEndpoint",
            "DeleteGroup",
            "DeleteGroupPolicy",
            "DeleteInstanceProfile",
            "DeleteOpenIDConnectProvider",
            "DeletePolicy",
            "DeletePolicyVersion",
            "DeleteRole",
            "DeleteRolePolicy",
            "DeleteSAMLProvider",
            "DeleteSSHPublicKey",
            "DeleteServerCertificate",
            "DeleteSigningCertificate",
            "DeleteVirtualMFADevice",
        ],
    },
    Outcome {
        success: "created",
        failure: Some(("unknown", "failure")),
        events: &[
            "AddClientIDToOpenIDConnectProvider",
            "AddRoleToInstanceProfile",
            "AddUserToGroup",
            "CreateAccountAlias",
            "CreateGroup",
            "CreateInstanceProfile",
            "CreateOpenIDConnectProvider",
            "CreatePlatformEndpoint",
            "CreatePolicy",
            "CreatePolicyVersion",
            "CreateRole",
            "CreateSAMLProvider",
            "CreateStack",
            "CreateTags",
            "TagUser",
        ],
    },
    Outcome {
        success: "modified",
        failure: Some(("unknown", "failure")),
        events: &[
            "AttachGroupPolicy",
            "AttachRolePolicy",
            "AttachUserPolicy",
            "ChangePassword",
            "CreateLoginProfile",
            "CreateVirtualMFADevice",
            "DeactivateMFADevice",
            "DetachGroupPolicy",
            "DetachRolePolicy",
            "DetachUserPolicy",
            "EnableMFADevice",
            "PutGroupPolicy",
            "PutRolePolicy",
            "SetDefaultPolicyVersion",
            "SimulateCustomPolicy",
            "SimulatePrincipalPolicy",
            "UpdateAccessKey",
            "UpdateAccountPasswordPolicy",
            "UpdateAssumeRolePolicy",
            "UpdateGroup",
            "UpdateLoginProfile",
            "UpdateOpenIDConnectProviderThumbprint",
            "UpdateSAMLProvider",
            "UpdateSSHPublicKey",
            "UpdateServerCertificate",
            "UpdateSigningCertificate",
            "UploadSSHPublicKey",
            "UploadServerCertificate",
            "UploadSigningCertificate",
        ],
    },
    Outcome {
        success: "read",
        failure: Some(("unknown", "failure")),
        events: &[
            "GetAccessKeyLastUsed",
            "GetAccountAuthorizationDetails",
            "GetAccountPasswordPolicy",
            "GetContextKeysForCustomPolicy",
            "GetContextKeysForPrincipalPolicy",
            "GetCredentialReport",
            "GetGroup",
            "GetGroupPolicy",
            "GetInstanceProfile",
            "GetLoginProfile",
            "GetOpenIDConnectProvider",
            "GetPolicy",
            "GetPolicyVersion",
            "GetRole",
            "GetRolePolicy",
            "GetSAMLProvider",
            "GetSSHPublicKey",
            "GetServerCertificate",
            "GetUserPolicy",
            "ListAttachedGroupPolicies",
            "ListAttachedRolePolicies",
            "ListAttachedUserPolicies",
            "ListEntitiesForPolicy",
            "ListGroupPolicies",
            "ListGroups",
            "ListGroupsForUser",
            "ListInstanceProfiles",
            "ListInstanceProfilesForRole",
            "ListMFADevices",
            "ListOpenIDConnectProviders",
            "ListPolicies",
            "ListPolicyVersions",
            "ListRolePolicies",
            "ListRoles",
            "ListSAMLProviders",
            "ListSSHPublicKeys",
            "ListServerCertificates",
            "ListUserPolicies",
            "ListUsers",
            "ListVirtualMFADevices",
        ],
    },
    Outcome {
        success: "read",
        failure: Some(("read", "failure")),
        events: &[
            "GetAccountSummary",
            "GetBucketEncryption",
            "GetUser",
            "ListAccessKeys",
            "ListAccountAliases",
            "ListSigningCertificates",
        ],
    },
    Outcome {
        success: "stopped",
        failure: Some(("stopped", "failure")),
        events: &["StopInstances"],
    },
    Outcome {
        success: "started",
        failure: Some(("started", "failure")),
        events: &["StartInstances"],
    },
    Outcome {
        success: "restarted",
        failure: Some(("restarted", "failure")),
        events: &["RebootInstances"],
    },
    Outcome { success: "created", failure: None, events: &["CreateNetworkInterface"] },
    Outcome { success: "read", failure: None, events: &["ListAliases"] },
    Outcome { success: "success", failure: None, events: &["CheckMfa"] },
    Outcome { success: "created", failure: Some(("created", "failure")), events: &["CreateQueue"] },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_sorted_and_disjoint() {
        let mut all: Vec<_> = OUTCOMES.iter().flat_map(|group| group.events).collect();
        assert!(OUTCOMES.iter().all(|group| group.events.is_sorted()));
        assert_eq!(all.len(), 160);
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 160);
    }

    #[test]
    fn outcomes() {
        for (event, error, profile, fields) in [
            ("DeleteRole", "success", Profile::Superset, Some(("deleted", "success"))),
            ("DeleteRole", "AccessDenied", Profile::Superset, Some(("unknown", "failure"))),
            ("ConsoleLogin", "failure", Profile::Superset, Some(("failure", "failure"))),
            ("CheckMfa", "failure", Profile::Superset, None),
            ("CreateQueue", "AccessDenied", Profile::Superset, Some(("created", "failure"))),
            ("CreateQueue", "AccessDenied", Profile::Ta70, Some(("created", "success"))),
            ("GetObject", "success", Profile::Superset, None),
            ("deleterole", "success", Profile::Superset, None),
        ] {
            assert_eq!(outcome(event, error, profile), fields, "{event} {error}");
        }
    }
}

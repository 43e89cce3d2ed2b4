//! Defines the members of a CloudTrail record that derived fields read.

use std::borrow::Cow;

use crate::paths::Slots;

/// A member of the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Input {
    AccessKeyUserName,
    AclProtocol,
    AclRuleAction,
    AclFrom,
    AclTo,
    AssumedRoleArn,
    AssumedRoleId,
    AwsRegion,
    BucketHost,
    BucketHostItem,
    BucketName,
    CidrBlock,
    ConsoleLogin,
    CreatedUserId,
    CreatedUserName,
    Egress,
    ErrorCode,
    ErrorMessage,
    EventName,
    EventSource,
    EventTime,
    EventType,
    FunctionName,
    GroupIdCreated,
    GroupIdNamed,
    IdentityAccessKey,
    IdentityAccount,
    IdentityArn,
    IdentityPrincipal,
    IdentityType,
    IdentityUserName,
    ImageItem,
    InstanceNamed,
    InstanceItem,
    InstanceItemCreated,
    InstanceType,
    IssuerPrincipal,
    IssuerType,
    IssuerUserName,
    LogGroup,
    LogStream,
    LoginProfileUserName,
    LoginTo,
    MfaAuthenticated,
    MfaUsed,
    NetworkAcl,
    NetworkAclCreated,
    NetworkInterfaceCreated,
    NetworkInterfaceNamed,
    NewUserName,
    PermissionCidr,
    PermissionFrom,
    PermissionProtocol,
    PermissionTo,
    QueueName,
    Recipient,
    RequestParameters,
    RequestRoleArn,
    RequestUserName,
    ResourceType,
    SourceAddress,
    SourceIdentity,
    StackName,
    TableName,
    TemporaryKey,
    UserAgent,
    UserAgentItem,
    VolumeCreated,
    VolumeNamed,
}

impl Input {
    /// The number of inputs.
    pub(crate) const COUNT: usize = Self::VolumeNamed as usize + 1;

    /// Returns the path of the member in the record.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::AccessKeyUserName => "responseElements.accessKey.userName",
            Self::AclProtocol => "requestParameters.aclProtocol",
            Self::AclRuleAction => "requestParameters.ruleAction",
            Self::AclFrom => "requestParameters.portRange.from",
            Self::AclTo => "requestParameters.portRange.to",
            Self::AssumedRoleArn => "responseElements.assumedRoleUser.arn",
            Self::AssumedRoleId => "responseElements.assumedRoleUser.assumedRoleId",
            Self::AwsRegion => "awsRegion",
            Self::BucketHost => "requestParameters.Host",
            Self::BucketHostItem => "requestParameters.host{}",
            Self::BucketName => "requestParameters.bucketName",
            Self::CidrBlock => "requestParameters.cidrBlock",
            Self::ConsoleLogin => "responseElements.ConsoleLogin",
            Self::CreatedUserId => "responseElements.user.userId",
            Self::CreatedUserName => "responseElements.user.userName",
            Self::Egress => "requestParameters.egress",
            Self::ErrorCode => "errorCode",
            Self::ErrorMessage => "errorMessage",
            Self::EventName => "eventName",
            Self::EventSource => "eventSource",
            Self::EventTime => "eventTime",
            Self::EventType => "eventType",
            Self::FunctionName => "requestParameters.functionName",
            Self::GroupIdCreated => "responseElements.groupId",
            Self::GroupIdNamed => "requestParameters.groupId",
            Self::IdentityAccessKey => "userIdentity.accessKeyId",
            Self::IdentityAccount => "userIdentity.accountId",
            Self::IdentityArn => "userIdentity.arn",
            Self::IdentityPrincipal => "userIdentity.principalId",
            Self::IdentityType => "userIdentity.type",
            Self::IdentityUserName => "userIdentity.userName",
            Self::ImageItem => "requestParameters.instancesSet.items{}.imageId",
            Self::InstanceNamed => "requestParameters.instanceId",
            Self::InstanceItem => "requestParameters.instancesSet.items{}.instanceId",
            Self::InstanceItemCreated => "responseElements.instancesSet.items{}.instanceId",
            Self::InstanceType => "requestParameters.instanceType",
            Self::IssuerPrincipal => "userIdentity.sessionContext.sessionIssuer.principalId",
            Self::IssuerType => "userIdentity.sessionContext.sessionIssuer.type",
            Self::IssuerUserName => "userIdentity.sessionContext.sessionIssuer.userName",
            Self::LogGroup => "requestParameters.logGroupName",
            Self::LogStream => "requestParameters.logStreamName",
            Self::LoginProfileUserName => "responseElements.loginProfile.userName",
            Self::LoginTo => "additionalEventData.LoginTo",
            Self::MfaAuthenticated => "userIdentity.sessionContext.attributes.mfaAuthenticated",
            Self::MfaUsed => "additionalEventData.MFAUsed",
            Self::NetworkAcl => "requestParameters.networkAclId",
            Self::NetworkAclCreated => "responseElements.networkAcl.networkAclId",
            Self::NetworkInterfaceCreated => "responseElements.networkInterface.networkInterfaceId",
            Self::NetworkInterfaceNamed => "requestParameters.networkInterfaceId",
            Self::NewUserName => "requestParameters.newUserName",
            Self::PermissionCidr => {
                "requestParameters.ipPermissions.items{}.ipRanges.items{}.cidrIp"
            }
            Self::PermissionFrom => "requestParameters.ipPermissions.items{}.fromPort",
            Self::PermissionProtocol => "requestParameters.ipPermissions.items{}.ipProtocol",
            Self::PermissionTo => "requestParameters.ipPermissions.items{}.toPort",
            Self::QueueName => "requestParameters.queueName",
            Self::Recipient => "recipientAccountId",
            Self::RequestParameters => "requestParameters",
            Self::RequestRoleArn => "requestParameters.roleArn",
            Self::RequestUserName => "requestParameters.userName",
            Self::ResourceType => "resources{}.type",
            Self::SourceAddress => "sourceIPAddress",
            Self::SourceIdentity => "requestParameters.sourceIdentity",
            Self::StackName => "requestParameters.stackName",
            Self::TableName => "requestParameters.tableName",
            Self::TemporaryKey => "responseElements.credentials.accessKeyId",
            Self::UserAgent => "userAgent",
            Self::UserAgentItem => "userAgent{}",
            Self::VolumeCreated => "responseElements.volumeId",
            Self::VolumeNamed => "requestParameters.volumeId",
        }
    }
}

/// The values of a record's members, by input.
#[derive(Clone, Copy)]
pub(crate) struct Inputs<'a> {
    pub(crate) record: &'a str,
    pub(crate) slots: &'a Slots,
    /// The slot of each input; `usize::MAX` if it is not picked.
    pub(crate) slot_of: &'a [usize; Input::COUNT],
}

impl<'a> Inputs<'a> {
    /// Returns the value of an input; if a key is repeated, its last value counts.
    pub(crate) fn text(&self, input: Input) -> Option<Cow<'a, str>> {
        let spans = self.slots.get(self.slot_of[input as usize]);
        spans.last().map(|span| span.text(self.record))
    }

    /// Returns all values of an input.
    pub(crate) fn all(&self, input: Input) -> Vec<Cow<'a, str>> {
        let spans = self.slots.get(self.slot_of[input as usize]);
        spans.iter().map(|span| span.text(self.record)).collect()
    }

    /// Returns the value of the first input that has one.
    pub(crate) fn first_of(&self, inputs: &[Input]) -> Option<Cow<'a, str>> {
        inputs.iter().find_map(|input| self.text(*input))
    }

    /// Returns true if the value of an input is exactly this text.
    pub(crate) fn is(&self, input: Input, text: &str) -> bool {
        self.text(input).is_some_and(|value| value == text)
    }
}

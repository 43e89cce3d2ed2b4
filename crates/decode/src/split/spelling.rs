//! Spells the keys inside documents, such as `requestParameters`, as CloudTrail does.
//!
//! What a program did to the outermost keys of a record, it did to those below, unless these show
//! otherwise. Where the change lost no letter it is undone by rule; lower and upper case need a list of
//! names.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::csv::plain;
use crate::json::{for_each_element, for_each_member, unescape, value_end};
use crate::members::quoted;

/// How a program spells keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// `eventname` or `event_name`.
    Small,
    /// `EVENTNAME` or `EVENT_NAME`.
    Capital,
    /// `EventName`.
    Pascal,
}

/// The depth to which keys are spelled anew.
const MAX_DEPTH: usize = 16;

/// Names of several words inside documents: those that published detections and the fields of Splunk's
/// add-on read, and others that are common.
const NAMES: &str = "\
    accessKey accessKeyId accessControlList AccessControlList AccessControlPolicy \
    accountWithRestoreAccess aclProtocol allocationId allowUsersToChangePassword \
    applyImmediately assumedRoleId assumedRoleUser assumeRolePolicyDocument attributeName \
    attributeType AuthenticationMethod availabilityZone BlockPublicAcls BlockPublicPolicy \
    blockDeviceMapping bucketAccessRoleArn bucketName bucketPolicy bytesTransferredIn \
    bytesTransferredOut cidrBlock cidrIp cidrIpv6 CipherSuite clientRequestToken clientToken \
    ConsoleLogin containerDefinitions containerUrl createDate CreateBucketConfiguration \
    CreateFlowLogsRequest CreateStoreImageTaskRequest CreateTrafficMirrorSessionRequest \
    createVolumePermission credentialId dataResources dBClusterIdentifier \
    dBClusterSnapshotIdentifier dBInstanceIdentifier dBSnapshotIdentifier DeleteFlowLogsRequest \
    deletionProtection destinationCidrBlock destinationLocationArn detectorId \
    disableApiTermination documentName dryRun durationSeconds ebsOptimized encryptionAlgorithm \
    encryptionContext eventSelectors excludeManagementEventSources ExportImageRequest exportToS3 \
    federatedUser federatedUserId FlowLogId filterSet fromPort functionArn functionName \
    functionVersion gatewayId granteePrincipal groupId groupName groupSet guardrailId \
    guardrailIdentifier hardExpiry iamInstanceProfile iamRoleArn IgnorePublicAcls imageDigest \
    imageId ImageId imagesSet imageScanFindings imageTag includeGlobalServiceEvents \
    includeManagementEvents instanceId instanceIds instanceOSUser instanceProfileName \
    instancesSet instanceType ipPermissions ipProtocol ipRanges ipv6Ranges isMultiRegionTrail \
    isMultiRegion jobArn jobEventId JobId keyId keyMetadata keyName kmsKeyId knowledgeBaseId \
    launchPermission LifecycleConfiguration locationArn LocationConstraint logGroupName \
    LoginTo loginProfile logStreamName masterUserPassword masterUsername maxItems maxRecords \
    maxResults maxPasswordAge memorySize MFADelete MfaDelete MFAUsed minimumPasswordLength \
    MobileVersion modelId natGatewayId networkAcl networkAclId networkInterface \
    networkInterfaceId NetworkInterfaceId networkInterfaceSet newUserName noReboot \
    overwriteMode ownerId ownersSet ownershipControls parameterFilters passwordReusePrevention \
    passwordResetRequired pendingWindowInDays policyArn policyDocument policyName policyText \
    portRange principalArn principalOrgID privateIpAddress publicAccessBlock \
    PublicAccessBlockConfiguration publicIp publicKeyId publiclyAccessible queryString queueName \
    queueUrl registryId ReplicationConfiguration repositoryName requestId requestPayment \
    requireLowercaseCharacters requireNumbers requireSymbols requireUppercaseCharacters \
    resourceArn resourceId resourceName resourceType RestrictPublicBuckets retentionInDays roleArn \
    roleId roleName roleSessionName routeTableId ruleAction ruleNumber s3Bucket S3Bucket \
    s3BucketArn s3BucketName s3Config S3ExportLocation s3ExportLocation s3Key s3KeyPrefix \
    s3StorageClass sAMLAssertionID sAMLProviderArn secretId secretIdList SecretARN \
    SecretVersionId securityGroupId securityGroupSet serialNumber \
    ServerSideEncryptionConfiguration serverHostname serviceName sessionToken \
    sharedUsersSet SignatureVersion snapshotArn snapshotId snapshotIdentifier snapshotSet \
    snapshotType sourceAccount sourceArn sourceDestCheck sourceIdentity sourceLocationArn \
    sSEApplied SSEApplied sSHPublicKeyId sSHPublicKey stackName stackSetName stateReason subnetId \
    subnetSet SwitchFrom tableName tagKeys tagList tagSet tagSpecificationSet targetKeyId \
    taskArn taskDefinition taskExecutionArn toPort topicArn TrafficMirrorTargetId trailARN \
    trailName trailNameList userData userId userName valuesToAdd valuesToRemove valueSet versionId \
    VersioningConfiguration virtualMFADeviceName verifyMode volumeId volumeSet volumeSize \
    volumeType vpcId vpcSet vpcEndpointId WebsiteConfiguration withDecryption \
    x-amz-acl x-amz-copy-source x-amz-grant-full-control x-amz-grant-read \
    x-amz-grant-read-acp x-amz-grant-write x-amz-grant-write-acp x-amz-server-side-encryption \
    x-amz-server-side-encryption-aws-kms-key-id X-Amz-Date X-Amz-Expires";

/// Names of one word that CloudTrail writes with a capital inside objects whose own key has one.
const CAPITALIZED: &str = "\
    Account Action Allow AWS Bool Bucket Condition Days Deny Destination Effect Enabled Expiration \
    Filter Grant Grantee ID Key Permission Prefix Principal Priority Resource Role Rule Service Sid \
    Statement Status Suspended Tag Transition URI Value Version";

/// The names by their letters and digits in lower case; of several that differ in case only, the first
/// one counts.
static KNOWN: LazyLock<HashMap<String, &'static str>> = LazyLock::new(|| by_letters(NAMES));
static KNOWN_CAPITALIZED: LazyLock<HashMap<String, &'static str>> =
    LazyLock::new(|| by_letters(CAPITALIZED));

/// Returns CloudTrail's name of several words with the letters and digits of this one.
pub(crate) fn known_name(name: &str) -> Option<&'static str> {
    KNOWN.get(&plain(name)).copied()
}

fn by_letters(names: &'static str) -> HashMap<String, &'static str> {
    let mut known = HashMap::new();
    for name in names.split_ascii_whitespace() {
        known.entry(plain(name)).or_insert(name);
    }
    known
}

impl Style {
    /// Returns how a key is spelled that is not spelled as CloudTrail does.
    pub(crate) fn of(key: &str) -> Option<Self> {
        let has = |is: fn(&char) -> bool| key.chars().any(|c| is(&c));
        match (has(char::is_ascii_uppercase), has(char::is_ascii_lowercase)) {
            (false, true) => Some(Self::Small),
            (true, false) => Some(Self::Capital),
            (true, true) => {
                key.starts_with(|c: char| c.is_ascii_uppercase()).then_some(Self::Pascal)
            }
            (false, false) => None,
        }
    }

    /// Returns true if a key may be spelled in this style.
    pub(super) fn fits(self, key: &str) -> bool {
        let mut letters = key.chars().filter(char::is_ascii_alphabetic);
        match self {
            Self::Small => letters.all(|c| c.is_ascii_lowercase()),
            Self::Capital => letters.all(|c| c.is_ascii_uppercase()),
            Self::Pascal => letters.next().is_none_or(|c| c.is_ascii_uppercase()),
        }
    }

    /// Returns a valid JSON document with CloudTrail's keys, or `None` if one of its keys shows that
    /// they are not spelled in this style.
    pub(crate) fn undo(self, document: &str) -> Option<String> {
        let mut text = String::with_capacity(document.len());
        self.walk(document, &mut text, Place { depth: 0, is_capitalized: false }).then_some(text)
    }

    /// Writes a value; returns false if a key is not spelled in this style.
    fn walk(self, json: &str, text: &mut String, place: Place) -> bool {
        let mut is_first = true;
        let mut fits = true;
        let below = |is_capitalized: bool| Place { depth: place.depth + 1, is_capitalized };
        match json.as_bytes().first() {
            Some(b'{') if place.depth < MAX_DEPTH => {
                text.push('{');
                for_each_member(json.as_bytes(), |name, value| {
                    let end = value_end(json.as_bytes(), value);
                    let (name, inner) = (&json[name], &json[value..end]);
                    let key = unescape(name);
                    fits &= self.fits(&key);
                    let is_host = place.depth == 0 && inner.starts_with('"');
                    let key = match &*key {
                        "host" | "Host" | "HOST" if is_host => "Host".to_owned(),
                        key => self.name(key, place.is_capitalized),
                    };
                    if !std::mem::take(&mut is_first) {
                        text.push(',');
                    }
                    text.push_str(&quoted(&key));
                    text.push(':');
                    let begins_object =
                        key.len() > 4 && key.starts_with(|c: char| c.is_ascii_uppercase());
                    let is_policy = key == "bucketPolicy";
                    let is_capitalized = place.is_capitalized || begins_object || is_policy;
                    fits = fits && self.walk(inner, text, below(is_capitalized));
                    fits.then_some(end)
                });
                text.push('}');
            }
            Some(b'[') if place.depth < MAX_DEPTH => {
                text.push('[');
                for_each_element(json.as_bytes(), |at| {
                    let end = value_end(json.as_bytes(), at);
                    if !std::mem::take(&mut is_first) {
                        text.push(',');
                    }
                    fits = fits && self.walk(&json[at..end], text, below(place.is_capitalized));
                    if fits { end } else { json.len() }
                });
                text.push(']');
            }
            _ => text.push_str(json),
        }
        fits
    }

    /// Returns CloudTrail's name for a key; `is_capitalized` means that names around it begin with a
    /// capital.
    pub(super) fn name(self, key: &str, is_capitalized: bool) -> String {
        let letters = plain(key);
        if is_capitalized && let Some(known) = KNOWN_CAPITALIZED.get(&letters) {
            return (*known).to_owned();
        }
        if let Some(known) = KNOWN.get(&letters) {
            return (*known).to_owned();
        }
        match self {
            Self::Pascal if is_capitalized => key.to_owned(),
            Self::Pascal => {
                let mut characters = key.chars();
                let first = characters.next().map(|first| first.to_ascii_lowercase());
                first.into_iter().chain(characters).collect()
            }
            Self::Small | Self::Capital => joined_words(&key.to_ascii_lowercase()),
        }
    }
}

/// The place of a value in a document.
#[derive(Clone, Copy)]
struct Place {
    depth: usize,
    is_capitalized: bool,
}

/// Returns `bucketName` for `bucket_name`, and `Host` for `_host`: programs that put a mark before
/// each capital do so at the start, too.
fn joined_words(key: &str) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !key.contains('_') || !key.chars().all(is_word) {
        return key.to_owned();
    }
    let mut name = String::with_capacity(key.len());
    let mut begins_word = false;
    for c in key.chars() {
        if c == '_' {
            begins_word = true;
        } else {
            name.push(if std::mem::take(&mut begins_word) { c.to_ascii_uppercase() } else { c });
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_spelled_as_cloudtrail_does() {
        for (style, document, expected) in [
            (
                Style::Small,
                r#"{"bucketname":"b","host":"h","x-amz-acl":"a","launchpermission":{"add":{"items":[{"userid":"1"}]}}}"#,
                Some(
                    r#"{"bucketName":"b","Host":"h","x-amz-acl":"a","launchPermission":{"add":{"items":[{"userId":"1"}]}}}"#,
                ),
            ),
            (
                Style::Small,
                r#"{"replicationconfiguration":{"rule":{"status":"Enabled","destination":{"bucket":"b"}}},"status":"x"}"#,
                Some(
                    r#"{"ReplicationConfiguration":{"Rule":{"Status":"Enabled","Destination":{"Bucket":"b"}}},"status":"x"}"#,
                ),
            ),
            (
                Style::Small,
                r#"{"bucket_name":"b","_host":"h","an_unknown_name":1,"_console_login":"x"}"#,
                Some(r#"{"bucketName":"b","Host":"h","anUnknownName":1,"ConsoleLogin":"x"}"#),
            ),
            (Style::Small, r#"{"bucketName":"b","username":"c"}"#, None),
            (Style::Small, r#"[{"Key":"k"}]"#, None),
            (
                Style::Pascal,
                r#"{"BucketName":"b","Items":[{"UnknownName":[1,"A"]}],"Host":"h"}"#,
                Some(r#"{"bucketName":"b","items":[{"unknownName":[1,"A"]}],"Host":"h"}"#),
            ),
            (Style::Pascal, r#"{"Host":"b","bucketName":"c"}"#, None),
            (
                Style::Capital,
                r#"{"BUCKETNAME":"B","OTHER":{"BUCKET_NAME":"Key"}}"#,
                Some(r#"{"bucketName":"B","other":{"bucketName":"Key"}}"#),
            ),
            (Style::Small, "null", Some("null")),
        ] {
            assert_eq!(style.undo(document).as_deref(), expected, "{document}");
        }
    }

    #[test]
    fn names_are_listed_once() {
        for list in [NAMES, CAPITALIZED] {
            let names: Vec<_> = list.split_ascii_whitespace().collect();
            let repeated = |name: &&str| names.iter().filter(|other| other == &name).count() > 1;
            assert_eq!(names.iter().find(|name| repeated(name)), None);
        }
    }
}

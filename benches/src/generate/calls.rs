//! What is called: a few names that make most of the traffic, and a long tail.

use crate::random::Weights;

/// A call of an API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    /// The service, without `.amazonaws.com`.
    pub(super) service: String,
    pub(super) name: String,
    pub(super) read_only: bool,
    pub(super) shape: Shape,
}

/// What its request and response look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// An object of a bucket: a data event.
    Object,
    Bucket,
    Key,
    Role,
    Nothing,
    Instances,
    Filters,
    Launch,
    Named,
    /// A name and a response with a list: the large ones.
    Listed,
    /// A policy as text within JSON.
    Policy,
}

/// Service, name, weight, whether it only reads, shape. The weights add up to about ten thousand with
/// the tail, so that one is a hundredth of a percent.
const CORE: &[(&str, &str, u64, bool, Shape)] = &[
    ("s3", "GetObject", 600, true, Shape::Object),
    ("s3", "PutObject", 260, false, Shape::Object),
    ("s3", "HeadObject", 240, true, Shape::Object),
    ("s3", "DeleteObject", 30, false, Shape::Object),
    ("s3", "ListObjects", 150, true, Shape::Bucket),
    ("s3", "GetBucketAcl", 90, true, Shape::Bucket),
    ("s3", "GetBucketLocation", 50, true, Shape::Bucket),
    ("s3", "GetBucketEncryption", 30, true, Shape::Bucket),
    ("s3", "ListBuckets", 30, true, Shape::Nothing),
    ("kms", "Decrypt", 900, true, Shape::Key),
    ("kms", "GenerateDataKey", 350, true, Shape::Key),
    ("kms", "DescribeKey", 80, true, Shape::Key),
    ("sts", "AssumeRole", 850, true, Shape::Role),
    ("sts", "AssumeRoleWithWebIdentity", 80, true, Shape::Role),
    ("sts", "GetCallerIdentity", 160, true, Shape::Nothing),
    ("ec2", "DescribeInstances", 420, true, Shape::Instances),
    ("ec2", "DescribeInstanceStatus", 200, true, Shape::Instances),
    ("ec2", "DescribeVolumes", 140, true, Shape::Filters),
    ("ec2", "DescribeNetworkInterfaces", 180, true, Shape::Filters),
    ("ec2", "DescribeSecurityGroups", 160, true, Shape::Filters),
    ("ec2", "DescribeSubnets", 120, true, Shape::Filters),
    ("ec2", "DescribeVpcs", 100, true, Shape::Filters),
    ("ec2", "DescribeRouteTables", 80, true, Shape::Filters),
    ("ec2", "DescribeImages", 60, true, Shape::Filters),
    ("ec2", "DescribeTags", 120, true, Shape::Filters),
    ("ec2", "RunInstances", 20, false, Shape::Launch),
    ("ec2", "TerminateInstances", 12, false, Shape::Instances),
    ("ec2", "CreateTags", 30, false, Shape::Instances),
    ("ec2", "CreateSnapshot", 15, false, Shape::Filters),
    ("ssm", "UpdateInstanceInformation", 360, false, Shape::Named),
    ("ssm", "ListInstanceAssociations", 90, true, Shape::Named),
    ("ssm", "GetParameter", 90, true, Shape::Named),
    ("secretsmanager", "GetSecretValue", 110, true, Shape::Named),
    ("lambda", "Invoke", 180, false, Shape::Named),
    ("lambda", "ListFunctions20150331", 40, true, Shape::Nothing),
    ("logs", "CreateLogStream", 110, false, Shape::Named),
    ("logs", "DescribeLogGroups", 90, true, Shape::Named),
    ("monitoring", "DescribeAlarms", 120, true, Shape::Named),
    ("monitoring", "GetMetricData", 100, true, Shape::Named),
    ("autoscaling", "DescribeAutoScalingGroups", 140, true, Shape::Named),
    ("elasticloadbalancing", "DescribeTargetHealth", 130, true, Shape::Named),
    ("elasticloadbalancing", "DescribeLoadBalancers", 90, true, Shape::Named),
    ("iam", "GetRole", 70, true, Shape::Named),
    ("iam", "ListAttachedRolePolicies", 40, true, Shape::Named),
    ("iam", "GetPolicyVersion", 30, true, Shape::Named),
    ("iam", "PutRolePolicy", 6, false, Shape::Policy),
    ("s3", "PutBucketPolicy", 3, false, Shape::Policy),
    ("ecs", "DescribeTasks", 130, true, Shape::Listed),
    ("rds", "DescribeDBInstances", 110, true, Shape::Named),
    ("dynamodb", "DescribeTable", 160, true, Shape::Named),
    ("cloudformation", "DescribeStacks", 60, true, Shape::Named),
    ("ecr", "BatchGetImage", 90, true, Shape::Listed),
    ("eks", "DescribeCluster", 60, true, Shape::Named),
    ("sqs", "GetQueueAttributes", 90, true, Shape::Named),
    ("sns", "GetTopicAttributes", 40, true, Shape::Named),
    ("config", "PutEvaluations", 90, false, Shape::Listed),
    ("health", "DescribeEventAggregates", 40, true, Shape::Nothing),
    ("organizations", "ListAccounts", 20, true, Shape::Nothing),
];

const TAIL_SERVICES: [&str; 14] = [
    "athena",
    "backup",
    "batch",
    "cloudfront",
    "codebuild",
    "glue",
    "guardduty",
    "kinesis",
    "redshift",
    "route53",
    "sagemaker",
    "states",
    "transfer",
    "wafv2",
];
const TAIL_NOUNS: [&str; 9] =
    ["Job", "Policy", "Project", "Resource", "Schedule", "Settings", "Status", "Tags", "Version"];
const TAIL_VERBS: [(&str, u64, bool); 5] = [
    ("Get", 3, true),
    ("List", 3, true),
    ("Describe", 3, true),
    ("Update", 1, false),
    ("Delete", 1, false),
];

/// All calls with their weights.
#[derive(Debug)]
pub(super) struct Catalogue {
    pub(super) calls: Vec<Call>,
    pub(super) weights: Weights,
}

impl Catalogue {
    pub(super) fn new() -> Self {
        let mut calls = Vec::new();
        let mut weights = Vec::new();
        for &(service, name, weight, read_only, shape) in CORE {
            let (service, name) = (service.to_owned(), name.to_owned());
            calls.push(Call { service, name, read_only, shape });
            weights.push(weight);
        }
        for service in TAIL_SERVICES {
            for noun in TAIL_NOUNS {
                for (verb, weight, read_only) in TAIL_VERBS {
                    // The service is in the name, as it often is with AWS; that makes 630 of them.
                    let (first, rest) = service.split_at(1);
                    let name = format!("{verb}{}{rest}{noun}", first.to_uppercase());
                    let shape = if verb == "List" { Shape::Listed } else { Shape::Named };
                    calls.push(Call { service: service.to_owned(), name, read_only, shape });
                    weights.push(weight);
                }
            }
        }
        Self { calls, weights: Weights::new(weights) }
    }
}

/// Why calls fail.
pub(super) const ERRORS: [(&str, &str); 4] = [
    ("AccessDenied", "Access Denied"),
    ("ThrottlingException", "Rate exceeded"),
    ("Client.UnauthorizedOperation", "You are not authorized to perform this operation."),
    ("NoSuchKey", "The specified key does not exist."),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_long_tail_and_no_name_that_detections_look_for() {
        let catalogue = Catalogue::new();
        assert!(catalogue.calls.len() > 600);
        let planted = ["CreateTask", "ModifyImageAttribute"];
        assert!(!catalogue.calls.iter().any(|call| planted.contains(&call.name.as_str())));
    }
}

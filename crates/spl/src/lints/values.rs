//! Names and values that CloudTrail writes in another way.

use spilltrail_diagnostic::Code;

use super::{Doubt, Searched, Weight};
use crate::{CompareOp, SearchExpr};

/// Members of CloudTrail's records, as CloudTrail writes them.
const MEMBERS: &[&str] = &[
    "additionalEventData",
    "apiVersion",
    "awsRegion",
    "errorCode",
    "errorMessage",
    "eventCategory",
    "eventName",
    "eventSource",
    "eventTime",
    "eventVersion",
    "managementEvent",
    "readOnly",
    "recipientAccountId",
    "requestID",
    "sharedEventID",
    "sourceIPAddress",
    "userAgent",
    "userIdentity.accessKeyId",
    "userIdentity.accountId",
    "userIdentity.arn",
    "userIdentity.invokedBy",
    "userIdentity.principalId",
    "userIdentity.sessionContext.sessionIssuer.arn",
    "userIdentity.sessionContext.sessionIssuer.userName",
    "userIdentity.type",
    "userIdentity.userName",
    "vpcEndpointId",
];

/// Fields of Windows that differ from those of CloudTrail only in a capital letter.
const OF_WINDOWS: &[&str] = &["ErrorCode"];

/// Returns true for a member of CloudTrail's records, or a field that the add-on derives from one, whose
/// values are texts.
pub(super) fn is_member(field: &str) -> bool {
    /// Those that detections compare.
    const DERIVED: &[&str] = &[
        "action",
        "aws_account_id",
        "region",
        "src_ip",
        "user",
        "user_arn",
        "user_type",
        "vendor_region",
    ];
    MEMBERS.contains(&field) || DERIVED.contains(&field)
}

/// Finds the name of a service where CloudTrail has its host.
pub(super) fn event_source(searched: &Searched<'_>, found: &mut Vec<Doubt>) {
    searched.expression.walk(&mut |part| {
        let SearchExpr::Compare { field, op: CompareOp::Eq, value } = part else { return };
        let text = &value.value.text;
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if field.value == "eventSource" && !text.is_empty() && text.chars().all(is_name) {
            let message = format!("`eventSource` is the host of a service, and never `{text}`");
            let help = format!("write `{}.amazonaws.com`", text.to_ascii_lowercase());
            let doubt = Doubt::new(Weight::NeverMet, Code::OTHER_NAME, message, value.span);
            found.push(doubt.help(help));
        }
    });
}

/// Finds a field of CloudTrail in capital and small letters that it does not have.
pub(super) fn field_in_other_case(searched: &Searched<'_>, found: &mut Vec<Doubt>) {
    if !searched.is_leading {
        return;
    }
    searched.expression.walk(&mut |part| {
        let (SearchExpr::Compare { field, .. } | SearchExpr::In { field, .. }) = part else {
            return;
        };
        let is_meant = |member: &&&str| member.eq_ignore_ascii_case(&field.value);
        if let Some(member) = MEMBERS.iter().find(is_meant)
            && **member != *field.value
            && !OF_WINDOWS.contains(&field.value.as_str())
        {
            let message = format!("CloudTrail has no field `{}`: case counts", field.value);
            let help = format!("did you mean `{member}`?");
            // Other logs can have the field.
            let doubt = Doubt::new(Weight::IfNothing, Code::OTHER_NAME, message, field.span);
            found.push(doubt.help(help));
        }
    });
}

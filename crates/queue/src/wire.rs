//! Requests and answers of SQS, in its protocol of JSON.
//!
//! The names are those of the [API reference](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Receive<'a> {
    pub(crate) queue_url: &'a str,
    pub(crate) max_number_of_messages: usize,
    pub(crate) wait_time_seconds: u64,
    pub(crate) visibility_timeout: u64,
    /// The older name of `MessageSystemAttributeNames`, which all servers know.
    pub(crate) attribute_names: &'static [&'static str],
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Received {
    /// Absent or null if nothing was there.
    pub(crate) messages: Option<Vec<ReceivedMessage>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ReceivedMessage {
    pub(crate) message_id: String,
    pub(crate) receipt_handle: String,
    #[serde(default)]
    pub(crate) body: String,
    #[serde(default)]
    pub(crate) attributes: BTreeMap<String, String>,
}

/// A request about up to ten messages.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Batch<'a> {
    pub(crate) queue_url: &'a str,
    pub(crate) entries: Vec<Entry<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Entry<'a> {
    pub(crate) id: String,
    pub(crate) receipt_handle: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) visibility_timeout: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Outcome {
    #[serde(default)]
    pub(crate) successful: Option<Vec<Done>>,
    #[serde(default)]
    pub(crate) failed: Option<Vec<Failed>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Done {
    pub(crate) id: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Failed {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) code: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct AttributesOf<'a> {
    pub(crate) queue_url: &'a str,
    pub(crate) attribute_names: &'static [&'static str],
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Attributes {
    #[serde(default)]
    pub(crate) attributes: BTreeMap<String, String>,
}

/// The policy about messages that fail, which is JSON in an attribute. The number is a text if some
/// tools have set it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RedrivePolicy {
    pub(crate) dead_letter_target_arn: String,
    #[serde(default)]
    pub(crate) max_receive_count: serde_json::Value,
}

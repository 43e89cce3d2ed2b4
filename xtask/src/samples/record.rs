//! CloudTrail records: the caller, the call, and the JSON that CloudTrail would deliver.

use serde_json::{Map, Value, json};

use super::random::Random;

/// Date of the sample events.
pub(super) const DAY: &str = "2026-03-17";

/// The identity that makes a call.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) account: &'static str,
    pub(super) identity: Value,
    pub(super) source_ip: String,
    pub(super) user_agent: String,
}

impl Caller {
    /// Returns an IAM user with a long-term access key.
    pub(super) fn user(
        account: &'static str,
        name: &str,
        source_ip: &str,
        user_agent: &str,
    ) -> Self {
        let identity = json!({
            "type": "IAMUser",
            "principalId": user_id(account, name),
            "arn": format!("arn:aws:iam::{account}:user/{name}"),
            "accountId": account,
            "accessKeyId": format!("AKIAEXAMPLE{}", fixed(&[account, name, "key"]).upper(9)),
            "userName": name,
        });
        Self { account, identity, source_ip: source_ip.into(), user_agent: user_agent.into() }
    }

    /// Returns a session of an IAM role.
    pub(super) fn role(
        account: &'static str,
        (role, session): (&str, &str),
        source_ip: &str,
        user_agent: &str,
    ) -> Self {
        let id = role_id(account, role);
        let path = if role.starts_with("AWSReservedSSO") {
            "aws-reserved/sso.amazonaws.com/eu-central-1/"
        } else {
            ""
        };
        let identity = json!({
            "type": "AssumedRole",
            "principalId": format!("{id}:{session}"),
            "arn": format!("arn:aws:sts::{account}:assumed-role/{role}/{session}"),
            "accountId": account,
            "accessKeyId": format!("ASIAEXAMPLE{}", fixed(&[account, role, session]).upper(9)),
            "sessionContext": {
                "sessionIssuer": {
                    "type": "Role",
                    "principalId": id,
                    "arn": format!("arn:aws:iam::{account}:role/{path}{role}"),
                    "accountId": account,
                    "userName": role,
                },
                "attributes": {
                    "creationDate": format!("{DAY}T00:00:07Z"),
                    "mfaAuthenticated": "false",
                },
            },
        });
        Self { account, identity, source_ip: source_ip.into(), user_agent: user_agent.into() }
    }

    /// Returns an AWS service that acts on its own behalf.
    pub(super) fn service(account: &'static str, name: &str) -> Self {
        let host = format!("{name}.amazonaws.com");
        let identity = json!({ "type": "AWSService", "invokedBy": host });
        Self { account, identity, source_ip: host.clone(), user_agent: host }
    }
}

/// One call. Fields that are not set have the usual values of a successful management call.
#[derive(Debug, Clone)]
pub(super) struct Call<'a> {
    pub(super) caller: &'a Caller,
    /// Seconds since midnight.
    pub(super) at: u64,
    pub(super) region: &'a str,
    /// Name of the service, without `.amazonaws.com`.
    pub(super) service: &'a str,
    pub(super) name: &'a str,
    pub(super) request: Value,
    pub(super) response: Value,
    pub(super) read_only: bool,
    pub(super) error: Option<(&'a str, &'a str)>,
    pub(super) resources: Option<Value>,
    pub(super) additional: Option<Value>,
    pub(super) is_data: bool,
    pub(super) shared_event_id: Option<String>,
    pub(super) host: Option<String>,
}

impl<'a> Call<'a> {
    /// Returns a call that changes something.
    pub(super) fn write(
        caller: &'a Caller,
        at: u64,
        (service, name): (&'a str, &'a str),
        request: Value,
        response: Value,
    ) -> Self {
        Self {
            caller,
            at,
            region: super::HOME_REGION,
            service,
            name,
            request,
            response,
            read_only: false,
            error: None,
            resources: None,
            additional: None,
            is_data: false,
            shared_event_id: None,
            host: None,
        }
    }

    /// Returns a call that only reads. CloudTrail does not log the response of such calls.
    pub(super) fn read(
        caller: &'a Caller,
        at: u64,
        name: (&'a str, &'a str),
        request: Value,
    ) -> Self {
        Self { read_only: true, ..Self::write(caller, at, name, request, Value::Null) }
    }

    /// Returns the same call with an error instead of a response.
    pub(super) fn refused(self, code: &'a str, message: &'a str) -> Self {
        Self { response: Value::Null, error: Some((code, message)), ..self }
    }

    /// Returns the record as JSON, with keys in CloudTrail's order.
    pub(super) fn record(self, random: &mut Random) -> Value {
        let caller = self.caller;
        let mut record = Map::new();
        let mut set = |key: &str, value: Value| record.insert(key.to_owned(), value);
        set("eventVersion", json!(if self.is_data { "1.10" } else { version(self.service) }));
        set("userIdentity", caller.identity.clone());
        set("eventTime", json!(time(self.at)));
        set("eventSource", json!(format!("{}.amazonaws.com", self.service)));
        set("eventName", json!(self.name));
        set("awsRegion", json!(self.region));
        set("sourceIPAddress", json!(caller.source_ip));
        set("userAgent", json!(caller.user_agent));
        if let Some((code, message)) = self.error {
            set("errorCode", json!(code));
            set("errorMessage", json!(message));
        }
        set("requestParameters", self.request);
        set("responseElements", self.response);
        if let Some(additional) = self.additional {
            set("additionalEventData", additional);
        }
        let request_id = if self.service == "s3" { random.upper(16) } else { random.uuid() };
        set("requestID", json!(request_id));
        set("eventID", json!(random.uuid()));
        set("readOnly", json!(self.read_only));
        if let Some(resources) = self.resources {
            set("resources", resources);
        }
        set("eventType", json!("AwsApiCall"));
        set("managementEvent", json!(!self.is_data));
        set("recipientAccountId", json!(caller.account));
        if let Some(id) = self.shared_event_id {
            set("sharedEventID", json!(id));
        }
        set("eventCategory", json!(if self.is_data { "Data" } else { "Management" }));
        if caller.identity["type"] != "AWSService" {
            let host = self
                .host
                .unwrap_or_else(|| format!("{}.{}.amazonaws.com", self.service, self.region));
            set(
                "tlsDetails",
                json!({
                    "tlsVersion": "TLSv1.3",
                    "cipherSuite": "TLS_AES_128_GCM_SHA256",
                    "clientProvidedHostHeader": host,
                }),
            );
        }
        Value::Object(record)
    }
}

/// Returns the id of a role, which is always the same for the same account and role.
pub(super) fn role_id(account: &str, role: &str) -> String {
    format!("AROAEXAMPLE{}", fixed(&[account, role]).upper(10))
}

fn user_id(account: &str, name: &str) -> String {
    format!("AIDAEXAMPLE{}", fixed(&[account, name]).upper(10))
}

/// Returns a generator whose seed depends only on the names.
fn fixed(names: &[&str]) -> Random {
    let bytes = names.iter().flat_map(|name| name.bytes().chain([0]));
    // The seed is the FNV-1a hash of the names.
    Random::new(bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    }))
}

/// Returns a time, given in seconds since midnight, in CloudTrail's format.
pub(super) fn time(at: u64) -> String {
    format!("{DAY}T{:02}:{:02}:{:02}Z", at / 3600, at / 60 % 60, at % 60)
}

/// Returns the record version of a service: services update their versions independently.
fn version(service: &str) -> &'static str {
    match service {
        "ec2" | "s3" => "1.10",
        "sts" | "iam" | "kms" | "secretsmanager" => "1.11",
        _ => "1.09",
    }
}

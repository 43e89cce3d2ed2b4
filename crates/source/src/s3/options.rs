//! Settings for S3, merged from the user's options, the environment and AWS CLI profiles.

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, AwsCredentialProvider};
use object_store::{ClientOptions, RetryConfig};
use serde::{Deserialize, Serialize};
use url::Url;

use super::profile::{Profile, ProfileCredentials, ProfileError, ProfileFiles};
use super::refusal::Connector;

/// The user's options for S3.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct S3Options {
    /// The AWS CLI profile whose credentials sign requests.
    pub profile: Option<String>,
    /// The region of the buckets.
    pub region: Option<String>,
    /// The address of an S3-compatible server to use instead of AWS.
    pub endpoint: Option<String>,
    /// Whether requests are sent unsigned.
    pub anonymous: bool,
    /// Whether the user pays for requests to requester-pays buckets.
    pub requester_pays: bool,
}

/// The error for an endpoint that is not the address of a server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected the address of a server, such as http://127.0.0.1:9000")]
pub struct EndpointError;

/// Checks that `endpoint` is a usable address of an S3 server.
///
/// # Errors
/// Fails unless it is an HTTP or HTTPS URL with a host and without query or fragment, in characters
/// that need no escaping.
pub fn check_endpoint(endpoint: &str) -> Result<(), EndpointError> {
    let is_plain = |b: u8| b.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&b);
    let url = Url::parse(endpoint).map_err(|_| EndpointError)?;
    let is_server = matches!(url.scheme(), "http" | "https") && url.has_host();
    let is_whole = url.query().is_none() && url.fragment().is_none();
    if is_server && is_whole && endpoint.bytes().all(is_plain) {
        Ok(())
    } else {
        Err(EndpointError)
    }
}

/// The environment variables that affect S3.
#[derive(Debug, Default)]
pub(crate) struct Variables(pub(crate) Vec<(String, String)>);

impl Variables {
    pub(crate) fn of_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        let matters =
            |name: &str| name.starts_with("AWS_") || name == "HOME" || name == "USERPROFILE";
        Self(std::env::vars_os().filter_map(text).filter(|(name, _)| matters(name)).collect())
    }

    fn get(&self, name: &str) -> Option<String> {
        let found = self.0.iter().find(|(other, value)| other == name && !value.is_empty());
        found.map(|(_, value)| value.clone())
    }
}

/// All settings except the bucket.
#[derive(Debug, Clone)]
pub(crate) struct Settled {
    builder: AmazonS3Builder,
}

impl Settled {
    /// Merges options, environment and profiles, with the precedence of the AWS CLI.
    pub(crate) fn new(options: &S3Options, variables: &Variables) -> Result<Self, ProfileError> {
        let profile =
            if options.anonymous { Profile::default() } else { profile(options, variables)? };
        let mut builder = AmazonS3Builder::default();
        for (name, value) in &variables.0 {
            if let Ok(key) = name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>() {
                // The credentials of a profile replace those of the environment.
                let is_replaced = profile.credentials.is_some() && is_credential(key);
                if !is_replaced && !value.is_empty() {
                    builder = builder.with_config(key, value);
                }
            }
        }
        builder = match profile.credentials {
            Some(ProfileCredentials::Keys { id, secret, token }) => {
                let keyed = builder.with_access_key_id(id).with_secret_access_key(secret);
                match token {
                    Some(token) => keyed.with_token(token),
                    None => keyed,
                }
            }
            Some(ProfileCredentials::WebIdentity { role, token_file }) => builder
                .with_config(AmazonS3ConfigKey::RoleArn, role)
                .with_config(AmazonS3ConfigKey::WebIdentityTokenFile, token_file),
            None => builder,
        };
        let region = options
            .region
            .clone()
            .or_else(|| variables.get("AWS_REGION"))
            .or_else(|| variables.get("AWS_DEFAULT_REGION"))
            .or(profile.region);
        if let Some(region) = region {
            builder = builder.with_region(region);
        }
        let endpoint = options
            .endpoint
            .clone()
            .or_else(|| variables.get("AWS_ENDPOINT_URL_S3"))
            .or_else(|| variables.get("AWS_ENDPOINT_URL"))
            .or(profile.endpoint);
        let mut client = ClientOptions::new();
        if let Some(endpoint) = endpoint {
            // The client library panics on an invalid endpoint, so it is checked first.
            check_endpoint(&endpoint)
                .map_err(|error| ProfileError::Endpoint { endpoint: endpoint.clone(), error })?;
            client = client.with_allow_http(endpoint.starts_with("http://"));
            builder = builder.with_endpoint(endpoint);
        }
        if options.anonymous {
            builder = builder.with_skip_signature(true);
        }
        if options.requester_pays {
            builder = builder.with_request_payer(true);
        }
        // The client library does not retry: this crate does, so that it can react to throttling.
        let never = RetryConfig { max_retries: 0, ..RetryConfig::default() };
        let builder = builder
            .with_client_options(client)
            .with_retry(never)
            .with_http_connector(Connector::default());
        Ok(Self { builder })
    }

    /// Returns the settings for a bucket; `region` overrides the configured region.
    pub(crate) fn bucket(&self, name: &str, region: Option<&str>) -> AmazonS3Builder {
        let builder = self.builder.clone().with_bucket_name(name);
        match region {
            Some(region) => builder.with_region(region),
            None => builder,
        }
    }
}

/// Returns what signs requests to AWS with these options, for other services than S3.
///
/// # Errors
/// Fails, with the reason, if a profile or an endpoint cannot be used.
pub fn s3_credentials(options: &S3Options) -> Result<AwsCredentialProvider, String> {
    let settled =
        Settled::new(options, &Variables::of_process()).map_err(|error| error.to_string())?;
    // The name of a bucket is needed to build a client, and changes nothing about its credentials.
    let client = settled.bucket("none", None).build().map_err(|error| error.to_string())?;
    Ok(client.credentials().clone())
}

/// Returns the profile that applies, or an empty one if none does.
fn profile(options: &S3Options, variables: &Variables) -> Result<Profile, ProfileError> {
    let files = ProfileFiles::read(&|name| variables.get(name));
    let usable = |name: &str| match files.profile(name)? {
        Profile { credentials: None, .. } => Err(ProfileError::NoKeys(name.to_owned())),
        profile => Ok(profile),
    };
    if let Some(name) = &options.profile {
        return usable(name);
    }
    let has_keys = variables.get("AWS_ACCESS_KEY_ID").is_some();
    let has_role = variables.get("AWS_WEB_IDENTITY_TOKEN_FILE").is_some();
    match variables.get("AWS_PROFILE").filter(|_| !has_keys) {
        Some(name) => usable(&name),
        None => match files.profile("default") {
            // The environment has its own credentials, so only the other settings of the profile
            // apply.
            Ok(profile) if has_keys || has_role => Ok(Profile { credentials: None, ..profile }),
            Ok(profile) => Ok(profile),
            Err(ProfileError::Missing(_)) => Ok(Profile::default()),
            Err(_) if has_keys || has_role => Ok(Profile::default()),
            Err(error) => Err(error),
        },
    }
}

fn is_credential(key: AmazonS3ConfigKey) -> bool {
    matches!(
        key,
        AmazonS3ConfigKey::AccessKeyId
            | AmazonS3ConfigKey::SecretAccessKey
            | AmazonS3ConfigKey::Token
            | AmazonS3ConfigKey::RoleArn
            | AmazonS3ConfigKey::WebIdentityTokenFile
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the settings that can be read back from the builder.
    fn settled(options: &S3Options, variables: &[(&str, &str)]) -> Vec<Option<String>> {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let variables = Variables(variables.iter().map(own).collect());
        let builder = Settled::new(options, &variables).unwrap().bucket("b", None);
        [AmazonS3ConfigKey::AccessKeyId, AmazonS3ConfigKey::Region, AmazonS3ConfigKey::Endpoint]
            .iter()
            .map(|key| builder.get_config_value(key))
            .collect()
    }

    #[test]
    fn an_endpoint_is_the_address_of_a_server() {
        let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        for (endpoint, is_right) in [
            ("http://127.0.0.1:9000", true),
            ("https://s3.example.com/path", true),
            ("http://[::1]:9000", true),
            ("not a url", false),
            ("localhost:9000", false),
            ("ftp://example.com", false),
            ("http://", false),
            ("http://[::1", false),
            ("http://a b/", false),
            ("http://example.com/a b", false),
            ("http://example.com:99999", false),
            ("http://example.com?a=b", false),
        ] {
            assert_eq!(check_endpoint(endpoint).is_ok(), is_right, "{endpoint}");
            let variables = Variables(vec![own("AWS_ENDPOINT_URL", endpoint)]);
            let settled = Settled::new(&S3Options::default(), &variables);
            assert_eq!(settled.is_ok(), is_right, "{endpoint}");
        }
    }

    #[test]
    fn options_go_before_the_environment_and_that_before_profiles() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credentials");
        let text = "[default]\naws_access_key_id=FILE\naws_secret_access_key=s\nregion=r-file\n\
                    [other]\naws_access_key_id=OTHER\naws_secret_access_key=s\n";
        std::fs::write(&path, text).unwrap();
        let file = ("AWS_SHARED_CREDENTIALS_FILE", path.to_str().unwrap());
        let keys = [("AWS_ACCESS_KEY_ID", "ENV"), ("AWS_SECRET_ACCESS_KEY", "s"), file];
        let some = |text: &str| Some(text.to_owned());
        let none = S3Options::default();
        assert_eq!(settled(&none, &[file]), [some("FILE"), some("r-file"), None]);
        assert_eq!(settled(&none, &keys), [some("ENV"), some("r-file"), None]);
        let named = [file, ("AWS_PROFILE", "other"), ("AWS_REGION", "r-env")];
        assert_eq!(settled(&none, &named), [some("OTHER"), some("r-env"), None]);
        let options = S3Options {
            profile: some("other"),
            region: some("r-option"),
            endpoint: some("http://127.0.0.1:1"),
            ..S3Options::default()
        };
        let expected = [some("OTHER"), some("r-option"), some("http://127.0.0.1:1")];
        assert_eq!(settled(&options, &keys), expected);
    }
}

//! Profiles of the AWS CLI, from its credentials and config files.
//!
//! Access keys are supported, and roles with a web identity token file. Settings that need another
//! service first, such as single sign-on, are reported by name instead of ignored.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::options::EndpointError;

/// The settings of a profile that this crate uses.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Profile {
    pub(crate) credentials: Option<ProfileCredentials>,
    pub(crate) region: Option<String>,
    pub(crate) endpoint: Option<String>,
}

/// How requests of a profile are signed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum ProfileCredentials {
    Keys { id: String, secret: String, token: Option<String> },
    WebIdentity { role: String, token_file: String },
}

impl std::fmt::Debug for ProfileCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Keys { .. } => "Keys",
            Self::WebIdentity { .. } => "WebIdentity",
        })
    }
}

/// Why a profile or an endpoint, from any source, cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProfileError {
    #[error("the endpoint of S3 is `{endpoint}`: {error}")]
    Endpoint { endpoint: String, error: EndpointError },
    #[error("there is no profile `{0}` in the files of the AWS command line")]
    Missing(String),
    #[error("the profile `{0}` has no keys")]
    NoKeys(String),
    #[error("the profile `{0}` has `aws_access_key_id` or `aws_secret_access_key`, but not both")]
    HalfKeys(String),
    #[error(
        "the profile `{profile}` uses `{setting}`, which is not supported; get keys with `aws \
         configure export-credentials --profile {profile} --format env`"
    )]
    Unsupported { profile: String, setting: &'static str },
}

/// Settings that need more than the two files.
const UNSUPPORTED: &[&str] = &[
    "sso_session",
    "sso_start_url",
    "sso_account_id",
    "login_session",
    "credential_process",
    "source_profile",
    "credential_source",
    "mfa_serial",
    "role_arn",
];

/// The text of the two files; empty for a missing file.
#[derive(Debug, Default)]
pub(crate) struct ProfileFiles {
    pub(crate) credentials: String,
    pub(crate) config: String,
}

impl ProfileFiles {
    /// Reads the files at the paths in the environment, or in `.aws` of the home folder.
    pub(crate) fn read(variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let home = variable("HOME").or_else(|| variable("USERPROFILE")).map(PathBuf::from);
        let text = |name: &str, file: &str| {
            let path = variable(name)
                .map(PathBuf::from)
                .or_else(|| home.as_ref().map(|home| home.join(".aws").join(file)));
            path.and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default()
        };
        Self {
            credentials: text("AWS_SHARED_CREDENTIALS_FILE", "credentials"),
            config: text("AWS_CONFIG_FILE", "config"),
        }
    }

    /// Returns a profile; settings of the credentials file override those of the config file.
    pub(crate) fn profile(&self, name: &str) -> Result<Profile, ProfileError> {
        let config = match name {
            "default" => section(&self.config, &["default", "profile default"]),
            name => section(&self.config, &[&format!("profile {name}")]),
        };
        let credentials = section(&self.credentials, &[name]);
        if config.is_none() && credentials.is_none() {
            return Err(ProfileError::Missing(name.to_owned()));
        }
        let mut settings = config.unwrap_or_default();
        settings.extend(credentials.unwrap_or_default());
        let setting = |key: &str| settings.get(key).map(|value| (*value).to_owned());
        let keys = (setting("aws_access_key_id"), setting("aws_secret_access_key"));
        let credentials = match keys {
            (Some(id), Some(secret)) => {
                let token = setting("aws_session_token").filter(|token| !token.is_empty());
                // With a role, requests would have another identity than the keys.
                match setting("role_arn") {
                    Some(_) => return Err(unsupported(name, "role_arn")),
                    None => Some(ProfileCredentials::Keys { id, secret, token }),
                }
            }
            (None, None) => match (setting("role_arn"), setting("web_identity_token_file")) {
                (Some(role), Some(token_file)) => {
                    Some(ProfileCredentials::WebIdentity { role, token_file })
                }
                _ => match UNSUPPORTED.iter().find(|key| settings.contains_key(**key)) {
                    Some(key) => return Err(unsupported(name, key)),
                    None => None,
                },
            },
            _ => return Err(ProfileError::HalfKeys(name.to_owned())),
        };
        Ok(Profile { credentials, region: setting("region"), endpoint: setting("endpoint_url") })
    }
}

fn unsupported(profile: &str, setting: &'static str) -> ProfileError {
    ProfileError::Unsupported { profile: profile.to_owned(), setting }
}

/// Returns the settings of the first section with one of these names. Indented lines are nested
/// settings and are skipped.
fn section<'a>(text: &'a str, names: &[&str]) -> Option<BTreeMap<&'a str, &'a str>> {
    let mut found = None;
    let mut is_inside = false;
    for line in text.lines() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            continue;
        }
        if let Some(title) = trimmed.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            let title = title.split_whitespace().collect::<Vec<_>>().join(" ");
            is_inside = found.is_none() && names.contains(&title.as_str());
            if is_inside {
                found = Some(BTreeMap::new());
            }
        } else if is_inside
            && !line.starts_with([' ', '\t'])
            && let (Some((key, value)), Some(settings)) = (trimmed.split_once('='), &mut found)
        {
            let value = value.split(" #").next().unwrap_or_default();
            settings.insert(key.trim(), value.trim());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> ProfileFiles {
        ProfileFiles {
            credentials: "\
                # comment\n\
                [default]\n\
                aws_access_key_id = AKID\n\
                aws_secret_access_key=secret+/=\n\
                [half]\n\
                aws_access_key_id = AKID\n\
                [temporary]\n\
                aws_access_key_id = ASIA\n\
                aws_secret_access_key = s\n\
                aws_session_token = t\n"
                .to_owned(),
            config: "\
                [default]\n\
                region = eu-west-1 # here\n\
                s3 =\n  max_concurrent_requests = 20\n  region = nowhere\n\
                [profile   sso]\n\
                sso_session = corp\n\
                [sso-session corp]\n\
                sso_start_url = https://x\n\
                [profile chain]\n\
                role_arn = arn:aws:iam::111122223333:role/r\n\
                source_profile = default\n\
                [profile pod]\n\
                role_arn = arn:aws:iam::111122223333:role/r\n\
                web_identity_token_file = token\n\
                [profile bare]\n\
                region = eu-west-2\n\
                [half]\n\
                aws_secret_access_key = s\n"
                .to_owned(),
        }
    }

    #[test]
    fn keys_of_both_files() {
        let profile = files().profile("default").unwrap();
        assert_eq!(profile.region.as_deref(), Some("eu-west-1"));
        let (id, secret) = ("AKID".to_owned(), "secret+/=".to_owned());
        let keys = ProfileCredentials::Keys { id, secret, token: None };
        assert_eq!(profile.credentials, Some(keys));
        let Some(ProfileCredentials::Keys { token, .. }) =
            files().profile("temporary").unwrap().credentials
        else {
            panic!("keys")
        };
        assert_eq!(token.as_deref(), Some("t"));
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let error = |name: &str| files().profile(name).unwrap_err();
        assert_eq!(error("none"), ProfileError::Missing("none".to_owned()));
        assert_eq!(error("half"), ProfileError::HalfKeys("half".to_owned()));
        assert_eq!(error("sso"), unsupported("sso", "sso_session"));
        assert_eq!(error("chain"), unsupported("chain", "source_profile"));
        assert!(matches!(
            files().profile("pod").unwrap().credentials,
            Some(ProfileCredentials::WebIdentity { .. })
        ));
        assert_eq!(files().profile("bare").unwrap().credentials, None);
    }

    #[test]
    fn secrets_are_not_printed() {
        assert!(!format!("{:?}", files().profile("default").unwrap()).contains("secret"));
    }
}

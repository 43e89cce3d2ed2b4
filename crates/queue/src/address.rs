//! The address of a queue: where requests go, and for which region they are signed.
//!
//! AWS has several names for the same endpoint, and emulators have their own:
//! `sqs.eu-west-1.amazonaws.com`, `sqs-fips.us-gov-west-1.amazonaws.com`,
//! `cn-north-1.queue.amazonaws.com.cn`, `queue.amazonaws.com` (the first region),
//! `vpce-0a1b.sqs.eu-west-1.vpce.amazonaws.com`, `sqs.eu-west-1.api.aws`,
//! `sqs.us-east-1.localhost.localstack.cloud`.

use url::Url;

use crate::error::QueueError;
use crate::text;

/// What an address should look like, for messages.
const EXPECTED: &str = "an address such as https://sqs.eu-west-1.amazonaws.com/111122223333/trail";

/// Where a queue is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    /// The address of the queue, which requests name.
    pub(crate) queue_url: String,
    /// The name of the queue.
    pub(crate) name: String,
    /// Where requests go.
    pub(crate) endpoint: Url,
    /// The region for which requests are signed.
    pub(crate) region: String,
}

impl Address {
    /// Reads the address of a queue. A region that is given must be the one in the address; where
    /// requests go is the host of the address unless there is an endpoint.
    ///
    /// # Errors
    /// Fails if one of them cannot be used, or no region is known.
    pub(crate) fn new(
        url: &str,
        region: Option<&str>,
        endpoint: Option<&str>,
    ) -> Result<Self, QueueError> {
        let url = url.trim();
        let refused =
            |expected| QueueError::Url { url: text::shown(&without_login(url)), expected };
        let parsed = server(url).ok_or_else(|| refused(EXPECTED))?;
        let parts: Vec<&str> = parsed.path().split('/').skip(1).collect();
        let name = match parts.as_slice() {
            [.., _, name] if parts.iter().all(|part| !part.is_empty()) => *name,
            _ => return Err(refused("the number of an account and a name after the host")),
        };
        if !is_name(name) {
            return Err(refused("a name of at most 80 letters, digits, `-` and `_`"));
        }
        let host = parsed.host_str().unwrap_or_default();
        let given = region.map(str::trim).filter(|region| !region.is_empty());
        let found = region_of(host, &parts);
        let region = match (given, found) {
            (Some(given), Some(found)) if given != found => {
                return Err(QueueError::Region {
                    queue: name.to_owned(),
                    found: found.to_owned(),
                    given: text::shown(given),
                });
            }
            (Some(region), _) | (None, Some(region)) => region.to_owned(),
            (None, None) => return Err(QueueError::NoRegion { queue: name.to_owned() }),
        };
        // The region is a part of a header.
        if !region.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            let expected = "the name of a region, such as eu-west-1";
            return Err(QueueError::Option { option: "region", expected });
        }
        let endpoint = match endpoint {
            Some(endpoint) => server(endpoint.trim()).ok_or(QueueError::Option {
                option: "endpoint",
                expected: "the address of a server, such as http://127.0.0.1:4566",
            })?,
            None => {
                let mut endpoint = parsed.clone();
                endpoint.set_path("/");
                endpoint
            }
        };
        let is_plain = endpoint.scheme() == "http";
        if is_plain && endpoint.host_str().is_some_and(is_of_aws) {
            return Err(refused("`https`, because requests carry credentials"));
        }
        Ok(Self { queue_url: url.to_owned(), name: name.to_owned(), endpoint, region })
    }

    /// Returns the host to which requests go, with its port unless it is the usual one.
    pub(crate) fn peer(&self) -> String {
        let host = self.endpoint.host_str().unwrap_or_default();
        match self.endpoint.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }
}

/// Returns the address of a server of HTTP if a text is one, and has nothing else that counts.
fn server(text: &str) -> Option<Url> {
    let is_plain = |b: u8| b.is_ascii_graphic() && !b"\"<>\\^`{|}%".contains(&b);
    let url = Url::parse(text).ok()?;
    let is_server = matches!(url.scheme(), "http" | "https") && url.has_host();
    let is_bare = url.query().is_none() && url.fragment().is_none();
    let has_login = !url.username().is_empty() || url.password().is_some();
    (is_server && is_bare && !has_login && text.bytes().all(is_plain)).then_some(url)
}

/// Returns an address without what may be a password in it.
fn without_login(url: &str) -> String {
    match url.rsplit_once('@') {
        Some((_, rest)) => format!("…@{rest}"),
        None => url.to_owned(),
    }
}

/// Returns the region that a host or the parts of a path name.
fn region_of<'a>(host: &'a str, parts: &[&'a str]) -> Option<&'a str> {
    if host == "queue.amazonaws.com" {
        return Some("us-east-1");
    }
    let labels: Vec<&str> = host.split('.').collect();
    let in_host = labels.windows(2).find_map(|pair| match *pair {
        ["sqs" | "sqs-fips", region] if is_region(region) => Some(region),
        [region, "queue"] if is_region(region) => Some(region),
        _ => None,
    });
    // An emulator may have it in the path: `/queue/eu-west-1/000000000000/name`.
    in_host.or(match *parts {
        ["queue", region, _, _] if is_region(region) => Some(region),
        _ => None,
    })
}

/// Returns true for texts such as `eu-west-1`.
fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let is_word = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
    match parts.as_slice() {
        [words @ .., number] => {
            words.len() >= 2
                && words.iter().all(is_word)
                && !number.is_empty()
                && number.bytes().all(|b| b.is_ascii_digit())
        }
        [] => false,
    }
}

fn is_of_aws(host: &str) -> bool {
    [".amazonaws.com", ".amazonaws.com.cn", ".api.aws", ".amazonwebservices.com.cn"]
        .iter()
        .any(|domain| host.ends_with(domain))
}

fn is_name(name: &str) -> bool {
    let plain = name.strip_suffix(".fifo").unwrap_or(name);
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    !plain.is_empty() && name.len() <= 80 && plain.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_follow_from_addresses() {
        for (url, endpoint, region) in [
            (
                "https://sqs.eu-west-1.amazonaws.com/111122223333/trail",
                "https://sqs.eu-west-1.amazonaws.com/",
                "eu-west-1",
            ),
            (
                " https://sqs-fips.us-gov-west-1.amazonaws.com/111122223333/trail.fifo ",
                "https://sqs-fips.us-gov-west-1.amazonaws.com/",
                "us-gov-west-1",
            ),
            (
                "https://sqs.cn-north-1.amazonaws.com.cn/1/a",
                "https://sqs.cn-north-1.amazonaws.com.cn/",
                "cn-north-1",
            ),
            (
                "https://cn-north-1.queue.amazonaws.com.cn/1/a",
                "https://cn-north-1.queue.amazonaws.com.cn/",
                "cn-north-1",
            ),
            ("https://queue.amazonaws.com/1/a", "https://queue.amazonaws.com/", "us-east-1"),
            (
                "https://vpce-0a1b-2c.sqs.eu-west-1.vpce.amazonaws.com/1/a",
                "https://vpce-0a1b-2c.sqs.eu-west-1.vpce.amazonaws.com/",
                "eu-west-1",
            ),
            (
                "https://sqs.ap-southeast-2.api.aws/1/a",
                "https://sqs.ap-southeast-2.api.aws/",
                "ap-southeast-2",
            ),
            (
                "https://sqs.us-iso-east-1.c2s.ic.gov/1/a",
                "https://sqs.us-iso-east-1.c2s.ic.gov/",
                "us-iso-east-1",
            ),
            (
                "http://sqs.us-east-1.localhost.localstack.cloud:4566/000000000000/a",
                "http://sqs.us-east-1.localhost.localstack.cloud:4566/",
                "us-east-1",
            ),
            (
                "http://127.0.0.1:4566/queue/eu-west-1/000000000000/a",
                "http://127.0.0.1:4566/",
                "eu-west-1",
            ),
        ] {
            let address = Address::new(url, None, None).unwrap();
            assert_eq!(address.endpoint.as_str(), endpoint, "{url}");
            assert_eq!(address.region, region, "{url}");
            assert_eq!(address.queue_url, url.trim());
        }
    }

    #[test]
    fn endpoints_and_regions_that_are_given() {
        let url = "http://127.0.0.1:5000/123456789012/trail";
        let address = Address::new(url, Some("eu-west-1"), None).unwrap();
        assert_eq!((address.region.as_str(), address.name.as_str()), ("eu-west-1", "trail"));
        assert_eq!(address.peer(), "127.0.0.1:5000");
        let url = "https://sqs.eu-west-1.amazonaws.com/1/a";
        let address = Address::new(url, Some("eu-west-1"), Some("https://10.0.0.7/sqs")).unwrap();
        assert_eq!(address.endpoint.as_str(), "https://10.0.0.7/sqs");
        assert_eq!(address.peer(), "10.0.0.7");
    }

    #[test]
    fn addresses_that_cannot_be_used() {
        let aws = "https://sqs.eu-west-1.amazonaws.com";
        for (url, region, endpoint, message) in [
            ("", None, None, "`` is not the address of a queue: expected an address such as"),
            ("trail", None, None, "expected an address such as"),
            ("ftp://sqs.eu-west-1.amazonaws.com/1/a", None, None, "expected an address such as"),
            ("https://u:pass@sqs.eu-west-1.amazonaws.com/1/a", None, None, "`…@sqs.eu-west-1"),
            (&format!("{aws}/1/a?x=y"), None, None, "expected an address such as"),
            (&format!("{aws}/a"), None, None, "the number of an account and a name"),
            (&format!("{aws}/1//a"), None, None, "the number of an account and a name"),
            (&format!("{aws}/1/a.b"), None, None, "a name of at most 80"),
            (&format!("{aws}/1/a"), Some("eu-west-2"), None, "is in region `eu-west-1`, not in"),
            ("https://example.com/1/a", None, None, "the region of queue `a` is not known"),
            ("https://example.com/1/a", Some("x\r\ny"), None, "`region` cannot be used"),
            (&format!("{aws}/1/a"), None, Some("10.0.0.7"), "`endpoint` cannot be used"),
            ("http://sqs.eu-west-1.amazonaws.com/1/a", None, None, "expected `https`"),
        ] {
            let error = Address::new(url, region, endpoint).unwrap_err().to_string();
            assert!(error.contains(message), "{url}: {error}");
            assert!(!error.contains("pass"), "{error}");
        }
    }
}

//! Tests against an existing S3 server, if the environment names one.

use super::super::Bucket;
use super::super::options::{S3Options, Settled, Variables};
use super::{Arc, StopToken, io, key};
use crate::s3::failure::Patience;
use crate::wanted::Wanted;

/// The endpoint of a server with the bucket `spilltrail-test`, prepared as `.ci/s3-server.py` does.
const ENDPOINT: &str = "SPILLTRAIL_TEST_S3_ENDPOINT";

#[test]
fn a_real_server_lists_and_gives() {
    let Ok(endpoint) = std::env::var(ENDPOINT) else { return };
    let options = S3Options { endpoint: Some(endpoint), ..S3Options::default() };
    let keys = [("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")];
    let variables = Variables(keys.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    let settled = Settled::new(&options, &variables).unwrap();
    let io = io(StopToken::new());
    let bucket =
        Arc::new(Bucket::new("spilltrail-test", io, settled, Patience::default()).unwrap());
    let wanted = Wanted { regions: Some(["eu-west-1".to_owned()].into()), ..Wanted::default() };
    let listing = bucket.list("trail/", &wanted);
    assert_eq!(listing.failures, []);
    let expected = format!("trail/{}", key("111122223333", "eu-west-1", "2026/03/17", "12"));
    let (found, size) = &listing.objects[0];
    assert_eq!((found.as_str(), listing.objects.len()), (expected.as_str(), 1));
    let part = bucket.read_blocking(found, *size);
    assert_eq!(part.failure, None);
    assert_eq!(part.bytes, b"{\"Records\":[]}");
    let missing = bucket.read_blocking("trail/none", 1).failure.unwrap();
    assert_eq!(missing.to_string(), "the object does not exist");
}

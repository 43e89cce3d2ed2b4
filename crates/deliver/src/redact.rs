//! Takes secrets out of what others say, such as the answer of a service, before anybody keeps it.
//!
//! A service may repeat a part of a secret, and may write it otherwise than it was sent: decoded,
//! encoded, as a text of JSON, or in other case. All of these are looked for.

use std::collections::BTreeSet;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use url::Url;

use crate::secret::Secret;

/// The fewest bytes of a secret that is looked for. A shorter one would be found in ordinary words, and
/// be guessed from what is missing.
const LEAST: usize = 4;

/// The fewest bytes of a part of an address that is a secret by itself. Shorter ones are often words.
const LEAST_PART: usize = 6;

/// What stays as it is when a text becomes a part of an address.
const KEPT: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'*');

/// What is between the parts of a path, of a query, and of values in them.
const BETWEEN: &[char] = &['/', '?', '&', '=', ':', ';', ',', '@', '|', '#', ' '];

/// Returns a text with the secrets in it replaced.
pub(crate) fn redact(text: &str, secrets: &[Secret]) -> String {
    let mut is_secret = vec![false; text.len()];
    for form in secrets.iter().flat_map(forms) {
        for (at, there) in text.as_bytes().windows(form.len()).enumerate() {
            if there.eq_ignore_ascii_case(form.as_bytes()) {
                is_secret[at..at + form.len()].fill(true);
            }
        }
    }
    let mut redacted = String::with_capacity(text.len());
    let mut is_within = false;
    for (at, c) in text.char_indices() {
        if !is_secret[at] {
            redacted.push(c);
        } else if !is_within {
            redacted.push_str("[secret]");
        }
        is_within = is_secret[at];
    }
    redacted
}

/// Returns what of a secret address is a secret by itself: path and query, and in them each part that
/// is not short, such as a token or the value of `sig`.
pub(crate) fn parts(url: &Url) -> Vec<Secret> {
    let mut parts = BTreeSet::new();
    let mut values = Vec::new();
    for part in std::iter::once(url.path()).chain(url.query()) {
        parts.insert(part.to_owned());
    }
    values.extend(url.path().split('/'));
    for pair in url.query().unwrap_or_default().split('&') {
        values.push(pair.split_once('=').map_or(pair, |(_, value)| value));
    }
    for value in values {
        let decoded = percent_decode_str(value).decode_utf8_lossy();
        if decoded.len() < LEAST_PART {
            continue;
        }
        let smaller = decoded.split(BETWEEN).filter(|part| part.len() >= LEAST_PART);
        parts.extend(smaller.chain([value, &*decoded]).map(str::to_owned));
    }
    parts.into_iter().map(Secret::new).collect()
}

/// Returns how a secret and the words in it, such as the token of `Bearer token`, may be written.
fn forms(secret: &Secret) -> BTreeSet<String> {
    let mut forms = BTreeSet::new();
    for word in std::iter::once(secret.expose()).chain(secret.expose().split_whitespace()) {
        // In a query, `+` is a space for some.
        let spaced = word.replace('+', " ");
        let decoded = [word, &spaced].map(|word| percent_decode_str(word).decode_utf8_lossy());
        for text in [word, &*decoded[0], &*decoded[1]] {
            let json = serde_json::Value::from(text).to_string();
            let json = &json[1..json.len() - 1];
            forms.insert(text.to_owned());
            for set in [KEPT, NON_ALPHANUMERIC] {
                forms.insert(utf8_percent_encode(text, set).to_string());
            }
            forms.insert(json.to_owned());
            // Some write slashes so.
            forms.insert(json.replace('/', "\\/"));
        }
    }
    forms.retain(|form| form.len() >= LEAST);
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_replaced() {
        for (secret, text, expected) in [
            ("s3cr3t", "no_service: s3cr3t S3CR3T's", "no_service: [secret] [secret]'s"),
            ("abc", "abc", "abc"),
            ("secret", "a secret", "a [secret]"),
            ("Bearer t0k3n", "t0k3n is wrong", "[secret] is wrong"),
            ("p\"a\\ss/", r#"{"got":"p\"a\\ss\/"}"#, r#"{"got":"[secret]"}"#),
            ("aa%2Fbb+c%3D", "aa/bb+c= aa%2fbb+c%3d aa/bb c=", "[secret] [secret] [secret]"),
            ("aa/bb+c=", "aa%2Fbb%2Bc%3D", "[secret]"),
            ("aa%2Fbb", "aa%252Fbb", "[secret]"),
            ("pässword", "pässword p%C3%A4ssword é", "[secret] [secret] é"),
            // Where one secret overlaps itself or another, no rest is left.
            ("abcabc", "abcabcabc", "[secret]"),
            ("s3cr3t", "", ""),
        ] {
            let secrets = [Secret::new(secret.to_owned())];
            assert_eq!(redact(text, &secrets), expected, "{secret} {text}");
        }
    }

    #[test]
    fn parts_of_addresses_are_secrets() {
        let slack = "https://hooks.slack.com/services/T0123456/B0/xxxxyyyyzzzz";
        let teams = "https://a.example/workflows/0123?sp=%2Frun&sig=s1gn_a-ture%2Bx%3D&v=1";
        let bot = "https://a.example/bot12345:t0k3n-1/send?k3y-without-value";
        for (address, text, expected) in [
            (slack, "T0123456/B0/xxxxyyyyzzzz", "[secret]/B0/[secret]"),
            (slack, "token xxxxyyyyzzzz of B0", "token [secret] of B0"),
            (slack, r"at \/services\/T0123456\/B0\/xxxxyyyyzzzz", r"at [secret]"),
            (teams, "signature s1gn_a-ture+x= is wrong", "signature [secret] is wrong"),
            (teams, "signature s1gn_a-ture%2bx%3d", "signature [secret]"),
            (teams, "signature s1gn_a-ture x=", "signature [secret]"),
            (teams, "sp /run is wrong at 0123", "sp /run is wrong at 0123"),
            (teams, "sig%3Ds1gn_a-ture%252Bx%253D%26v", "sig%3D[secret]%26v"),
            (bot, "t0k3n-1 or k3y-without-value", "[secret] or [secret]"),
        ] {
            let url = Url::parse(address).unwrap();
            assert_eq!(redact(text, &parts(&url)), expected, "{address}");
        }
    }
}

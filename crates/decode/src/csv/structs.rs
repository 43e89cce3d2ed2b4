//! Reads structs as Athena and CloudTrail Lake print them: `{type=Root, principalid=1}`.
//!
//! The text has no quotes, so that it can be read only if all keys are known: a value ends where
//! `, ` and a known key follow, or at the bracket. Other texts are not read.

/// The maximum nesting depth of structs.
const MAX_DEPTH: usize = 8;

/// The length of the longest known key.
const LONGEST_KEY: usize = 24;

/// The keys in `userIdentity` and `tlsDetails`.
const KEYS: [&str; 31] = [
    "type",
    "principalId",
    "arn",
    "accountId",
    "accessKeyId",
    "userName",
    "invokedBy",
    "sessionContext",
    "attributes",
    "creationDate",
    "mfaAuthenticated",
    "sessionIssuer",
    "webIdFederationData",
    "federatedProvider",
    "ec2RoleDelivery",
    "sourceIdentity",
    "assumedRoot",
    "identityProvider",
    "credentialId",
    "onBehalfOf",
    "userId",
    "identityStoreArn",
    "inScopeOf",
    "issuerType",
    "credentialsIssuedTo",
    "sourceArn",
    "sourceAccount",
    "tlsVersion",
    "cipherSuite",
    "clientProvidedHostHeader",
    "keyExchange",
];

/// The keys in the elements of `resources`.
const RESOURCE_KEYS: [&str; 5] = ["ARN", "accountId", "type", "resourceType", "resourceName"];

/// For each length of a key, the places in [`KEYS`] of those that have it, as bits.
const OF_LENGTH: [u32; LONGEST_KEY + 1] = {
    let mut places = [0; LONGEST_KEY + 1];
    let mut place = 0;
    while place < KEYS.len() {
        places[KEYS[place].len()] |= 1 << place;
        place += 1;
    }
    places
};

/// Returns true for a key in `userIdentity` or `tlsDetails` that is spelled as CloudTrail does.
pub(crate) fn is_usual(key: &[u8]) -> bool {
    let mut places = OF_LENGTH.get(key.len()).copied().unwrap_or(0);
    while places != 0 {
        if KEYS[places.trailing_zeros() as usize].as_bytes() == key {
            return true;
        }
        places &= places - 1;
    }
    false
}

/// Returns CloudTrail's spelling of a key inside `member`, given in any case, its words joined or not.
pub(crate) fn canonical(key: &str, member: &str) -> Option<&'static str> {
    let keys: &[&'static str] = if member == "resources" { &RESOURCE_KEYS } else { &KEYS };
    let letters = || key.bytes().filter(|byte| !matches!(byte, b'_' | b'-' | b' '));
    let is_same = |known: &&&str| {
        let mut rest = letters();
        let mut known = known.bytes();
        loop {
            match (known.next(), rest.next()) {
                (None, None) => return true,
                (Some(a), Some(b)) if a.eq_ignore_ascii_case(&b) => {}
                _ => return false,
            }
        }
    };
    keys.iter().find(is_same).copied()
}

/// Returns the struct or array of structs in `text` as JSON, or `None` if it cannot be read for
/// certain; `member` names the member of the record that it is.
pub(crate) fn to_json(text: &str, member: &str) -> Option<String> {
    let mut parser = Parser { rest: text.trim(), member, json: String::new() };
    parser.value(0)?;
    parser.rest.is_empty().then_some(parser.json)
}

struct Parser<'a> {
    rest: &'a str,
    member: &'a str,
    json: String,
}

impl Parser<'_> {
    fn take(&mut self, prefix: &str) -> bool {
        let rest = self.rest.strip_prefix(prefix);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Reads a struct, an array of them, or a text.
    fn value(&mut self, depth: usize) -> Option<()> {
        if depth == MAX_DEPTH {
            return None;
        }
        if self.take("{") {
            self.members(depth)
        } else if self.take("[") {
            self.elements(depth)
        } else if depth == 0 {
            None
        } else {
            self.text()
        }
    }

    fn members(&mut self, depth: usize) -> Option<()> {
        self.json.push('{');
        let mut is_first = true;
        while !self.take("}") {
            if !is_first && !self.take(", ") {
                return None;
            }
            let (key, value) = self.rest.split_once('=')?;
            let key = canonical(key, self.member)?;
            self.rest = value;
            let start = self.json.len();
            if !self.json.ends_with('{') {
                self.json.push(',');
            }
            self.json.push_str(&format!("\"{key}\":"));
            let empty = self.json.len();
            self.value(depth + 1)?;
            // A member without a value is absent from the record.
            if self.json.len() == empty {
                self.json.truncate(start);
            }
            is_first = false;
        }
        self.json.push('}');
        Some(())
    }

    fn elements(&mut self, depth: usize) -> Option<()> {
        self.json.push('[');
        let mut is_first = true;
        while !self.take("]") {
            if !is_first {
                if !self.take(", ") {
                    return None;
                }
                self.json.push(',');
            }
            if !self.rest.starts_with('{') {
                return None;
            }
            self.value(depth + 1)?;
            is_first = false;
        }
        self.json.push(']');
        Some(())
    }

    /// Reads a text up to the next known key or the bracket; writes nothing for `null`.
    fn text(&mut self) -> Option<()> {
        let is_end = |(at, byte): (usize, u8)| match byte {
            b',' => self.is_known_key(at),
            byte => matches!(byte, b'{' | b'}' | b'[' | b']'),
        };
        let end = self.rest.bytes().enumerate().position(is_end)?;
        let (text, rest) = self.rest.split_at(end);
        if !rest.starts_with([',', '}']) {
            return None;
        }
        self.rest = rest;
        if !matches!(text, "null" | "") {
            self.json.push_str(&serde_json::Value::from(text).to_string());
        }
        Some(())
    }

    /// Returns true if a known key and its `=` follow the comma at this offset.
    fn is_known_key(&self, comma: usize) -> bool {
        let bytes = &self.rest.as_bytes()[comma..];
        let Some(key) = bytes.strip_prefix(b", ") else { return false };
        let length = key.iter().take(LONGEST_KEY + 1).position(|byte| *byte == b'=');
        let key = length.and_then(|length| std::str::from_utf8(&key[..length]).ok());
        key.is_some_and(|key| canonical(key, self.member).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_their_spellings() {
        for key in KEYS {
            assert!(is_usual(key.as_bytes()), "{key}");
            assert_eq!(canonical(key, "userIdentity"), Some(key));
            let other = key.to_ascii_uppercase();
            assert!(!is_usual(other.as_bytes()));
            assert_eq!(canonical(&other, "userIdentity"), Some(key));
        }
        for key in ["", "ARN", "x", &"x".repeat(100)] {
            assert!(!is_usual(key.as_bytes()), "{key}");
        }
        for key in RESOURCE_KEYS {
            assert_eq!(canonical(key, "resources"), Some(key));
        }
    }

    #[test]
    fn structs_with_known_keys_are_read() {
        for (member, text, json) in [
            (
                "userIdentity",
                "{type=AssumedRole, principalid=AROA:s, arn=arn:aws:sts::1:assumed-role/r/s, \
                 invokedby=null, sessioncontext={attributes={mfaauthenticated=false, \
                 creationdate=2026-03-17T10:00:00Z}, sessionissuer={type=Role, username=r}}}",
                Some(
                    r#"{"type":"AssumedRole","principalId":"AROA:s","arn":"arn:aws:sts::1:assumed-role/r/s","sessionContext":{"attributes":{"mfaAuthenticated":"false","creationDate":"2026-03-17T10:00:00Z"},"sessionIssuer":{"type":"Role","userName":"r"}}}"#,
                ),
            ),
            ("userIdentity", "{}", Some("{}")),
            ("userIdentity", "{invokedby=null, username=}", Some("{}")),
            // A comma or an equals sign inside a value.
            (
                "userIdentity",
                "{username=a, b=c, arn=x=y}",
                Some(r#"{"userName":"a, b=c","arn":"x=y"}"#),
            ),
            ("userIdentity", "{username=a\"b, arn=x}", Some(r#"{"userName":"a\"b","arn":"x"}"#)),
            (
                "resources",
                "[{arn=arn:aws:s3:::b, accountid=1, type=AWS::S3::Bucket}, {arn=x}]",
                Some(
                    r#"[{"ARN":"arn:aws:s3:::b","accountId":"1","type":"AWS::S3::Bucket"},{"ARN":"x"}]"#,
                ),
            ),
            ("tlsDetails", "{tlsversion=TLSv1.3}", Some(r#"{"tlsVersion":"TLSv1.3"}"#)),
            // An unknown key, brackets that do not match, or no struct.
            ("userIdentity", "{bucketname=b}", None),
            ("userIdentity", "{type=Root", None),
            ("userIdentity", "{type=Root}}", None),
            ("userIdentity", "{type=a{b}", None),
            ("userIdentity", "[a, b]", None),
            ("userIdentity", "Root", None),
        ] {
            assert_eq!(to_json(text, member).as_deref(), json, "{text}");
        }
        assert_eq!(to_json(&"{sessioncontext=".repeat(100_000), "userIdentity"), None);
    }
}

//! Tokens: who may send events, and where they go.
//!
//! Only the hash of a token is kept, so that whoever reads the store cannot send.

use serde::{Deserialize, Serialize};

use super::envelope::MAX_NAME_BYTES;
use crate::secret::TokenHash;

/// The most bytes of the name of an index.
const MAX_INDEX_BYTES: usize = 80;

/// The indexes of what searches find. Whoever writes there could forge findings.
const OF_FINDINGS: [&str; 3] = ["risk", "notable", "summary"];

/// The index of events for which nobody names one.
pub const DEFAULT_INDEX: &str = "main";

/// What is known of a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// The name by which people know it. No two tokens share one.
    pub name: String,
    /// The hash of the secret.
    pub hash: TokenHash,
    /// False if the token is refused.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// The index of events that name none; `None` for [`DEFAULT_INDEX`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<String>,
    /// The sourcetype of events that name none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sourcetype: Option<String>,
    /// The source of events that name none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The host of events that name none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The indexes that events may name. If there are none, events may name every index but those that
    /// begin with an underscore, which are for the program itself, and those of findings: `risk`, `notable`
    /// and `summary`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub indexes: Vec<String>,
    /// True if the sender asks later whether its events are stored, instead of waiting for the answer.
    #[serde(default)]
    pub use_ack: bool,
    /// True if the token may be in the query. Queries end up in logs of proxies, so that this is off.
    #[serde(default)]
    pub query_string: bool,
    /// When it was made, in microseconds since the epoch.
    #[serde(default)]
    pub created: i64,
}

fn yes() -> bool {
    true
}

impl Token {
    /// Describes an enabled token without any defaults.
    #[must_use]
    pub fn new(name: impl Into<String>, hash: TokenHash, created: i64) -> Self {
        Self {
            name: name.into(),
            hash,
            enabled: true,
            index: None,
            sourcetype: None,
            source: None,
            host: None,
            indexes: Vec::new(),
            use_ack: false,
            query_string: false,
            created,
        }
    }

    /// Returns the index of events that name none.
    #[must_use]
    pub fn default_index(&self) -> &str {
        self.index.as_deref().unwrap_or(DEFAULT_INDEX)
    }

    /// Returns true if events may name this index.
    #[must_use]
    pub fn allows(&self, index: &str) -> bool {
        if !is_index(index) {
            return false;
        }
        let is_listed = self.indexes.iter().any(|allowed| allowed == index);
        let is_own = index.starts_with('_') || OF_FINDINGS.contains(&index);
        is_listed || self.indexes.is_empty() && (!is_own || index == self.default_index())
    }
}

/// Returns true if this can be the name of an index: lower case letters, digits, `_` and `-`, of which `-`
/// does not come first.
#[must_use]
pub fn is_index(name: &str) -> bool {
    let is_letter = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
    (1..=MAX_INDEX_BYTES).contains(&name.len())
        && name.bytes().all(is_letter)
        && !name.starts_with('-')
        && name != "kvstore"
}

/// Why a token cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Two tokens have the same name.
    #[error("two tokens have the name `{0}`")]
    SameName(String),
    /// Two names stand for the same token.
    #[error("the tokens `{0}` and `{1}` are the same")]
    SameToken(String, String),
    /// A name is no index, or not one that the token may write to.
    #[error("the token `{token}` cannot write to the index `{index}`")]
    Index {
        /// The name of the token.
        token: String,
        /// The index.
        index: String,
    },
    /// A name or a default is too long.
    #[error("a name of the token `{0}` is longer than {MAX_NAME_BYTES} bytes")]
    TooLong(String),
}

/// The tokens that are known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Token>", into = "Vec<Token>")]
pub struct Tokens(Vec<Token>);

impl Tokens {
    /// Checks tokens, and returns those that can be used together.
    ///
    /// # Errors
    /// Fails if one could never be used as it is described, or if two cannot be told apart.
    pub fn new(tokens: Vec<Token>) -> Result<Self, TokenError> {
        for (at, token) in tokens.iter().enumerate() {
            let before = tokens.get(..at).unwrap_or_default();
            if before.iter().any(|other| other.name == token.name) {
                return Err(TokenError::SameName(token.name.clone()));
            }
            if let Some(other) = before.iter().find(|other| other.hash.is(&token.hash)) {
                return Err(TokenError::SameToken(other.name.clone(), token.name.clone()));
            }
            let bad = |index: &str| TokenError::Index {
                token: token.name.clone(),
                index: index.to_owned(),
            };
            if let Some(index) = token.indexes.iter().find(|index| !is_index(index)) {
                return Err(bad(index));
            }
            if !token.allows(token.default_index()) {
                return Err(bad(token.default_index()));
            }
            let names = [
                Some(&token.name),
                token.sourcetype.as_ref(),
                token.source.as_ref(),
                token.host.as_ref(),
            ];
            if names.into_iter().flatten().any(|name| name.len() > MAX_NAME_BYTES) {
                return Err(TokenError::TooLong(token.name.clone()));
            }
        }
        Ok(Self(tokens))
    }

    /// Returns the tokens, in the order in which they were given.
    #[must_use]
    pub fn list(&self) -> &[Token] {
        &self.0
    }

    /// Finds a token by its secret. How long this takes depends on the number of tokens only.
    #[must_use]
    pub fn find(&self, secret: &str) -> Option<&Token> {
        let hash = TokenHash::of(secret);
        let mut found = None;
        for token in &self.0 {
            if token.hash.is(&hash) {
                found = Some(token);
            }
        }
        found
    }
}

impl TryFrom<Vec<Token>> for Tokens {
    type Error = TokenError;

    fn try_from(tokens: Vec<Token>) -> Result<Self, TokenError> {
        Self::new(tokens)
    }
}

impl From<Tokens> for Vec<Token> {
    fn from(tokens: Tokens) -> Self {
        tokens.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(name: &str, secret: &str) -> Token {
        Token::new(name, TokenHash::of(secret), 7)
    }

    #[test]
    fn tokens_are_found_by_their_secret() {
        let tokens = Tokens::new(vec![token("a", "one"), token("b", "two")]).unwrap();
        for (secret, expected) in
            [("one", Some("a")), ("two", Some("b")), ("One", None), ("", None), ("one ", None)]
        {
            assert_eq!(tokens.find(secret).map(|token| token.name.as_str()), expected, "{secret}");
        }
    }

    #[test]
    fn tokens_are_data() {
        let mut one = token("a", "one");
        one.indexes = vec!["main".into(), "aws".into()];
        one.host = Some("h".into());
        let tokens = Tokens::new(vec![one, token("b", "two")]).unwrap();
        let text = serde_json::to_string(&tokens).unwrap();
        assert!(!text.contains("one") && !text.contains("source"), "{text}");
        assert_eq!(serde_json::from_str::<Tokens>(&text).unwrap(), tokens);
        // The hash is that of `printf one | sha256sum`.
        let hash = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed";
        assert!(text.contains(hash), "{text}");
        let short = format!(r#"[{{"name":"a","hash":"{hash}"}}]"#);
        let read: Tokens = serde_json::from_str(&short).unwrap();
        assert_eq!(read.find("one"), Some(&Token { created: 0, ..token("a", "one") }));
        for bad in [
            r#"[{"name":"a","hash":"12"}]"#.to_owned(),
            r#"[{"name":"a","hash":"xx"}]"#.to_owned(),
            short.replace("76", "+6"),
            short.replace(hash, &hash[1..]),
            short.replace("\"name\"", "\"nam\""),
            format!(r#"[{{"name":"a","hash":"{hash}","index":"A"}}]"#),
        ] {
            assert!(serde_json::from_str::<Tokens>(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn tokens_that_cannot_work_are_refused() {
        let with = |change: fn(&mut Token)| {
            let mut one = token("a", "one");
            change(&mut one);
            Tokens::new(vec![one, token("b", "two")]).map(drop)
        };
        let index = |index: &str| Err(TokenError::Index { token: "a".into(), index: index.into() });
        for (found, expected) in [
            (with(|_| ()), Ok(())),
            (with(|token| token.name = "b".into()), Err(TokenError::SameName("b".into()))),
            (
                with(|token| token.hash = TokenHash::of("two")),
                Err(TokenError::SameToken("a".into(), "b".into())),
            ),
            (with(|token| token.index = Some("Main".into())), index("Main")),
            (with(|token| token.index = Some(String::new())), index("")),
            (with(|token| token.index = Some("_own".into())), Ok(())),
            (with(|token| token.indexes = vec!["a".into()]), index("main")),
            (with(|token| token.indexes = vec!["a".into(), "main".into()]), Ok(())),
            (with(|token| token.indexes = vec!["../a".into(), "main".into()]), index("../a")),
            (
                with(|token| token.host = Some("h".repeat(5000))),
                Err(TokenError::TooLong("a".into())),
            ),
        ] {
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn allowed_indexes() {
        let mut listed = token("a", "one");
        listed.indexes = vec!["main".into(), "_audit".into()];
        let any = token("b", "two");
        for (index, by_list, by_any) in [
            ("main", true, true),
            ("_audit", true, false),
            ("aws-1_x", false, true),
            ("-a", false, false),
            ("Main", false, false),
            ("a/b", false, false),
            ("..", false, false),
            ("", false, false),
            ("kvstore", false, false),
        ] {
            assert_eq!((listed.allows(index), any.allows(index)), (by_list, by_any), "{index:?}");
        }
        assert!(any.allows(&"i".repeat(80)) && !any.allows(&"i".repeat(81)));
    }
}

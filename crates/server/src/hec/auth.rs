//! Who sends: the token of a request, and what is wrong with it.

use std::borrow::Cow;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::query::Query;
use super::reply::Code;
use super::tokens::{Token, Tokens};
use crate::audit::RefusalReason;

/// A request that is refused for its token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) code: Code,
    pub(crate) reason: RefusalReason,
    /// The name of the token, if it is known.
    pub(crate) token: Option<String>,
}

impl Refused {
    fn new(code: Code, reason: RefusalReason) -> Self {
        Self { code, reason, token: None }
    }
}

/// Returns the token of a request.
///
/// What is in the header `Authorization` counts before the query. The order of checks is that of Splunk: a
/// missing token, a header that is not understood, an unknown token, a disabled one, and at last a token in
/// the query, which its own setting allows.
pub(crate) fn authorize<'a>(
    headers: &HeaderMap,
    query: &Query,
    tokens: &'a Tokens,
) -> Result<&'a Token, Refused> {
    let Some(secret) = secret(headers, query)? else {
        return Err(Refused::new(Code::TokenRequired, RefusalReason::Missing));
    };
    let Some(token) = tokens.find(&secret) else {
        return Err(Refused::new(Code::InvalidToken, RefusalReason::Unknown));
    };
    let refused = |code, reason| Err(Refused { code, reason, token: Some(token.name.clone()) });
    if !token.enabled {
        return refused(Code::TokenDisabled, RefusalReason::Disabled);
    }
    if query.get("token").is_some() && !token.query_string {
        return refused(Code::QueryStringAuthorization, RefusalReason::InQuery);
    }
    Ok(token)
}

/// Returns the secret that a request shows, if it shows one.
///
/// The word before a token is `Splunk`, in this case only, as in Splunk. `Basic` has the token as its
/// password, with any user.
pub(crate) fn secret<'a>(
    headers: &'a HeaderMap,
    query: &'a Query,
) -> Result<Option<Cow<'a, str>>, Refused> {
    let malformed = || Refused::new(Code::InvalidAuthorization, RefusalReason::Malformed);
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let header = values.next();
    if values.next().is_some() {
        return Err(malformed());
    }
    let header = header.map(|value| value.to_str().map_err(|_| malformed())).transpose()?;
    let Some(header) = header.map(str::trim_ascii).filter(|header| !header.is_empty()) else {
        let token = query.get("token").map(str::trim_ascii).filter(|token| !token.is_empty());
        return Ok(token.map(Cow::Borrowed));
    };
    let (word, rest) = header.split_once(' ').ok_or_else(malformed)?;
    let rest = rest.trim_ascii();
    if word == "Splunk" {
        return Ok(Some(Cow::Borrowed(rest)));
    }
    if !word.eq_ignore_ascii_case("Basic") {
        return Err(malformed());
    }
    let decoded = STANDARD.decode(rest).map_err(|_| malformed())?;
    let decoded = String::from_utf8(decoded).map_err(|_| malformed())?;
    let (_, password) = decoded.split_once(':').ok_or_else(malformed)?;
    if password.is_empty() {
        return Err(malformed());
    }
    Ok(Some(Cow::Owned(password.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::TokenHash;

    fn token(name: &str) -> Token {
        Token::new(name, TokenHash::of(name), 0)
    }

    #[test]
    fn the_order_of_checks() {
        let tokens = Tokens::new(vec![
            token("good"),
            Token { enabled: false, ..token("off") },
            Token { query_string: true, ..token("query") },
            Token { query_string: true, enabled: false, ..token("query-off") },
        ])
        .unwrap();
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        let none = String::new;
        for (header, query, expected) in [
            ("Splunk good".to_owned(), "", Ok("good")),
            ("Splunk   good ".to_owned(), "", Ok("good")),
            (basic("x:good"), "", Ok("good")),
            (basic(":good"), "", Ok("good")),
            (basic("good").replace("Basic", "basic"), "", Err(Code::InvalidAuthorization)),
            (basic("x:good").replace("Basic", "BASIC"), "", Ok("good")),
            (basic("good:"), "", Err(Code::InvalidAuthorization)),
            (basic("x:y:good"), "", Err(Code::InvalidToken)),
            ("Basic !".to_owned(), "", Err(Code::InvalidAuthorization)),
            ("Basic /w==".to_owned(), "", Err(Code::InvalidAuthorization)),
            ("splunk good".to_owned(), "", Err(Code::InvalidAuthorization)),
            ("SPLUNK good".to_owned(), "", Err(Code::InvalidAuthorization)),
            ("Bearer good".to_owned(), "", Err(Code::InvalidAuthorization)),
            ("good".to_owned(), "", Err(Code::InvalidAuthorization)),
            ("Splunk".to_owned(), "", Err(Code::InvalidAuthorization)),
            ("Splunk GOOD".to_owned(), "", Err(Code::InvalidToken)),
            ("Splunk off".to_owned(), "", Err(Code::TokenDisabled)),
            (none(), "", Err(Code::TokenRequired)),
            (none(), "token=", Err(Code::TokenRequired)),
            (" ".to_owned(), "", Err(Code::TokenRequired)),
            (none(), "token=bad", Err(Code::InvalidToken)),
            (none(), "token=off", Err(Code::TokenDisabled)),
            (none(), "token=query-off", Err(Code::TokenDisabled)),
            (none(), "token=good", Err(Code::QueryStringAuthorization)),
            (none(), "token=query", Ok("query")),
            // The header counts, and the query is still not allowed.
            ("Splunk good".to_owned(), "token=query", Err(Code::QueryStringAuthorization)),
            ("Splunk query".to_owned(), "token=other", Ok("query")),
            ("Splunk bad".to_owned(), "token=query", Err(Code::InvalidToken)),
            ("Bearer good".to_owned(), "token=query", Err(Code::InvalidAuthorization)),
        ] {
            let mut headers = HeaderMap::new();
            if !header.is_empty() {
                headers.insert(AUTHORIZATION, header.parse().unwrap());
            }
            let found = authorize(&headers, &Query::parse(Some(query)), &tokens);
            let found = found.map(|token| token.name.as_str()).map_err(|refused| refused.code);
            assert_eq!(found, expected, "{header:?} {query:?}");
        }
    }

    #[test]
    fn one_header_only() {
        let tokens = Tokens::new(vec![token("good")]).unwrap();
        let mut headers = HeaderMap::new();
        headers.append(AUTHORIZATION, "Splunk good".parse().unwrap());
        headers.append(AUTHORIZATION, "Splunk good".parse().unwrap());
        let found = authorize(&headers, &Query::parse(None), &tokens);
        assert_eq!(found.unwrap_err().code, Code::InvalidAuthorization);
    }
}

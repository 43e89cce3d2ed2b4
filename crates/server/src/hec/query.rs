//! The query of a request.

use std::collections::HashMap;

use url::form_urlencoded;

/// The most parameters that are read; others are ignored.
const MAX_PARAMETERS: usize = 100;

/// The parameters of a query. The first one of a name counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Query(HashMap<String, String>);

impl Query {
    /// Reads what comes after the question mark. Anything can be read.
    pub(crate) fn parse(query: Option<&str>) -> Self {
        let mut parameters = HashMap::new();
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        for (name, value) in pairs.take(MAX_PARAMETERS) {
            parameters.entry(name.into_owned()).or_insert_with(|| value.into_owned());
        }
        Self(parameters)
    }

    /// Returns the value of a parameter.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Returns true if a parameter asks for something.
    pub(crate) fn is_set(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value == "1" || value.eq_ignore_ascii_case("true"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters() {
        let query = Query::parse(Some("a=1&b=x%20y+z&a=2&c&d=%ff&e=TRUE&f=no"));
        for (name, value, is_set) in [
            ("a", Some("1"), true),
            ("b", Some("x y z"), false),
            ("c", Some(""), false),
            ("d", Some("\u{fffd}"), false),
            ("e", Some("TRUE"), true),
            ("f", Some("no"), false),
            ("g", None, false),
        ] {
            assert_eq!((query.get(name), query.is_set(name)), (value, is_set), "{name}");
        }
        assert_eq!(Query::parse(None), Query::default());
    }
}

//! Builds a JSON object from values that are JSON already, so that no digit of a number is lost.

/// The members of an object, in order.
#[derive(Debug, Default)]
pub(crate) struct Members(Vec<(String, Member)>);

#[derive(Debug)]
enum Member {
    Json(String),
    Object(Members),
}

impl Members {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Sets the value at these keys.
    ///
    /// A value that is there stays, unless it is null. Where a whole value stands beside some of its
    /// own members, these are kept under keys that are joined by dots.
    pub(crate) fn insert(&mut self, path: &[String], json: String) {
        let Some((key, inner)) = path.split_first() else { return };
        let place = self.0.iter().position(|(name, _)| name == key);
        let Some(place) = place else {
            let member = if inner.is_empty() {
                Member::Json(json)
            } else {
                let mut members = Self::default();
                members.insert(inner, json);
                Member::Object(members)
            };
            self.0.push((key.clone(), member));
            return;
        };
        match &mut self.0[place].1 {
            Member::Json(old) if old == "null" => {
                self.0[place].1 = Member::Object(Self::default());
                if inner.is_empty() {
                    self.0[place].1 = Member::Json(json);
                } else {
                    self.insert(path, json);
                }
            }
            Member::Json(_) if inner.is_empty() => {}
            Member::Json(_) => self.insert(&[path.join(".")], json),
            Member::Object(members) if !inner.is_empty() => members.insert(inner, json),
            Member::Object(_) if json == "null" => {}
            Member::Object(members) => {
                let mut leaves = Vec::new();
                std::mem::take(members).into_leaves(key, &mut leaves);
                self.0[place].1 = Member::Json(json);
                leaves.into_iter().for_each(|(key, json)| self.insert(&[key], json));
            }
        }
    }

    /// Adds all values below a key, with their keys joined by dots.
    fn into_leaves(self, prefix: &str, leaves: &mut Vec<(String, String)>) {
        for (key, member) in self.0 {
            let key = format!("{prefix}.{key}");
            match member {
                Member::Json(json) => leaves.push((key, json)),
                Member::Object(members) => members.into_leaves(&key, leaves),
            }
        }
    }

    /// Works like [`Members::insert`], but a value replaces an earlier one at the same keys; null does
    /// not replace members that have been set below them.
    pub(crate) fn set(&mut self, path: &[String], json: String) {
        let is_same = |(name, _): &&mut (String, Member)| path == [name.as_str()];
        match self.0.iter_mut().find(is_same) {
            Some((_, Member::Object(_))) if json == "null" => {}
            Some((_, value)) => *value = Member::Json(json),
            None => self.insert(path, json),
        }
    }

    pub(crate) fn write(&self, text: &mut String) {
        self.write_object(text);
    }

    /// Writes a nested object: a list if its keys are the places in one.
    fn write_nested(&self, text: &mut String) {
        let is_place = |(index, (key, _)): (usize, &(String, Member))| *key == index.to_string();
        if !self.0.iter().enumerate().all(is_place) {
            return self.write_object(text);
        }
        text.push('[');
        for (index, (_, member)) in self.0.iter().enumerate() {
            if index > 0 {
                text.push(',');
            }
            member.write(text);
        }
        text.push(']');
    }

    fn write_object(&self, text: &mut String) {
        text.push('{');
        for (index, (key, member)) in self.0.iter().enumerate() {
            if index > 0 {
                text.push(',');
            }
            text.push_str(&quoted(key));
            text.push(':');
            member.write(text);
        }
        text.push('}');
    }
}

impl Member {
    fn write(&self, text: &mut String) {
        match self {
            Self::Json(json) => text.push_str(json),
            Self::Object(members) => members.write_nested(text),
        }
    }
}

/// Returns a text as a JSON string.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_value_may_stand_beside_its_members() {
        for (values, text) in [
            (&[("a.b", "1"), ("a.c.d", "2")][..], r#"{"a":{"b":1,"c":{"d":2}}}"#),
            (&[("a", "null"), ("a.b", "1")], r#"{"a":{"b":1}}"#),
            (&[("a.b", "1"), ("a", "null")], r#"{"a":{"b":1}}"#),
            (&[("a", "null"), ("a", "1")], r#"{"a":1}"#),
            (&[("a", "[1]"), ("a.b", "1"), ("a.c", "2")], r#"{"a":[1],"a.b":1,"a.c":2}"#),
            (&[("a.b", "1"), ("a.c.d", "2"), ("a", "[1]")], r#"{"a":[1],"a.b":1,"a.c.d":2}"#),
            (&[("a", "1"), ("a", "2")], r#"{"a":1}"#),
            (&[("a.0.x", "1"), ("a.1.x", "2")], r#"{"a":[{"x":1},{"x":2}]}"#),
        ] {
            let mut members = Members::default();
            for (path, json) in values {
                let path: Vec<String> = path.split('.').map(str::to_owned).collect();
                members.insert(&path, (*json).to_owned());
            }
            let mut written = String::new();
            members.write(&mut written);
            assert_eq!(written, text, "{values:?}");
        }
    }
}

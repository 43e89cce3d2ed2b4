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

    /// Sets the value at these keys; what stands in the way stays.
    pub(crate) fn insert(&mut self, path: &[String], json: String) {
        let Some((key, inner)) = path.split_first() else { return };
        let place = self.0.iter().position(|(name, _)| name == key);
        if inner.is_empty() {
            if place.is_none() {
                self.0.push((key.clone(), Member::Json(json)));
            }
            return;
        }
        let place = place.unwrap_or_else(|| {
            self.0.push((key.clone(), Member::Object(Self::default())));
            self.0.len() - 1
        });
        if let Member::Object(members) = &mut self.0[place].1 {
            members.insert(inner, json);
        }
    }

    pub(crate) fn write(&self, text: &mut String) {
        text.push('{');
        for (index, (key, member)) in self.0.iter().enumerate() {
            if index > 0 {
                text.push(',');
            }
            text.push_str(&quoted(key));
            text.push(':');
            match member {
                Member::Json(json) => text.push_str(json),
                Member::Object(members) => members.write(text),
            }
        }
        text.push('}');
    }
}

/// Returns a text as a JSON string.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

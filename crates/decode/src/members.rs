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

//! The JSON object around an event: what is in it, and what is wrong with it.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::reply::Code;
use super::time::microseconds;

/// The most bytes of a host, a source or a sourcetype.
pub(crate) const MAX_NAME_BYTES: usize = 4096;

/// The parts of an event as the sender gives them. What is empty or null is `None`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Envelope<'a> {
    /// The text: that of a string, or the bytes of any other value as they were sent.
    pub(crate) text: Cow<'a, str>,
    /// Microseconds since the epoch.
    pub(crate) time: Option<i64>,
    pub(crate) names: Names<'a>,
    /// A flat JSON object, as it was sent.
    pub(crate) fields: Option<&'a str>,
}

/// Where an event is from. What is not named is as the token says.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Names<'a> {
    pub(crate) index: Option<Cow<'a, str>>,
    pub(crate) sourcetype: Option<Cow<'a, str>>,
    pub(crate) source: Option<Cow<'a, str>>,
    pub(crate) host: Option<Cow<'a, str>>,
}

impl Names<'_> {
    /// Treats empty names as none.
    ///
    /// # Errors
    /// Fails if a name is too long, which no host or file is.
    pub(crate) fn checked(mut self) -> Result<Self, Code> {
        for name in [&mut self.index, &mut self.sourcetype, &mut self.source, &mut self.host] {
            if name.as_ref().is_some_and(|name| name.len() > MAX_NAME_BYTES) {
                return Err(Code::InvalidDataFormat);
            }
            *name = name.take().filter(|name| !name.is_empty());
        }
        Ok(self)
    }
}

/// The members that have a meaning. Others are ignored, and of several with one name the last counts.
#[derive(Default)]
struct Members<'a> {
    event: Option<&'a RawValue>,
    time: Option<&'a RawValue>,
    fields: Option<&'a RawValue>,
    names: Names<'a>,
}

/// A text that lies in the object, unless it has escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;
        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Members::default();
                while let Some(Text(name)) = map.next_key()? {
                    let names = &mut members.names;
                    let named = match &*name {
                        "event" => {
                            members.event = map.next_value()?;
                            continue;
                        }
                        "time" => {
                            members.time = map.next_value()?;
                            continue;
                        }
                        "fields" => {
                            members.fields = map.next_value()?;
                            continue;
                        }
                        "index" => &mut names.index,
                        "sourcetype" => &mut names.sourcetype,
                        "source" => &mut names.source,
                        "host" => &mut names.host,
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                            continue;
                        }
                    };
                    *named = map.next_value::<Option<Text<'_>>>()?.map(|text| text.0);
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(MembersVisitor)
    }
}

impl<'a> Envelope<'a> {
    /// Reads an object.
    ///
    /// # Errors
    /// Fails with the code that the protocol has for the first thing that is wrong: the form of the
    /// object, `event`, `time`, names, `fields`.
    pub(crate) fn parse(object: &'a [u8]) -> Result<Self, Code> {
        let object = std::str::from_utf8(object).map_err(|_| Code::InvalidDataFormat)?;
        let members: Members<'_> =
            serde_json::from_str(object).map_err(|_| Code::InvalidDataFormat)?;
        let text = text(members.event.ok_or(Code::EventFieldRequired)?.get())?;
        let time = members.time.map(|time| time_of(time.get())).transpose()?;
        let names = members.names.checked()?;
        let fields = members.fields.map(|fields| fields_of(fields.get())).transpose()?.flatten();
        Ok(Self { text, time, names, fields })
    }
}

/// Returns a string if `json` is one. It was parsed before, but its escapes were not decoded.
fn string(json: &str) -> Option<Result<Cow<'_, str>, Code>> {
    json.starts_with('"').then(|| {
        let text = serde_json::from_str::<Text<'_>>(json);
        text.map(|text| text.0).map_err(|_| Code::InvalidDataFormat)
    })
}

fn text(json: &str) -> Result<Cow<'_, str>, Code> {
    match string(json) {
        Some(text) => match text? {
            text if text.is_empty() => Err(Code::EventFieldBlank),
            text => Ok(text),
        },
        None => Ok(Cow::Borrowed(json)),
    }
}

fn time_of(json: &str) -> Result<i64, Code> {
    let text = string(json).unwrap_or(Ok(Cow::Borrowed(json)))?;
    microseconds(&text).ok_or(Code::InvalidDataFormat)
}

/// Checks that fields are a flat object; one without members counts as none.
fn fields_of(json: &str) -> Result<Option<&str>, Code> {
    if !json.starts_with('{') {
        return Err(Code::InvalidDataFormat);
    }
    let members = serde_json::from_str::<FlatObject>(json).map_err(|_| Code::IndexedFields)?;
    Ok((members.0 > 0).then_some(json))
}

/// The number of members of an object whose values are scalars or arrays of scalars.
struct FlatObject(u64);

/// A scalar, or an array of scalars.
struct Flat;

/// Anything but an object or an array.
struct Scalar;

impl<'de> Deserialize<'de> for FlatObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = FlatObject;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<FlatObject, A::Error> {
                let mut count = 0;
                while map.next_entry::<IgnoredAny, Flat>()?.is_some() {
                    count += 1;
                }
                Ok(FlatObject(count))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// Accepts scalars, and arrays of scalars if it may.
struct FlatVisitor {
    may_be_array: bool,
}

impl<'de> Visitor<'de> for FlatVisitor {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value that is not nested")
    }
    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        if !self.may_be_array {
            return Err(A::Error::custom("an array in an array"));
        }
        while seq.next_element::<Scalar>()?.is_some() {}
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Flat {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FlatVisitor { may_be_array: true }).map(|()| Self)
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FlatVisitor { may_be_array: false }).map(|()| Self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_are_kept_as_they_are() {
        for (event, expected) in [
            (r#""one""#, "one"),
            (r#""a \"b\" \\ \u00e9 \n""#, "a \"b\" \\ \u{e9} \n"),
            (r#"" ""#, " "),
            // The bytes of anything else stay, blanks and numbers and the order of members.
            (r#"{"b" : 1.0,  "a":1e2 , "b":"\u0041"}"#, r#"{"b" : 1.0,  "a":1e2 , "b":"\u0041"}"#),
            ("[1,\n2]", "[1,\n2]"),
            ("{}", "{}"),
            ("1.50", "1.50"),
            ("12345678901234567890123", "12345678901234567890123"),
            ("false", "false"),
        ] {
            for object in [
                format!(r#"{{"event":{event}}}"#),
                format!(r#"{{ "x" : [{{}}], "event" : {event} , "time" : null }}"#),
            ] {
                let found = Envelope::parse(object.as_bytes());
                assert_eq!(
                    found.map(|found| found.text.into_owned()),
                    Ok(expected.into()),
                    "{object}"
                );
            }
        }
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let object = format!(r#"{{"other":{deep},"event":{deep}}}"#);
        assert_eq!(Envelope::parse(object.as_bytes()).unwrap().text, deep);
        for name in ["time", "fields", "host"] {
            let object = format!(r#"{{"event":1,"{name}":{deep}}}"#);
            assert_eq!(Envelope::parse(object.as_bytes()), Err(Code::InvalidDataFormat));
        }
    }

    #[test]
    fn parts() {
        let object =
            br#"{"time":"1680000000.25","host":"h","source":"s","sourcetype":"t","index":"i",
            "event":"e","fields": {"a":1, "b":["x",null,true,1.5], "c":"d"},"other":{"z":1}}"#;
        let names = Names {
            index: Some("i".into()),
            sourcetype: Some("t".into()),
            source: Some("s".into()),
            host: Some("h".into()),
        };
        let expected = Envelope {
            text: "e".into(),
            time: Some(1_680_000_000_250_000),
            names,
            fields: Some(r#"{"a":1, "b":["x",null,true,1.5], "c":"d"}"#),
        };
        assert_eq!(Envelope::parse(object), Ok(expected));
        let twice = br#"{"event":"x","host":"a","event":2,"host":"b","\u0068ost":"c"}"#;
        let names = Names { host: Some("c".into()), ..Names::default() };
        let expected = Envelope { text: "2".into(), time: None, names, fields: None };
        assert_eq!(Envelope::parse(twice), Ok(expected));
        let empty = br#"{"event":1,"time":null,"host":"","source":null,"index":"","fields":{}}"#;
        let expected =
            Envelope { text: "1".into(), time: None, names: Names::default(), fields: None };
        assert_eq!(Envelope::parse(empty), Ok(expected));
    }

    #[test]
    fn what_is_wrong_has_a_code() {
        let long = format!(r#"{{"event":1,"host":"{}"}}"#, "h".repeat(MAX_NAME_BYTES + 1));
        for (object, expected) in [
            ("{}", Code::EventFieldRequired),
            (r#"{"event":null}"#, Code::EventFieldRequired),
            (r#"{"Event":1}"#, Code::EventFieldRequired),
            (r#"{"event":""}"#, Code::EventFieldBlank),
            (r#"{"event":1,}"#, Code::InvalidDataFormat),
            (r#"{"event":01}"#, Code::InvalidDataFormat),
            (r#"{"event":{"a"}}"#, Code::InvalidDataFormat),
            (r#"{"event":1,"event":null}"#, Code::EventFieldRequired),
            (r#"{"event":"\ud800"}"#, Code::InvalidDataFormat),
            ("{\"event\":\"\n\"}", Code::InvalidDataFormat),
            (r#"{"event":1,"time":"yesterday"}"#, Code::InvalidDataFormat),
            (r#"{"event":1,"time":-5}"#, Code::InvalidDataFormat),
            (r#"{"event":1,"time":[1]}"#, Code::InvalidDataFormat),
            (r#"{"event":1,"time":{}}"#, Code::InvalidDataFormat),
            (r#"{"event":1,"time":true}"#, Code::InvalidDataFormat),
            (r#"{"event":1,"host":5}"#, Code::InvalidDataFormat),
            (r#"{"event":1,"index":["main"]}"#, Code::InvalidDataFormat),
            (r#"{"event":1,"fields":[]}"#, Code::InvalidDataFormat),
            (r#"{"event":1,"fields":"a"}"#, Code::InvalidDataFormat),
            (r#"{"event":1,"fields":{"a":{}}}"#, Code::IndexedFields),
            (r#"{"event":1,"fields":{"a":{"b":1}}}"#, Code::IndexedFields),
            (r#"{"event":1,"fields":{"a":[[1]]}}"#, Code::IndexedFields),
            (r#"{"event":1,"fields":{"a":[{"b":1}]}}"#, Code::IndexedFields),
            (long.as_str(), Code::InvalidDataFormat),
        ] {
            assert_eq!(Envelope::parse(object.as_bytes()), Err(expected), "{object}");
        }
        assert_eq!(Envelope::parse(b"{\"event\":\"\xff\"}"), Err(Code::InvalidDataFormat));
    }

    proptest! {
        /// Whatever is in an object: the text of an event is not empty, and what is kept is in the object.
        #[test]
        fn any_object(pieces in prop::collection::vec(prop::sample::select(vec![
            "{", "}", "[", "]", ",", ":", "\"", "\\", "\"event\":", "\"time\":", "\"fields\":", "\"host\":",
            "1", "-1.5e3", "null", "true", "\"\"", "\"a\"", "{\"a\":1}", "{\"a\":{}}", "\\u00e9", " ", "\u{e9}",
        ]), 0..12)) {
            let object = format!("{{{}}}", pieces.concat());
            if let Ok(found) = Envelope::parse(object.as_bytes()) {
                prop_assert!(!found.text.is_empty());
                prop_assert!(found.fields.is_none_or(|fields| object.contains(fields)));
            }
        }

        /// A serializer's objects come back with their parts.
        #[test]
        fn written_objects(text in ".+", host in ".*", seconds in 0..253_402_300_800_i64, value in ".*") {
            let fields = serde_json::json!({"k": [value.as_str(), 1, null]}).to_string();
            let object = serde_json::json!({
                "event": text, "host": host, "time": seconds,
                "fields": serde_json::from_str::<serde_json::Value>(&fields).unwrap(),
            });
            let object = object.to_string();
            let found = Envelope::parse(object.as_bytes()).unwrap();
            prop_assert_eq!(&*found.text, text.as_str());
            prop_assert_eq!(found.time, Some(seconds * 1_000_000));
            prop_assert_eq!(found.names.host.as_deref().unwrap_or_default(), host.as_str());
            prop_assert_eq!(found.fields, Some(fields.as_str()));
        }
    }
}

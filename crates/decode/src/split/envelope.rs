//! Extracts the event from an envelope object.

use std::io::Read;
use std::ops::Range;

use super::shape::{self, Shape};
use super::{Found, Splitter, scan};
use crate::json;
use crate::record::Format;
use crate::report::SkipKind;

impl<R: Read> Splitter<R> {
    /// Extracts the event from an object of this shape.
    pub(super) fn unwrap(&mut self, shape: Shape, range: Range<usize>) -> Option<Found> {
        let bytes = &self.window.bytes()[range.clone()];
        let row = || Some(Found::Text { range: range.clone(), format: Format::Json });
        match shape {
            Shape::CloudTrail if json::is_s3_notification(bytes) => {
                Some(Found::Skipped(SkipKind::S3Notification))
            }
            Shape::CloudTrail => Some(Found::Text { range, format: Format::CloudTrail }),
            Shape::Lake => Some(Found::Text { range, format: Format::Lake }),
            Shape::Row => row(),
            Shape::Digest => Some(Found::Skipped(SkipKind::Digest)),
            Shape::Config => Some(Found::Skipped(SkipKind::OtherService)),
            Shape::S3Test if json::is_s3_test(bytes) => {
                Some(Found::Skipped(SkipKind::S3Notification))
            }
            Shape::S3Test => row(),
            Shape::EventBridge => self.inner_object(range, b"detail"),
            Shape::SplunkResult => self.inner_object(range, b"result"),
            Shape::SplunkRow => self.inner_text(&range, b"_raw").or_else(row),
            Shape::LookupEvent => self.inner_text(&range, b"CloudTrailEvent").or_else(row),
            Shape::LogEvent => {
                self.inner_text(&range, b"message").or(Some(Found::Skipped(SkipKind::LogMessage)))
            }
        }
    }

    /// Continues with the object under `key`; without one, the whole object is a row.
    fn inner_object(&mut self, range: Range<usize>, key: &[u8]) -> Option<Found> {
        let bytes = &self.window.bytes()[range.clone()];
        let Some(inner) = json::member(bytes, key).filter(|inner| bytes[inner.start] == b'{')
        else {
            return Some(Found::Text { range, format: Format::Json });
        };
        let keys = shape::outer_keys(&bytes[inner.clone()]);
        let inner = range.start + inner.start..range.start + inner.end;
        match keys.shape() {
            Shape::EventBridge | Shape::SplunkResult => {
                Some(Found::Text { range: inner, format: Format::Json })
            }
            shape => self.unwrap(shape, inner),
        }
    }

    /// Extracts the event written as a string under `key`, or returns `None` if it has none.
    fn inner_text(&mut self, range: &Range<usize>, key: &[u8]) -> Option<Found> {
        let offset = self.window.offset(range.start);
        let bytes = &self.window.bytes()[range.clone()];
        let inner = json::member(bytes, key)?;
        let quoted = bytes[inner].strip_prefix(b"\"")?.strip_suffix(b"\"")?;
        let quoted = String::from_utf8_lossy(quoted);
        let text = json::unescape(&quoted);
        let trimmed = text.trim();
        if !trimmed.starts_with('{') || !scan::is_valid(trimmed.as_bytes()) {
            return None;
        }
        let format = match shape::outer_keys(trimmed.as_bytes()).shape() {
            Shape::CloudTrail => Format::CloudTrail,
            Shape::Lake => Format::Lake,
            Shape::Digest => return Some(Found::Skipped(SkipKind::Digest)),
            _ if key == b"_raw" => return None,
            _ => Format::Json,
        };
        self.scratch = trimmed.to_owned();
        Some(Found::Scratch { offset, format })
    }
}

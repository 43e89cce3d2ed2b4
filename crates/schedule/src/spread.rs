//! When a run starts within its window.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::moment::Moment;

/// The longest window that [`Window::Auto`] gives, in seconds.
const LONGEST_AUTO: i64 = 30 * 60;

/// The most minutes of a window: a week.
const MOST_MINUTES: u32 = 7 * 24 * 60;

/// How long after its nominal time a run may start. It never changes the interval that the run covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Window {
    /// It starts at its nominal time.
    #[default]
    None,
    /// It starts within this many minutes.
    Minutes(u32),
    /// It starts within a tenth of the time until the next firing, and within half an hour: six minutes
    /// for what runs each hour.
    Auto,
}

impl Window {
    /// Returns its length in seconds, given the time until the next firing.
    #[must_use]
    pub fn seconds(self, period: i64) -> i64 {
        match self {
            Self::None => 0,
            Self::Minutes(minutes) => i64::from(minutes) * 60,
            Self::Auto => (period / 10).clamp(0, LONGEST_AUTO),
        }
    }
}

/// A text that is no window.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no window: expected `auto`, `none`, or minutes from 0 to {MOST_MINUTES}")]
pub struct WindowError {
    /// The text.
    pub text: String,
}

impl FromStr for Window {
    type Err = WindowError;

    /// Reads a window as content and users write it: `auto`, `none` or nothing, or minutes up to a week.
    fn from_str(text: &str) -> Result<Self, WindowError> {
        match text.trim() {
            "auto" => Ok(Self::Auto),
            "" | "none" => Ok(Self::None),
            minutes => match minutes.parse() {
                Ok(0) => Ok(Self::None),
                Ok(minutes) if minutes <= MOST_MINUTES => Ok(Self::Minutes(minutes)),
                _ => Err(WindowError { text: text.to_owned() }),
            },
        }
    }
}

impl fmt::Display for Window {
    /// Writes a window as it is read.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Minutes(minutes) => minutes.fmt(f),
            Self::Auto => f.write_str("auto"),
        }
    }
}

/// Returns when a run starts that may start within `window` seconds of its nominal time.
///
/// Each detection has a place in the window that depends on its id alone, so that runs are spread and
/// each stays where it is. The place is the number that the first eight bytes of the SHA-256 of the id
/// are, the first byte being the highest, modulo the length of the window in seconds: the same on every
/// machine and in every version.
#[must_use]
pub fn start_of(nominal: Moment, id: &str, window: i64) -> Moment {
    let Ok(length @ 1..) = u64::try_from(window) else { return nominal };
    let hash = Sha256::digest(id.as_bytes());
    let place = hash.iter().take(8).fold(0, |place, byte| place << 8 | u64::from(*byte)) % length;
    // The place is less than the window, which is an `i64`.
    nominal.plus(place as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_never_change() {
        // `printf a | sha256sum` begins with ca978112ca1bbdca.
        for (id, window, expected) in [
            ("a", 3600, 0xca97_8112_ca1b_bdca_u64 % 3600),
            ("a", 60, 0xca97_8112_ca1b_bdca_u64 % 60),
            ("a", 1, 0),
            ("a", 0, 0),
            ("a", -5, 0),
            ("", 3600, 0xe3b0_c442_98fc_1c14_u64 % 3600),
        ] {
            let found = start_of(Moment(7200), id, window);
            assert_eq!(found, Moment(7200 + expected as i64), "{id} {window}");
        }
    }

    #[test]
    fn places_are_spread() {
        let mut tenths = [0; 10];
        for number in 0..1000 {
            let id = format!("detection {number}");
            tenths[(start_of(Moment(0), &id, 600).0 / 60) as usize] += 1;
        }
        assert!(tenths.iter().all(|count| (60..140).contains(count)), "{tenths:?}");
    }

    #[test]
    fn windows_are_written_as_they_are_read() {
        for (text, window, written) in [
            ("auto", Window::Auto, "auto"),
            (" auto ", Window::Auto, "auto"),
            ("none", Window::None, "none"),
            ("0", Window::None, "none"),
            ("", Window::None, "none"),
            ("5", Window::Minutes(5), "5"),
            ("10080", Window::Minutes(10_080), "10080"),
        ] {
            assert_eq!(text.parse(), Ok(window), "{text}");
            assert_eq!(window.to_string(), written, "{text}");
            assert_eq!(written.parse(), Ok(window), "{text}");
        }
        for text in ["10081", "-1", "5m", "Auto", "1.5", "99999999999"] {
            let expected = format!(
                "`{text}` is no window: expected `auto`, `none`, or minutes from 0 to 10080"
            );
            assert_eq!(text.parse::<Window>().unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn windows_have_lengths() {
        for (window, period, expected) in [
            (Window::None, 3600, 0),
            (Window::Minutes(5), 3600, 300),
            (Window::Auto, 3600, 360),
            (Window::Auto, 86_400, 1800),
            (Window::Auto, 60, 6),
        ] {
            assert_eq!(window.seconds(period), expected, "{window:?} {period}");
        }
    }
}

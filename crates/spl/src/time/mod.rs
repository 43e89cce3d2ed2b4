//! Handles times: modifiers such as `-70m@m`, calendar steps, `strftime` and `strptime`.
//!
//! Times are seconds since 1970 as `f64`, as everywhere in SPL, with a resolution of a microsecond.
//! The functions take the current time and zone as arguments and never query them.

mod calendar;
mod delivery;
mod deprecated;
mod format;
mod modifier;
mod parse;
mod periods;
mod unit;

pub use calendar::{add, floor};
pub use delivery::{SLOW_DELIVERY, USUAL_DELIVERY, longest_ago};
pub use deprecated::deprecated;
pub use format::strftime;
pub use modifier::{Modifier, Snap, Step, TimeError, parse_modifier, relative_time, resolve};
pub use parse::strptime;
pub use periods::{Periods, parse_period};
pub use unit::{Span, Unit, parse_span};

//! Detections, macros, lookups, stories and deployments from `security_content` folders.
//!
//! [`ContentSet::load`] reads folders of YAML in any of the three schemas in use, and converts them
//! to one form. An item that cannot be used is reported as a [`ContentProblem`] with its location,
//! and loading continues with the rest. This crate runs no searches; reading the folders is its
//! only IO.

pub mod attack;
mod builtin;
mod configuration;
mod data_source;
mod deployment;
mod detection;
mod drilldown;
mod files;
mod format;
mod keys;
mod kind;
mod knowledge;
mod load;
mod lookup;
mod lookup_names;
mod macros;
mod placed;
mod replaced;
mod risk;
mod schedule;
mod schema;
mod set;
mod story;
mod table;
mod template;
#[cfg(test)]
mod test_folder;
mod tokens;
mod unrisked;
mod untold;
mod unused;
mod values;
mod walk;
mod window;
mod yaml;

pub use builtin::BUILTIN;
pub use data_source::DataSource;
pub use deployment::{Deployment, Deployments, NotableAction, Scheduling};
pub use detection::{
    Annotations, AttackData, Detection, DetectionTest, DetectionType, Expectation, NotableText,
    Outcome, Status, TestType, Throttling,
};
pub use drilldown::{Drilldown, DrilldownTimes, FilledDrilldown, quote};
pub use format::{
    FormatFailure, Formatted, Language, format_file, format_text, format_yaml, formattable,
};
pub use kind::{FolderUse, folder_names, folder_use};
pub use lookup::{Lookup, LookupRows, LookupSource, MAX_CSV_BYTES, MatchType, lookup_stem};
pub use lookup_names::{common_lookup_name, lookup_names};
pub use placed::{Placed, Places, allowed_in, unread_comments};
pub use replaced::{Replaced, Superseded};
pub use risk::{FindingKeys, NotableSeverity, Risk, RiskObject, ThreatObject};
pub use set::{BuiltinPack, ContentProblem, ContentSet, TestLogs};
pub use story::Story;
pub use table::TableProblem;
pub use template::{NO_VALUE, Template};
pub use tokens::is_of_the_finding;
pub use walk::is_content;
pub use yaml::MAX_YAML_BYTES;

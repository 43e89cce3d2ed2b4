//! What searches can read of events, by which columns and row groups are left out.

use std::collections::BTreeSet;

use spilltrail_event::{Predicate, fields, stored};

use crate::cloudtrail::{Profile, derived_field};
use crate::event_view::{all_time_members, members_of};
use crate::needles::Needles;
use crate::record::Format;

/// What is needed of events of one format.
#[derive(Debug, Clone)]
pub(crate) struct Need {
    /// The members that are read; `None` means all of them.
    pub(super) members: Option<BTreeSet<String>>,
    /// The members by which events are counted: their times.
    pub(super) counted: BTreeSet<String>,
    /// The conditions of the searches; events that satisfy none of them are only counted. `None`
    /// means that all events are read.
    pub(super) conditions: Option<Vec<Predicate>>,
    /// The format in which the events are read.
    pub(super) format: Format,
    profile: Profile,
}

impl Need {
    /// Returns the need for the times of events of this format, and nothing else.
    pub(crate) fn nothing(format: Format, profile: Profile) -> Self {
        let counted: BTreeSet<String> = all_time_members(format).map(ToOwned::to_owned).collect();
        let members = Some(counted.clone());
        Self { members, counted, conditions: Some(Vec::new()), format, profile }
    }

    /// Returns the need for everything.
    pub(crate) fn everything(self) -> Self {
        Self { members: None, conditions: None, ..self }
    }

    /// Adds the events that satisfy a condition, with the members that it compares.
    pub(crate) fn add_condition(&mut self, condition: &Predicate) {
        for field in condition.fields() {
            self.add_field(field);
        }
        if let Some(conditions) = &mut self.conditions {
            conditions.push(condition.clone());
        }
    }

    /// Adds the members that a field is made of.
    pub(crate) fn add_field(&mut self, field: &str) {
        let Some(members) = &mut self.members else { return };
        match members_of(field, self.format, self.profile) {
            Some(found) => members.extend(found.into_iter().map(ToOwned::to_owned)),
            None => self.members = None,
        }
    }

    /// Adds all members.
    pub(crate) fn add_all_members(&mut self) {
        self.members = None;
    }

    /// Returns words of which the text of an event must contain at least one for a search to match; `None`
    /// if there are none.
    pub(super) fn needles(&self) -> Option<Needles> {
        let conditions = self.conditions.as_ref()?;
        // An event that lacks a member that is compared is told: nobody knows whether it would match.
        let is_known = |field: &str| {
            [fields::TIME, fields::RAW].contains(&field) || stored::LEADS.contains(&field)
        };
        let is_of_text = |condition: &Predicate| condition.fields().into_iter().all(is_known);
        if !conditions.iter().all(is_of_text) {
            return None;
        }
        Needles::of_all(conditions, self.format, self.profile)
    }

    /// Returns true if a field is the member of the same name.
    pub(super) fn is_member(&self, field: &str) -> bool {
        let is_derived =
            || self.format == Format::CloudTrail && derived_field(field, self.profile).is_some();
        let is_own = |members: Vec<&str>| members == [field];
        field != fields::TIME
            && !is_derived()
            && members_of(field, self.format, self.profile).is_some_and(is_own)
    }
}

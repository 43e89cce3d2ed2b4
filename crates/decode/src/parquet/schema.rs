//! Knows the columns of a Parquet file: what they are called in events, and how they are read.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Fields, TimeUnit};
use parquet::arrow::{
    FieldLevels, ProjectionMask, parquet_to_arrow_field_levels, parquet_to_arrow_schema,
    parquet_to_arrow_schema_by_columns,
};
use parquet::basic::{ConvertedType, LogicalType, Type as Physical};
use parquet::errors::{ParquetError, Result};
use parquet::schema::types::{SchemaDescriptor, Type, TypePtr};

use super::json::{Column, Leaf, Shape, Writer};
use crate::csv::{Columns, Kind, canonical};
use crate::members::Members;
use crate::record::Format;

/// The maximum number of leaves of a schema.
const MAX_LEAVES: usize = 4096;
/// The maximum size of values of a fixed length.
const MAX_FIXED: i32 = 1024;

/// The columns of a file.
#[derive(Debug)]
pub(super) struct Schema {
    descriptor: SchemaDescriptor,
    /// The types that columns are read as.
    fields: Fields,
    columns: Columns,
    pub(super) leaves: Vec<LeafColumn>,
    /// The format of all rows; `None` if each row has to be looked at.
    pub(super) format: Option<Format>,
}

/// A column of scalar values.
#[derive(Debug)]
pub(super) struct LeafColumn {
    /// The keys at which its values stand in an event, joined by dots. A document with keys of its
    /// own has those of the whole document.
    pub(super) path: String,
    /// How its values are written.
    leaf: Leaf,
    /// True if an event has at most one value of it, at `path`.
    pub(super) is_single: bool,
    pub(super) data_type: DataType,
    /// The index of the column that it is, or is in.
    column: usize,
}

impl Schema {
    pub(super) fn new(descriptor: &SchemaDescriptor) -> Result<Self> {
        let columns = descriptor.columns();
        let is_too_long = |length: i32| !(0..=MAX_FIXED).contains(&length);
        let is_fixed = |physical: Physical| physical == Physical::FIXED_LEN_BYTE_ARRAY;
        if columns.len() > MAX_LEAVES
            || columns.iter().any(|c| is_fixed(c.physical_type()) && is_too_long(c.type_length()))
        {
            return Err(ParquetError::NYI("it has too many or too large columns".to_owned()));
        }
        let leaves: Vec<Leaf> = columns.iter().map(|column| leaf_of(column.self_type())).collect();
        let physical: Vec<Physical> = columns.iter().map(|c| c.physical_type()).collect();
        let descriptor = SchemaDescriptor::new(texts_as_bytes(&descriptor.root_schema_ptr())?);
        let plain = parquet_to_arrow_schema(&descriptor, None)?;
        let mut next = physical.iter();
        let fields: Fields =
            plain.fields.iter().map(|field| Arc::new(hinted(field, &mut next))).collect();
        let names: Vec<String> = fields.iter().map(|field| field.name().clone()).collect();
        let columns = Columns::new(&names);
        let has = |name: &str| names.iter().any(|found| found == name);
        let format = if columns.whole.is_some() {
            None
        } else if columns.are_cloudtrail {
            Some(Format::CloudTrail)
        } else if has("class_uid") && (has("category_uid") || has("metadata")) {
            Some(Format::Lake)
        } else {
            None
        };
        let mut schema = Self { descriptor, fields, columns, leaves: Vec::new(), format };
        let mut found = Vec::new();
        for index in 0..schema.fields.len() {
            let column = &schema.columns.columns[index];
            let place =
                Place { path: column.path.join("."), names: schema.names(index), is_single: true };
            place.find_leaves(schema.fields[index].data_type(), index, &mut found);
        }
        if found.len() != leaves.len() {
            return Err(ParquetError::NYI("it has columns without values".to_owned()));
        }
        for (leaf, kind) in found.iter_mut().zip(leaves) {
            leaf.leaf = kind;
        }
        schema.leaves = found;
        Ok(schema)
    }

    fn is_cloudtrail(&self) -> bool {
        self.format == Some(Format::CloudTrail)
    }

    /// Returns how the keys inside a column are written.
    fn names(&self, index: usize) -> Names<'_> {
        let column = &self.columns.columns[index];
        match column.kind {
            _ if !self.is_cloudtrail() => Names::Kept,
            Kind::Document => Names::OfDocument,
            Kind::Struct => Names::Of(&column.path[0]),
            Kind::Text | Kind::Inner | Kind::Flag | Kind::Time => Names::Kept,
        }
    }

    /// Returns the leaf that alone has the values of a member.
    pub(super) fn leaf_at(&self, member: &str) -> Option<usize> {
        let mut found = (0..self.leaves.len()).filter(|index| self.leaves[*index].path == member);
        let leaf = found.next().filter(|_| found.next().is_none())?;
        self.leaves[leaf].is_single.then_some(leaf)
    }

    /// Returns the leaf that alone has the values of a member, if they are texts and written as they
    /// are.
    pub(super) fn text_at(&self, member: &str) -> Option<usize> {
        let leaf = self.leaf_at(member)?;
        let LeafColumn { leaf: kind, column, .. } = &self.leaves[leaf];
        let is_whole = !matches!(self.fields[*column].data_type(), DataType::Struct(_));
        let is_text = !is_whole || self.columns.columns[*column].kind == Kind::Text;
        (*kind == Leaf::Text && is_text).then_some(leaf)
    }

    /// Returns the leaf that is a whole column of this name.
    pub(super) fn leaf_of_column(&self, name: &str) -> Option<usize> {
        self.leaves.iter().position(|leaf| {
            let field = &self.fields[leaf.column];
            field.name() == name && !field.data_type().is_nested()
        })
    }

    /// Returns true if the values of a leaf are texts.
    pub(super) fn is_text(&self, leaf: usize) -> bool {
        self.leaves[leaf].leaf == Leaf::Text
    }

    /// Returns true if the values of a leaf are times in microseconds.
    pub(super) fn is_micros(&self, leaf: usize) -> bool {
        matches!(self.leaves[leaf].data_type, DataType::Timestamp(TimeUnit::Microsecond, _))
    }

    /// Returns how to read these leaves, which are whole columns in the order of the file.
    pub(super) fn levels_of(&self, leaves: &[usize]) -> Result<FieldLevels> {
        let mask = ProjectionMask::leaves(&self.descriptor, leaves.iter().copied());
        parquet_to_arrow_field_levels(&self.descriptor, mask, Some(&self.fields))
    }

    /// Returns an event with all outermost members, whose values are nothing.
    pub(super) fn names_of_members(&self) -> String {
        let mut members = Members::default();
        for column in &self.columns.columns {
            members.insert(&column.path[..1], "0".to_owned());
        }
        let mut text = String::new();
        members.write(&mut text);
        text
    }

    /// Returns the member of records whose keys the names of columns join in a way that is not known.
    pub(super) fn oddly_joined(&self) -> Option<&'static str> {
        self.columns.odd
    }

    /// Returns true if a column has this name.
    pub(super) fn has_member(&self, member: &str) -> bool {
        self.leaves.iter().any(|leaf| overlap(member, &leaf.path))
    }

    /// Returns how to read the leaves of the wanted paths, or all leaves.
    ///
    /// A leaf is wanted if its path is one of the wanted ones, or is inside one, or around one.
    pub(super) fn project(&self, wanted: Option<&BTreeSet<String>>) -> Result<Projection> {
        let is_wanted = |leaf: &LeafColumn| {
            wanted.is_none_or(|wanted| wanted.iter().any(|path| overlap(path, &leaf.path)))
        };
        let mut kept: Vec<usize> =
            (0..self.leaves.len()).filter(|index| is_wanted(&self.leaves[*index])).collect();
        // Any column tells how many rows there are.
        if kept.is_empty() {
            kept.push(0);
        }
        let mask = ProjectionMask::leaves(&self.descriptor, kept.iter().copied());
        let schema = parquet_to_arrow_schema_by_columns(&self.descriptor, mask.clone(), None)?;
        let levels = parquet_to_arrow_field_levels(&self.descriptor, mask, Some(&self.fields))?;
        let mut places: Vec<usize> = kept.iter().map(|index| self.leaves[*index].column).collect();
        places.dedup();
        if places.len() != schema.fields.len() {
            return Err(ParquetError::NYI("it has columns without values".to_owned()));
        }
        let mut leaves = kept.iter().map(|index| self.leaves[*index].leaf);
        let columns = places.iter().zip(schema.fields.iter()).map(|(index, field)| {
            let shape = shape_of(field.data_type(), &mut leaves, self.names(*index));
            Column::new(self.columns.columns[*index].clone(), shape)
        });
        let columns = columns.collect();
        Ok(Projection { levels, writer: Writer::new(columns, self.is_cloudtrail()), leaves: kept })
    }
}

/// What is read of a file, and how it is written.
pub(super) struct Projection {
    pub(super) levels: FieldLevels,
    pub(super) writer: Writer,
    /// The indices of the leaves that are read.
    pub(super) leaves: Vec<usize>,
}

/// How the keys inside a column are written.
#[derive(Debug, Clone, Copy)]
enum Names<'a> {
    /// As they are.
    Kept,
    /// As they are; all of the column is one document of CloudTrail, whose lists of pairs of `key`
    /// and `value` are objects.
    OfDocument,
    /// As CloudTrail writes those in this member of a record: tables of Athena have them in lower
    /// case.
    Of(&'a str),
}

impl Names<'_> {
    fn written(self, key: &str) -> &str {
        match self {
            Self::Of(member) => canonical(key, member).unwrap_or(key),
            Self::Kept | Self::OfDocument => key,
        }
    }
}

/// Where a value stands in the events.
#[derive(Debug, Clone)]
struct Place<'a> {
    path: String,
    names: Names<'a>,
    is_single: bool,
}

impl Place<'_> {
    fn find_leaves(self, data_type: &DataType, column: usize, found: &mut Vec<LeafColumn>) {
        match data_type {
            DataType::Struct(fields) => {
                for field in fields {
                    let mut place = self.clone();
                    if !matches!(self.names, Names::OfDocument) {
                        place.path = format!("{}.{}", self.path, self.names.written(field.name()));
                    }
                    place.find_leaves(field.data_type(), column, found);
                }
            }
            DataType::List(element) => {
                let place = Self { is_single: false, ..self };
                place.find_leaves(element.data_type(), column, found);
            }
            DataType::Map(entries, _) => {
                let place = Self { is_single: false, names: Names::OfDocument, ..self };
                place.find_leaves(entries.data_type(), column, found);
            }
            _ => found.push(LeafColumn {
                path: self.path,
                leaf: Leaf::Bytes,
                is_single: self.is_single,
                data_type: data_type.clone(),
                column,
            }),
        }
    }
}

/// Returns how the values of a type are written; takes as many leaves as it has.
fn shape_of(
    data_type: &DataType,
    leaves: &mut dyn Iterator<Item = Leaf>,
    names: Names<'_>,
) -> Shape {
    match data_type {
        DataType::Struct(fields) => Shape::Struct(
            fields
                .iter()
                .map(|field| {
                    let shape = shape_of(field.data_type(), leaves, names);
                    (names.written(field.name()).to_owned(), shape)
                })
                .collect(),
        ),
        DataType::List(element) => {
            let inner = shape_of(element.data_type(), leaves, names);
            match inner {
                Shape::Struct(members) if are_pairs(&members, names) => {
                    let mut shapes = members.into_iter().map(|(_, shape)| shape);
                    let (key, value) = (shapes.next(), shapes.next());
                    Shape::Map(
                        Box::new(key.unwrap_or_default()),
                        Box::new(value.unwrap_or_default()),
                    )
                }
                inner => Shape::List(Box::new(inner)),
            }
        }
        DataType::Map(entries, _) => match shape_of(entries.data_type(), leaves, names) {
            Shape::Struct(members) => {
                let mut shapes = members.into_iter().map(|(_, shape)| shape);
                let (key, value) = (shapes.next(), shapes.next());
                Shape::Map(Box::new(key.unwrap_or_default()), Box::new(value.unwrap_or_default()))
            }
            other => other,
        },
        _ => {
            let leaf = leaves.next().unwrap_or(Leaf::Bytes);
            match names {
                Names::OfDocument => Shape::DocumentLeaf(leaf),
                Names::Kept | Names::Of(_) => Shape::Leaf(leaf),
            }
        }
    }
}

fn are_pairs(members: &[(String, Shape)], names: Names<'_>) -> bool {
    let names: Vec<&str> = match names {
        Names::OfDocument => members.iter().map(|(name, _)| name.as_str()).collect(),
        Names::Kept | Names::Of(_) => return false,
    };
    names == ["key", "value"]
}

/// Returns true if one of two paths is the other, or is inside it; `{}` after a key does not count.
fn overlap(wanted: &str, path: &str) -> bool {
    let wanted = wanted.replace("{}", "");
    let is_inside = |inner: &str, outer: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    is_inside(&wanted, path) || is_inside(path, &wanted)
}

/// Returns how the values of a leaf are written.
fn leaf_of(leaf: &Type) -> Leaf {
    let info = leaf.get_basic_info();
    let is_text = matches!(
        info.converted_type(),
        ConvertedType::UTF8 | ConvertedType::ENUM | ConvertedType::JSON
    );
    match info.logical_type_ref() {
        Some(LogicalType::String | LogicalType::Enum | LogicalType::Json) => Leaf::Text,
        Some(LogicalType::Uuid) => Leaf::Uuid,
        _ if is_text => Leaf::Text,
        _ => Leaf::Bytes,
    }
}

/// Returns a schema in which texts are bytes, so that one that is not UTF-8 does not cost its row
/// group.
fn texts_as_bytes(node: &TypePtr) -> Result<TypePtr> {
    if node.is_primitive() {
        let is_text =
            leaf_of(node) == Leaf::Text && node.get_physical_type() == Physical::BYTE_ARRAY;
        if !is_text {
            return Ok(node.clone());
        }
        let bytes = Type::primitive_type_builder(node.name(), Physical::BYTE_ARRAY)
            .with_repetition(node.get_basic_info().repetition())
            .build()?;
        return Ok(Arc::new(bytes));
    }
    let fields: Result<Vec<TypePtr>> = node.get_fields().iter().map(texts_as_bytes).collect();
    let info = node.get_basic_info();
    let mut group = Type::group_type_builder(node.name())
        .with_fields(fields?)
        .with_converted_type(info.converted_type())
        .with_logical_type(info.logical_type_ref().cloned());
    if info.has_repetition() {
        group = group.with_repetition(info.repetition());
    }
    Ok(Arc::new(group.build()?))
}

/// Returns the field with the types that its leaves are read as: bytes that share their pages, and
/// microseconds where nanoseconds since 1970 do not reach all times that the file can hold.
fn hinted(field: &Field, physical: &mut dyn Iterator<Item = &Physical>) -> Field {
    let data_type = match field.data_type() {
        DataType::Struct(fields) => {
            DataType::Struct(fields.iter().map(|field| Arc::new(hinted(field, physical))).collect())
        }
        DataType::List(element) => DataType::List(Arc::new(hinted(element, physical))),
        DataType::Map(entries, is_sorted) => {
            DataType::Map(Arc::new(hinted(entries, physical)), *is_sorted)
        }
        leaf => match (leaf, physical.next()) {
            (DataType::Binary, _) => DataType::BinaryView,
            (DataType::Timestamp(..), Some(Physical::INT96)) => {
                DataType::Timestamp(TimeUnit::Microsecond, None)
            }
            _ => leaf.clone(),
        },
    };
    field.clone().with_data_type(data_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_overlap() {
        for (wanted, path, overlaps) in [
            ("eventName", "eventName", true),
            ("requestParameters.a.b", "requestParameters", true),
            ("userIdentity", "userIdentity.arn", true),
            ("resources{}.ARN", "resources.ARN", true),
            ("resources{}.ARN", "resources.type", false),
            ("eventName", "eventNames", false),
            ("a.b", "a.c", false),
        ] {
            assert_eq!(overlap(wanted, path), overlaps, "{wanted} {path}");
        }
    }
}

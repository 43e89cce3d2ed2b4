//! The places of rows on a map: a grid for each level of zoom, and the mean position in each cell.

use std::collections::HashMap;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::{Result as EngineResult, internal_datafusion_err};
use datafusion::execution::TaskContext;
use serde::{Deserialize, Serialize};
use spilltrail_event::{Field, Kind, Value};

use crate::operators::gather::{self, Gathering, Given, HeldRows};
use crate::operators::{Operator, Running};
use crate::rows::arrow::{ColumnBuilder, ColumnReader};
use crate::rows::state::state_of;

/// The most memory that a place takes in a map.
const HELD: usize = 112;

/// The latitude of the southern edge of the map; the northern one is opposite.
const SOUTH: f64 = -90.0;
/// The longitude of the western edge of the map; the eastern one is opposite.
const WEST: f64 = -180.0;

/// Grids over the map, one for each level of zoom.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Grid {
    /// The field with the latitude.
    pub(super) latitude: String,
    /// The field with the longitude.
    pub(super) longitude: String,
    /// The height of cells at the lowest level, in degrees.
    #[serde(with = "spilltrail_event::exact")]
    pub(super) height: f64,
    /// The width of cells at the lowest level, in degrees.
    #[serde(with = "spilltrail_event::exact")]
    pub(super) width: f64,
    /// The number of levels.
    pub(super) levels: usize,
}

/// A cell: its level of zoom, and its numbers from the south and from the west.
type Cell = (u32, u64, u64);

impl Grid {
    /// Returns the position of each row of a batch, if it is on the map.
    fn positions(&self, batch: &RecordBatch) -> EngineResult<Vec<Option<(f64, f64)>>> {
        let latitudes = gather::reader(batch, &self.latitude)?;
        let longitudes = gather::reader(batch, &self.longitude)?;
        let Some((latitudes, longitudes)) = latitudes.zip(longitudes) else {
            return Ok(vec![None; batch.num_rows()]);
        };
        let number = |reader: &ColumnReader, row: usize, edge: f64| {
            reader.value(row).as_number().filter(|number| number.abs() <= edge.abs())
        };
        let position =
            |row| Some((number(&latitudes, row, SOUTH)?, number(&longitudes, row, WEST)?));
        Ok((0..batch.num_rows()).map(position).collect())
    }

    /// Returns the cells of a position, one for each level.
    fn cells(&self, (latitude, longitude): (f64, f64)) -> impl Iterator<Item = Cell> {
        let (mut height, mut width) = (self.height, self.width);
        (0..self.levels).map(move |level| {
            let y = number(latitude, SOUTH, height);
            let x = number(longitude, WEST, width);
            height /= 2.0;
            width /= 2.0;
            (u32::try_from(level).unwrap_or(u32::MAX), y, x)
        })
    }
}

/// Returns the number of the part of this size in which a coordinate is, from the edge of the map.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a number from 0; a cast saturates"
)]
fn number(coordinate: f64, edge: f64, size: f64) -> u64 {
    // The opposite edge belongs to the last part.
    let last = (-2.0 * edge / size).ceil() - 1.0;
    ((coordinate - edge) / size).floor().min(last) as u64
}

/// The sum of the positions in a cell.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    latitude: f64,
    longitude: f64,
    count: f64,
}

/// Adds a column with the cells of each row, each with the mean position of the rows in it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Located {
    pub(super) grid: Grid,
    /// The column that is added.
    pub(super) output: String,
}

impl Gathering for Located {
    const NAME: &'static str = "geostats";

    fn output(&self, input: &[Field]) -> Vec<Field> {
        gather::fields_with(input, &[Field::new(&self.output, Kind::Multi)])
    }

    fn given(self, mut rows: HeldRows, output: SchemaRef) -> EngineResult<Given> {
        let mut sums: HashMap<Cell, Sum> = HashMap::new();
        for batch in rows.replay()? {
            for position in self.grid.positions(&batch?)?.into_iter().flatten() {
                for cell in self.grid.cells(position) {
                    if !sums.contains_key(&cell) {
                        rows.learn(HELD)?;
                    }
                    let sum = sums.entry(cell).or_default();
                    sum.latitude += position.0;
                    sum.longitude += position.1;
                    sum.count += 1.0;
                }
            }
        }
        Ok(Box::new(rows.give()?.map(move |batch| {
            let batch = batch?;
            let mut column = ColumnBuilder::new(Kind::Multi);
            for position in self.grid.positions(&batch)? {
                let Some(position) = position else {
                    column.push(Value::Null);
                    continue;
                };
                let cells = self.grid.cells(position);
                let texts = cells.map(|cell| text(cell, sums.get(&cell).copied()).into());
                column.push(Value::multi(texts.collect()));
            }
            gather::batch_with(&batch, &output, &[(self.output.clone(), column.finish())])
        })))
    }
}

/// Returns a cell as a text from which [`Placed`] reads its name and position.
fn text((level, y, x): Cell, sum: Option<Sum>) -> String {
    let sum = sum.unwrap_or_default();
    let (latitude, longitude) = (sum.latitude / sum.count, sum.longitude / sum.count);
    format!("bin_id_zl_{level}_y_{y}_x_{x} {latitude} {longitude}")
}

/// Replaces the column of cells by their names, and adds their positions.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Placed {
    /// The column of cells.
    pub(super) place: String,
    /// The names of the columns of the result.
    pub(super) name: String,
    pub(super) latitude: String,
    pub(super) longitude: String,
}

impl Operator for Placed {
    fn name(&self) -> &'static str {
        "geostats_placed"
    }

    fn state(&self) -> String {
        state_of(self)
    }

    fn output(&self, input: &[Field]) -> Vec<Field> {
        let mut names = vec![self.name.clone(), self.latitude.clone(), self.longitude.clone()];
        let mut fields = vec![Field::new(&self.name, Kind::Text)];
        for field in input.iter().filter(|field| field.name != self.place) {
            let mut name = field.name.clone();
            while names.contains(&name) {
                name.insert_str(0, "VALUE_");
            }
            names.push(name.clone());
            fields.push(Field::new(name, field.kind));
        }
        fields.push(Field::new(&self.latitude, Kind::Number));
        fields.push(Field::new(&self.longitude, Kind::Number));
        fields
    }

    fn keeps_rows(&self) -> bool {
        true
    }

    fn needs_rows(&self) -> bool {
        true
    }

    fn start(
        &self,
        input: SchemaRef,
        output: SchemaRef,
        _: &TaskContext,
    ) -> EngineResult<Box<dyn Running>> {
        let index = input.index_of(&self.place)?;
        Ok(Box::new(Placing { index, output }))
    }
}

struct Placing {
    /// The index of the column of cells.
    index: usize,
    output: SchemaRef,
}

impl Running for Placing {
    fn push(&mut self, batch: RecordBatch) -> EngineResult<Option<RecordBatch>> {
        let places = ColumnReader::new(batch.column(self.index))?;
        let mut names = ColumnBuilder::new(Kind::Text);
        let mut positions = [ColumnBuilder::new(Kind::Number), ColumnBuilder::new(Kind::Number)];
        for row in 0..batch.num_rows() {
            let place = places.value(row).to_text().map(|text| text.into_owned());
            let place = place.ok_or_else(|| internal_datafusion_err!("a row has no place"))?;
            let mut parts = place.split(' ');
            names.push(parts.next().map_or(Value::Null, |name| Value::text(name.to_owned())));
            for column in &mut positions {
                let number = parts.next().and_then(|part| part.parse().ok());
                column.push(number.map_or(Value::Null, Value::Number));
            }
        }
        let mut columns = vec![names.finish()];
        let others = batch.columns().iter().enumerate().filter(|(index, _)| *index != self.index);
        columns.extend(others.map(|(_, column)| column.clone()));
        columns.extend(positions.map(ColumnBuilder::finish));
        gather::of_columns(&self.output, columns, batch.num_rows()).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_cover_the_map() {
        let grid = Grid {
            latitude: "lat".to_owned(),
            longitude: "lon".to_owned(),
            height: 22.5,
            width: 45.0,
            levels: 3,
        };
        for (position, expected) in [
            ((-90.0, -180.0), [(0, 0, 0), (1, 0, 0), (2, 0, 0)]),
            ((90.0, 180.0), [(0, 7, 7), (1, 15, 15), (2, 31, 31)]),
            ((0.0, 0.0), [(0, 4, 4), (1, 8, 8), (2, 16, 16)]),
            ((-0.1, 44.9), [(0, 3, 4), (1, 7, 9), (2, 15, 19)]),
        ] {
            assert_eq!(grid.cells(position).collect::<Vec<_>>(), expected, "{position:?}");
        }
        // Sizes that do not divide the map leave a smaller last part.
        assert_eq!(number(90.0, SOUTH, 50.0), 3);
        assert_eq!(number(180.0, WEST, 1000.0), 0);
    }
}

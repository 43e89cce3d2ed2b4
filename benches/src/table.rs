//! Figures to tables, for a terminal or for a Markdown document.

use std::fmt::Write;
use std::time::Duration;

/// How tables are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Columns for a person.
    #[default]
    Text,
    /// A table that can be pasted into a document.
    Markdown,
}

/// Rows under a head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Begins a table; its first column is for names, the others are for figures.
    pub fn new<T: Into<String>>(head: impl IntoIterator<Item = T>) -> Self {
        Self { head: head.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    /// Adds a row; one that is too short is filled up.
    pub fn row(&mut self, cells: Vec<String>) {
        let mut cells = cells;
        cells.resize(self.head.len(), String::new());
        self.rows.push(cells);
    }

    /// Returns the table as text that ends a line.
    #[must_use]
    pub fn render(&self, format: Format) -> String {
        let mut text = String::new();
        match format {
            Format::Markdown => {
                let mut line = |cells: &[String]| {
                    let cells: Vec<String> =
                        cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
                    let _ = writeln!(text, "| {} |", cells.join(" | "));
                };
                line(&self.head);
                let rule = (0..self.head.len())
                    .map(|column| if column == 0 { "---" } else { "---:" }.to_owned());
                line(&rule.collect::<Vec<_>>());
                for row in &self.rows {
                    line(row);
                }
            }
            Format::Text => {
                let all = || std::iter::once(&self.head).chain(&self.rows);
                let widths: Vec<usize> = (0..self.head.len())
                    .map(|column| {
                        all().map(|row| row[column].chars().count()).max().unwrap_or_default()
                    })
                    .collect();
                for row in all() {
                    let mut line = String::new();
                    for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                        let pad = " ".repeat(width - cell.chars().count());
                        match column {
                            0 => line.push_str(&(cell.clone() + &pad)),
                            _ => line.push_str(&format!("  {pad}{cell}")),
                        }
                    }
                    let _ = writeln!(text, "{}", line.trim_end());
                }
            }
        }
        text
    }
}

/// Returns the value in the middle, of an even number the mean of the two; None of nothing.
#[must_use]
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        length if length % 2 == 1 => Some(sorted[middle]),
        _ => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
    }
}

/// Returns seconds with three digits, which is what the kernel's figures are good for.
#[must_use]
pub fn seconds(seconds: f64) -> String {
    format!("{seconds:.3}")
}

/// Returns the median with its range: `0.341 (0.338–0.352)`.
#[must_use]
pub fn spread(values: &[f64]) -> String {
    let Some(middle) = median(values) else { return String::new() };
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if values.len() < 2 {
        return seconds(middle);
    }
    format!("{} ({}–{})", seconds(middle), seconds(low), seconds(high))
}

/// Returns how many times the floor something is; nothing if there is no floor.
#[must_use]
pub fn times(value: f64, floor: Option<f64>) -> String {
    match floor {
        Some(floor) if floor > 0.0 => format!("{:.2} ×", value / floor),
        _ => String::new(),
    }
}

/// Returns bytes as MiB, rounded up: a limit must not look kept that is not.
#[must_use]
pub fn mebibytes(bytes: u64) -> String {
    bytes.div_ceil(1 << 20).to_string()
}

/// Returns a number with commas between thousands.
#[must_use]
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Returns how many a second, rounded to what such a figure is good for; nothing in no time.
#[must_use]
pub fn rate(count: u64, time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds <= 0.0 {
        return String::new();
    }
    let rate = count as f64 / seconds;
    // Three digits.
    let unit = 10_f64.powf((rate.max(1.0).log10().floor() - 2.0).max(0.0));
    thousands(((rate / unit).round() * unit) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_the_median() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0]), Some(3.0));
        assert_eq!(median(&[9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 9.0]), Some(3.0));
    }

    #[test]
    fn figures_are_written_for_people() {
        assert_eq!(spread(&[0.3414, 0.5, 0.2]), "0.341 (0.200–0.500)");
        assert_eq!(spread(&[0.3]), "0.300");
        assert_eq!(spread(&[]), "");
        assert_eq!(times(3.0, Some(2.0)), "1.50 ×");
        assert_eq!(times(3.0, Some(0.0)), "");
        assert_eq!(times(3.0, None), "");
        assert_eq!(mebibytes((128 << 20) + 1), "129");
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(thousands(999), "999");
        assert_eq!(rate(1_234_567, Duration::from_secs(1)), "1,230,000");
        assert_eq!(rate(7, Duration::from_secs(1)), "7");
        assert_eq!(rate(7, Duration::ZERO), "");
    }

    #[test]
    fn tables_are_aligned_or_markdown() {
        let mut table = Table::new(["what", "CPU s"]);
        table.row(vec!["floor".into(), "0.1".into()]);
        table.row(vec!["a|b".into()]);
        assert_eq!(table.render(Format::Text), "what   CPU s\nfloor    0.1\na|b\n");
        assert_eq!(
            table.render(Format::Markdown),
            "| what | CPU s |\n| --- | ---: |\n| floor | 0.1 |\n| a\\|b |  |\n"
        );
    }
}

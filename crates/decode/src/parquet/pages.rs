//! Hands out the pages of a row group, after checking what they make their decoder allocate.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::read::MultiGzDecoder;
use parquet::arrow::arrow_reader::RowGroups;
use parquet::basic::{Compression, Encoding};
use parquet::column::page::{Page, PageIterator, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::serialized_reader::SerializedPageReader;

use super::delta;
use super::source::{MAX_READ, Source};
use super::thrift::{PageHeader, PageKind, Refusal, page_header};

/// The maximum number of bytes of all pages of a row group that are in memory at a time.
const MAX_HELD: u64 = 1024 * 1024 * 1024;
/// A row group has at most so many values in a column that repeats: one row could hold all of them.
const MAX_REPEATED: i64 = 16 * 1024 * 1024;
/// Pages of gzip with more bytes than this are inflated once to learn their size, because their
/// decoder does not stop at the size that they claim.
const MAX_UNCHECKED: u64 = 256 * 1024;
/// Columns of a row group up to this size are read at once, which saves many small reads.
const MAX_WHOLE: u64 = 256 * 1024;
/// The sizes of reads of the header of a page; few have statistics that need the second.
const HEADER_READS: [usize; 2] = [4 * 1024, 4 * 1024 * 1024];

/// One row group of a file.
pub(super) struct RowGroup<'a> {
    pub(super) source: &'a Source,
    pub(super) metadata: &'a ParquetMetaData,
    pub(super) group: &'a RowGroupMetaData,
    pub(super) held: Arc<Held>,
}

/// Counts the bytes of pages in memory.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// The current pages of all columns, and their dictionaries.
    current: AtomicU64,
    /// Pages that the rows of the current batch may still refer to.
    passed: AtomicU64,
}

impl Held {
    /// Notes that nothing refers to earlier pages any more.
    pub(super) fn begin_batch(&self) {
        self.passed.store(0, Ordering::Relaxed);
    }

    fn is_full(&self) -> bool {
        let passed = self.passed.load(Ordering::Relaxed);
        self.current.load(Ordering::Relaxed).saturating_add(passed) > MAX_HELD
    }
}

impl RowGroups for RowGroup<'_> {
    fn num_rows(&self) -> usize {
        usize::try_from(self.group.num_rows()).unwrap_or(0)
    }

    fn column_chunks(&self, index: usize) -> Result<Box<dyn PageIterator>> {
        let pages = Pages::new(self, index)?;
        Ok(Box::new(Chunk(Some(Box::new(pages)))))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(std::iter::once(self.group))
    }

    fn metadata(&self) -> &ParquetMetaData {
        self.metadata
    }
}

/// The pages of a column, as an iterator over row groups with one item.
struct Chunk(Option<Box<dyn PageReader>>);

impl Iterator for Chunk {
    type Item = Result<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.take().map(Ok)
    }
}

impl PageIterator for Chunk {}

/// The pages of one column of a row group.
struct Pages {
    inner: SerializedPageReader<Source>,
    source: Source,
    held: Arc<Held>,
    /// The number of bytes of the current page that are counted in `held`.
    current: u64,
    /// The position of the next header, and the number of bytes from there on.
    offset: u64,
    left: u64,
    /// The number of values that the further pages may have.
    values: u64,
    compression: Compression,
    has_repetition: bool,
    has_definition: bool,
}

fn error(message: impl Into<String>) -> ParquetError {
    ParquetError::General(message.into())
}

impl Pages {
    fn new(group: &RowGroup<'_>, index: usize) -> Result<Self> {
        let column =
            group.group.columns().get(index).ok_or_else(|| error("a column is missing"))?;
        let start = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
        let length = column.compressed_size();
        let (Ok(offset), Ok(left)) = (u64::try_from(start), u64::try_from(length)) else {
            return Err(error("a column lies before the beginning of the file"));
        };
        let descriptor = column.column_descr();
        let has_repetition = descriptor.max_rep_level() > 0;
        if has_repetition && column.num_values() > MAX_REPEATED {
            let path = descriptor.path().string();
            return Err(error(format!("the lists in `{path}` have too many elements")));
        }
        let rows = usize::try_from(group.group.num_rows()).unwrap_or(0);
        let source = if left <= MAX_WHOLE {
            group.held.current.fetch_add(left, Ordering::Relaxed);
            group.source.holding(offset, left as usize)?
        } else {
            group.source.clone()
        };
        Ok(Self {
            inner: SerializedPageReader::new(Arc::new(source.clone()), column, rows, None)?,
            source,
            held: group.held.clone(),
            current: 0,
            offset,
            left,
            values: u64::try_from(column.num_values()).unwrap_or(0),
            compression: column.compression(),
            has_repetition,
            has_definition: descriptor.max_def_level() > 0,
        })
    }

    fn header(&self) -> Result<PageHeader> {
        for length in HEADER_READS {
            let bytes = self.source.read(self.offset, length)?;
            match page_header(&bytes) {
                Ok(header) => return Ok(header),
                Err(Refusal::Ends) if bytes.len() == length => {}
                Err(_) => break,
            }
        }
        Err(error("the header of a page is damaged"))
    }

    /// Checks the next page that is read, and moves past it; `None` at the end of the column.
    fn check(&mut self) -> Result<Option<PageHeader>> {
        while self.left > 0 {
            let header = self.header()?;
            let length = header.length as u64 + header.compressed;
            if length > self.left {
                return Err(error("a page is longer than its column"));
            }
            if header.uncompressed > MAX_READ as u64 {
                return Err(error("a page needs too much memory"));
            }
            self.check_compressed(&header)?;
            self.offset += length;
            self.left -= length;
            match header.page {
                PageKind::Index => continue,
                PageKind::Dictionary if header.values > header.uncompressed => {
                    return Err(error("a dictionary has fewer values than it says"));
                }
                PageKind::Dictionary => {}
                PageKind::Data => {
                    let left = self.values.checked_sub(header.values);
                    self.values = left.ok_or_else(|| error("a page has too many values"))?;
                }
            }
            return Ok(Some(header));
        }
        Ok(None)
    }

    /// Checks the size of compressed data whose decoder does not stop at the size that it claims.
    fn check_compressed(&self, header: &PageHeader) -> Result<()> {
        let is_small = header.compressed <= MAX_UNCHECKED;
        let start = self.offset + header.length as u64;
        match self.compression {
            _ if is_small => Ok(()),
            Compression::GZIP(_) => {
                // A page of the second version has levels before the compressed data.
                let bytes = self.source.read(start, header.compressed as usize)?;
                let Some(start) = bytes.windows(2).position(|pair| pair == [0x1f, 0x8b]) else {
                    return Ok(());
                };
                let mut data = std::io::Read::take(
                    MultiGzDecoder::new(&bytes[start..]),
                    header.uncompressed + 1,
                );
                let size = std::io::copy(&mut data, &mut std::io::sink()).unwrap_or(0);
                if size > header.uncompressed {
                    return Err(error("a page is larger than it says"));
                }
                Ok(())
            }
            // The oldest form of LZ4 may be in frames, whose decoder does not stop either.
            Compression::LZ4 => {
                let magic = self.source.read(start, 4)?;
                if magic == [0x04, 0x22, 0x4d, 0x18] {
                    return Err(error("a page needs too much memory"));
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Counts a page that is in memory now, with what its values become.
    fn hold(&mut self, page: &Page) -> Result<()> {
        let size = page.buffer().len() as u64;
        let size = size.saturating_add(self.expanded(page)?);
        self.held.current.fetch_add(size, Ordering::Relaxed);
        if page.page_type() != parquet::basic::PageType::DICTIONARY_PAGE {
            self.held.current.fetch_sub(self.current, Ordering::Relaxed);
            self.held.passed.fetch_add(self.current, Ordering::Relaxed);
            self.current = size;
        }
        if self.held.is_full() { Err(error("its pages need too much memory")) } else { Ok(()) }
    }

    /// Returns the number of bytes that the decoder of a page allocates for values that share bytes.
    fn expanded(&self, page: &Page) -> Result<u64> {
        let is_delta = matches!(
            page.encoding(),
            Encoding::DELTA_BINARY_PACKED
                | Encoding::DELTA_LENGTH_BYTE_ARRAY
                | Encoding::DELTA_BYTE_ARRAY
        );
        if !is_delta {
            return Ok(0);
        }
        let values = self.values_of(page).ok_or_else(|| error("the levels of a page are wrong"))?;
        let most = u64::from(page.num_values());
        let wrong = || error("the lengths in a page are wrong");
        if page.encoding() == Encoding::DELTA_BYTE_ARRAY {
            delta::expanded(values).ok_or_else(wrong)
        } else {
            delta::is_sound(values, most).then_some(0).ok_or_else(wrong)
        }
    }

    /// Returns the bytes of a page after the levels of its values.
    fn values_of<'p>(&self, page: &'p Page) -> Option<&'p [u8]> {
        match page {
            Page::DataPage { buf, def_level_encoding, rep_level_encoding, .. } => {
                let mut rest: &[u8] = buf;
                let levels = [
                    (self.has_repetition, rep_level_encoding),
                    (self.has_definition, def_level_encoding),
                ];
                for (is_there, encoding) in levels {
                    if !is_there {
                        continue;
                    }
                    if *encoding != Encoding::RLE {
                        return None;
                    }
                    let (length, after) = rest.split_first_chunk::<4>()?;
                    rest = after.get(u32::from_le_bytes(*length) as usize..)?;
                }
                Some(rest)
            }
            Page::DataPageV2 { buf, def_levels_byte_len, rep_levels_byte_len, .. } => {
                let levels = u64::from(*def_levels_byte_len) + u64::from(*rep_levels_byte_len);
                buf.get(usize::try_from(levels).ok()?..)
            }
            Page::DictionaryPage { buf, .. } => Some(buf),
        }
    }
}

impl Iterator for Pages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        if self.check()?.is_none() {
            return Ok(None);
        }
        let page = self.inner.get_next_page()?;
        if let Some(page) = &page {
            self.hold(page)?;
        }
        Ok(page)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.inner.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        if self.check()?.is_some() { self.inner.skip_next_page() } else { Ok(()) }
    }

    fn at_record_boundary(&mut self) -> Result<bool> {
        self.inner.at_record_boundary()
    }
}

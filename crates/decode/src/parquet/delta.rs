//! Reads the lengths in delta-encoded pages, to know how large their values become.
//!
//! The decoder allocates for as many values as such a page claims to have, and each value may repeat
//! what precedes it, so that a page of kilobytes can hold gigabytes.

/// The maximum number of values in a delta-encoded page.
const MAX_VALUES: u64 = 4 * 1024 * 1024;

/// Returns the number of bytes of all values of a page whose values share prefixes (`DELTA_BYTE_ARRAY`),
/// or `None` if it cannot be decoded.
pub(super) fn expanded(block: &[u8]) -> Option<u64> {
    let (prefixes, end) = lengths(block)?;
    let (suffixes, _) = lengths(&block[end..])?;
    if prefixes.len() != suffixes.len() {
        return None;
    }
    let (mut last, mut sum) = (0u64, 0u64);
    for (prefix, suffix) in prefixes.into_iter().zip(suffixes) {
        last = last.min(u64::from(prefix)) + u64::from(suffix);
        sum = sum.saturating_add(last);
    }
    Some(sum)
}

/// Returns true if a block claims no more values than `most`, and can be decoded in so much memory.
pub(super) fn is_sound(block: &[u8], most: u64) -> bool {
    Head::read(block).is_some_and(|head| head.values <= most)
}

/// What a block begins with.
struct Head {
    /// The number of values in each part of it.
    part: usize,
    parts: usize,
    values: u64,
    first: i64,
    length: usize,
}

impl Head {
    fn read(block: &[u8]) -> Option<Self> {
        let mut at = 0;
        let size = usize::try_from(varint(block, &mut at)?).ok()?;
        let parts = usize::try_from(varint(block, &mut at)?).ok()?;
        let values = varint(block, &mut at)?;
        let first = zigzag(varint(block, &mut at)?);
        let is_sound = parts > 0 && (1..=1 << 20).contains(&size) && size % parts == 0;
        let part = is_sound.then(|| size / parts).filter(|part| part % 8 == 0)?;
        (values <= MAX_VALUES).then_some(Self { part, parts, values, first, length: at })
    }
}

/// Returns the numbers of a block, and where it ends.
fn lengths(block: &[u8]) -> Option<(Vec<u32>, usize)> {
    let head = Head::read(block)?;
    let mut at = head.length;
    let mut found = Vec::new();
    let mut value = head.first;
    let mut left = head.values as usize;
    if left > 0 {
        found.push(u32::try_from(value).ok()?);
        left -= 1;
    }
    while left > 0 {
        let least = zigzag(varint(block, &mut at)?);
        let widths = block.get(at..at.checked_add(head.parts)?)?;
        at += head.parts;
        for width in widths {
            // Parts that hold no values have no bytes, whatever their widths.
            if left == 0 {
                break;
            }
            let width = usize::from(*width);
            let bits = block.get(at..at + head.part / 8 * width)?;
            if width > 64 {
                return None;
            }
            at += bits.len();
            for index in 0..head.part.min(left) {
                let delta = unpacked(bits, index * width, width) as i64;
                value = value.wrapping_add(least).wrapping_add(delta);
                found.push(u32::try_from(value).ok()?);
            }
            left -= head.part.min(left);
        }
    }
    Some((found, at))
}

/// Returns the number of `width` bits that begins at a bit, the lowest bit first.
fn unpacked(bits: &[u8], start: usize, width: usize) -> u64 {
    let mut value = 0u64;
    let mut done = 0;
    while done < width {
        let (byte, shift) = ((start + done) / 8, (start + done) % 8);
        let count = (8 - shift).min(width - done);
        let part = (bits[byte] >> shift) & (0xff >> (8 - count)) as u8;
        value |= u64::from(part) << done;
        done += count;
    }
    value
}

fn varint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn zigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_a_block() {
        // The example of the format's description: 7, 5, 3, 1, 2, 3, 4, 5, in one part of two bits.
        let block = [0x80, 1, 4, 8, 14, 3, 2, 0, 0, 0, 0b1100_0000, 0b0011_1111, 0, 0, 0, 0, 0, 0];
        let (found, end) = lengths(&block).unwrap();
        assert_eq!((found, end), (vec![7, 5, 3, 1, 2, 3, 4, 5], block.len()));
        for block in [&[][..], &[0, 1, 8], &[0x80, 1, 0, 8, 14], &block[..12]] {
            assert_eq!(lengths(block), None);
        }
        // A billion values without a byte of data.
        let many = [0x80, 1, 1, 0x80, 0x94, 0xeb, 0xdc, 3, 0, 0, 0];
        assert!(!is_sound(&many, u64::MAX) && expanded(&many).is_none());
        assert!(is_sound(&block, 8) && !is_sound(&block, 7));
    }

    #[test]
    fn values_that_repeat_what_precedes_them() {
        // Prefixes 0, 1000, 1000 and suffixes 1000, 0, 0, both in parts of 32 values.
        let block = |first: u64, deltas: [u64; 2], width: u8| {
            let mut block = vec![0x80, 1, 4, 3];
            let push = |block: &mut Vec<u8>, mut value: u64| {
                while value > 127 {
                    block.push(value as u8 | 0x80);
                    value >>= 7;
                }
                block.push(value as u8);
            };
            push(&mut block, first * 2);
            // The smallest delta is 0, or minus a thousand.
            push(&mut block, if deltas[0] > 2000 { 1999 } else { 0 });
            block.extend([width, 0, 0, 0]);
            let deltas = if deltas[0] > 2000 { [0, 1000] } else { deltas };
            let packed = deltas[0] | deltas[1] << width;
            let mut bits = packed.to_le_bytes().to_vec();
            bits.resize(4 * usize::from(width), 0);
            block.extend(bits);
            block
        };
        let page = [block(0, [1000, 0], 10), block(1000, [2001, 0], 10)].concat();
        assert_eq!(expanded(&page), Some(3000));
    }
}

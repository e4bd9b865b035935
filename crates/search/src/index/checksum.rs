//! Checksums of the pages of an index's file, and of the frames of its write-ahead log.
//!
//! Every page of the file ends in eight bytes that SQLite leaves alone: a CRC-32 of the page's number and content, and its
//! complement. Pages in the log have SQLite's own checksums, each of which continues the one before (SQLite's file format, section
//! 4.2); SQLite looks at them only after a crash, and here they are looked at whenever a page is read.

/// Bytes of a page. All files of indices have pages of this size.
pub(super) const PAGE_BYTES: usize = 8192;
/// Bytes at the end of a page that hold its checksum.
pub(super) const RESERVED_BYTES: usize = 8;
/// Bytes before the first frame of a log.
pub(super) const WAL_HEADER_BYTES: usize = 32;
/// Bytes before the page in a frame of a log.
pub(super) const FRAME_HEADER_BYTES: usize = 24;

/// The last bytes of a page with this content. `number` counts from 0.
pub(super) fn seal(content: &[u8], number: u64) -> [u8; RESERVED_BYTES] {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&number.to_le_bytes());
    hasher.update(content);
    let sum = hasher.finalize();
    let mut seal = [0; RESERVED_BYTES];
    seal[..4].copy_from_slice(&sum.to_le_bytes());
    seal[4..].copy_from_slice(&(!sum).to_le_bytes());
    seal
}

/// Has the page the checksum of its content?
pub(super) fn is_sound(page: &[u8], number: u64) -> bool {
    page.len() == PAGE_BYTES && {
        let (content, end) = page.split_at(PAGE_BYTES - RESERVED_BYTES);
        end == seal(content, number)
    }
}

/// Where a page begins in a log, if one begins at `offset`: the number of its frame, from 0.
pub(super) fn frame_at(offset: u64) -> Option<u64> {
    let before = (WAL_HEADER_BYTES + FRAME_HEADER_BYTES) as u64;
    let frame = (FRAME_HEADER_BYTES + PAGE_BYTES) as u64;
    let rest = offset.checked_sub(before)?;
    rest.is_multiple_of(frame).then_some(rest / frame)
}

/// Has a frame the checksum that follows from the one before? `before` is the checksum before it, as it stands in the header
/// of the log or of the frame before; `magic` is the first number of the log, which tells the order of bytes.
pub(super) fn is_sound_frame(
    before: [u8; 8],
    magic: u32,
    header: &[u8; FRAME_HEADER_BYTES],
    page: &[u8],
) -> bool {
    let big_endian = magic & 1 == 1;
    let word = |bytes: &[u8]| {
        let bytes = [bytes[0], bytes[1], bytes[2], bytes[3]];
        if big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    };
    // The sums themselves are always stored with the highest byte first.
    let stored = |bytes: &[u8]| u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    let (mut first, mut second) = (stored(&before[..4]), stored(&before[4..]));
    for pair in header[..8].chunks_exact(8).chain(page.chunks_exact(8)) {
        first = first.wrapping_add(word(&pair[..4])).wrapping_add(second);
        second = second.wrapping_add(word(&pair[4..])).wrapping_add(first);
    }
    first == stored(&header[16..20]) && second == stored(&header[20..24])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_of_a_page_is_seen() {
        let mut page = vec![7_u8; PAGE_BYTES];
        let end = PAGE_BYTES - RESERVED_BYTES;
        let sum = seal(&page[..end], 5);
        page[end..].copy_from_slice(&sum);
        assert!(is_sound(&page, 5) && !is_sound(&page, 6) && !is_sound(&[0; PAGE_BYTES], 0));
        for bit in (0..PAGE_BYTES * 8).step_by(97) {
            page[bit / 8] ^= 1 << (bit % 8);
            assert!(!is_sound(&page, 5), "{bit}");
            page[bit / 8] ^= 1 << (bit % 8);
        }
    }

    #[test]
    fn frames_begin_where_the_format_says() {
        assert_eq!(frame_at(56), Some(0));
        assert_eq!(frame_at(56 + 8216), Some(1));
        assert_eq!((frame_at(0), frame_at(57)), (None, None));
    }
}

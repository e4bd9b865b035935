//! The envelope of a saved state: magic, format version, length, checksum, compressed body.

use serde::{Serialize, de::DeserializeOwned};

use crate::Error;

const MAGIC: &[u8; 8] = b"AUSPEXST";
/// Raised whenever a serialised type changes its form.
const VERSION: u32 = 6;
const HEADER_LENGTH: usize = 8 + 4 + 8 + 4;
/// Speed matters more than size: level 1 already halves the state.
const LEVEL: i32 = 1;
/// A body that claims to be larger is damaged.
const BODY_BYTES_MAX: u64 = 64 << 30;

/// Packs a state.
pub(crate) fn pack<T: Serialize>(state: &T) -> Vec<u8> {
    let body = postcard::to_allocvec(state).expect("the state holds only types that postcard writes");
    let packed = zstd::bulk::compress(&body, LEVEL).expect("compression into memory does not fail");
    let mut bytes = Vec::with_capacity(HEADER_LENGTH + packed.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&(body.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&checksum(&bytes, &packed).to_le_bytes());
    bytes.extend_from_slice(&packed);
    bytes
}

/// Of the header before the checksum, and the body.
fn checksum(header: &[u8], packed: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(header);
    hasher.update(packed);
    hasher.finalize()
}

/// Unpacks a state.
///
/// # Errors
/// When the bytes are not a state, are damaged, or have another version.
pub(crate) fn unpack<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    let Some((header, packed)) = bytes.split_at_checked(HEADER_LENGTH) else {
        return Err(Error::Damaged("it is too short"));
    };
    if &header[..8] != MAGIC {
        return Err(Error::Damaged("it does not begin like one"));
    }
    let number = |from: usize, length: usize| {
        header[from..from + length].iter().rev().fold(0u64, |n, byte| n << 8 | u64::from(*byte))
    };
    let version = number(8, 4) as u32;
    if version != VERSION {
        return Err(Error::Version { found: version, expected: VERSION });
    }
    if number(20, 4) != u64::from(checksum(&header[..20], packed)) {
        return Err(Error::Damaged("its checksum is wrong"));
    }
    let length = number(12, 8);
    if length > BODY_BYTES_MAX {
        return Err(Error::Damaged("its length is impossible"));
    }
    let body = zstd::bulk::decompress(packed, usize::try_from(length).unwrap_or(usize::MAX))
        .map_err(|_| Error::Damaged("it cannot be decompressed"))?;
    postcard::from_bytes(&body).map_err(|_| Error::Damaged("its body has another form"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_refused() {
        let bytes = pack(&(1u32, "text".to_owned()));
        assert_eq!(unpack::<(u32, String)>(&bytes).unwrap(), (1, "text".to_owned()));
        for position in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[position] ^= 1;
            assert!(unpack::<(u32, String)>(&damaged).is_err(), "byte {position}");
        }
        assert!(unpack::<(u32, String)>(&bytes[..10]).is_err());
    }

    #[test]
    fn another_version_is_named() {
        let mut bytes = pack(&1u8);
        bytes[8] = 9;
        let error = unpack::<u8>(&bytes).unwrap_err().to_string();
        assert_eq!(error, "the model state has format version 9, but this version reads 6");
    }
}

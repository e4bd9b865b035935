//! Document ids that are made up. Such an id holds the row's number and a salt of the index, so that no index on ids is
//! needed to find the document, nor room for the id in the row.

/// Sorted, and safe in URLs.
const ALPHABET: &[u8; 64] = b"-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";
const CHARS: usize = 20;

/// The id of the document in row `seq` of the index with this salt: 20 characters.
pub fn encode(salt: u64, seq: i64) -> String {
    // The number comes first, disguised by the salt, so that ids of different indices differ from the first character on.
    let number = (seq as u64) ^ salt.rotate_left(17);
    let check = mix(number ^ salt) & ((1 << 56) - 1);
    let bits = (u128::from(number) << 56) | u128::from(check);
    let mut id = String::with_capacity(CHARS);
    for place in (0..CHARS).rev() {
        id.push(char::from(ALPHABET[(bits >> (6 * place)) as usize & 63]));
    }
    id
}

/// The row of a made-up id of this index; nothing for any other id.
pub fn decode(salt: u64, id: &str) -> Option<i64> {
    if id.len() != CHARS {
        return None;
    }
    let mut bits: u128 = 0;
    for byte in id.bytes() {
        let digit = ALPHABET.iter().position(|candidate| *candidate == byte)?;
        bits = (bits << 6) | digit as u128;
    }
    let seq = ((bits >> 56) as u64 ^ salt.rotate_left(17)) as i64;
    (seq >= 0 && encode(salt, seq) == id).then_some(seq)
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014).
pub fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_lead_back_to_their_row() {
        for salt in [0, 1, u64::MAX, 0x1234_5678_9abc_def0] {
            for seq in [0, 1, 255, 1 << 40] {
                let id = encode(salt, seq);
                assert_eq!((id.len(), decode(salt, &id)), (20, Some(seq)));
                assert_eq!(decode(salt ^ 2, &id), None);
            }
        }
        assert_eq!(decode(1, "aaaaaaaaaaaaaaaaaaaa"), None);
        assert_eq!(decode(1, "é"), None);
    }
}

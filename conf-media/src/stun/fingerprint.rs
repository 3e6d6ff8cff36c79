//! FINGERPRINT: the CRC-32 that tells STUN from other traffic.

/// CRC-32 of everything before the attribute, masked (RFC 8489, section 14.7).
pub(super) fn fingerprint(covered: &[u8]) -> u32 {
    // The header's length already covers the fingerprint, since it is the last attribute.
    let crc = covered.iter().fold(u32::MAX, |crc, byte| {
        let [low, ..] = crc.to_le_bytes();
        let entry = CRC_TABLE.get(usize::from(low ^ byte)).copied().unwrap_or_default();
        (crc >> 8) ^ entry
    });
    !crc ^ FINGERPRINT_MASK
}

const FINGERPRINT_MASK: u32 = 0x5354_554e;

/// Of the reflected polynomial 0xEDB88320 (ITU-T V.42).
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which checks the index")]
const CRC_TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut entry = 0u32;
    while entry < 256 {
        let mut crc = entry;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
            bit += 1;
        }
        table[entry as usize] = crc;
        entry += 1;
    }
    table
};

//! The `join_request` of a client's URL: base64url of a wrapper, compressed or not.

use std::io::Read as _;

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use livekit_protocol as proto;
use livekit_protocol::wrapped_join_request::Compression;
use prost::Message as _;

/// Why a `join_request` was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JoinRequestError {
    /// More characters than a URL may carry.
    #[error("the join request has {len} characters, at most {MAX_ENCODED} are read")]
    TooLong {
        /// How many it has.
        len: usize,
    },
    /// Not base64url.
    #[error("the join request is not base64url")]
    Base64,
    /// Not a message of the protocol.
    #[error("the join request is no protobuf message")]
    Malformed,
    /// Not gzip, or more than is read.
    #[error("the join request cannot be decompressed to at most {MAX_DECOMPRESSED} bytes")]
    Compression,
}

/// Reads `join_request`, padded or not, compressed or not; at most 1 MiB comes out.
///
/// # Errors
/// A [`JoinRequestError`] with the limit.
pub fn parse_join_request(encoded: &str) -> Result<proto::JoinRequest, JoinRequestError> {
    if encoded.len() > MAX_ENCODED {
        return Err(JoinRequestError::TooLong { len: encoded.len() });
    }
    let config =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let wrapped = GeneralPurpose::new(&URL_SAFE, config).decode(encoded);
    let wrapped = wrapped.map_err(|_| JoinRequestError::Base64)?;
    let wrapper = proto::WrappedJoinRequest::decode(wrapped.as_slice())
        .map_err(|_| JoinRequestError::Malformed)?;
    let plain = match Compression::try_from(wrapper.compression) {
        Ok(Compression::None) => wrapper.join_request,
        Ok(Compression::Gzip) => gunzip(&wrapper.join_request)?,
        Err(_) => return Err(JoinRequestError::Compression),
    };
    proto::JoinRequest::decode(plain.as_slice()).map_err(|_| JoinRequestError::Malformed)
}

fn gunzip(bytes: &[u8]) -> Result<Vec<u8>, JoinRequestError> {
    let mut plain = Vec::new();
    let limit = MAX_DECOMPRESSED as u64 + 1;
    let read = flate2::read::GzDecoder::new(bytes).take(limit).read_to_end(&mut plain);
    match read {
        Ok(len) if len <= MAX_DECOMPRESSED => Ok(plain),
        _ => Err(JoinRequestError::Compression),
    }
}

/// HTTP servers take request lines of up to some ten KB; clients need about 3.
const MAX_ENCODED: usize = 256 * 1024;
const MAX_DECOMPRESSED: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
    use flate2::Compression as Level;
    use flate2::write::GzEncoder;

    use super::*;

    fn wrapped(compression: Compression, bytes: Vec<u8>) -> Vec<u8> {
        proto::WrappedJoinRequest { compression: compression.into(), join_request: bytes }
            .encode_to_vec()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Level::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_request_is_read_padded_or_not_and_compressed_or_not() {
        let request = proto::JoinRequest {
            participant_sid: "PA_1".into(),
            reconnect: true,
            ..Default::default()
        };
        let plain = wrapped(Compression::None, request.encode_to_vec());
        let packed = wrapped(Compression::Gzip, gzip(&request.encode_to_vec()));
        for bytes in [plain, packed] {
            assert_eq!(parse_join_request(&URL_SAFE.encode(&bytes)), Ok(request.clone()));
            assert_eq!(parse_join_request(&URL_SAFE_NO_PAD.encode(&bytes)), Ok(request.clone()));
        }
    }

    #[test]
    fn a_small_request_that_unpacks_to_two_mebibytes_is_refused() {
        let bomb = wrapped(Compression::Gzip, gzip(&vec![0; 2 << 20]));
        assert!(bomb.len() < 4096);
        let refused = parse_join_request(&URL_SAFE.encode(bomb));
        assert_eq!(refused, Err(JoinRequestError::Compression));
    }

    #[test]
    fn nonsense_is_refused_with_a_reason() {
        assert_eq!(parse_join_request("%%%"), Err(JoinRequestError::Base64));
        assert_eq!(parse_join_request("_____w"), Err(JoinRequestError::Malformed));
        let long = "A".repeat(MAX_ENCODED + 1);
        assert_eq!(parse_join_request(&long), Err(JoinRequestError::TooLong { len: long.len() }));
        let unpacked = wrapped(Compression::Gzip, vec![1, 2, 3]);
        let refused = parse_join_request(&URL_SAFE.encode(unpacked));
        assert_eq!(refused, Err(JoinRequestError::Compression));
    }
}

//! A data packet as the server sees it: who shall get it, and the sender's name on it.
//!
//! It is not decoded and encoded again: what this server does not know of it, and what is
//! encrypted, passes untouched. Only the fields that name the sender are taken out and written
//! anew, so that nobody speaks in another's name.
//!
//! Source: `DataPacket` and `UserPacket` of livekit_models.proto; protobuf's wire format
//! (protobuf.dev/programming-guides/encoding).

use prost::encoding::{decode_varint, encode_varint, encoded_len_varint};

/// One data packet of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    bytes: &'a [u8],
    /// Grows by one with every packet of a sender over its reliable channel; 0 where it has none.
    pub sequence: u32,
    /// What it carries.
    pub content: Content,
    /// Identities that shall get it; with `destination_sids` empty too: everybody.
    pub destinations: Vec<&'a str>,
    /// Older clients name sids.
    pub destination_sids: Vec<&'a str>,
}

/// What a packet carries, as far as it matters who may send it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Nothing.
    Empty,
    /// Who is speaking: said by servers only.
    Speaker,
    /// What somebody said: by agents only.
    Transcription,
    /// For the server itself.
    Metrics,
    /// For the program at the other end: messages, chat, calls, streams, encrypted packets, keys of
    /// a telephone, and what newer clients have.
    Opaque,
}

/// Why a packet is not forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    /// It is no protobuf message, or names of receivers are no text.
    #[error("the data packet cannot be read")]
    Malformed,
    /// More receivers than a packet may name.
    #[error("the data packet names more than {limit} receivers")]
    TooManyDestinations {
        /// How many it may name.
        limit: usize,
    },
}

/// What the server writes on a packet.
#[derive(Clone, Copy, Debug)]
pub struct Stamp<'a> {
    /// The sender's identity; empty if it is hidden.
    pub identity: &'a str,
    /// The sender's sid; empty if it is hidden.
    pub sid: &'a str,
    /// It came over the channel that may lose messages.
    pub lossy: bool,
}

impl<'a> Packet<'a> {
    /// Reads one message of a data channel.
    ///
    /// # Errors
    /// [`PacketError`].
    pub fn read(bytes: &'a [u8]) -> Result<Self, PacketError> {
        let mut packet = Self {
            bytes,
            sequence: 0,
            content: Content::Empty,
            destinations: Vec::new(),
            destination_sids: Vec::new(),
        };
        let (mut old, mut old_sids) = (Vec::new(), Vec::new());
        for field in Fields(bytes) {
            let field = field?;
            match (field.number, field.value) {
                (SEQUENCE, Value::Varint(value)) => {
                    packet.sequence = u32::try_from(value & 0xFFFF_FFFF).unwrap_or(0);
                }
                (DESTINATIONS, Value::Bytes(name)) => add(&mut packet.destinations, name)?,
                (USER, Value::Bytes(user)) => {
                    packet.content = Content::Opaque;
                    read_user(user, &mut old, &mut old_sids)?;
                }
                (KIND | PARTICIPANT_IDENTITY | PARTICIPANT_SID, _) => {}
                (SPEAKER, Value::Bytes(_)) => packet.content = Content::Speaker,
                (TRANSCRIPTION, Value::Bytes(_)) => packet.content = Content::Transcription,
                (METRICS, Value::Bytes(_)) => packet.content = Content::Metrics,
                (_, Value::Bytes(_)) => packet.content = Content::Opaque,
                _ => {}
            }
        }
        if packet.destinations.is_empty() {
            packet.destinations = old;
            packet.destination_sids = old_sids;
        }
        Ok(packet)
    }

    /// Whether somebody of that name shall get it.
    #[must_use]
    pub fn is_for(&self, identity: &str, sid: &str) -> bool {
        let everybody = self.destinations.is_empty() && self.destination_sids.is_empty();
        everybody || self.destinations.contains(&identity) || self.destination_sids.contains(&sid)
    }

    /// The packet as it goes to the receivers: no longer than it came, but for the names in it.
    #[must_use]
    pub fn stamped(&self, stamp: &Stamp<'_>) -> Vec<u8> {
        let names = 2 * (stamp.identity.len() + stamp.sid.len()) + 32;
        let mut out = Vec::with_capacity(self.bytes.len() + names);
        for field in Fields(self.bytes).flatten() {
            match (field.number, field.value) {
                (KIND | PARTICIPANT_IDENTITY | PARTICIPANT_SID, _) => {}
                (USER, Value::Bytes(user)) => {
                    let user = stamped_user(user, stamp);
                    write(&mut out, USER, &user);
                }
                _ => out.extend_from_slice(field.whole),
            }
        }
        if stamp.lossy {
            encode_varint(u64::from(KIND << 3), &mut out);
            encode_varint(LOSSY, &mut out);
        }
        write(&mut out, PARTICIPANT_IDENTITY, stamp.identity.as_bytes());
        write(&mut out, PARTICIPANT_SID, stamp.sid.as_bytes());
        out
    }
}

/// A message of the program, as the first clients had it: with names of its own.
fn read_user<'a>(
    user: &'a [u8],
    identities: &mut Vec<&'a str>,
    sids: &mut Vec<&'a str>,
) -> Result<(), PacketError> {
    for field in Fields(user) {
        let field = field?;
        match (field.number, field.value) {
            (USER_DESTINATIONS, Value::Bytes(name)) => add(identities, name)?,
            (USER_DESTINATION_SIDS, Value::Bytes(name)) => add(sids, name)?,
            _ => {}
        }
    }
    Ok(())
}

fn stamped_user(user: &[u8], stamp: &Stamp<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(user.len() + stamp.identity.len() + stamp.sid.len() + 16);
    for field in Fields(user).flatten() {
        if !matches!(field.number, USER_SID | USER_IDENTITY) {
            out.extend_from_slice(field.whole);
        }
    }
    write(&mut out, USER_SID, stamp.sid.as_bytes());
    write(&mut out, USER_IDENTITY, stamp.identity.as_bytes());
    out
}

fn add<'a>(names: &mut Vec<&'a str>, name: &'a [u8]) -> Result<(), PacketError> {
    if names.len() >= MAX_DESTINATIONS {
        return Err(PacketError::TooManyDestinations { limit: MAX_DESTINATIONS });
    }
    names.push(std::str::from_utf8(name).map_err(|_| PacketError::Malformed)?);
    Ok(())
}

fn write(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    if bytes.is_empty() && number != USER {
        return; // the default needs no word
    }
    let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    out.reserve(encoded_len_varint(len) + bytes.len() + 5);
    encode_varint(u64::from(number << 3 | 2), out);
    encode_varint(len, out);
    out.extend_from_slice(bytes);
}

/// The fields of a message, in the order in which they came.
struct Fields<'a>(&'a [u8]);

struct Field<'a> {
    number: u32,
    value: Value<'a>,
    /// With its tag, as it came.
    whole: &'a [u8],
}

enum Value<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
    Fixed,
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, PacketError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = next_field(&mut self.0);
        if field.is_none() {
            self.0 = &[];
        }
        Some(field.ok_or(PacketError::Malformed))
    }
}

fn next_field<'a>(rest: &mut &'a [u8]) -> Option<Field<'a>> {
    let before = *rest;
    let tag = decode_varint(rest).ok()?;
    let number = u32::try_from(tag >> 3).ok().filter(|number| (1..1 << 29).contains(number))?;
    let value = match tag & 7 {
        0 => Value::Varint(decode_varint(rest).ok()?),
        1 => fixed(rest, 8)?,
        2 => {
            let len = usize::try_from(decode_varint(rest).ok()?).ok()?;
            let (bytes, behind) = rest.split_at_checked(len)?;
            *rest = behind;
            Value::Bytes(bytes)
        }
        5 => fixed(rest, 4)?,
        _ => return None, // groups have been out of use since before there were data packets
    };
    let whole = before.get(..before.len() - rest.len())?;
    Some(Field { number, value, whole })
}

fn fixed<'a>(rest: &mut &'a [u8], len: usize) -> Option<Value<'a>> {
    *rest = rest.get(len..)?;
    Some(Value::Fixed)
}

const KIND: u32 = 1;
const USER: u32 = 2;
const SPEAKER: u32 = 3;
const PARTICIPANT_IDENTITY: u32 = 4;
const DESTINATIONS: u32 = 5;
const TRANSCRIPTION: u32 = 7;
const METRICS: u32 = 8;
const SEQUENCE: u32 = 16;
const PARTICIPANT_SID: u32 = 17;
const USER_SID: u32 = 1;
const USER_DESTINATION_SIDS: u32 = 3;
const USER_IDENTITY: u32 = 5;
const USER_DESTINATIONS: u32 = 6;
const LOSSY: u64 = 1;
/// As many as a meeting may have participants, and more.
const MAX_DESTINATIONS: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;
    use livekit_protocol as proto;
    use prost::Message as _;
    use proto::data_packet::Value as Carried;

    const STAMP: Stamp<'_> = Stamp { identity: "ada", sid: "PA_1", lossy: false };

    #[expect(deprecated, reason = "clients still send them")]
    fn forged() -> proto::DataPacket {
        let user = proto::UserPacket {
            participant_sid: "PA_9".into(),
            participant_identity: "eve".into(),
            payload: vec![1, 2, 3],
            topic: Some("topic".into()),
            ..Default::default()
        };
        proto::DataPacket {
            kind: 1,
            participant_identity: "eve".into(),
            participant_sid: "PA_9".into(),
            destination_identities: vec!["bob".into(), "cy".into()],
            sequence: 7,
            value: Some(Carried::User(user)),
        }
    }

    #[test]
    #[expect(deprecated, reason = "clients still read them")]
    fn the_sender_of_a_packet_is_who_sent_it_whatever_it_says() {
        let bytes = forged().encode_to_vec();
        let packet = Packet::read(&bytes).unwrap();
        assert_eq!((packet.sequence, packet.content), (7, Content::Opaque));
        assert!(packet.is_for("bob", "") && packet.is_for("cy", "") && !packet.is_for("dan", ""));
        let read = proto::DataPacket::decode(&packet.stamped(&STAMP)[..]).unwrap();
        assert_eq!((&*read.participant_identity, &*read.participant_sid), ("ada", "PA_1"));
        let Some(Carried::User(user)) = read.value else { panic!("{read:?}") };
        assert_eq!((&*user.participant_identity, &*user.participant_sid), ("ada", "PA_1"));
        assert_eq!((user.payload, user.topic.as_deref()), (vec![1, 2, 3], Some("topic")));
        assert_eq!((read.kind, read.sequence), (0, 7));
        let lossy = packet.stamped(&Stamp { lossy: true, ..STAMP });
        assert_eq!(proto::DataPacket::decode(&lossy[..]).unwrap().kind, 1);
        let hidden = packet.stamped(&Stamp { identity: "", sid: "", lossy: false });
        let hidden = proto::DataPacket::decode(&hidden[..]).unwrap();
        assert_eq!(hidden.participant_identity, "");
    }

    #[test]
    fn what_is_unknown_of_a_packet_passes_untouched() {
        let mut bytes = forged().encode_to_vec();
        let mut unknown = Vec::new();
        write(&mut unknown, 99, b"of the future");
        encode_varint(100 << 3 | 1, &mut unknown);
        unknown.extend([9; 8]);
        bytes.extend(&unknown);
        let stamped = Packet::read(&bytes).unwrap().stamped(&STAMP);
        assert!(stamped.windows(unknown.len()).any(|window| window == unknown));
        let again = Packet::read(&stamped).unwrap().stamped(&STAMP);
        assert_eq!(stamped.len(), again.len());
    }

    #[test]
    fn what_only_servers_and_agents_may_say_is_recognised() {
        for (number, content) in [
            (SPEAKER, Content::Speaker),
            (TRANSCRIPTION, Content::Transcription),
            (METRICS, Content::Metrics),
            (18, Content::Opaque),
            (13, Content::Opaque),
        ] {
            let mut bytes = Vec::new();
            write(&mut bytes, number, b"x");
            assert_eq!(Packet::read(&bytes).unwrap().content, content, "{number}");
        }
        assert_eq!(Packet::read(&[]).unwrap().content, Content::Empty);
    }

    #[test]
    #[expect(deprecated, reason = "clients still send them")]
    fn older_clients_name_receivers_within_the_message() {
        let user = proto::UserPacket {
            destination_identities: vec!["bob".into()],
            destination_sids: vec!["PA_3".into()],
            ..Default::default()
        };
        let packet = proto::DataPacket { value: Some(Carried::User(user)), ..Default::default() };
        let bytes = packet.encode_to_vec();
        let packet = Packet::read(&bytes).unwrap();
        assert!(packet.is_for("bob", "PA_2") && packet.is_for("cy", "PA_3"));
        assert!(!packet.is_for("dan", "PA_4"));
    }

    #[test]
    fn torn_and_oversized_packets_are_refused() {
        let bytes = forged().encode_to_vec();
        assert_eq!(Packet::read(&bytes[..bytes.len() - 1]), Err(PacketError::Malformed));
        assert_eq!(Packet::read(&[0]), Err(PacketError::Malformed), "no field is 0");
        assert_eq!(Packet::read(&[0x0B]), Err(PacketError::Malformed), "a group");
        assert_eq!(Packet::read(&[0x2A, 1, 0xFF]), Err(PacketError::Malformed), "no text");
        let names = [0x2A, 0].repeat(MAX_DESTINATIONS + 1);
        let limit = MAX_DESTINATIONS;
        assert_eq!(Packet::read(&names), Err(PacketError::TooManyDestinations { limit }));
    }
}

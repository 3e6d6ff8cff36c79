//! Data packets: who sends, who gets them, in whose name.

use prost::bytes::Bytes;
use proto::data_packet::Value;

use super::*;
use crate::data::{Credit, Message};
use crate::signal::livekit::packet::PacketError;

fn chat(words: &str, to: &[u64], sequence: u32) -> proto::DataPacket {
    let user = proto::UserPacket { payload: words.into(), ..Default::default() };
    proto::DataPacket {
        participant_identity: "somebody else".into(),
        destination_identities: to.iter().map(|to| identity(*to).reveal().into()).collect(),
        sequence,
        value: Some(Value::User(user)),
        ..Default::default()
    }
}

impl Meeting {
    fn data(&mut self, from: u64, label: &str, bytes: Vec<u8>) -> Result<(), Refusal> {
        let message = Message {
            label: label.into(),
            reliable: label == "_reliable",
            binary: true,
            bytes: Bytes::from(bytes),
            credit: Credit::default(),
        };
        self.input(Input::Media(Event::Data { peer: PeerId(from), message }))
    }

    fn packet(&mut self, from: u64, packet: &proto::DataPacket) -> Result<(), Refusal> {
        self.data(from, "_reliable", packet.encode_to_vec())
    }

    /// To whom packets went since the last look, and what the last one says.
    fn carried(&mut self) -> (Vec<u64>, Option<proto::DataPacket>) {
        let mut last = None;
        let commands = std::mem::take(&mut self.commands).into_iter();
        let to = commands.filter_map(|command| match command {
            Command::SendData { peer, message, .. } => {
                last = Some(proto::DataPacket::decode(message.bytes).unwrap());
                Some(peer.0)
            }
            _ => None,
        });
        (to.collect(), last)
    }
}

#[test]
fn a_packet_goes_to_all_others_in_the_name_of_its_sender() {
    let mut meeting = Meeting::with(3);
    meeting.join(4); // its media does not flow yet
    meeting.packet(1, &chat("hello", &[], 1)).unwrap();
    let (to, packet) = meeting.carried();
    assert_eq!(to, [2, 3]);
    let packet = packet.unwrap();
    assert_eq!(packet.participant_identity, identity(1).reveal());
    assert_eq!(packet.participant_sid, "PA_0000000000000001");
}

#[test]
fn a_packet_with_destinations_goes_to_these_only() {
    let mut meeting = Meeting::with(4);
    meeting.packet(1, &chat("psst", &[3, 1, 99], 1)).unwrap();
    assert_eq!(meeting.carried().0, [3]);
}

#[test]
fn whoever_may_not_send_data_is_refused() {
    let mut meeting = Meeting::with(2);
    let grants = Grants { can_publish_data: Some(false), ..Grants::participant("code") };
    meeting.input(Input::SetGrants { identity: identity(1), grants }).unwrap();
    assert_eq!(meeting.packet(1, &chat("x", &[], 1)), Err(Refusal::DataNotAllowed));
    assert_eq!(meeting.carried().0, [0; 0]);
    meeting.packet(2, &chat("x", &[], 1)).unwrap();
    assert_eq!(meeting.carried().0, [1], "it still receives");
}

#[test]
#[expect(deprecated, reason = "old clients would believe it")]
fn nobody_says_what_only_the_server_or_an_agent_may_say() {
    let mut meeting = Meeting::with(2);
    let speaker = Value::Speaker(proto::ActiveSpeakerUpdate::default());
    let transcription = Value::Transcription(proto::Transcription::default());
    for value in [speaker, transcription] {
        let packet = proto::DataPacket { value: Some(value), ..Default::default() };
        assert_eq!(meeting.packet(1, &packet), Err(Refusal::DataNotAllowed));
    }
    let nothing = meeting.packet(1, &proto::DataPacket::default());
    assert_eq!((nothing, meeting.carried().0), (Ok(()), vec![]));
}

#[test]
fn the_sender_of_a_packet_is_not_shown_where_it_is_hidden() {
    let mut meeting = Meeting::with(1);
    let mut hidden = join(2);
    hidden.grants.hidden = true;
    meeting.try_join(hidden).unwrap();
    meeting.connected(2);
    meeting.forget();
    meeting.packet(2, &chat("boo", &[], 1)).unwrap();
    let (to, packet) = meeting.carried();
    assert_eq!((to, &*packet.unwrap().participant_identity), (vec![1], ""));
    meeting.packet(1, &chat("who is there?", &[], 1)).unwrap();
    assert_eq!(meeting.carried().0, [2], "it receives as others do");
}

#[test]
fn a_resumed_sender_repeats_what_had_not_arrived_and_nothing_is_forwarded_twice() {
    let mut meeting = Meeting::with(2);
    for sequence in 1..=3 {
        meeting.packet(1, &chat("x", &[], sequence)).unwrap();
    }
    meeting.input(Input::Closed { connection: ConnectionId(1) }).unwrap();
    meeting.try_join(resume(1, 11)).unwrap();
    let Response::Reconnect(reconnect) = meeting.received(11)[0] else { panic!() };
    assert_eq!(reconnect.last_message_seq, 3);
    meeting.forget();
    meeting.packet(1, &chat("x", &[], 3)).unwrap();
    assert_eq!(meeting.carried().0, [0; 0]);
    meeting.packet(1, &chat("x", &[], 4)).unwrap();
    assert_eq!(meeting.carried().0, [2]);
    let lossy = chat("pointer", &[], 0).encode_to_vec();
    for _ in 0..2 {
        meeting.data(1, "_lossy", lossy.clone()).unwrap();
    }
    let (to, packet) = meeting.carried();
    assert_eq!((to.len(), packet.unwrap().sequence), (2, 0));
}

#[test]
fn what_is_no_packet_or_came_over_another_channel_is_refused() {
    let mut meeting = Meeting::with(2);
    let refused = Err(Refusal::DataPacket(PacketError::Malformed));
    assert_eq!(meeting.data(1, "_lossy", vec![0xFF; 9]), refused);
    let bytes = chat("x", &[], 1).encode_to_vec();
    assert_eq!(meeting.data(1, "mine", bytes), Err(Refusal::UnknownChannel));
    assert_eq!(meeting.carried().0, [0; 0]);
    let gone = Event::Data {
        peer: PeerId(77),
        message: Message {
            label: "_lossy".into(),
            reliable: false,
            binary: true,
            bytes: Bytes::new(),
            credit: Credit::default(),
        },
    };
    meeting.input(Input::Media(gone)).unwrap();
}

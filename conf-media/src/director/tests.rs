//! Who lives where, without a shard.

use super::*;
use crate::test_util::{microphone, subscription};

const A: PeerId = PeerId(1);
const B: PeerId = PeerId(2);
const C: PeerId = PeerId(3);
const TRACK: TrackId = TrackId(7);

fn add(director: &mut Director, peer: PeerId) {
    let credentials = Credentials { ufrag: format!("u{}", peer.0), password: "p".into() };
    director.handle(Command::AddPeer { peer, room: RoomId(1), credentials }).unwrap();
}

fn publish(director: &mut Director, peer: PeerId) -> Result<(), Refusal> {
    let publication = microphone("0", 5);
    director.handle(Command::Publish { track: TRACK, peer, publication })
}

fn subscribe(director: &mut Director, peer: PeerId) -> Result<(), Refusal> {
    let subscription = subscription("1", 9);
    director.handle(Command::Subscribe { track: TRACK, peer, subscription })
}

fn claim(director: &mut Director, peer: PeerId, shard: u8) {
    director.report(ShardIndex(shard), Report::Claimed { peer });
}

/// What comes out, in short.
fn orders(director: &mut Director) -> Vec<String> {
    std::iter::from_fn(|| director.poll())
        .map(|(shard, order)| {
            let what = match order {
                Order::Command(Command::AddPeer { peer, .. }) => format!("add {}", peer.0),
                Order::Command(Command::RemovePeer { peer }) => format!("remove {}", peer.0),
                Order::Command(Command::RestartIce { peer, .. }) => format!("restart {}", peer.0),
                Order::Command(Command::Publish { .. }) => "publish".into(),
                Order::Command(Command::Unpublish { .. }) => "unpublish".into(),
                Order::Command(Command::Mute { muted, .. }) => format!("mute {muted}"),
                Order::Command(Command::Subscribe { peer, .. }) => format!("subscribe {}", peer.0),
                Order::Command(Command::Unsubscribe { peer, .. }) => {
                    format!("unsubscribe {}", peer.0)
                }
                Order::Command(Command::Pause { peer, .. }) => format!("pause {}", peer.0),
                Order::Command(other) => format!("{other:?}"),
                Order::Await { peer, .. } => format!("await {}", peer.0),
                Order::Elsewhere { peer, shard, .. } => format!("{} at {}", peer.0, shard.0),
                Order::Mirror(mirror) => format!("mirror of {}", mirror.from.0),
                Order::Relay { to, on, .. } => format!("relay to {} {on}", to.0),
            };
            format!("{}: {what}", shard.0)
        })
        .collect()
}

#[test]
fn with_one_shard_commands_pass_through_at_once() {
    let mut director = Director::new(1);
    add(&mut director, A);
    add(&mut director, B);
    publish(&mut director, A).unwrap();
    subscribe(&mut director, B).unwrap();
    director.handle(Command::RemovePeer { peer: A }).unwrap();
    let all = orders(&mut director);
    assert_eq!(all, ["0: add 1", "0: add 2", "0: publish", "0: subscribe 2", "0: remove 1"]);
}

#[test]
fn a_peer_lives_where_it_was_first_claimed_and_what_waited_follows_in_order() {
    let mut director = Director::new(3);
    add(&mut director, A);
    assert_eq!(orders(&mut director), ["0: await 1", "1: await 1", "2: await 1"]);
    publish(&mut director, A).unwrap();
    director.handle(Command::Mute { track: TRACK, muted: true }).unwrap();
    assert!(orders(&mut director).is_empty());
    assert_eq!(director.shard_of(A), Ok(None));
    claim(&mut director, A, 2);
    claim(&mut director, A, 1);
    let all = orders(&mut director);
    assert_eq!(all, ["2: add 1", "0: 1 at 2", "1: 1 at 2", "2: publish", "2: mute true"]);
    assert_eq!(director.shard_of(A), Ok(Some(ShardIndex(2))));
}

#[test]
fn a_subscription_waits_for_both_ends_whichever_comes_first() {
    for publisher_first in [true, false] {
        let mut director = Director::new(2);
        add(&mut director, A);
        add(&mut director, B);
        publish(&mut director, A).unwrap();
        subscribe(&mut director, B).unwrap();
        let paused = Command::Pause { track: TRACK, peer: B, paused: true };
        director.handle(paused).unwrap();
        let (first, second) = if publisher_first { (A, B) } else { (B, A) };
        claim(&mut director, first, u8::from(first == B));
        assert!(!orders(&mut director).iter().any(|order| order.contains("subscribe")));
        claim(&mut director, second, u8::from(second == B));
        let all = orders(&mut director);
        let end: Vec<_> = all.iter().skip_while(|order| !order.contains("mirror")).collect();
        assert_eq!(end, ["1: mirror of 0", "0: relay to 1 true", "1: subscribe 2", "1: pause 2"]);
    }
}

/// A on 0 publishes; B and C live on 1 and receive it.
fn meeting() -> Director {
    let mut director = Director::new(2);
    for (peer, shard) in [(A, 0), (B, 1), (C, 1)] {
        add(&mut director, peer);
        claim(&mut director, peer, shard);
    }
    publish(&mut director, A).unwrap();
    subscribe(&mut director, B).unwrap();
    subscribe(&mut director, C).unwrap();
    subscribe(&mut director, C).unwrap();
    let all = orders(&mut director);
    assert_eq!(all.iter().filter(|order| order.contains("mirror")).count(), 1);
    director
}

#[test]
fn a_track_is_relayed_as_long_as_somebody_wants_it_there() {
    let mut director = meeting();
    director.handle(Command::Unsubscribe { track: TRACK, peer: B }).unwrap();
    assert_eq!(orders(&mut director), ["1: unsubscribe 2"]);
    director.handle(Command::RemovePeer { peer: C }).unwrap();
    let all = orders(&mut director);
    assert_eq!(all, ["0: relay to 1 false", "1: unpublish", "0: remove 3", "1: remove 3"]);
    subscribe(&mut director, B).unwrap();
    let all = orders(&mut director);
    assert_eq!(all, ["1: mirror of 0", "0: relay to 1 true", "1: subscribe 2"]);
}

#[test]
fn mute_description_and_end_of_a_track_reach_its_mirrors() {
    let mut director = meeting();
    director.handle(Command::Mute { track: TRACK, muted: true }).unwrap();
    assert_eq!(orders(&mut director), ["0: mute true", "1: mute true"]);
    publish(&mut director, A).unwrap();
    assert_eq!(orders(&mut director), ["0: publish", "1: mirror of 0"]);
    director.handle(Command::Unpublish { track: TRACK }).unwrap();
    assert_eq!(orders(&mut director), ["0: unpublish", "1: unpublish"]);
    assert_eq!(subscribe(&mut director, B), Err(Refusal::UnknownTrack));
    let mut director = meeting();
    director.handle(Command::RemovePeer { peer: A }).unwrap();
    assert_eq!(orders(&mut director), ["1: unpublish", "0: remove 1", "1: remove 1"]);
}

#[test]
fn other_shards_know_the_names_of_a_restart() {
    let mut director = Director::new(2);
    add(&mut director, A);
    let again = |ufrag: &str| Command::RestartIce {
        peer: A,
        credentials: Credentials { ufrag: ufrag.into(), password: "p".into() },
    };
    director.handle(again("first")).unwrap();
    director.handle(again("second")).unwrap();
    orders(&mut director);
    claim(&mut director, A, 1);
    let all = orders(&mut director);
    assert_eq!(all, ["1: add 1", "1: restart 1", "0: 1 at 1", "0: 1 at 1"]);
    director.handle(again("third")).unwrap();
    assert_eq!(orders(&mut director), ["0: 1 at 1", "1: restart 1"]);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let mut director = Director::new(2);
    add(&mut director, A);
    let credentials = Credentials { ufrag: "u".into(), password: "p".into() };
    let twice = Command::AddPeer { peer: A, room: RoomId(1), credentials };
    assert_eq!(director.handle(twice), Err(Refusal::Duplicate));
    assert_eq!(director.handle(Command::RemovePeer { peer: B }), Err(Refusal::UnknownPeer));
    let datagram = Command::SendDatagram { peer: A, datagram: bytes::Bytes::new() };
    assert_eq!(director.handle(datagram), Err(Refusal::NoAddress));
    publish(&mut director, A).unwrap();
    add(&mut director, B);
    assert_eq!(publish(&mut director, B), Err(Refusal::Duplicate), "another's track");
    claim(&mut director, C, 0);
    director.handle(Command::RemovePeer { peer: A }).unwrap();
    claim(&mut director, A, 0);
    orders(&mut director);
    assert_eq!(director.shard_of(A), Err(Refusal::UnknownPeer));
}

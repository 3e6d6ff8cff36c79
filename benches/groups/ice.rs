//! Group `ice`: a connectivity check from datagram to answer, and the coming and going of a peer.

use std::hint::black_box;
use std::net::SocketAddr;

use conf_media::command::{Command, PeerId, RoomId};
use conf_media::egress::TxBatch;
use conf_media::ice::{Agent, Credentials};
use conf_media::shard::{Input, Shard, ShardConfig};
use conf_media::stun;
use conf_media::test_util::Lab;

use super::stun::{PASSWORD, check};
use crate::Work::Items;
use crate::{Case, now};

fn credentials() -> Credentials {
    Credentials { ufrag: "ours".into(), password: PASSWORD.into() }
}

fn from() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 7], 50_000))
}

/// An agent is asked again and again.
fn asked(name: &str, password: &'static str) -> Case {
    Case::timed(name, Items(1), move || {
        let (request, now) = (check(password), now());
        let (mut agent, mut out) = (Agent::new(credentials()), Vec::new());
        move || {
            out.clear();
            let message = stun::parse(&request).expect("a STUN message");
            black_box(agent.handle(now, from(), &message, &mut out)).ok();
        }
    })
}

/// A peer is announced, checks its path, gets its keys and goes.
fn join() -> Case {
    Case::timed("join", Items(1), || {
        let (now, request) = (now(), check(PASSWORD));
        let (mut shard, mut sent) = (Shard::new(ShardConfig::default()), TxBatch::new());
        let mut lab = Lab::new(now);
        let connected = lab.connect();
        let (peer, room, keys) = (PeerId(7), RoomId(1), lab.keys(connected));
        move || {
            let mut order = |command| shard.handle(now, Input::Command(command));
            let add = Command::AddPeer { peer, room, credentials: credentials() };
            order(add).expect("a new peer");
            let (mut bytes, arrival) = (request.clone(), now.mono);
            let check = Input::Datagram { from: from(), bytes: &mut bytes, arrival };
            shard.handle(now, check).expect("a check that is taken");
            let mut order = |command| shard.handle(now, Input::Command(command));
            order(Command::SetKeys { peer, keys: keys.clone() }).expect("usable keys");
            order(Command::RemovePeer { peer }).expect("a known peer");
            while shard.poll().is_some() {}
            shard.flush(now, &mut sent);
        }
    })
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        asked("check_answered", PASSWORD),
        asked("check_refused", "another-of-24-characters"),
        join(),
    ]
}

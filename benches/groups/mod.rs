//! All groups, one a file.

mod allocate;
mod data;
mod demux;
mod dtls;
mod engine;
mod fanout;
mod gso;
mod ice;
mod nack;
mod needle;
mod rewrite;
mod rtcp;
mod rtp;
mod shard;
mod srtp;
mod stun;

use crate::Group;

/// All groups, in the order of the table.
#[must_use]
pub fn groups() -> Vec<Group> {
    vec![
        Group { name: "rtp", cases: rtp::cases },
        Group { name: "rtcp", cases: rtcp::cases },
        Group { name: "srtp", cases: srtp::cases },
        Group { name: "rewrite", cases: rewrite::cases },
        Group { name: "nack", cases: nack::cases },
        Group { name: "allocate", cases: allocate::cases },
        Group { name: "fanout", cases: fanout::cases },
        Group { name: "gso", cases: gso::cases },
        Group { name: "demux", cases: demux::cases },
        Group { name: "stun", cases: stun::cases },
        Group { name: "ice", cases: ice::cases },
        Group { name: "dtls", cases: dtls::cases },
        Group { name: "data", cases: data::cases },
        Group { name: "shard", cases: shard::cases },
        Group { name: "engine", cases: engine::cases },
        Group { name: "needle", cases: needle::cases },
    ]
}

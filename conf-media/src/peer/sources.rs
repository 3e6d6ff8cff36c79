//! Which synchronisation source of a peer is which encoding of which track.
//!
//! Browsers announce no sources for simulcast; the first packets carry the media section and the
//! restriction id as header extensions instead (RFC 8843, section 9.2; RFC 8852). A binding that
//! comes later takes the place of the one before it for the same encoding, so that the list is
//! bounded by what was published, whatever a peer sends.

use crate::command::{Label, Publication};
use crate::rtp::View;
use crate::slab::Key;
use crate::track::Track;

/// What a source carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Original packets.
    Media,
    /// Retransmissions (RFC 4588).
    Repair,
}

/// One bound source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Binding {
    pub(crate) ssrc: u32,
    pub(crate) track: Key<Track>,
    pub(crate) encoding: usize,
    pub(crate) role: Role,
}

/// The bound sources of one peer; a handful, so a list.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    list: Vec<Binding>,
}

impl Sources {
    /// Binds a source, in place of another one of the same encoding and role. `false` if the peer
    /// has too many.
    pub(crate) fn bind(&mut self, binding: Binding) -> bool {
        self.list.retain(|old| {
            old.ssrc != binding.ssrc
                && (old.track != binding.track
                    || old.encoding != binding.encoding
                    || old.role != binding.role)
        });
        if self.list.len() >= MAX_SOURCES {
            return false;
        }
        self.list.push(binding);
        true
    }

    /// A track ended.
    pub(crate) fn unbind(&mut self, track: Key<Track>) {
        self.list.retain(|binding| binding.track != track);
    }

    /// Some source of the peer, for feedback on all of them.
    pub(crate) fn first(&self) -> Option<u32> {
        self.list.first().map(|binding| binding.ssrc)
    }

    /// What a source carries.
    pub(crate) fn find(&self, ssrc: u32) -> Option<Binding> {
        self.list.iter().find(|binding| binding.ssrc == ssrc).copied()
    }
}

/// Encoding and role of a packet of `publication`, if its header extensions say that it is one.
pub(crate) fn by_extensions(
    publication: &Publication,
    view: &View,
    packet: &[u8],
) -> Option<(usize, Role)> {
    let label = |id: Option<u8>| Label::new(view.extension(packet, id?)?);
    if label(publication.extensions.mid)? != publication.mid {
        return None;
    }
    if let Some(rid) = label(publication.extensions.repaired_rid) {
        return Some((encoding_of(publication, rid)?, Role::Repair));
    }
    let repairs = is_repair(publication, view.payload_type);
    if let Some(rid) = label(publication.extensions.rid) {
        let role = if repairs { Role::Repair } else { Role::Media };
        return Some((encoding_of(publication, rid)?, role));
    }
    only_encoding(publication, view.payload_type)
}

/// Encoding and role of a packet by its payload type, if `publication` has a single encoding.
pub(crate) fn only_encoding(publication: &Publication, payload_type: u8) -> Option<(usize, Role)> {
    if publication.encodings.len() != 1 {
        return None;
    }
    if is_repair(publication, payload_type) {
        return Some((0, Role::Repair));
    }
    let known = publication.codecs.iter().any(|codec| codec.payload_type == payload_type);
    known.then_some((0, Role::Media))
}

fn encoding_of(publication: &Publication, rid: Label) -> Option<usize> {
    publication.encodings.iter().position(|encoding| encoding.rid == Some(rid))
}

fn is_repair(publication: &Publication, payload_type: u8) -> bool {
    publication.codecs.iter().any(|codec| codec.rtx == Some(payload_type))
}

/// Far more than a browser has: 16 tracks of four encodings with repair.
const MAX_SOURCES: usize = 128;

//! Which layers of one encoding a subscriber is sent.
//!
//! Down is easy: from the next picture on, less is sent. Up is not: a frame of a higher layer may
//! need others of that layer, which the subscriber does not have. So a [`Selector`] goes up only
//! where the stream says that one can: at a keyframe; in VP8 at a synchronisation point; in VP9 at a
//! switching-up point, or where a spatial layer needs no earlier picture; with a dependency
//! descriptor where the frame is a switch indication for the decode target that is wanted and all
//! that it needs was sent.
//!
//! Sources: RFC 7741, section 4.2 (Y); RFC 9628, section 4.2 (U, P, E); RTP Payload Format For AV1,
//! appendix A.4 (switching).

use crate::codec::dependency::{Frame, Indication, Layer, Structure};
use crate::codec::{Picture, Switch};

/// The layers of one edge.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Selector {
    /// What is sent now.
    now: Layer,
    /// What is to be sent.
    wanted: Layer,
    frames: Frames,
    /// Where more began to be sent, and what was sent before; newest first.
    rises: [Rise; RISES],
}

/// From this packet on more was sent.
#[derive(Clone, Copy, Debug, Default)]
struct Rise {
    from: u64,
    before: Layer,
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// It is sent; `last`: it ends the picture, as far as this subscriber gets it.
    Send { last: bool },
    /// It is left out.
    Skip,
}

impl Default for Selector {
    /// Everything.
    fn default() -> Self {
        let rises = [Rise::default(); RISES];
        Self { now: Layer::ALL, wanted: Layer::ALL, frames: Frames::default(), rises }
    }
}

impl Selector {
    /// From now on at most these layers.
    pub(crate) fn want(&mut self, layer: Layer) {
        if self.is_whole() {
            self.frames = Frames::default(); // none were noted
        }
        self.wanted = layer;
    }

    /// A stream begins: at a keyframe.
    pub(crate) fn begin(&mut self) {
        self.now = self.wanted;
        self.frames = Frames::default();
        self.rises = [Rise::default(); RISES];
    }

    /// Everything is sent and is to be.
    #[inline]
    pub(crate) fn is_whole(&self) -> bool {
        self.now == Layer::ALL && self.wanted == Layer::ALL
    }

    /// Only a keyframe brings what is wanted: a spatial layer that the present ones do not lead to.
    pub(crate) fn needs_keyframe(&self, top: Layer) -> bool {
        self.now.spatial.min(top.spatial) < self.wanted.spatial.min(top.spatial)
    }

    /// Decides about a packet of the present source. Only the newest one can be where one goes up:
    /// behind another one, what follows was left out already. One that comes late is part of what was
    /// sent at its time.
    pub(crate) fn choose(
        &mut self,
        picture: &Picture,
        structure: Option<&Structure>,
        (sequence, newest): (u64, bool),
    ) -> Choice {
        let before = self.now;
        let described = picture.frame.as_ref().zip(structure);
        if newest && picture.start {
            match described {
                Some((frame, structure)) => self.change_described(frame, structure),
                None => self.change(picture),
            }
            if !self.now.is_within(before) {
                let [newest, second, third, _] = self.rises;
                self.rises = [Rise { from: sequence, before }, newest, second, third];
            }
        }
        let layer = if newest { self.now } else { self.at(sequence) };
        match described {
            Some((frame, structure)) => self.described(frame, structure, layer),
            None => undescribed(picture, layer),
        }
    }

    /// What was sent when this packet should have come.
    fn at(&self, sequence: u64) -> Layer {
        let later = self.rises.iter().take_while(|rise| rise.from > sequence);
        let lowest = |layer: Layer, rise: &Rise| Layer {
            spatial: layer.spatial.min(rise.before.spatial),
            temporal: layer.temporal.min(rise.before.temporal),
        };
        later.fold(self.now, lowest)
    }

    /// A frame begins, with a dependency descriptor.
    fn change_described(&mut self, frame: &Frame, structure: &Structure) {
        if frame.key {
            self.now = self.wanted;
            self.frames = Frames::default();
        } else if frame.layer.spatial == 0 {
            self.go_down();
        }
        if self.now != self.wanted
            && frame.indication(structure.target(self.wanted)) == Indication::Switch
            && self.frames.has_all_for(frame)
        {
            self.now = self.wanted;
        }
    }

    /// A picture begins, or a spatial layer of it, that only the payload's own descriptor tells.
    fn change(&mut self, picture: &Picture) {
        let layer = picture.layer();
        if picture.keyframe {
            self.now = self.wanted;
        } else if layer.spatial == 0 {
            self.go_down();
        }
        self.smoother(picture.switch, layer.temporal);
        let next = layer.spatial == self.now.spatial.saturating_add(1);
        if picture.alone && next && layer.spatial <= self.wanted.spatial {
            self.now.spatial = layer.spatial;
        }
    }

    /// Whether a frame is part of the decode target for these layers.
    fn described(&mut self, frame: &Frame, structure: &Structure, layer: Layer) -> Choice {
        let target = structure.target(layer);
        if frame.indication(target) == Indication::Absent {
            return Choice::Skip;
        }
        self.frames.sent(frame.number);
        Choice::Send { last: frame.end && frame.layer.spatial == structure.layer(target).spatial }
    }

    /// A picture of a temporal layer may be where one goes up. A synchronisation point says nothing
    /// of the layers between the base and its own, so these come one by one.
    fn smoother(&mut self, switch: Option<Switch>, of: u8) {
        let to = match switch {
            Some(Switch::Here) if of == self.now.temporal.saturating_add(1) => of,
            Some(Switch::Behind) if of <= self.now.temporal => u8::MAX,
            _ => return,
        };
        self.now.temporal = self.now.temporal.max(to.min(self.wanted.temporal));
    }

    fn go_down(&mut self) {
        self.now.spatial = self.now.spatial.min(self.wanted.spatial);
        self.now.temporal = self.now.temporal.min(self.wanted.temporal);
    }
}

/// Whether a picture is part of these layers.
fn undescribed(picture: &Picture, most: Layer) -> Choice {
    let layer = picture.layer();
    if !layer.is_within(most) {
        return Choice::Skip;
    }
    Choice::Send { last: picture.end == Some(true) && layer.spatial == most.spatial }
}

/// Which frames were sent lately, by their numbers.
#[derive(Clone, Copy, Debug, Default)]
struct Frames {
    newest: Option<u16>,
    /// Bit n: the frame n numbers before the newest one.
    sent: u64,
}

impl Frames {
    fn sent(&mut self, number: u16) {
        let Some(newest) = self.newest else {
            (self.newest, self.sent) = (Some(number), 1);
            return;
        };
        let ahead = number.wrapping_sub(newest).cast_signed();
        if ahead > 0 {
            self.sent = self.sent.checked_shl(u32::from(ahead.unsigned_abs())).unwrap_or(0) | 1;
            self.newest = Some(number);
        } else {
            self.sent |= 1u64.checked_shl(u32::from(ahead.unsigned_abs())).unwrap_or(0);
        }
    }

    /// Whether all frames that this one needs were sent.
    fn has_all_for(&self, frame: &Frame) -> bool {
        let Some(newest) = self.newest else { return frame.needs == 0 && !frame.needs_older };
        let ahead = frame.number.wrapping_sub(newest).cast_signed();
        if frame.needs_older || ahead < 0 {
            return false;
        }
        // Bit n of `before`: the frame n + 1 numbers before this one.
        let before = match u32::from(ahead.unsigned_abs()).checked_sub(1) {
            None => self.sent >> 1,
            Some(shift) => self.sent.checked_shl(shift).unwrap_or(0),
        };
        frame.needs & !before == 0
    }
}

/// Steps up that are remembered for packets that come late.
const RISES: usize = 4;

//! The templates that a keyframe carries: what the frames up to the next one are made of.

use super::bits::Bits;
use super::{Indication, Layer};

/// Most templates that six bits can name.
pub(super) const MAX_TEMPLATES: usize = 64;
/// Most decode targets, and most chains.
pub const MAX_TARGETS: usize = 32;
/// Chains that are followed: one protects a spatial layer, and nobody sends more than four.
pub(super) const CHAINS: usize = 4;

/// What frames of one kind have in common.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Template {
    pub(super) layer: Layer,
    /// Two bits a decode target, the first one lowest.
    pub(super) indications: u64,
    /// Bit n: it needs the frame n + 1 numbers before.
    pub(super) needs: u64,
    /// How far back the frame before it in each chain is; 0 where it begins the chain.
    pub(super) chains: [u8; CHAINS],
}

/// One choice of layers that a receiver can decode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) layer: Layer,
    /// The chain that its frames must not miss anything of.
    pub(super) chain: Option<u8>,
}

/// The template structure of a stream (AV1 RTP specification, appendix A.8.3).
#[derive(Clone, PartialEq, Eq)]
pub struct Structure {
    offset: u8,
    template_count: usize,
    templates: [Template; MAX_TEMPLATES],
    target_count: usize,
    targets: [Target; MAX_TARGETS],
    chain_count: usize,
    /// Width and height of each spatial layer, where the stream says them.
    resolutions: [Option<(u16, u16)>; MAX_SPATIAL],
}

impl std::fmt::Debug for Structure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Structure")
            .field("templates", &self.template_count)
            .field("targets", &self.target_count)
            .field("chains", &self.chain_count)
            .finish_non_exhaustive()
    }
}

impl Structure {
    /// Reads a structure; `None` if the bytes end within it or contradict themselves.
    pub(super) fn read(bits: &mut Bits<'_>) -> Option<Self> {
        let offset = bits.small(6)?;
        let target_count = usize::from(bits.small(5)?).saturating_add(1);
        let mut structure = Self {
            offset,
            template_count: 0,
            templates: [Template::default(); MAX_TEMPLATES],
            target_count,
            targets: [Target::default(); MAX_TARGETS],
            chain_count: 0,
            resolutions: [None; MAX_SPATIAL],
        };
        structure.read_layers(bits)?;
        for template in structure.templates.get_mut(..structure.template_count)? {
            template.indications = indications(bits, target_count)?;
        }
        for template in structure.templates.get_mut(..structure.template_count)? {
            template.needs = template_needs(bits)?;
        }
        structure.read_chains(bits)?;
        structure.place_targets();
        if bits.flag()? {
            structure.read_resolutions(bits)?;
        }
        Some(structure)
    }

    /// The templates' layers, in their order: same, next temporal, next spatial, end.
    fn read_layers(&mut self, bits: &mut Bits<'_>) -> Option<()> {
        let mut layer = Layer::default();
        loop {
            self.templates.get_mut(self.template_count)?.layer = layer;
            self.template_count = self.template_count.saturating_add(1);
            match bits.number(2)? {
                0 => {}
                1 => layer.temporal = layer.temporal.saturating_add(1),
                2 => {
                    layer = Layer { spatial: layer.spatial.saturating_add(1), temporal: 0 };
                }
                _ => return Some(()),
            }
            if usize::from(layer.spatial) >= MAX_SPATIAL || layer.temporal >= MAX_TEMPORAL {
                return None;
            }
        }
    }

    fn read_chains(&mut self, bits: &mut Bits<'_>) -> Option<()> {
        let targets = u32::try_from(self.target_count).ok()?;
        let chains = bits.below(targets.saturating_add(1))?;
        if chains == 0 {
            return Some(());
        }
        for target in self.targets.get_mut(..self.target_count)? {
            target.chain = Some(u8::try_from(bits.below(chains)?).ok()?);
        }
        self.chain_count = usize::try_from(chains).ok()?;
        for template in self.templates.get_mut(..self.template_count)? {
            template.chains = chain_distances(bits, self.chain_count, 4)?;
        }
        Some(())
    }

    /// A decode target has the layers of all templates that are part of it (section A.8.3.7).
    fn place_targets(&mut self) {
        let templates = self.templates.get(..self.template_count).unwrap_or_default();
        for (index, target) in self.targets.iter_mut().take(self.target_count).enumerate() {
            for template in templates {
                if Indication::of(template.indications, index) != Indication::Absent {
                    target.layer.spatial = target.layer.spatial.max(template.layer.spatial);
                    target.layer.temporal = target.layer.temporal.max(template.layer.temporal);
                }
            }
        }
    }

    fn read_resolutions(&mut self, bits: &mut Bits<'_>) -> Option<()> {
        let spatial = usize::from(self.top().spatial).saturating_add(1);
        for place in self.resolutions.get_mut(..spatial)? {
            let mut side = || u16::try_from(bits.number(16)?).ok().map(|n| n.saturating_add(1));
            *place = Some((side()?, side()?));
        }
        Some(())
    }

    pub(super) fn template(&self, id: u8) -> Option<&Template> {
        let index = usize::from(id.wrapping_sub(self.offset) & 0x3f);
        self.templates.get(..self.template_count)?.get(index)
    }

    pub(super) fn target_count(&self) -> usize {
        self.target_count
    }

    pub(super) fn chain_count(&self) -> usize {
        self.chain_count
    }

    /// The highest layers that any frame may have.
    #[must_use]
    pub fn top(&self) -> Layer {
        let mut top = Layer::default();
        for template in self.templates.iter().take(self.template_count) {
            top.spatial = top.spatial.max(template.layer.spatial);
            top.temporal = top.temporal.max(template.layer.temporal);
        }
        top
    }

    /// The decode target with the most layers within `most`: the sharper one first, then the
    /// smoother one. The lowest one where none is within it.
    #[must_use]
    pub fn target(&self, most: Layer) -> usize {
        let targets = self.targets.iter().take(self.target_count).enumerate();
        let within = targets.clone().filter(|(_, target)| target.layer.is_within(most));
        let rank = |(_, target): &(usize, &Target)| (target.layer.spatial, target.layer.temporal);
        within.max_by_key(rank).or_else(|| targets.min_by_key(rank)).map_or(0, |(index, _)| index)
    }

    /// The layers of a decode target.
    #[must_use]
    pub fn layer(&self, target: usize) -> Layer {
        self.targets.get(target).map(|target| target.layer).unwrap_or_default()
    }

    /// The chain that protects a decode target, where it has one and it is followed.
    #[must_use]
    pub fn chain(&self, target: usize) -> Option<usize> {
        let chain = self.targets.get(target)?.chain.map(usize::from)?;
        (chain < CHAINS).then_some(chain)
    }

    /// Width and height of a spatial layer, where the stream says them.
    #[must_use]
    pub fn resolution(&self, spatial: u8) -> Option<(u16, u16)> {
        self.resolutions.get(usize::from(spatial)).copied().flatten()
    }
}

/// Two bits for each decode target.
pub(super) fn indications(bits: &mut Bits<'_>, targets: usize) -> Option<u64> {
    let mut all = 0;
    for target in 0..targets.min(MAX_TARGETS) {
        all |= u64::from(bits.number(2)?) << (target << 1);
    }
    Some(all)
}

fn template_needs(bits: &mut Bits<'_>) -> Option<u64> {
    let mut needs = 0;
    while bits.flag()? {
        needs |= 1 << bits.number(4)?;
    }
    Some(needs)
}

/// One distance of `width` bits a chain; those of chains that are not followed are read over.
pub(super) fn chain_distances(
    bits: &mut Bits<'_>,
    count: usize,
    width: u32,
) -> Option<[u8; CHAINS]> {
    let mut chains = [0; CHAINS];
    for chain in 0..count {
        let distance = bits.small(width)?;
        if let Some(place) = chains.get_mut(chain) {
            *place = distance;
        }
    }
    Some(chains)
}

/// Spatial layers of a stream; AV1 knows no more.
const MAX_SPATIAL: usize = 4;
/// Temporal layers of a stream.
const MAX_TEMPORAL: u8 = 8;

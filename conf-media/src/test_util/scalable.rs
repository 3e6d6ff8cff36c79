//! Dependency descriptors as encoders write them: a writer of its own, and the structures that
//! browsers use.

/// One kind of frame.
#[derive(Clone, Copy, Debug)]
pub struct Template {
    /// Spatial and temporal layer.
    pub layer: (u8, u8),
    /// One of `-`, `D`, `S`, `R` a decode target.
    pub indications: &'static str,
    /// Frames that it needs, by their distance, 1 to 16.
    pub needs: &'static [u8],
    /// Distance of the frame before it in each chain.
    pub chains: &'static [u8],
}

/// What the frames of a stream are made of.
#[derive(Clone, Copy, Debug)]
pub struct Scalability {
    /// In the order of their layers.
    pub templates: &'static [Template],
    /// The chain of each decode target.
    pub protected_by: &'static [u8],
    /// Width and height of each spatial layer.
    pub resolutions: &'static [(u16, u16)],
    /// Templates of the frames of a keyframe's picture, and after it in turns.
    pub first: &'static [u8],
    /// Templates of the frames that follow, picture by picture.
    pub then: &'static [&'static [u8]],
}

/// One packet's frame.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "flags as they go")]
pub struct Described {
    /// First packet of the frame.
    pub start: bool,
    /// Last packet of the frame.
    pub end: bool,
    /// Index of its template.
    pub template: u8,
    /// Frame number.
    pub number: u16,
    /// The structure goes with it.
    pub key: bool,
}

/// Three temporal layers.
pub const L1T3: Scalability = Scalability {
    templates: &[
        template((0, 0), "SSS", &[], &[0]),
        template((0, 0), "SSS", &[4], &[4]),
        template((0, 1), "-DS", &[2], &[2]),
        template((0, 2), "--D", &[1], &[1]),
        template((0, 2), "--D", &[1], &[3]),
    ],
    protected_by: &[0, 0, 0],
    resolutions: &[(1280, 720)],
    first: &[0],
    then: &[&[3], &[2], &[4], &[1]],
};

/// Two sizes, the larger one predicted from the smaller one in each picture.
pub const L2T1: Scalability = Scalability {
    templates: &[
        template((0, 0), "SR", &[2], &[2, 1]),
        template((0, 0), "SS", &[], &[0, 0]),
        template((1, 0), "-S", &[2, 1], &[1, 1]),
        template((1, 0), "-S", &[1], &[1, 1]),
    ],
    protected_by: &[0, 1],
    resolutions: &[(640, 360), (1280, 720)],
    first: &[1, 3],
    then: &[&[0, 2]],
};

/// Two sizes, the larger one predicted from the smaller one in keyframes only.
pub const L2T1_KEY: Scalability = Scalability {
    templates: &[
        template((0, 0), "S-", &[2], &[2, 1]),
        template((0, 0), "SS", &[], &[0, 0]),
        template((1, 0), "-S", &[2], &[1, 2]),
        template((1, 0), "-S", &[1], &[1, 1]),
    ],
    protected_by: &[0, 1],
    resolutions: &[(640, 360), (1280, 720)],
    first: &[1, 3],
    then: &[&[0, 2]],
};

const fn template(
    layer: (u8, u8),
    indications: &'static str,
    needs: &'static [u8],
    chains: &'static [u8],
) -> Template {
    Template { layer, indications, needs, chains }
}

impl Scalability {
    /// Templates of the frames of the picture with this index after a keyframe.
    #[must_use]
    pub fn picture(&self, index: usize) -> &'static [u8] {
        match index.checked_sub(1) {
            None => self.first,
            Some(later) => self.then.get(later % self.then.len()).copied().unwrap_or_default(),
        }
    }

    /// The value of the extension of one packet.
    #[must_use]
    pub fn describe(&self, described: Described) -> Vec<u8> {
        let mut bits = Bits::default();
        bits.put(1, u32::from(described.start));
        bits.put(1, u32::from(described.end));
        bits.put(6, u32::from(described.template));
        bits.put(16, u32::from(described.number));
        if described.key {
            bits.put(5, 0b10000);
            self.write(&mut bits);
        }
        bits.bytes
    }

    fn write(&self, bits: &mut Bits) {
        let (targets, templates) = (self.protected_by.len(), self.templates);
        bits.put(6, 0);
        bits.put(5, u32::try_from(targets - 1).unwrap_or_default());
        let steps = templates.windows(2).map(|pair| match pair {
            [a, b] if a.layer == b.layer => 0,
            [a, b] if a.layer.0 == b.layer.0 => 1,
            _ => 2,
        });
        steps.chain([3]).for_each(|step| bits.put(2, step));
        for template in templates {
            for indication in template.indications.chars() {
                let number = "-DSR".find(indication).unwrap_or_default();
                bits.put(2, u32::try_from(number).unwrap_or_default());
            }
        }
        for template in templates {
            for &back in template.needs {
                bits.put(1, 1);
                bits.put(4, u32::from(back) - 1);
            }
            bits.put(1, 0);
        }
        let chains = templates.first().map_or(0, |template| template.chains.len());
        bits.put_below(targets + 1, chains);
        for &chain in self.protected_by {
            bits.put_below(chains, usize::from(chain));
        }
        for back in templates.iter().flat_map(|template| template.chains) {
            bits.put(4, u32::from(*back));
        }
        bits.put(1, u32::from(!self.resolutions.is_empty()));
        for (width, height) in self.resolutions {
            bits.put(16, u32::from(*width) - 1);
            bits.put(16, u32::from(*height) - 1);
        }
    }
}

/// Bits, most significant first.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    len: usize,
}

impl Bits {
    fn put(&mut self, count: usize, value: u32) {
        for shift in (0..count).rev() {
            if self.len.is_multiple_of(8) {
                self.bytes.push(0);
            }
            if let Some(last) = self.bytes.last_mut() {
                *last |= u8::from((value >> shift) & 1 == 1) << (7 - self.len % 8);
            }
            self.len += 1;
        }
    }

    /// `ns(n)` of the AV1 specification, section 4.10.7.
    fn put_below(&mut self, limit: usize, value: usize) {
        let width = usize::BITS - limit.leading_zeros();
        let width = usize::try_from(width).unwrap_or_default();
        let short = (1 << width) - limit;
        let (count, value) =
            if value < short { (width - 1, value) } else { (width, value + short) };
        self.put(count, u32::try_from(value).unwrap_or_default());
    }
}

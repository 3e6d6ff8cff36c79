//! Target of the dependency descriptor: descriptors of one stream, one after the other.

use conf_media::codec::dependency::{Layer, Reader};
use conf_media::test_util::scalable::{Described, L1T3, L2T1, L2T1_KEY, Scalability};

use crate::Shape;

/// Each descriptor has its length in front.
pub(crate) fn run(mut input: &[u8]) -> Shape {
    let (mut reader, mut shape) = (Reader::default(), Shape::NOTHING);
    let mut sequence = 0;
    while let Some((&len, rest)) = input.split_first() {
        let (value, rest) = rest.split_at(usize::from(len).min(rest.len()));
        let frame = reader.read(sequence, value);
        if let (Some(frame), Some(structure)) = (frame, reader.structure()) {
            let target = structure.target(frame.layer);
            assert!(structure.layer(target).is_within(structure.top()));
            assert!(frame.layer.is_within(structure.top()));
            let chain = structure.chain(target).and_then(|chain| frame.chain(chain));
            shape = shape.and(frame.indication(target)).and(chain);
            assert_eq!(structure.target(Layer::ALL), structure.target(structure.top()));
        }
        shape = shape.and(frame.is_some());
        (input, sequence) = (rest, sequence + 1);
    }
    shape
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    [L1T3, L2T1, L2T1_KEY].iter().map(stream).collect()
}

/// A keyframe and some pictures behind it.
fn stream(structure: &Scalability) -> Vec<u8> {
    let mut all = Vec::new();
    let mut number = 65_534u16;
    for picture in 0..5 {
        for (at, &template) in structure.picture(picture).iter().enumerate() {
            let key = picture == 0 && at == 0;
            let described = Described { start: true, end: at > 0, template, number, key };
            let value = structure.describe(described);
            all.push(u8::try_from(value.len()).unwrap_or_default());
            all.extend(value);
            number = number.wrapping_add(1);
        }
    }
    all
}

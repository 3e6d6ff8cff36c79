//! Pictures as Chromium's packetiser cuts them: the table `browser.txt`, played again and again.

use std::sync::OnceLock;
use std::time::Duration;

/// One picture of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// To the next picture.
    pub gap: Duration,
    /// Bytes of RTP payload of its packets.
    pub sizes: Vec<u16>,
    keyframe: bool,
}

/// The picture at a place of the endless stream. A keyframe takes the sizes of the table's keyframe.
#[must_use]
pub fn picture(number: u64, keyframe: bool) -> Picture {
    let table = table();
    let length = u64::try_from(table.pictures.len()).unwrap_or(1).max(1);
    let place = usize::try_from(number % length).unwrap_or_default();
    let ordinary = table.pictures.get(place);
    let gap = ordinary.map_or(Duration::from_millis(33), |picture| picture.gap);
    let chosen = if keyframe { table.keyframe.as_ref() } else { ordinary };
    let sizes = chosen.map(|picture| picture.sizes.clone()).unwrap_or_default();
    Picture { gap, sizes, keyframe }
}

/// Packets and time of one round of the table, without keyframes.
#[must_use]
pub fn round() -> (u64, Duration) {
    let pictures = &table().pictures;
    let packets: usize = pictures.iter().map(|picture| picture.sizes.len()).sum();
    let time = pictures.iter().map(|picture| picture.gap).sum();
    (u64::try_from(packets).unwrap_or_default(), time)
}

struct Table {
    pictures: Vec<Picture>,
    keyframe: Option<Picture>,
}

fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| {
        let all = include_str!("browser.txt").lines().filter_map(read);
        let (keyframes, pictures): (Vec<_>, Vec<_>) = all.partition(|picture| picture.keyframe);
        Table { pictures, keyframe: keyframes.into_iter().next() }
    })
}

/// `gap_us size size …`, with `K` in front for a keyframe; `#` starts a comment.
fn read(line: &str) -> Option<Picture> {
    let (keyframe, line) = match line.strip_prefix("K ") {
        Some(rest) => (true, rest),
        None => (false, line),
    };
    let mut numbers = line.split_whitespace();
    let gap = Duration::from_micros(numbers.next()?.parse().ok()?);
    let sizes = numbers.map(str::parse).collect::<Result<Vec<u16>, _>>().ok()?;
    (!sizes.is_empty()).then_some(Picture { gap, sizes, keyframe })
}

//! Rates and forms.

use super::*;

fn camera(kind: ShapeKind, pictures: usize) -> (Vec<Burst>, Duration) {
    let mut camera = Camera::new(kind);
    let bursts = (0..pictures)
        .map(|_| {
            let mut burst = Burst::default();
            camera.next(false, &mut burst);
            burst
        })
        .collect();
    (bursts, camera.due())
}

fn packets(bursts: &[Burst]) -> u64 {
    bursts.iter().map(|burst| burst.sizes.len() as u64).sum()
}

/// Within 1 %.
fn about(measured: f64, wanted: f64) {
    assert!((measured / wanted - 1.0).abs() < 0.01, "{measured} instead of {wanted}");
}

#[test]
fn an_even_camera_sends_125_packets_of_1200_bytes_in_30_pictures_a_second() {
    let (bursts, time) = camera(ShapeKind::Even, 300);
    about(packets(&bursts) as f64 / time.as_secs_f64(), 125.0);
    about(300.0 / time.as_secs_f64(), 30.0);
    assert!(bursts.iter().all(|burst| matches!(burst.sizes.len(), 4 | 5)));
    assert!(bursts.iter().flat_map(|burst| &burst.sizes).all(|&size| size == 1_200));
}

#[test]
fn an_even_microphone_sends_50_packets_of_120_bytes_a_second() {
    let mut microphone = Microphone::new(ShapeKind::Even, 1);
    let mut burst = Burst::default();
    for _ in 0..500 {
        microphone.next(&mut burst);
        assert_eq!(burst.sizes, [120]);
    }
    about(500.0 / microphone.due().as_secs_f64(), 50.0);
}

#[test]
fn a_browsers_camera_keeps_the_rate_of_its_table() {
    let (packets_of_round, time_of_round) = browser::round();
    let (bursts, time) = camera(ShapeKind::Browser, 1_000);
    let wanted = packets_of_round as f64 / time_of_round.as_secs_f64();
    about(packets(&bursts) as f64 / time.as_secs_f64(), wanted);
    assert!(bursts.iter().flat_map(|burst| &burst.sizes).all(|&size| size <= 1_200));
    assert!((25.0..=31.0).contains(&(1_000.0 / time.as_secs_f64())));
}

#[test]
fn a_browsers_packets_of_a_picture_differ_by_at_most_a_byte() {
    for burst in camera(ShapeKind::Browser, 300).0 {
        let (least, most) = (burst.sizes.iter().min(), burst.sizes.iter().max());
        assert!(most.unwrap() - least.unwrap() <= 1, "{:?}", burst.sizes);
    }
    let mut keyframe = Burst::default();
    Camera::new(ShapeKind::Browser).next(true, &mut keyframe);
    assert!(keyframe.sizes.len() > 10, "a keyframe is many packets");
}

#[test]
fn a_browsers_microphone_falls_silent_and_says_so() {
    let mut microphone = Microphone::new(ShapeKind::Browser, 5);
    let mut burst = Burst::default();
    let (mut speech, mut silence) = (0, 0);
    while microphone.due() < Duration::from_secs(60) {
        microphone.next(&mut burst);
        match burst.level {
            SILENCE_LEVEL => silence += 1,
            level => {
                assert!((30..60).contains(&level));
                speech += 1;
            }
        }
    }
    assert!(speech > 50 * 20 && speech < 50 * 55, "{speech}");
    assert!(silence > 20, "{silence}");
}

#[test]
fn the_same_seed_gives_the_same_microphone() {
    let run = |seed| {
        let mut microphone = Microphone::new(ShapeKind::Browser, seed);
        let mut burst = Burst::default();
        (0..500).for_each(|_| microphone.next(&mut burst));
        (microphone.due(), burst)
    };
    assert_eq!(run(3), run(3));
    assert_ne!(run(3), run(4));
}

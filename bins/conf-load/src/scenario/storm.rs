//! Scenarios of strain: many joins at once, and long time.

use std::time::Duration;

use tokio::sync::mpsc::unbounded_channel;

use super::stage::Stage;
use crate::clock;
use crate::meter::slope::slope;

/// `joins` join at an offered rate, whether or not the server keeps up, while others watch. Latency
/// is that of those who were there before; loss is what their sequence numbers lack.
pub(super) async fn joins(
    stage: &mut Stage<'_>,
    subscribers: usize,
    (joins, rate): (usize, f64),
) -> anyhow::Result<()> {
    super::audience(stage, subscribers).await?;
    stage.window(subscribers).await?;
    let before = stage.reading().await?;
    let (answers, mut answered) = unbounded_channel();
    let start = clock::now();
    let mut asked = Vec::new();
    for number in 0..joins {
        asked.push(stage.candidate(&format!("j{number}"), (0, 1))?);
    }
    let door = stage.door.clone();
    let offering = tokio::spawn(async move {
        for (number, (opened, wish)) in asked.into_iter().enumerate() {
            let due = start + Duration::from_secs_f64(number as f64 / rate);
            let early = due.saturating_duration_since(clock::now());
            // Even a sleep of nothing takes a whole millisecond: whoever is late does not sleep.
            if !early.is_zero() {
                tokio::time::sleep(early).await;
            }
            let (door, answers) = (door.clone(), answers.clone());
            tokio::spawn(async move {
                let started = clock::now();
                let entered = door.subscribe(&wish).await;
                let _ = answers.send((opened, entered, started)); // the scenario waits for all
            });
        }
    });
    while let Some((opened, entered, started)) = answered.recv().await {
        match entered {
            Ok(entered) => stage.entered(opened, &entered, (started, false))?,
            Err(error) => stage.joining.refused(error.to_string()),
        }
    }
    offering.await?;
    stage.settled().await?;
    let mut window = stage.measured_since(&before, subscribers + joins).await?;
    // Who should have received what changes all the time.
    window.expected = window.delivered + window.gaps;
    window.loss_percent = 100.0 * window.gaps as f64 / window.expected.max(1) as f64;
    stage.push(window);
    let joined = joins.saturating_sub(stage.joining.failed());
    if let Some(last) = stage.joining.last_connection() {
        let seconds = last.saturating_duration_since(start).as_secs_f64();
        stage.report.findings.joins_per_second = Some(joined as f64 / seconds.max(1e-3));
    }
    Ok(())
}

/// Windows one after the other; the slope of the server's memory after the first of them.
pub(super) async fn soak(
    stage: &mut Stage<'_>,
    subscribers: usize,
    minutes: usize,
) -> anyhow::Result<()> {
    super::audience(stage, subscribers).await?;
    let (start, length) = (clock::now(), Duration::from_secs(60) * u32::try_from(minutes)?);
    let mut points = Vec::new();
    while clock::now().saturating_duration_since(start) < length {
        let window = tokio::time::sleep(Duration::from_secs(stage.seconds()));
        let window = stage.measured(subscribers, window).await?;
        stage.push(window);
        let minutes = clock::now().saturating_duration_since(start).as_secs_f64() / 60.0;
        points.extend(stage.rss_kib()?.map(|rss| (minutes, rss as f64)));
    }
    stage.report.findings.rss_slope_kib_per_minute = slope(points.get(1..).unwrap_or_default());
    Ok(())
}

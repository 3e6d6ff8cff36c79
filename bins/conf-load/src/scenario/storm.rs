//! Scenarios of strain: many joins at once, and long time.

use std::time::{Duration, Instant};

use conf_media::command::Kind;
use tokio::sync::mpsc::unbounded_channel;

use super::stage::Stage;
use crate::client::ClientId;
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
    let window = stage.measured_since(&before, subscribers + joins).await?;
    stage.push(window.by_gaps());
    let joined = joins.saturating_sub(stage.joining.failed());
    if let Some(last) = stage.joining.last_connection() {
        let seconds = last.saturating_duration_since(start).as_secs_f64();
        stage.report.findings.joins_per_second = Some(joined as f64 / seconds.max(1e-3));
    }
    Ok(())
}

/// Windows one after the other while people come and go; the slope of the server's memory after a
/// warm-up.
///
/// Each `turn` the one who has been there longest leaves and another comes; with every tenth turn a
/// microphone comes or goes. So what a join or a publication leaves behind adds up.
pub(super) async fn soak(
    stage: &mut Stage<'_>,
    subscribers: usize,
    (length, turn): (Duration, Duration),
) -> anyhow::Result<()> {
    super::audience(stage, subscribers).await?;
    let start = clock::now();
    let mut crowd = Crowd { turn, turns: 0, microphone: None };
    let mut points = Vec::new();
    while clock::now().saturating_duration_since(start) < length {
        let before = stage.reading().await?;
        let end = clock::now() + Duration::from_secs(stage.seconds());
        crowd.moves(stage, end).await?;
        let window = stage.measured_since(&before, subscribers).await?;
        stage.push(if turn.is_zero() { window } else { window.by_gaps() });
        let elapsed = clock::now().saturating_duration_since(start);
        if elapsed >= length / WARM_UP_SHARE {
            let minutes = elapsed.as_secs_f64() / 60.0;
            points.extend(stage.rss_kib()?.map(|rss| (minutes, rss as f64)));
        }
    }
    stage.report.findings.turns = Some(crowd.turns);
    stage.report.findings.rss_slope_kib_per_minute = slope(&points);
    Ok(())
}

/// Who comes and goes during a soak.
struct Crowd {
    /// Time from one change to the next; zero: nobody comes or goes.
    turn: Duration,
    turns: usize,
    /// The publisher besides the camera.
    microphone: Option<ClientId>,
}

impl Crowd {
    /// One after the other until `end`.
    async fn moves(&mut self, stage: &mut Stage<'_>, end: Instant) -> anyhow::Result<()> {
        while !self.turn.is_zero() && clock::now() < end {
            let due = clock::now() + self.turn;
            self.change(stage).await?;
            tokio::time::sleep(due.min(end).saturating_duration_since(clock::now())).await;
        }
        tokio::time::sleep(end.saturating_duration_since(clock::now())).await;
        Ok(())
    }

    async fn change(&mut self, stage: &mut Stage<'_>) -> anyhow::Result<()> {
        self.turns += 1;
        if self.turns.is_multiple_of(MICROPHONE_TURNS) {
            match self.microphone.take() {
                Some(id) => stage.leave(id).await?,
                None => {
                    let name = format!("m{}", self.turns);
                    self.microphone = Some(stage.publish(&name, &[Kind::Audio], true).await?);
                }
            }
        }
        stage.subscribe(&format!("t{}", self.turns), (1, 1)).await?;
        stage.settled().await?;
        // The camera was first and stays.
        let mut others = stage.present().into_iter().skip(1);
        match others.find(|id| Some(*id) != self.microphone) {
            Some(longest) => stage.leave(longest).await,
            None => Ok(()),
        }
    }
}

/// Of a soak, one part in so many is warm-up: until then everybody of the start has been replaced
/// (100 subscribers take 100 turns of a second) and the allocator has met what it will meet.
const WARM_UP_SHARE: u32 = 6;
/// A microphone comes with one turn of so many, and goes with the next of them.
const MICROPHONE_TURNS: usize = 10;

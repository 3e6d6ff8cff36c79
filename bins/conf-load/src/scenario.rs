//! Who does what when: a scenario drives the door, the clients and the meter, window by window.

use std::net::{IpAddr, UdpSocket};
use std::time::Duration;

use anyhow::Context as _;
use conf_media::command::Kind;

use crate::plan::{Plan, Scenario};
use crate::report::{Report, write};

mod joining;
mod stage;
mod storm;

use stage::Stage;

/// Runs a plan to its end and writes its reports.
///
/// # Errors
/// What the server refused, the system did not give, or the reports' files did not take. What was
/// measured before is written all the same.
pub fn run(plan: &Plan) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut stage = Stage::open(plan).await?;
        let ended = play(&mut stage, plan).await;
        stage.close().await;
        if ended.is_ok() || !stage.report.windows.is_empty() {
            write::all(&stage.report, &plan.outputs)?;
        }
        ended
    })
}

/// What a plan measures, without writing it anywhere.
///
/// # Errors
/// What the server refused, or the system did not give.
pub async fn measure(plan: &Plan) -> anyhow::Result<Report> {
    let mut stage = Stage::open(plan).await?;
    let ended = play(&mut stage, plan).await;
    stage.close().await;
    ended.map(|()| stage.report.clone())
}

async fn play(stage: &mut Stage<'_>, plan: &Plan) -> anyhow::Result<()> {
    match &plan.scenario {
        Scenario::Fanout { subscribers } => fanout(stage, *subscribers).await,
        Scenario::Meeting { participants } => {
            all_with_all(stage, *participants, &[Kind::Audio, Kind::Video], *participants).await
        }
        Scenario::Audio { participants, speakers } => {
            all_with_all(stage, *participants, &[Kind::Audio], *speakers).await
        }
        Scenario::Ramp { steps } => ramp(stage, steps).await,
        Scenario::Joins { subscribers, joins, rate } => {
            storm::joins(stage, *subscribers, (*joins, *rate)).await
        }
        Scenario::Keyframes { subscribers, every } => {
            audience(stage, *subscribers).await?;
            stage.storm(Some(*every));
            stage.window(*subscribers).await?;
            stage.storm(None);
            Ok(())
        }
        Scenario::Soak { subscribers, length, turn } => {
            storm::soak(stage, *subscribers, (*length, *turn)).await
        }
    }
}

async fn fanout(stage: &mut Stage<'_>, subscribers: usize) -> anyhow::Result<()> {
    audience(stage, subscribers).await?;
    stage.window(subscribers).await
}

/// One camera and so many subscribers, all of them in.
async fn audience(stage: &mut Stage<'_>, subscribers: usize) -> anyhow::Result<()> {
    stage.publish("p0", &[Kind::Video], true).await?;
    more(stage, 0..subscribers).await
}

async fn more(stage: &mut Stage<'_>, numbers: std::ops::Range<usize>) -> anyhow::Result<()> {
    let last = numbers.end;
    for number in numbers {
        stage.subscribe(&format!("s{number}"), (0, 1)).await?;
    }
    stage.settled().await?;
    stage.audience(last);
    Ok(())
}

/// Everybody publishes `kinds`, of whom `active` really send, and receives all others.
async fn all_with_all(
    stage: &mut Stage<'_>,
    participants: usize,
    kinds: &[Kind],
    active: usize,
) -> anyhow::Result<()> {
    for number in 0..participants {
        stage.publish(&format!("p{number}"), kinds, number < active).await?;
    }
    let others = participants.saturating_sub(1);
    let video = if kinds.contains(&Kind::Video) { others } else { 0 };
    for number in 0..participants {
        stage.subscribe(&format!("p{number}"), (others, video)).await?;
    }
    stage.settled().await?;
    stage.audience(others);
    stage.window(participants).await
}

async fn ramp(stage: &mut Stage<'_>, steps: &[usize]) -> anyhow::Result<()> {
    stage.publish("p0", &[Kind::Video], true).await?;
    let mut there = 0;
    for &step in steps {
        more(stage, there..step).await?;
        there = step;
        stage.window(step).await?;
        let Some(window) = stage.report.windows.last() else { break };
        if window.loss_percent >= 1.0 || window.failed_joins * 100 >= step {
            break;
        }
        stage.report.findings.largest_below_1_percent = Some(step);
    }
    Ok(())
}

/// The address of this machine from which a server is reached: that of the clients' sockets.
fn own_address(url: &str) -> anyhow::Result<IpAddr> {
    let authority = url.split("://").nth(1).and_then(|rest| rest.split('/').next());
    let authority = authority.with_context(|| format!("--url {url} names no server"))?;
    let probe = UdpSocket::bind("0.0.0.0:0")?; // sends nothing
    probe.connect(authority).with_context(|| format!("--url {url} cannot be reached"))?;
    Ok(probe.local_addr()?.ip())
}

/// After all have joined, until a window begins.
const WARM_UP: Duration = Duration::from_secs(1);
/// How often a window is repeated for quiet.
const MOST_REPETITIONS: usize = 5;

#[cfg(test)]
mod tests;

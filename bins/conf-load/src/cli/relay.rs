//! The command line of the relay.

use std::time::Duration;

use conf_media::sim::{Plan, SpecError, time_of};

use super::{CliError, Options};
use crate::relay::RelayPlan;

pub(super) fn plan(options: &mut Options) -> Result<RelayPlan, CliError> {
    let steps = options.take("step").unwrap_or_default();
    let steps: Vec<&str> = steps.split(super::BETWEEN).filter(|step| !step.is_empty()).collect();
    Ok(RelayPlan {
        listen: options.address("listen")?,
        to: options.address("to")?,
        up: direction("up", &steps, options)?,
        down: direction("down", &steps, options)?,
        rebinds: rebinds(options)?,
        length: match options.take("seconds") {
            Some(value) => {
                Some(Duration::from_secs(super::whole("seconds", &value, (1, 604_800))?))
            }
            None => None,
        },
        seed: options.number("seed", (0, u64::MAX), Some(1))?,
        json: options.take("json").map(Into::into),
    })
}

/// The plan of one direction: `10s:up:loss=1%` concerns one of them, `10s:loss=1%` both.
fn direction(name: &'static str, steps: &[&str], options: &mut Options) -> Result<Plan, CliError> {
    let mut mine = Vec::new();
    for step in steps {
        match step.splitn(3, ':').collect::<Vec<_>>().as_slice() {
            [at, way, change] if *way == name => mine.push(format!("{at}:{change}")),
            [_, "up" | "down", _] => {}
            _ => mine.push((*step).to_owned()),
        }
    }
    let first = options.take(name).unwrap_or_default();
    let of = |problem| CliError::Link { problem };
    if first.split(',').any(|word| word.trim() == "path") {
        return Err(of(SpecError::Key { word: "path".into() }));
    }
    Plan::read(&first, mine.iter().map(String::as_str)).map_err(of)
}

fn rebinds(options: &mut Options) -> Result<Vec<Duration>, CliError> {
    let text = options.take("rebind").unwrap_or_default();
    let mut rebinds = Vec::new();
    for value in text.split([',', super::BETWEEN]).filter(|value| !value.is_empty()) {
        let at =
            time_of(value).ok_or_else(|| CliError::Time { name: "rebind", value: value.into() });
        rebinds.push(at?);
    }
    if rebinds.len() > MOST_REBINDS || !rebinds.is_sorted() {
        return Err(CliError::Rebinds { limit: MOST_REBINDS });
    }
    Ok(rebinds)
}

const MOST_REBINDS: usize = 1_000;

//! `conf-server check`: one line a finding; 0 where nothing is a problem, 1 where something is.
#![allow(clippy::print_stdout, reason = "a command line answers on standard output")]

use std::path::PathBuf;
use std::process::ExitCode;

use conf_server::check::{self, Finding, Level};
use serde_json::json;

use super::words::configuration;
use super::{Fault, Outcome, Words};

pub(super) fn run(mut words: Words) -> Outcome {
    let as_json = words.switch("--json");
    let file: Option<PathBuf> = words.only_file()?;
    let findings = match configuration(file.as_deref()) {
        Ok(config) => check::all(&config),
        Err(Fault::Refused(text)) if as_json => {
            show_json(&[Finding::problem("configuration", text)]);
            return Ok(ExitCode::from(REFUSED));
        }
        Err(fault) => return Err(fault),
    };
    if as_json {
        show_json(&findings);
    } else {
        show(&findings);
    }
    let bad = findings.iter().any(|finding| finding.level == Level::Problem);
    Ok(if bad { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn show(findings: &[Finding]) {
    let width = findings.iter().map(|finding| finding.topic.len()).max().unwrap_or(0);
    for Finding { level, topic, text } in findings {
        println!("{:<7}  {topic:<width$}  {text}", level.word());
    }
}

fn show_json(findings: &[Finding]) {
    let list: Vec<_> = findings
        .iter()
        .map(|it| json!({ "level": it.level.word(), "topic": it.topic, "text": it.text }))
        .collect();
    println!("{}", json!({ "findings": list }));
}

const REFUSED: u8 = 78;

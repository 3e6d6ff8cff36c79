//! `conf-server check`: what an operator should know before, or while, the server runs.
//!
//! Nothing is changed, and nothing is sent but a question to the TURN server, if there is one: ports
//! are bound and let go again, files are looked at.

mod addresses;
mod certificate;
mod clock;
mod disk;
mod policy;
mod ports;
mod store;
mod turn;

use crate::config::Config;

/// How good or bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// As it should be.
    Ok,
    /// It works, but look at it.
    Warning,
    /// It will not work.
    Problem,
}

impl Level {
    /// For people and programs.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How good or bad it is.
    pub level: Level,
    /// What was looked at.
    pub topic: &'static str,
    /// In plain words, with what to do.
    pub text: String,
}

impl Finding {
    /// As it should be.
    #[must_use]
    pub fn ok(topic: &'static str, text: impl Into<String>) -> Self {
        Self { level: Level::Ok, topic, text: text.into() }
    }

    /// Look at it.
    #[must_use]
    pub fn warning(topic: &'static str, text: impl Into<String>) -> Self {
        Self { level: Level::Warning, topic, text: text.into() }
    }

    /// It will not work.
    #[must_use]
    pub fn problem(topic: &'static str, text: impl Into<String>) -> Self {
        Self { level: Level::Problem, topic, text: text.into() }
    }
}

/// Looks at everything that a configuration, which was read already, touches.
#[must_use]
pub fn all(config: &Config) -> Vec<Finding> {
    let now = crate::clock::wall();
    let mut findings = vec![Finding::ok("configuration", "every key is understood")];
    findings.extend(policy::look(config));
    // A server that runs holds its ports and its database: then they are as they should be.
    let running = store::is_in_use(&config.data_dir);
    findings.extend(ports::look(config, running));
    findings.extend(addresses::look(config));
    findings.extend(turn::look(config));
    findings.push(certificate::look(config, now));
    findings.push(clock::look(now));
    findings.extend(disk::look(&config.data_dir));
    findings.push(store::look(&config.data_dir, running));
    findings
}

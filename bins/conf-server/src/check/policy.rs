//! Does the policy hold, and does it say who is responsible?

use super::Finding;
use crate::config::Config;
use crate::policy;

/// Reads it as a start would.
pub(super) fn look(config: &Config) -> Vec<Finding> {
    const TOPIC: &str = "policy";
    let policy = match policy::load(config) {
        Ok(policy) => policy,
        Err(error) => return vec![Finding::problem(TOPIC, error.to_string())],
    };
    let mut findings = vec![match policy.controller {
        Some(_) => {
            Finding::ok(TOPIC, "it says who is responsible, and the server does what it says")
        }
        None => Finding::warning(
            TOPIC,
            "nobody is named as responsible, so this machine only is served: write a policy \
             with controller.names, and its path under policy",
        ),
    }];
    findings
        .extend(policy.warnings().into_iter().map(|it| Finding::warning(TOPIC, it.to_string())));
    findings
}

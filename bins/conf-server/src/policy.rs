//! The policy in force: the operator's file, or the built-in one for this machine alone.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use conf_privacy::category;
use conf_privacy::gate::{self, Difference};
use conf_privacy::inventory::{Entry, Holds};
use conf_privacy::policy::{Policy, PolicyFault};
use serde::Serialize;

use crate::config::Config;
use crate::http::{Spoken, basis, term};
use crate::inventory;

/// Why the server does not start with this policy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// The file cannot be read.
    #[error("cannot read the policy {path}: {cause}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
    /// The file says something wrong, or too little.
    #[error("the policy {path} is refused:{}", listed(faults))]
    Refused {
        /// Which file.
        path: PathBuf,
        /// Every fault of it.
        faults: Vec<PolicyFault>,
    },
    /// It is not what the server does.
    #[error("the policy is not what this server does:{}", listed(.0))]
    Differs(Vec<Difference>),
    /// An open door without an operator who answers for it.
    #[error(
        "{key} = {address} is refused: without a policy that says who is responsible (controller.names) only loopback addresses are served (127.0.0.1, [::1]). Write one, and its path under policy"
    )]
    NoController {
        /// Which key of the configuration.
        key: &'static str,
        /// Its value.
        address: SocketAddr,
    },
}

/// Reads the policy that the configuration names, and checks that the server does what it says.
///
/// # Errors
/// [`PolicyError`] names the file with the line, or the key of the configuration.
pub fn load(config: &Config) -> Result<Policy, PolicyError> {
    let policy = match &config.policy {
        Some(path) => read(path)?,
        None => {
            only_loopback(config)?;
            Policy::built_in()
        }
    };
    // What is really on the disk is compared when it is opened.
    let differences = gate::check(&inventory::all(), &[], &policy);
    if !differences.is_empty() {
        return Err(PolicyError::Differs(differences));
    }
    Ok(policy)
}

/// A place where something is kept, as the command line shows it.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct Row {
    /// `table`, `cookie`, …
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// Which kind of personal data it holds.
    pub category: Option<&'static str>,
    /// What for: words of the policy, separated by commas.
    pub purpose: Option<String>,
    /// The legal basis, `Art. 6(1)(b) GDPR`.
    pub basis: Option<String>,
    /// When it goes, in words.
    pub rule: Option<String>,
    /// Why it is there although it holds nothing personal.
    pub reason: Option<String>,
}

/// Every declared place with its purpose and rule, or with the reason why it needs none.
#[must_use]
pub fn inventory(policy: &Policy) -> Vec<Row> {
    let row = |entry: Entry| {
        let mut row = Row {
            kind: entry.place.kind(),
            name: entry.place.name().into_owned(),
            category: None,
            purpose: None,
            basis: None,
            rule: None,
            reason: None,
        };
        match entry.holds {
            Holds::NotPersonal { reason } => row.reason = Some(reason.en.to_owned()),
            Holds::Category(id) => {
                row.category = Some(id.0);
                let category = category::find(id.0).and_then(|it| policy.category(it.rule_of.0));
                if let Some(category) = category {
                    row.purpose = Some(category.purposes.join(", "));
                    row.basis = category.basis.as_ref().map(|it| basis(it, Spoken::English));
                    row.rule = category.rule.as_ref().map(|it| term(it, Spoken::English));
                }
            }
        }
        row
    };
    inventory::all().into_iter().map(row).collect()
}

fn read(path: &Path) -> Result<Policy, PolicyError> {
    let path = path.to_owned();
    match std::fs::read_to_string(&path) {
        Ok(text) => Policy::parse(&text).map_err(|faults| PolicyError::Refused { path, faults }),
        Err(cause) => Err(PolicyError::Unreadable { path, cause }),
    }
}

fn only_loopback(config: &Config) -> Result<(), PolicyError> {
    let doors = [
        ("http.listen", Some(config.http_listen)),
        ("http.redirect_listen", config.redirect_listen),
        ("metrics.listen", config.metrics_listen),
    ];
    for (key, address) in doors {
        if let Some(address) = address.filter(|address| !address.ip().is_loopback()) {
            return Err(PolicyError::NoController { key, address });
        }
    }
    Ok(())
}

fn listed(lines: &[impl ToString]) -> String {
    lines.iter().map(|line| format!("\n  - {}", line.to_string())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_policy(text: &str) -> (Config, PathBuf) {
        let path = std::env::temp_dir().join(format!("conf-policy-{}", crate::random::id()));
        std::fs::write(&path, text).unwrap();
        (Config { policy: Some(path.clone()), ..Config::built_in() }, path)
    }

    #[test]
    fn without_a_policy_only_loopback_is_served() {
        load(&Config::built_in()).unwrap();
        let public: SocketAddr = "0.0.0.0:80".parse().unwrap();
        let local = "[::1]:80".parse().unwrap();
        load(&Config { http_listen: local, ..Config::built_in() }).unwrap();
        for (config, key) in [
            (Config { http_listen: public, ..Config::built_in() }, "http.listen"),
            (
                Config { redirect_listen: Some(public), ..Config::built_in() },
                "http.redirect_listen",
            ),
            (Config { metrics_listen: Some(public), ..Config::built_in() }, "metrics.listen"),
        ] {
            let error = load(&config).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{key} = 0.0.0.0:80 is refused")), "{error}");
            assert!(error.contains("controller.names"), "{error}");
        }
    }

    #[test]
    fn the_example_of_an_operators_policy_opens_every_address() {
        let text = include_str!("../../../conf-privacy/policy.example.toml");
        let (config, path) = with_policy(text);
        let config = Config { http_listen: "0.0.0.0:80".parse().unwrap(), ..config };
        assert!(load(&config).unwrap().controller.is_some());
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn the_packages_example_holds_once_its_keys_are_switched_on() {
        let uncomment = |line: &'static str| match line.strip_prefix('#') {
            Some(key) if !key.starts_with(' ') => key,
            _ => line,
        };
        let text = include_str!("../packaging/policy.toml").lines().map(uncomment);
        let text = text.collect::<Vec<_>>().join("\n");
        let (config, path) = with_policy(&text);
        let policy = load(&config).unwrap();
        assert!(policy.controller.is_some() && policy.officer.is_some());
        assert_eq!(policy.warnings().len(), 0);
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_policy_is_refused_with_its_file_and_line() {
        let (config, path) = with_policy("[controller]\nnames = ['']\n[dpo]\nrequired = false\n");
        let error = load(&config).unwrap_err().to_string();
        assert!(error.contains("line 2: controller.names"), "{error}");
        assert!(error.contains(&path.display().to_string()), "{error}");
        std::fs::remove_file(&path).unwrap();
        let error = load(&config).unwrap_err();
        assert!(matches!(error, PolicyError::Unreadable { .. }), "{error}");
    }

    #[test]
    fn a_policy_that_promises_what_is_not_done_is_refused() {
        let (config, path) = with_policy(
            "[controller]\nnames = ['Erika Mustermann']\n[dpo]\nrequired = false\n\
             [category.'account.session'.rule]\nperiod = 'PT1H'\n",
        );
        let error = load(&config).unwrap_err();
        assert!(matches!(error, PolicyError::Differs(_)), "{error}");
        std::fs::remove_file(path).unwrap();
    }
}

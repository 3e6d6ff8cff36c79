//! Rules that no compiler knows: the one direction of dependencies, the size of files, a doc at
//! the top of each, `unsafe` in one file only, nothing of this machine in the tree.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::inputs::{cargo, root};
use crate::stage::{Stage, say};

/// Which of our crates each may use; who is not named may use all (the binaries and their kin).
const MAY_USE: [(&str, &[&str]); 4] = [
    ("conf-privacy", &[]),
    ("conf-media", &[]),
    ("conf-core", &["conf-privacy"]),
    ("conf-store", &["conf-core", "conf-privacy"]),
];

/// Crates that the pure ones must not reach directly.
const NOT_IN_PURE: [&str; 6] = ["tokio", "sqlx", "axum", "chrono", "time", "reqwest"];

/// The one exception, and only as an optional dependency: the second DTLS backend's feature.
const BEHIND_A_FEATURE: (&str, &str) = ("conf-media", "tokio");

/// Production lines a file may have.
const FILE_LIMIT: usize = 600;

/// The one file that may hold `unsafe`.
const UNSAFE_FILE: &str = "conf-media/src/net/batch/linux.rs";

pub(crate) fn check(stage: &mut Stage) {
    stage.check("crates depend in one direction only", directions());
    stage.check("files are of sane size, documented and safe", files());
}

fn directions() -> bool {
    let out = cargo(&["metadata", "--format-version", "1", "--no-deps", "--locked"]).output();
    let Ok(metadata) = out.map(|out| serde_json::from_slice::<Value>(&out.stdout)) else {
        return false;
    };
    let packages = metadata.ok().and_then(|value| value.get("packages")?.as_array().cloned());
    let wrong: Vec<String> = packages.iter().flatten().flat_map(forbidden).collect();
    for edge in &wrong {
        say(&format!("forbidden dependency: {edge}"));
    }
    packages.is_some() && wrong.is_empty()
}

fn forbidden(package: &Value) -> Vec<String> {
    let name = package.get("name").and_then(Value::as_str).unwrap_or_default();
    let rule = MAY_USE.iter().find(|(crate_name, _)| *crate_name == name);
    package
        .get("dependencies")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter(|dependency| dependency.get("kind").is_some_and(|kind| kind != "dev"))
        .filter(|dependency| !is_behind_a_feature(name, dependency))
        .filter_map(|dependency| dependency.get("name")?.as_str())
        .filter(|used| !is_allowed(name, rule.map(|(_, may)| *may), used))
        .map(|used| format!("{name} -> {used}"))
        .collect()
}

fn is_behind_a_feature(name: &str, dependency: &Value) -> bool {
    let used = dependency.get("name").and_then(Value::as_str).unwrap_or_default();
    let optional = dependency.get("optional").and_then(Value::as_bool).unwrap_or(false);
    optional && (name, used) == BEHIND_A_FEATURE
}

fn is_allowed(name: &str, may_use: Option<&[&str]>, used: &str) -> bool {
    let ours = used.starts_with("conf-");
    match may_use {
        Some(may_use) if ours => may_use.contains(&used),
        Some(_) => name == "conf-store" || !NOT_IN_PURE.contains(&used),
        // The server as a library may be used by examples; nothing else uses a binary's crate.
        None => used != "xtask" && (used != "conf-server" || name == "conf-examples"),
    }
}

fn files() -> bool {
    let out = Command::new("git").current_dir(root()).args(["ls-files", "*.rs"]).output();
    let listed = out.map(|out| String::from_utf8_lossy(&out.stdout).into_owned());
    let names = listed.unwrap_or_default();
    let mut good = !names.is_empty();
    for name in names.lines() {
        for fault in faults(name) {
            say(&format!("{name}: {fault}"));
            good = false;
        }
    }
    good
}

fn faults(name: &str) -> Vec<String> {
    let Ok(text) = std::fs::read_to_string(Path::new(&root()).join(name)) else {
        return Vec::new();
    };
    let mut faults = Vec::new();
    if !text.starts_with("//!") && !text.starts_with("#![") {
        faults.push("no module doc".to_owned());
    }
    let lines = production_lines(&text);
    if lines > FILE_LIMIT && !name.contains("/tests/") && !name.ends_with("/tests.rs") {
        faults.push(format!("{lines} lines, limit {FILE_LIMIT}"));
    }
    let lint = concat!("unsafe", "_code");
    let lifts = text.lines().any(|line| line.contains(lint) && !line.contains("forbid"));
    if lifts && name != UNSAFE_FILE && !name.starts_with("bins/xtask/") {
        faults.push(format!("{lint} may be named in {UNSAFE_FILE} only"));
    }
    faults
}

/// Lines before the inline test module, which stands last.
fn production_lines(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    lines
        .windows(2)
        .position(|pair| matches!(pair, ["#[cfg(test)]", next] if next.starts_with("mod ") && next.ends_with('{')))
        .unwrap_or(lines.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_may_use_none_of_ours_and_core_only_privacy() {
        assert!(!is_allowed("conf-media", Some(&[]), "conf-core"));
        assert!(is_allowed("conf-core", Some(&["conf-privacy"]), "conf-privacy"));
        assert!(!is_allowed("conf-core", Some(&["conf-privacy"]), "tokio"));
        assert!(is_allowed("conf-store", Some(&["conf-core"]), "tokio"));
        assert!(!is_allowed("conf-fuzz", None, "conf-server"));
    }

    #[test]
    fn tokio_is_let_into_media_only_as_an_optional_dependency() {
        let uses = |name: &str, optional: bool| {
            let tokio = serde_json::json!({ "name": "tokio", "kind": null, "optional": optional });
            forbidden(&serde_json::json!({ "name": name, "dependencies": [tokio] })).len()
        };
        assert_eq!((uses("conf-media", true), uses("conf-media", false)), (0, 1));
        assert_eq!(uses("conf-core", true), 1);
    }

    #[test]
    fn test_modules_are_not_counted_as_production_lines() {
        assert_eq!(production_lines("//! a\nfn b() {}\n#[cfg(test)]\nmod tests {\n}\n"), 2);
        assert_eq!(production_lines("//! a\n#[cfg(test)]\nmod tests;\nfn b() {}\n"), 4);
    }
}

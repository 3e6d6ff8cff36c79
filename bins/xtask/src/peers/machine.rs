//! What the figures depend on and nobody remembers later: processor, kernel, versions, date.

use std::fmt;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

/// Name and value of each fact, in the order in which they are shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct Machine {
    pub(crate) facts: Vec<(&'static str, String)>,
}

impl Machine {
    /// Asks this machine; what it does not say is left out.
    pub(crate) fn ask(command: &str) -> Self {
        let facts = [
            ("date", first(Command::new("date").args(["-u", "+%Y-%m-%d %H:%M UTC"]))),
            ("command", Some(command.to_owned())),
            ("processor", field(Path::new("/proc/cpuinfo"), "model name")),
            ("cores", std::thread::available_parallelism().ok().map(|it| it.to_string())),
            ("kernel", first(Command::new("uname").args(["-sr"]))),
            ("system", field(Path::new("/etc/os-release"), "PRETTY_NAME")),
            ("Janus", package("janus")),
            ("libsrtp of Janus", package("libsrtp2-1")),
            ("libnice of Janus", package("libnice10")),
            ("conf", first(Command::new("git").args(["describe", "--always", "--dirty"]))),
            ("rustc", first(Command::new("rustc").arg("--version"))),
        ];
        let known = facts.into_iter().filter_map(|(name, value)| Some((name, value?)));
        Self { facts: known.collect() }
    }

    pub(crate) fn json(&self) -> Value {
        self.facts.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect()
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| | |\n|---|---|")?;
        self.facts.iter().try_for_each(|(name, value)| writeln!(f, "| {name} | {value} |"))
    }
}

fn first(command: &mut Command) -> Option<String> {
    let out = command.output().ok().filter(|out| out.status.success())?;
    let text = String::from_utf8_lossy(&out.stdout);
    text.lines().next().map(|line| line.trim().to_owned())
}

fn package(name: &str) -> Option<String> {
    let version = ["-W", "-f", "${Version} (Debian)\n", name];
    first(Command::new("dpkg-query").args(version))
}

/// The first `name: value` or `name=value` of a file.
fn field(file: &Path, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| {
        let (key, value) = line.split_once([':', '='])?;
        (key.trim() == name).then(|| value.trim().trim_matches('"').to_owned())
    })
}

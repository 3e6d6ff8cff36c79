//! `conf-server config --explain`: the table of keys as a commented configuration file.

use std::fmt::Write as _;

use super::keys::{KEYS, Key, Kind};

/// All keys with purpose, allowed values, default and variable; uncommented, it is a valid file.
#[must_use]
pub fn explain() -> String {
    let mut out = HEAD.to_owned();
    let mut section = "";
    for key in KEYS {
        let (of, name) = key.path.rsplit_once('.').unwrap_or(("", key.path));
        if of != section {
            section = of;
            let _ = write!(out, "\n[{section}]\n");
        }
        let _ = write!(out, "\n# {}\n# Allowed: {}.\n", key.purpose, key.allowed);
        let _ = writeln!(out, "# Variable: {}", variable(key));
        if key.kind != Kind::Variable {
            let _ = writeln!(out, "#{name} = {}", default(key));
        }
    }
    out
}

fn variable(key: &Key) -> String {
    format!("CONF_{}", key.path.replace('.', "__").to_uppercase())
}

fn default(key: &Key) -> String {
    match (key.kind, key.default) {
        (Kind::Text, "") => "\"\"   # not set".to_owned(),
        (Kind::List | Kind::Tables, "") => "[]".to_owned(),
        (kind, text) => kind.read(text).to_string(),
    }
}

const HEAD: &str = "\
# Configuration of conf-server: ./conf.toml, or the file named by --config.
# Each key is also an environment variable, which wins over the file. Defaults are shown.
";

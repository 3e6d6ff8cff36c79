//! Where things are: the workspace's folders and the commands that several stages start.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The workspace's root.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// The web client's sources.
pub(crate) fn web() -> PathBuf {
    root().join("bins/conf-server/web")
}

/// Where this run's build results go.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// The web client, built once for all stages.
pub(crate) fn web_dist() -> PathBuf {
    target().join("web-dist")
}

/// `cargo`, in the workspace, with the web client that the stage `web` built.
pub(crate) fn cargo(words: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root()).args(words).env_remove("CARGO_MANIFEST_DIR");
    if web_dist().join("index.html").is_file() {
        command.env("CONF_WEB_DIST", web_dist());
    }
    command
}

/// `npm`, in the web client's folder.
pub(crate) fn npm(words: &[&str]) -> Command {
    let mut command = Command::new("npm");
    command.current_dir(web()).args(words);
    command
}

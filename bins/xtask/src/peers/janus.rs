//! Janus from Debian: installed without starting its service, with a configuration of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::rust::succeed;
use crate::setup::{apt, is_on_path};
use crate::stage::say;

/// Where its HTTP API listens.
pub(super) const ADDRESS: &str = "127.0.0.1:8088";
const WRAPPER: &str = include_str!("loopback.c");
/// Debian asks this program before it starts a service; 101 forbids it.
const GATEKEEPER: &str = "/usr/sbin/policy-rc.d";

/// Installs it where it is missing.
pub(super) fn install() -> Result<()> {
    if is_on_path("janus") {
        return Ok(());
    }
    say("missing: janus; installing it with apt-get, without starting its service");
    apt(&["update", "-qq"])?;
    let made = !Path::new(GATEKEEPER).exists();
    if made {
        fs::write(GATEKEEPER, "#!/bin/sh\nexit 101\n").context(GATEKEEPER)?;
        fs::set_permissions(GATEKEEPER, fs::Permissions::from_mode(0o755))?;
    }
    let installed = apt(&["install", "-y", "-qq", "--no-install-recommends", "janus"]);
    if made {
        fs::remove_file(GATEKEEPER)?;
    }
    // Nor at the next boot; where systemd does not run, there is nothing to disable.
    let _ = Command::new("systemctl").args(["disable", "janus"]).output();
    installed
}

/// Writes configuration and wrapper into `folder`; gives the words that start it.
pub(super) fn prepare(folder: &Path, one_loop: bool) -> Result<Command> {
    let conf = folder.join(if one_loop { "janus-one-loop" } else { "janus-threads" });
    fs::create_dir_all(&conf)?;
    let main = conf.join("janus.jcfg");
    fs::write(&main, configuration(&conf, &libraries()?, one_loop))?;
    fs::write(conf.join("janus.transport.http.jcfg"), HTTP)?;
    fs::write(conf.join("janus.plugin.videoroom.jcfg"), "general: {}\n")?;
    let mut command = Command::new("janus");
    command.arg("-F").arg(&conf).arg("-C").arg(&main).arg("-o");
    command.env("LD_PRELOAD", wrapper(folder)?);
    Ok(command)
}

/// Where Debian has its plugins: below the folder of the machine's architecture.
fn libraries() -> Result<PathBuf> {
    for entry in fs::read_dir("/usr/lib")? {
        let folder = entry?.path().join("janus");
        if folder.join("plugins/libjanus_videoroom.so").exists() {
            return Ok(folder);
        }
    }
    bail!("janus is there, but not its plugin VideoRoom below /usr/lib/*/janus");
}

fn wrapper(folder: &Path) -> Result<PathBuf> {
    let (source, library) = (folder.join("loopback.c"), folder.join("loopback.so"));
    fs::write(&source, WRAPPER)?;
    let mut compile = Command::new("cc");
    compile.args(["-shared", "-fPIC", "-O2", "-o"]).arg(&library).arg(&source).arg("-ldl");
    succeed(&mut compile).context("the wrapper of getifaddrs does not compile")?;
    Ok(library)
}

/// Everything that is not needed is off: other plugins and transports, events, logs, STUN.
fn configuration(conf: &Path, libraries: &Path, one_loop: bool) -> String {
    let plugins = others(&libraries.join("plugins"), "libjanus_videoroom.so");
    let transports = others(&libraries.join("transports"), "libjanus_http.so");
    let loops = if one_loop { "event_loops = 1" } else { "" };
    let (conf, libraries) = (conf.display(), libraries.display());
    format!(
        r#"general: {{
  configs_folder = "{conf}"
  plugins_folder = "{libraries}/plugins"
  transports_folder = "{libraries}/transports"
  events_folder = "{libraries}/events"
  loggers_folder = "{libraries}/loggers"
  debug_level = 3
  session_timeout = 0
  {loops}
}}
nat: {{ ice_lite = true; ice_enforce_list = "127.0.0.1"; nice_debug = false }}
plugins: {{ disable = "{plugins}" }}
transports: {{ disable = "{transports}" }}
loggers: {{ disable = "libjanus_jsonlog.so" }}
events: {{ broadcast = false }}
"#
    )
}

/// The libraries of a folder but one, with commas between them.
fn others(folder: &Path, but: &str) -> String {
    let names = fs::read_dir(folder).into_iter().flatten().filter_map(|entry| {
        let name = entry.ok()?.file_name().into_string().ok()?;
        let library = Path::new(&name).extension().is_some_and(|it| it == "so");
        (library && name != but).then_some(name)
    });
    let mut names: Vec<String> = names.collect();
    names.sort();
    names.join(",")
}

const HTTP: &str = r#"general: {
  json = "compact"; base_path = "/janus"
  http = true; port = 8088; ip = "127.0.0.1"; acl = "127."
  https = false
}
admin: { admin_http = false; admin_https = false }
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_event_loop_is_said_only_where_it_is_asked_for() {
        let text = |one| configuration(Path::new("/c"), Path::new("/nowhere"), one);
        assert!(text(true).contains("event_loops = 1"));
        assert!(!text(false).contains("event_loops"));
        assert!(text(true).contains(r#"configs_folder = "/c""#));
    }
}

//! Starts what is measured: pinned, in a Unix session of its own at raised priority; and ends it.

use std::fs::{self, File};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use super::janus;
use super::plan::Program;
use crate::inputs::{cargo, target};
use crate::rust::succeed;
use crate::stage::now;

/// Which core serves and which one asks.
const SERVER_CORE: &str = "0";
const CLIENT_CORE: &str = "1";
/// Known to both sides of a measurement only.
pub(crate) const KEY: &str = "peers";
pub(crate) const SECRET: &str = "only-within-one-measurement-on-loopback";

/// Raises the priority of this session's group (plain `nice` does nothing across sessions where
/// the kernel groups by session), takes all descriptors it may have, pins, and becomes the program,
/// which dies with xtask: a session of its own hears no Ctrl-C.
const BECOME: &str = "echo -20 2>/dev/null >/proc/self/autogroup; ulimit -n \"$(ulimit -Hn)\"; \
    exec setpriv --pdeathsig KILL taskset -c \"$0\" \"$@\"";

/// A running server; ends with this value.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    /// Where conf-load finds it.
    pub(crate) url: String,
    /// What conf-load calls its door.
    pub(crate) door: &'static str,
}

impl Server {
    /// Starts a program and waits until it listens.
    pub(crate) fn start(program: Program, folder: &Path) -> Result<Self> {
        let (command, address, door, path) = match program {
            Program::JanusOneLoop => {
                (janus::prepare(folder, true)?, janus::ADDRESS, "janus", "/janus")
            }
            Program::JanusThreads => {
                (janus::prepare(folder, false)?, janus::ADDRESS, "janus", "/janus")
            }
            Program::Conf => (conf(folder)?, CONF_ADDRESS, "whip", ""),
            Program::ConfLiveKit => (conf(folder)?, CONF_ADDRESS, "livekit", ""),
            Program::Floor => (floor(), FLOOR_ADDRESS, "floor", ""),
        };
        let log = folder.join(format!("{door}.log"));
        let child = pinned(&command, SERVER_CORE, &log)?;
        let url = format!("http://{address}{path}");
        let mut server = Self { child, url, door };
        server.wait_until_it_listens(address, &log)?;
        Ok(server)
    }

    /// For conf-load, which reads its CPU time and memory.
    pub(crate) fn pid(&self) -> String {
        self.child.id().to_string()
    }

    fn wait_until_it_listens(&mut self, address: &str, log: &Path) -> Result<()> {
        let start = now();
        while start.elapsed() < PATIENCE {
            if TcpStream::connect(address).is_ok() {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("the server ended with {status}; see {}", log.display());
            }
            thread::sleep(LOOK);
        }
        bail!("nothing listens on {address}; see {}", log.display());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Ends one process: politely first.
fn end(child: &mut Child) {
    let pid = child.id().to_string();
    let _ = Command::new("kill").args(["-TERM", &pid]).status();
    let start = now();
    while start.elapsed() < GRACE {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        thread::sleep(LOOK);
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// Starts a command pinned to a core, with its output in a file.
fn pinned(command: &Command, core: &str, log: &Path) -> Result<Child> {
    let output = File::create(log).with_context(|| log.display().to_string())?;
    let mut words = Command::new("setsid");
    words.args(["sh", "-c", BECOME, core]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        words.env(name, value.unwrap_or_default());
    }
    let child =
        words.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(Stdio::from(output)).spawn();
    child.with_context(|| format!("cannot start {}", command.get_program().display()))
}

/// Builds the server and conf-load, as they are released.
pub(crate) fn build() -> Result<()> {
    let words = ["build", "--release", "--locked", "-p", "conf-server", "-p", "conf-load"];
    succeed(&mut cargo(&words))
}

/// Runs conf-load on its core to its end.
pub(crate) fn load(command: &Command, log: &Path, patience: Duration) -> Result<()> {
    let mut client = pinned(command, CLIENT_CORE, log)?;
    let start = now();
    let status = loop {
        if let Some(status) = client.try_wait()? {
            break status;
        }
        if start.elapsed() > patience {
            end(&mut client);
            bail!("conf-load did not end; see {}", log.display());
        }
        thread::sleep(Duration::from_millis(100));
    };
    ensure!(status.success(), "conf-load ended with {status}; see {}", log.display());
    Ok(())
}

pub(crate) fn conf_load() -> PathBuf {
    target().join("release/conf-load")
}

fn conf(folder: &Path) -> Result<Command> {
    let data = folder.join("conf-data");
    if data.exists() {
        fs::remove_dir_all(&data)?;
    }
    let file = folder.join("conf.toml");
    let text = format!(
        r#"data_dir = "{}"
http.listen = "{CONF_ADDRESS}"
media.listen = "127.0.0.1:7882"
media.shards = 1
media.loudest = 64
metrics.listen = "127.0.0.1:9091"
limits.participants = 3000
log.level = "warn"
api.keys = [{{ key = "{KEY}", secret = "{SECRET}" }}]
"#,
        data.display()
    );
    fs::write(&file, text)?;
    let mut command = Command::new(target().join("release/conf-server"));
    command.arg("serve").arg("--config").arg(file);
    Ok(command)
}

fn floor() -> Command {
    let mut command = Command::new(conf_load());
    command.args(["floor", "--listen", FLOOR_ADDRESS]);
    command
}

const CONF_ADDRESS: &str = "127.0.0.1:8090";
const FLOOR_ADDRESS: &str = "127.0.0.1:8099";
const PATIENCE: Duration = Duration::from_secs(20);
const GRACE: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(50);

//! The real program: started, ended, killed.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::process::{Child, Command, Output, Stdio};

use super::Folder;

/// The program with nothing but these variables set.
pub fn program(folder: &Folder, variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_conf-server"));
    command
        .current_dir(&folder.0)
        .env_clear()
        .env("CONF_HTTP__LISTEN", "127.0.0.1:0")
        .env("CONF_MEDIA__LISTEN", "127.0.0.1:0")
        .env("CONF_METRICS__LISTEN", "off")
        .envs(variables.iter().copied())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs it to its end: the code it ends with, and what it says.
pub fn run(folder: &Folder, variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = program(folder, variables).output().unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

/// A started program; `link` is what it printed.
pub struct Started {
    pub child: Child,
    pub printed: String,
    rest: BufReader<std::process::ChildStdout>,
    pub link: String,
}

/// Starts it, and waits for the link it prints.
pub fn start(folder: &Folder, variables: &[(&str, &str)]) -> Started {
    let mut child = program(folder, variables).spawn().unwrap();
    let mut rest = BufReader::new(child.stdout.take().unwrap());
    let mut printed = String::new();
    let link = loop {
        let line = printed.len();
        assert!(rest.read_line(&mut printed).unwrap() > 0, "it ended: {printed}");
        if let Some(link) = printed[line..].trim().strip_prefix("http://") {
            break link.to_owned();
        }
    };
    Started { child, printed, rest, link }
}

impl Drop for Started {
    /// A test that failed leaves no program behind.
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _ended_already = self.child.wait();
    }
}

impl Started {
    pub fn address(&self) -> SocketAddr {
        self.link.split('/').next().unwrap().parse().unwrap()
    }

    pub fn code(&self) -> String {
        self.link.rsplit('/').next().unwrap().to_owned()
    }

    /// The token of the link that makes the first administrator, which is printed last.
    pub fn welcome(&mut self) -> String {
        loop {
            let line = self.printed.len();
            assert!(self.rest.read_line(&mut self.printed).unwrap() > 0, "{}", self.printed);
            if let Some((_, token)) = self.printed[line..].trim().split_once("/welcome#") {
                return token.to_owned();
            }
        }
    }

    /// Ends it as no program wants to be ended.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends it as an operator does; everything it printed and how it ended.
    pub fn terminate(mut self) -> (String, std::process::ExitStatus) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        let status = self.child.wait().unwrap();
        self.rest.read_to_string(&mut self.printed).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut self.printed).unwrap();
        (std::mem::take(&mut self.printed), status)
    }
}

//! The configuration: one TOML file, each key also as an environment variable.
//!
//! The keys live in one table, [`keys::KEYS`]: path, default, what is allowed, what for. Reading,
//! errors and `conf-server config --explain` all come from it, so none can drift from the others.
//! Later sources win: default, file, environment (`CONF_` + path, `__` between levels).

mod explain;
mod keys;
mod tls;
mod turn;
mod value;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use conf_media::dtls::Backend;
use conf_media::net::Advertised;
use conf_privacy::Pii;

pub use explain::explain;
pub use tls::{Acme, Tls, TlsFiles};
pub use turn::{TurnServer, TurnUrl};
pub use value::PublicUrl;

use keys::{KEYS, Key, Kind};
use tls::TlsDraft;
use turn::TurnDraft;

/// Everything an operator can set, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where HTTP and websockets are served.
    pub http_listen: SocketAddr,
    /// Where plain HTTP is answered with the way to HTTPS, if anywhere.
    pub redirect_listen: Option<SocketAddr>,
    /// How HTTPS is served at `http_listen`; without it that port speaks plain HTTP.
    pub tls: Option<Tls>,
    /// How browsers reach this server, where that differs from `http_listen`.
    pub public_url: Option<PublicUrl>,
    /// Whose word about a request's origin is taken (`X-Forwarded-For`).
    pub trusted_proxies: Vec<IpAddr>,
    /// Where everything that outlives the process is kept.
    pub data_dir: PathBuf,
    /// The operator's policy; without it the built-in one holds, for this machine alone.
    pub policy: Option<PathBuf>,
    /// Whether there is a room that everybody with its link may use.
    pub open_room: bool,
    /// Where all media comes: one address, or one of each family.
    pub media_listen: Vec<SocketAddr>,
    /// Whether media may come over TCP too, on the same port numbers.
    pub media_tcp: bool,
    /// Addresses told to browsers; port 0 stands for that of `media_listen`.
    pub media_advertise: Vec<Advertised>,
    /// How many media threads run; 0: as many as the machine is good for.
    pub media_shards: usize,
    /// What does the handshakes of media.
    pub media_dtls: Backend,
    /// How many microphones of a meeting are forwarded.
    pub media_loudest: usize,
    /// A TURN server that people are told of.
    pub turn: Option<TurnServer>,
    /// Keys that other programs mint access tokens with.
    pub api_keys: Vec<ApiKey>,
    /// Where metrics are served, if anywhere.
    pub metrics_listen: Option<SocketAddr>,
    /// The most participants of one meeting.
    pub participants: usize,
    /// The most players (WHEP) of one meeting.
    pub players: usize,
    /// The most meetings at the same time.
    pub meetings: usize,
    /// What is logged.
    pub log_level: tracing::Level,
}

/// A key that another program mints access tokens with.
#[derive(Clone, Debug)]
pub struct ApiKey {
    /// Its name, the `iss` of the tokens.
    pub key: String,
    /// What signs them (HS256).
    pub secret: Pii<String>,
}

/// Why a configuration was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {path}: {source}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{path} is not TOML: {problem}")]
    Syntax {
        /// Which file.
        path: PathBuf,
        /// Line and reason.
        problem: String,
    },
    /// There is no such key.
    #[error(
        "{name} is no key of the configuration (from {origin}); `conf-server config --explain` lists them"
    )]
    Unknown {
        /// As it was written.
        name: String,
        /// The file or the environment.
        origin: String,
    },
    /// A value is not allowed.
    #[error("{key} = {value} is refused (from {origin}): allowed is {allowed}")]
    Value {
        /// The key.
        key: &'static str,
        /// The value; `…` where it is secret.
        value: String,
        /// The allowed range.
        allowed: &'static str,
        /// The file or the environment.
        origin: String,
    },
    /// `api.key` and `api.secret` belong together.
    #[error("CONF_API__KEY and CONF_API__SECRET belong together: {missing} is missing")]
    HalfKey {
        /// What is missing.
        missing: &'static str,
    },
    /// Two API keys have one name.
    #[error("api.keys names {key} twice: allowed is each name once")]
    DoubleKey {
        /// The name.
        key: String,
    },
    /// Two keys do not go together.
    #[error("{key} is refused: {rule}")]
    Conflict {
        /// Which key.
        key: &'static str,
        /// What is allowed.
        rule: &'static str,
    },
}

impl Config {
    /// Reads `file` (which must exist), or `conf.toml` in the working directory if there is one,
    /// then `environment`.
    ///
    /// # Errors
    /// See [`ConfigError`]; each names key, value and what is allowed.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let default = Path::new("conf.toml");
        let path = file.or_else(|| default.exists().then_some(default));
        let mut draft = Draft::built_in();
        if let Some(path) = path {
            let text = std::fs::read_to_string(path)
                .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
            draft.read_file(path, &text)?;
        }
        draft.read_environment(environment)?;
        draft.check()
    }

    /// The defaults, without file and environment.
    #[must_use]
    pub fn built_in() -> Self {
        Draft::built_in().config
    }

    /// Whether browsers reach this server over TLS, ours or that of a proxy before it. Only the
    /// configuration decides this; no header of a request (`X-Forwarded-Proto`) does.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.tls.is_some() || self.public_url.as_ref().is_some_and(PublicUrl::is_secure)
    }
}

/// A configuration while its sources are laid over each other.
struct Draft {
    config: Config,
    api_key: Option<String>,
    api_secret: Option<String>,
    tls: TlsDraft,
    turn: TurnDraft,
}

impl Draft {
    fn built_in() -> Self {
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let config = Config {
            http_listen: nowhere,
            redirect_listen: None,
            tls: None,
            public_url: None,
            trusted_proxies: Vec::new(),
            data_dir: PathBuf::new(),
            policy: None,
            open_room: true,
            media_listen: Vec::new(),
            media_tcp: true,
            media_advertise: Vec::new(),
            media_shards: 0,
            media_dtls: Backend::Dimpl,
            media_loudest: 0,
            turn: None,
            api_keys: Vec::new(),
            metrics_listen: None,
            participants: 0,
            players: 0,
            meetings: 0,
            log_level: tracing::Level::INFO,
        };
        let (tls, turn) = (TlsDraft::default(), TurnDraft::default());
        let mut draft = Self { config, api_key: None, api_secret: None, tls, turn };
        for key in KEYS.iter().filter(|key| !key.default.is_empty()) {
            draft.set(key, &key.kind.read(key.default), "default").expect("defaults are allowed");
        }
        draft
    }

    fn read_file(&mut self, path: &Path, text: &str) -> Result<(), ConfigError> {
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            // The library's message quotes the line, which may hold a secret.
            let line = error.span().map_or(0, |span| text[..span.start].lines().count().max(1));
            let problem = format!("line {line}: {}", error.message());
            ConfigError::Syntax { path: path.to_owned(), problem }
        })?;
        self.read_table(&table, "", &path.display().to_string())
    }

    fn read_table(
        &mut self,
        table: &toml::Table,
        prefix: &str,
        origin: &str,
    ) -> Result<(), ConfigError> {
        for (name, value) in table {
            let path = format!("{prefix}{name}");
            let known = KEYS.iter().find(|key| key.path == path && key.kind != Kind::Variable);
            match (known, value) {
                (Some(key), value) => self.set(key, value, origin)?,
                (None, toml::Value::Table(inner)) if is_section(&path) => {
                    self.read_table(inner, &format!("{path}."), origin)?;
                }
                (None, _) => {
                    return Err(ConfigError::Unknown { name: path, origin: origin.to_owned() });
                }
            }
        }
        Ok(())
    }

    fn read_environment(
        &mut self,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<(), ConfigError> {
        for (name, text) in environment {
            let Some(path) = name.strip_prefix("CONF_") else { continue };
            if BUILD_VARIABLES.contains(&name.as_str()) {
                continue;
            }
            let path = path.replace("__", ".").to_lowercase();
            let Some(key) = KEYS.iter().find(|key| key.path == path) else {
                return Err(ConfigError::Unknown { name, origin: "the environment".to_owned() });
            };
            self.set(key, &key.kind.read(&text), &name)?;
        }
        Ok(())
    }

    fn set(&mut self, key: &Key, value: &toml::Value, origin: &str) -> Result<(), ConfigError> {
        (key.set)(self, value).ok_or_else(|| ConfigError::Value {
            key: key.path,
            value: if key.secret { "…".to_owned() } else { value.to_string() },
            allowed: key.allowed,
            origin: origin.to_owned(),
        })
    }

    fn check(self) -> Result<Config, ConfigError> {
        let Self { mut config, api_key, api_secret, tls, turn } = self;
        match (api_key, api_secret) {
            (Some(key), Some(secret)) => {
                config.api_keys.push(ApiKey { key, secret: Pii::new(secret) });
            }
            (Some(_), None) => return Err(ConfigError::HalfKey { missing: "CONF_API__SECRET" }),
            (None, Some(_)) => return Err(ConfigError::HalfKey { missing: "CONF_API__KEY" }),
            (None, None) => {}
        }
        let mut names: Vec<_> = config.api_keys.iter().map(|key| key.key.as_str()).collect();
        names.sort_unstable();
        if let Some(key) = names.windows(2).find_map(|pair| match pair {
            [a, b] if a == b => Some((*a).to_owned()),
            _ => None,
        }) {
            return Err(ConfigError::DoubleKey { key });
        }
        let shared = |it: &SocketAddr| share_a_port(*it, config.http_listen);
        if config.media_tcp && config.media_listen.iter().any(shared) {
            let rule =
                "media.listen has the port of http.listen: allowed is another port, or \"off\"";
            return Err(ConfigError::Conflict { key: "media.tcp", rule });
        }
        config.turn = turn.check()?;
        config.tls = tls.check()?;
        match &config.tls {
            Some(tls) => {
                tls.fit(config.http_listen, config.redirect_listen, &mut config.public_url)?;
            }
            None if config.redirect_listen.is_some() => {
                let rule = "it needs tls.cert and tls.key, or tls.acme.domains";
                return Err(ConfigError::Conflict { key: "http.redirect_listen", rule });
            }
            None => {}
        }
        Ok(config)
    }
}

/// Whether one of two addresses of TCP cannot be had beside the other.
fn share_a_port(one: SocketAddr, other: SocketAddr) -> bool {
    let any = one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() != 0 && one.port() == other.port() && (any || one.ip() == other.ip())
}

fn is_section(path: &str) -> bool {
    let prefix = format!("{path}.");
    KEYS.iter().any(|key| key.path.starts_with(&prefix))
}

/// Read by the build, so an environment that still holds them is no mistake.
const BUILD_VARIABLES: [&str; 1] = ["CONF_WEB_DIST"];

#[cfg(test)]
mod tests;

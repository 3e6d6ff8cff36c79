//! The table of all keys: the one place that knows path, default, allowed values and purpose.

use super::{ApiKey, Draft, tls, turn, value};

/// One key of the configuration.
pub(super) struct Key {
    /// As in the file, levels joined by dots.
    pub(super) path: &'static str,
    /// How its text in an environment variable becomes a value.
    pub(super) kind: Kind,
    /// In the words of an environment variable; empty for "not set".
    pub(super) default: &'static str,
    /// What is accepted, in words.
    pub(super) allowed: &'static str,
    /// What it is for.
    pub(super) purpose: &'static str,
    /// Never shown in an error.
    pub(super) secret: bool,
    /// Puts a value into the draft; `None` where it is not allowed.
    pub(super) set: fn(&mut Draft, &toml::Value) -> Option<()>,
}

/// What a key holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Number,
    /// Texts; in an environment variable separated by commas.
    List,
    /// Tables; in an environment variable as TOML.
    Tables,
    /// Text that is an environment variable only.
    Variable,
}

impl Kind {
    /// Reads an environment variable (or a default).
    pub(super) fn read(self, text: &str) -> toml::Value {
        let list = || text.split(',').map(str::trim).filter(|item| !item.is_empty());
        let as_text = || toml::Value::String(text.to_owned());
        match self {
            Self::Text | Self::Variable => as_text(),
            Self::Number => text.parse().map_or_else(|_| as_text(), toml::Value::Integer),
            Self::List => toml::Value::Array(
                list().map(|item| toml::Value::String(item.to_owned())).collect(),
            ),
            Self::Tables => format!("list = {text}")
                .parse::<toml::Table>()
                .ok()
                .and_then(|mut table| table.remove("list"))
                .unwrap_or_else(as_text),
        }
    }
}

/// All keys, in the order in which they are explained.
pub(super) const KEYS: &[Key] = &[
    Key {
        path: "data_dir",
        kind: Kind::Text,
        default: "./data",
        allowed: "the path of a folder that only this server uses",
        purpose: "Keeps what outlives the process. Made at the first start, with its secrets.toml.",
        secret: false,
        set: |draft, value| value::folder(value).map(|it| draft.config.data_dir = it),
    },
    Key {
        path: "open_room",
        kind: Kind::Text,
        default: "on",
        allowed: "on or off",
        purpose: "One room without an owner, whose link is printed at start: whoever comes first moderates it.",
        secret: false,
        set: |draft, value| value::switch(value).map(|it| draft.config.open_room = it),
    },
    Key {
        path: "policy",
        kind: Kind::Text,
        default: "",
        allowed: "the path of a TOML file",
        purpose: "The privacy policy: who is responsible, what data is used for, when it goes. Without it the built-in one holds, and only loopback addresses are served.",
        secret: false,
        set: |draft, value| value::folder(value).map(|it| draft.config.policy = Some(it)),
    },
    Key {
        path: "store.url",
        kind: Kind::Text,
        default: "sqlite:conf.db",
        allowed: "sqlite:conf.db",
        purpose: "Where accounts and rooms are stored: an SQLite database in data_dir.",
        secret: false,
        set: |_, value| (value.as_str()? == "sqlite:conf.db").then_some(()),
    },
    Key {
        path: "http.listen",
        kind: Kind::Text,
        default: "127.0.0.1:8080",
        allowed: "an IP address with a port, such as 127.0.0.1:8080 or [::1]:8080",
        purpose: "Serves the web client, its API and websockets. Loopback only, as long as no policy names a controller.",
        secret: false,
        set: |draft, value| value::address(value).map(|it| draft.config.http_listen = it),
    },
    Key {
        path: "http.redirect_listen",
        kind: Kind::Text,
        default: "off",
        allowed: "an IP address with a port, such as 0.0.0.0:80, or \"off\"",
        purpose: "With TLS: answers plain HTTP with the way to HTTPS, and the questions of the ACME server.",
        secret: false,
        set: |draft, value| {
            value::address_or_off(value).map(|it| draft.config.redirect_listen = it)
        },
    },
    Key {
        path: "http.public_url",
        kind: Kind::Text,
        default: "",
        allowed: "http:// or https:// with a host and perhaps a port, without a path",
        purpose: "How browsers reach this server where that differs from http.listen: for links and for the check of a websocket's origin.",
        secret: false,
        set: |draft, value| value::public_url(value).map(|it| draft.config.public_url = Some(it)),
    },
    Key {
        path: "http.trusted_proxies",
        kind: Kind::List,
        default: "",
        allowed: "up to 16 IP addresses",
        purpose: "Proxies whose X-Forwarded-For says where a request comes from, so that the limits count people and not the proxy.",
        secret: false,
        set: |draft, value| value::ip_addresses(value).map(|it| draft.config.trusted_proxies = it),
    },
    Key {
        path: "tls.cert",
        kind: Kind::Text,
        default: "",
        allowed: "the path of a PEM file, the server's own certificate first, then those that signed it",
        purpose: "Serves HTTPS at http.listen. Read again when it changes, and on SIGHUP.",
        secret: false,
        set: |draft, value| value::folder(value).map(|it| draft.tls.cert = Some(it)),
    },
    Key {
        path: "tls.key",
        kind: Kind::Text,
        default: "",
        allowed: "the path of a PEM file that others may not read (mode 0640 or less)",
        purpose: "The private key of tls.cert, without a passphrase.",
        secret: false,
        set: |draft, value| value::folder(value).map(|it| draft.tls.key = Some(it)),
    },
    Key {
        path: "tls.acme.domains",
        kind: Kind::List,
        default: "",
        allowed: "up to 16 host names that lead to this machine",
        purpose: "Serves HTTPS with certificates for these names, got and renewed by ACME (HTTP-01 at http.redirect_listen, from outside on port 80). Whoever sets it agrees to the terms of the ACME server.",
        secret: false,
        set: |draft, value| tls::domains(value).map(|it| draft.tls.domains = it),
    },
    Key {
        path: "tls.acme.contact",
        kind: Kind::Text,
        default: "",
        allowed: "an e-mail address",
        purpose: "Told to the ACME server, which may write to it. Not needed.",
        secret: true,
        set: |draft, value| tls::contact(value).map(|it| draft.tls.contact = Some(it)),
    },
    Key {
        path: "tls.acme.directory",
        kind: Kind::Text,
        default: "https://acme-v02.api.letsencrypt.org/directory",
        allowed: "the https:// address of an ACME directory",
        purpose: "Whom to ask for certificates. No other host is asked for anything.",
        secret: false,
        set: |draft, value| tls::directory(value).map(|it| draft.tls.directory = it),
    },
    Key {
        path: "tls.acme.root",
        kind: Kind::Text,
        default: "",
        allowed: "the path of a PEM file",
        purpose: "Certificates trusted for the ACME server instead of those of this machine: for a server of your own.",
        secret: false,
        set: |draft, value| value::folder(value).map(|it| draft.tls.root = Some(it)),
    },
    Key {
        path: "media.listen",
        kind: Kind::List,
        default: "[::]:7882",
        allowed: "an IP address with a port, such as [::]:7882, or a list of one IPv4 and one IPv6 address",
        purpose: "The one port of all audio, video and data channels: UDP, and TCP with media.tcp. [::] takes IPv4 too, unless it is listed beside an IPv4 address.",
        secret: false,
        set: |draft, value| value::listen(value).map(|it| draft.config.media_listen = it),
    },
    Key {
        path: "media.tcp",
        kind: Kind::Text,
        default: "on",
        allowed: "on or off",
        purpose: "Takes media over TCP too (ICE-TCP), at the port numbers of media.listen: for people whose network lets no UDP through. Browsers prefer UDP.",
        secret: false,
        set: |draft, value| value::switch(value).map(|it| draft.config.media_tcp = it),
    },
    Key {
        path: "media.advertise",
        kind: Kind::List,
        default: "",
        allowed: "up to 16 IP addresses, each with a port where it differs from media.listen, and with udp: or tcp: in front where it is for one of them only",
        purpose: "Addresses told to browsers, in order of preference; without it those of this machine. Needed behind NAT. For example 198.51.100.7, tcp:198.51.100.7:443, [2001:db8::7]:7882.",
        secret: false,
        set: |draft, value| value::advertised(value).map(|it| draft.config.media_advertise = it),
    },
    Key {
        path: "media.shards",
        kind: Kind::Number,
        default: "0",
        allowed: "0 to 16",
        purpose: "How many media threads run, each with a core of its own where there are enough. 0: one per core that the server may use; a single one on one or two cores.",
        secret: false,
        set: |draft, value| value::number(value, 0, 16).map(|it| draft.config.media_shards = it),
    },
    Key {
        path: "media.dtls",
        kind: Kind::Text,
        default: "dimpl",
        allowed: "dimpl or webrtc-dtls",
        purpose: "Which DTLS implementation does the handshakes: dimpl needs half the CPU; webrtc-dtls is an independent second one.",
        secret: false,
        set: |draft, value| value::dtls(value).map(|it| draft.config.media_dtls = it),
    },
    Key {
        path: "media.loudest",
        kind: Kind::Number,
        default: "8",
        allowed: "1 to 64",
        purpose: "How many microphones of a meeting are forwarded, the loudest ones.",
        secret: false,
        set: |draft, value| value::number(value, 1, 64).map(|it| draft.config.media_loudest = it),
    },
    Key {
        path: "turn.urls",
        kind: Kind::List,
        default: "",
        allowed: "up to 8 of turn: or turns: with a host, perhaps a port, perhaps ?transport=udp or ?transport=tcp",
        purpose: "A TURN server of yours (coturn with use-auth-secret) that people are told of, for networks that let nothing else through. It sees their addresses and sealed media, and /privacy names it.",
        secret: false,
        set: |draft, value| turn::urls(value).map(|it| draft.turn.urls = it),
    },
    Key {
        path: "turn.secret",
        kind: Kind::Text,
        default: "",
        allowed: "22 to 256 characters, the same as static-auth-secret of coturn",
        purpose: "Shared with the TURN server: makes user names and passwords that end by themselves and name nobody.",
        secret: true,
        set: |draft, value| turn::secret(value).map(|it| draft.turn.secret = Some(it)),
    },
    Key {
        path: "turn.ttl",
        kind: Kind::Number,
        default: "43200",
        allowed: "300 to 604800 seconds",
        purpose: "How long they are good for. A relay is refused when they end, so longer than a meeting.",
        secret: false,
        set: |draft, value| value::number(value, 300, 604_800).map(|it| draft.turn.ttl = it as u64),
    },
    Key {
        path: "api.keys",
        kind: Kind::Tables,
        default: "",
        allowed: "up to 64 of { key = 1 to 64 visible characters, secret = 32 to 256 characters }",
        purpose: "Keys that other programs mint access tokens with (HS256, claim `iss` names the key).",
        secret: true,
        set: |draft, value| {
            value::api_keys(value).map(|it: Vec<ApiKey>| draft.config.api_keys = it)
        },
    },
    Key {
        path: "api.key",
        kind: Kind::Variable,
        default: "",
        allowed: "1 to 64 visible characters without quotes",
        purpose: "One more API key, together with CONF_API__SECRET. Environment only.",
        secret: false,
        set: |draft, value| value::api_key(value).map(|it| draft.api_key = Some(it)),
    },
    Key {
        path: "api.secret",
        kind: Kind::Variable,
        default: "",
        allowed: "32 to 256 characters",
        purpose: "The secret of CONF_API__KEY. Environment only.",
        secret: true,
        set: |draft, value| value::api_secret(value).map(|it| draft.api_secret = Some(it)),
    },
    Key {
        path: "metrics.listen",
        kind: Kind::Text,
        default: "127.0.0.1:9090",
        allowed: "an IP address with a port, or \"off\"",
        purpose: "Serves /metrics for Prometheus and nothing else. They name no person, room or address.",
        secret: false,
        set: |draft, value| value::address_or_off(value).map(|it| draft.config.metrics_listen = it),
    },
    Key {
        path: "limits.participants",
        kind: Kind::Number,
        default: "50",
        allowed: "1 to 5000",
        purpose: "The most participants of one meeting.",
        secret: false,
        set: |draft, value| value::number(value, 1, 5_000).map(|it| draft.config.participants = it),
    },
    Key {
        path: "limits.players",
        kind: Kind::Number,
        default: "3000",
        allowed: "0 to 10000",
        purpose: "The most players (WHEP) of one meeting; they are no participants, but everybody in the meeting sees how many there are.",
        secret: false,
        set: |draft, value| value::number(value, 0, 10_000).map(|it| draft.config.players = it),
    },
    Key {
        path: "limits.meetings",
        kind: Kind::Number,
        default: "100",
        allowed: "1 to 10000",
        purpose: "The most meetings at the same time.",
        secret: false,
        set: |draft, value| value::number(value, 1, 10_000).map(|it| draft.config.meetings = it),
    },
    Key {
        path: "log.level",
        kind: Kind::Text,
        default: "info",
        allowed: "error, warn, info, debug or trace",
        purpose: "How much is logged to standard output. No level logs names, addresses or content.",
        secret: false,
        set: |draft, value| value::level(value).map(|it| draft.config.log_level = it),
    },
];

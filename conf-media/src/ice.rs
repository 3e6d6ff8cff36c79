//! ICE-lite: the machine that answers one peer's connectivity checks and learns its address.
//!
//! A lite agent sends no checks of its own. It answers those that carry its password, and believes
//! no address but theirs: before a nomination the first one, then the one nominated last, or checked
//! after that one was left ([`LEFT`]). When no
//! check came for [`CONSENT`], sending stops until the next one (RFC 7675). Traffic without the
//! password changes nothing here.
//!
//! The caller keeps a table from address to peer: an address belongs in it from
//! [`Handled::new_path`] until [`Event::Forgotten`]. Refusals are typed so that it can count them.
//!
//! Time comes in as an argument. Sources: RFC 8445, sections 2.5 and 7.3; RFC 7675.

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

mod candidate;

pub use candidate::{Candidate, Transport};

use crate::stun::{Class, IntegrityKey, Message, Role, Writer};
use crate::time::Now;

/// How long a check allows sending (RFC 7675, section 5.1: at most 30 s).
pub const CONSENT: Duration = Duration::from_secs(15);

/// How long an address is its peer's alone after a check; browsers check every 2.5 to 6 s.
pub const HOLD: Duration = Duration::from_secs(8);

/// When the address in use had no check for so long, the next check from another one takes over: a
/// network address translator gave the peer a new address, and not every browser nominates again
/// what is, to it, the same path. Longer than a browser waits between two checks of a path that it
/// keeps nominating (2.5 s), shorter than it does otherwise (4 to 6 s, RFC 7675, section 5.1).
pub const LEFT: Duration = Duration::from_millis(3_500);

/// How many addresses a peer may have at a time; the one unchecked for longest makes room.
pub const MAX_PATHS: usize = 8;
/// Room that is taken from the start.
const USUAL_PATHS: usize = 2;

/// The ICE-lite side of one peer.
pub struct Agent {
    current: Secret,
    /// From before a restart: valid until the first check with the current one.
    previous: Option<Box<Secret>>,
    /// At most [`MAX_PATHS`], each checked within [`CONSENT`].
    paths: Vec<Path>,
    /// Always one of `paths`.
    selected: Option<SocketAddr>,
    /// No path is left, and that has been reported.
    disconnected: bool,
    events: VecDeque<Event>,
}

impl Agent {
    /// Waits for checks that carry `credentials`, which are ours towards this peer.
    #[must_use]
    pub fn new(credentials: Credentials) -> Self {
        Self {
            current: Secret::new(credentials),
            previous: None,
            paths: Vec::with_capacity(USUAL_PATHS),
            selected: None,
            disconnected: false,
            events: VecDeque::new(),
        }
    }

    /// The peer restarts: from now on `credentials` count, the old ones until the first check with
    /// the new. The path in use stays until another is nominated.
    ///
    /// Restarted twice without a check between, the credentials that were never used end.
    pub fn restart(&mut self, credentials: Credentials) {
        let old = std::mem::replace(&mut self.current, Secret::new(credentials));
        self.previous.get_or_insert_with(|| Box::new(old));
    }

    /// Answers a check that came `from` an address: `out` is the datagram to send back to it.
    ///
    /// On `Err` nothing has changed but the passing of time, and `out` holds the refusal to send,
    /// if one is due (empty: send nothing). It is never longer than what it answers.
    ///
    /// # Errors
    /// Every [`IceError`].
    ///
    /// # Source
    /// RFC 8445, section 7.3; RFC 8489, section 9.1.3.
    pub fn handle(
        &mut self,
        now: Now,
        from: SocketAddr,
        message: &Message<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Handled, IceError> {
        self.handle_timeout(now);
        let (secret, fresh) = self.authenticate(message, out)?;
        if let Some(refusal) = refuse(message, &secret.key, out) {
            return Err(refusal);
        }
        Writer::new(out, Class::Success, message.transaction())
            .xor_mapped_address(from)
            .integrity(&secret.key)
            .fingerprint();
        if fresh {
            self.previous = None;
        }
        Ok(self.accept(now.mono, from, message.use_candidate()))
    }

    /// Time passed: addresses without a recent check are forgotten.
    pub fn handle_timeout(&mut self, now: Now) {
        let expired = |path: &Path| now.mono.saturating_duration_since(path.checked) >= CONSENT;
        if !self.paths.iter().any(expired) {
            return;
        }
        for path in self.paths.extract_if(.., |path| expired(path)) {
            self.events.push_back(Event::Forgotten { address: path.address });
        }
        if self.selected.is_some_and(|selected| self.path(selected).is_none()) {
            // Any path with consent may carry media until one is nominated (RFC 8445, 12.1.1).
            self.selected = self.paths.iter().max_by_key(|path| path.checked).map(|p| p.address);
        }
        if self.paths.is_empty() {
            self.disconnected = true;
            self.events.push_back(Event::Disconnected);
        }
    }

    /// What happened; call until `None`.
    pub fn poll(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When to call [`Agent::handle_timeout`]; `None`: nothing waits.
    #[must_use]
    pub fn timeout(&self) -> Option<Instant> {
        self.paths.iter().map(|path| path.checked + CONSENT).min()
    }

    /// Where to send; `None`: nothing may be sent. Ask again after every `handle…`.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.selected
    }

    /// Whether traffic from an address may be believed to be this peer's.
    #[cfg(test)]
    fn is_valid(&self, address: SocketAddr) -> bool {
        self.path(address).is_some()
    }

    /// Whether a check came from an address so lately that nobody else can have it now: until then
    /// another peer's check from there is forged, or a network address translator is very quick.
    #[must_use]
    pub fn holds(&self, address: SocketAddr, now: Instant) -> bool {
        let path = self.path(address);
        path.is_some_and(|path| now.saturating_duration_since(path.checked) < HOLD)
    }

    /// Our user name fragments that checks may carry: the current one, and the one before a restart.
    pub fn ufrags(&self) -> impl Iterator<Item = &str> {
        self.secrets().map(|secret| secret.ufrag.as_str())
    }

    fn secrets(&self) -> impl Iterator<Item = &Secret> {
        std::iter::once(&self.current).chain(self.previous.as_deref())
    }

    /// The password that a check was made with, and whether it is the current one.
    fn authenticate(
        &self,
        message: &Message<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(&Secret, bool), IceError> {
        out.clear();
        if message.class() != Class::Request {
            return Err(IceError::NotARequest);
        }
        let refuse = |out, code| {
            Writer::new(out, Class::Error, message.transaction()).error_code(code).fingerprint();
        };
        let (Some(username), true) = (message.username(), message.has_integrity()) else {
            // With neither, the answer could be longer than the request.
            if message.username().is_some() || message.has_integrity() {
                Writer::new(out, Class::Error, message.transaction()).error_code(400).finish();
            }
            return Err(IceError::Incomplete);
        };
        let named = |secret: &&Secret| {
            username.strip_prefix(&*secret.ufrag).is_some_and(|rest| rest.starts_with(':'))
        };
        let Some(secret) = self.secrets().find(named) else {
            refuse(out, 401);
            return Err(IceError::UnknownUser);
        };
        if message.verify(&secret.key).is_err() {
            refuse(out, 401);
            return Err(IceError::WrongPassword);
        }
        Ok((secret, std::ptr::eq(secret, &raw const self.current)))
    }

    fn accept(&mut self, now: Instant, from: SocketAddr, nominates: bool) -> Handled {
        let new_path = match self.paths.iter_mut().find(|path| path.address == from) {
            Some(path) => {
                path.checked = now;
                false
            }
            None => {
                self.make_room();
                self.paths.push(Path { address: from, checked: now });
                true
            }
        };
        if std::mem::take(&mut self.disconnected) {
            self.events.push_back(Event::Reconnected);
        }
        let left = self.selected.and_then(|selected| self.path(selected)).is_none_or(|path| {
            now.saturating_duration_since(path.checked) >= LEFT // the address changed on its way
        });
        let selects = (nominates || left) && self.selected != Some(from);
        if selects {
            self.selected = Some(from);
        }
        Handled { selected: selects.then_some(from), new_path }
    }

    /// Drops the path unchecked for longest, never the selected one, if there are too many.
    fn make_room(&mut self) {
        if self.paths.len() < MAX_PATHS {
            return;
        }
        let stale = |(_, path): &(usize, &Path)| Some(path.address) != self.selected;
        let oldest =
            self.paths.iter().enumerate().filter(stale).min_by_key(|(_, path)| path.checked);
        if let Some((at, _)) = oldest {
            let path = self.paths.swap_remove(at);
            self.events.push_back(Event::Forgotten { address: path.address });
        }
    }

    fn path(&self, address: SocketAddr) -> Option<&Path> {
        self.paths.iter().find(|path| path.address == address)
    }
}

impl fmt::Debug for Agent {
    /// Neither secrets nor addresses.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agent")
            .field("paths", &self.paths.len())
            .field("disconnected", &self.disconnected)
            .finish_non_exhaustive()
    }
}

/// What an accepted check has changed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Handled {
    /// The address to send to, if it changed or was first selected.
    pub selected: Option<SocketAddr>,
    /// The check's address was not known before: traffic from it is this peer's from now on.
    pub new_path: bool,
}

impl fmt::Debug for Handled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handled")
            .field("selected", &self.selected.map(|_| "…"))
            .field("new_path", &self.new_path)
            .finish()
    }
}

/// What an [`Agent`] reports.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// No check for [`CONSENT`]: nothing may be sent.
    Disconnected,
    /// A check arrived again.
    Reconnected,
    /// Traffic from this address is no longer this peer's.
    Forgotten {
        /// Where it came from.
        address: SocketAddr,
    },
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Disconnected => "Disconnected",
            Self::Reconnected => "Reconnected",
            Self::Forgotten { .. } => "Forgotten(…)",
        })
    }
}

/// Why a message was not accepted as a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IceError {
    /// A lite agent asks nothing, so it expects no answers.
    #[error("a STUN message that is no request")]
    NotARequest,
    /// USERNAME or MESSAGE-INTEGRITY is missing (400).
    #[error("a check without USERNAME or MESSAGE-INTEGRITY")]
    Incomplete,
    /// USERNAME does not begin with a user name fragment of ours (401).
    #[error("a check for an unknown user name fragment")]
    UnknownUser,
    /// MESSAGE-INTEGRITY does not fit the password (401).
    #[error("a check with a wrong password")]
    WrongPassword,
    /// Attributes that must be understood and are not (420).
    #[error("a check with {count} unknown attributes that it wants understood")]
    UnknownAttributes {
        /// At least that many.
        count: usize,
    },
    /// The peer believes to be controlled too, which a lite agent always is (487).
    #[error("a check from a peer in the controlled role, as we are")]
    RoleConflict,
}

/// User name fragment and password of one side (RFC 8445, section 5.3).
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// 4 to 256 characters.
    pub ufrag: String,
    /// 22 to 256 characters.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(…)")
    }
}

/// Credentials, set up for use.
struct Secret {
    ufrag: String,
    key: IntegrityKey,
}

impl Secret {
    fn new(credentials: Credentials) -> Self {
        Self { key: IntegrityKey::new(&credentials.password), ufrag: credentials.ufrag }
    }
}

struct Path {
    address: SocketAddr,
    checked: Instant,
}

/// Refuses an authenticated check for what it says.
fn refuse(message: &Message<'_>, key: &IntegrityKey, out: &mut Vec<u8>) -> Option<IceError> {
    let unknown = message.unknown_attributes();
    let error = |out, code| Writer::new(out, Class::Error, message.transaction()).error_code(code);
    if !unknown.is_empty() {
        error(out, 420).unknown_attributes(unknown).integrity(key).fingerprint();
        return Some(IceError::UnknownAttributes { count: unknown.len() });
    }
    if matches!(message.role(), Some(Role::Controlled { .. })) {
        error(out, 487).integrity(key).fingerprint();
        return Some(IceError::RoleConflict);
    }
    None
}

#[cfg(test)]
mod tests;

//! One peer's transport: DTLS, the check of its certificate, and the data channels inside.
//!
//! The keys of a handshake leave this machine only after the certificate that the peer has shown
//! was compared with the fingerprint that came through signalling, whichever of the two came
//! first. A peer that shows another certificate has failed, for good.
//!
//! Sans-IO, like the machines it holds; [`super::worker`] drives many. Source: RFC 8122, section 6
//! (fingerprint), RFC 5763, section 5 (both orders of arrival), RFC 8261 (SCTP over DTLS).

use std::collections::VecDeque;
use std::fmt;
use std::time::Instant;

use bytes::Bytes;

use crate::command::Fingerprint;
use crate::data::{self, Association};
use crate::dtls::{self, Dtls, HANDSHAKE_LIMIT, Wake};
use crate::srtp::Keys;

/// What a peer's transport is handed.
#[derive(Debug)]
pub enum Input<'a> {
    /// A datagram of its validated address.
    Datagram(&'a [u8]),
    /// The handshake has something new to say.
    Wake,
    /// The certificate it must show.
    Expect(Fingerprint),
    /// A data channel that both sides know without a word.
    Negotiate {
        /// Its number.
        stream: u16,
        /// How it works.
        channel: data::Channel,
    },
    /// A message for its open data channel of that label.
    Message {
        /// The channel's label.
        label: &'a str,
        /// The message.
        message: data::Outgoing,
    },
}

/// What a peer's transport asks for or reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// A datagram for the peer.
    Transmit(Bytes),
    /// The handshake is done and the certificate is the expected one.
    Connected(Keys),
    /// It will never work; nothing more comes out.
    Failed(String),
    /// A data channel opened, brought a message, or closed.
    Data(data::Output),
}

/// Handshake, verified certificate and data channels of one peer.
pub struct Transport {
    /// `None` once it has failed: nothing of a backend outlives that.
    dtls: Option<Box<dyn Dtls>>,
    state: State,
    expected: Option<Fingerprint>,
    outputs: VecDeque<Output>,
    /// Plaintext that came before the certificate could be verified.
    early: Vec<Bytes>,
    /// For the association, when there is one.
    wake: Option<Wake>,
    negotiated: Vec<(u16, data::Channel)>,
}

enum State {
    /// No datagram has come.
    Idle,
    /// Not done yet, or done and waiting for the fingerprint.
    HalfOpen {
        until: Instant,
        proven: Option<(Keys, Fingerprint)>,
    },
    Connected {
        shown: Fingerprint,
        /// From the first packet inside on: whoever opens no data channel has none.
        association: Option<Box<Association>>,
    },
    Over,
}

impl Transport {
    /// A transport over a handshake that has not begun.
    #[must_use]
    pub fn new(dtls: Box<dyn Dtls>) -> Self {
        Self {
            dtls: Some(dtls),
            state: State::Idle,
            expected: None,
            outputs: VecDeque::new(),
            early: Vec::new(),
            wake: None,
            negotiated: Vec::new(),
        }
    }

    /// Calls `wake`, from any thread, when [`Input::Wake`] is wanted: what the peer sent over a
    /// data channel has arrived, and more of it can be read.
    #[must_use]
    pub fn waking(mut self, wake: Wake) -> Self {
        self.wake = Some(wake);
        self
    }

    /// What happened. Failing is not an error of the call: it comes out as [`Output::Failed`].
    pub fn handle(&mut self, now: Instant, input: Input<'_>) {
        match input {
            Input::Datagram(datagram) => self.datagram(now, datagram),
            Input::Wake => {}
            Input::Expect(fingerprint) => self.expect(now, fingerprint),
            Input::Negotiate { stream, channel } => self.negotiate(stream, channel),
            Input::Message { label, message } => {
                if let State::Connected { association: Some(association), .. } = &mut self.state {
                    // Counted there. A channel that is closed or too full loses the message, as
                    // sending to a browser that went away does.
                    let _counted = association.send_to(now, label, message);
                }
            }
        }
        self.pump(now);
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        if let State::HalfOpen { until, proven } = &self.state
            && *until <= now
        {
            let why = match proven {
                Some(_) => "no fingerprint was signalled",
                None => "the handshake was not finished",
            };
            return self.fail(format!("{why} within {} s", HANDSHAKE_LIMIT.as_secs()));
        }
        let Some(dtls) = &mut self.dtls else { return };
        if dtls.timeout().is_some_and(|at| at <= now)
            && let Err(error) = dtls.handle_timeout(now)
        {
            self.flush_dtls();
            return self.fail(error.to_string());
        }
        if let State::Connected { association: Some(association), .. } = &mut self.state
            && association.timeout().is_some_and(|at| at <= now)
        {
            association.handle_timeout(now);
        }
        self.pump(now);
    }

    /// What to do; call until `None`.
    pub fn poll(&mut self) -> Option<Output> {
        let output = self.outputs.pop_front();
        if output.is_none() {
            self.outputs = VecDeque::new(); // after its handshake a peer says little
        }
        output
    }

    /// When to call [`Transport::handle_timeout`]; `None`: nothing waits.
    #[must_use]
    pub fn timeout(&self) -> Option<Instant> {
        let own = match &self.state {
            State::Idle | State::Over => return None,
            State::HalfOpen { until, .. } => Some(*until),
            State::Connected { association, .. } => {
                association.as_ref().and_then(|association| association.timeout())
            }
        };
        let dtls = self.dtls.as_ref().and_then(|dtls| dtls.timeout());
        own.into_iter().chain(dtls).min()
    }

    /// What its data channels have carried.
    #[must_use]
    pub fn data_stats(&self) -> data::DataStats {
        match &self.state {
            State::Connected { association: Some(association), .. } => association.stats(),
            _ => data::DataStats::default(),
        }
    }

    /// No datagram has come yet.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle)
    }

    /// A handshake holds memory and is not finished.
    #[must_use]
    pub fn is_half_open(&self) -> bool {
        matches!(self.state, State::HalfOpen { .. })
    }

    fn datagram(&mut self, now: Instant, datagram: &[u8]) {
        match self.state {
            State::Over => return,
            State::Idle => {
                self.state = State::HalfOpen { until: now + HANDSHAKE_LIMIT, proven: None };
            }
            State::HalfOpen { .. } | State::Connected { .. } => {}
        }
        let Some(dtls) = &mut self.dtls else { return };
        if let Err(error) = dtls.handle(now, datagram) {
            self.flush_dtls();
            self.fail(error.to_string());
        }
    }

    fn expect(&mut self, now: Instant, fingerprint: Fingerprint) {
        match &self.state {
            State::Over => return,
            State::Connected { shown, .. } if *shown != fingerprint => {
                return self.fail("the signalled fingerprint changed".into());
            }
            State::Idle | State::HalfOpen { .. } | State::Connected { .. } => {}
        }
        self.expected = Some(fingerprint);
        self.verify(now);
    }

    fn negotiate(&mut self, stream: u16, channel: data::Channel) {
        match &mut self.state {
            State::Connected { association: Some(association), .. } => {
                association.negotiate(stream, channel);
            }
            _ if self.negotiated.len() < MAX_NEGOTIATED => self.negotiated.push((stream, channel)),
            _ => {}
        }
    }

    /// From its first packet on a peer has an association.
    fn associate(&mut self, now: Instant, packet: Bytes) {
        let State::Connected { association, .. } = &mut self.state else { return };
        let association = association.get_or_insert_with(|| {
            let mut association = Association::waking(self.wake.clone());
            for (stream, channel) in std::mem::take(&mut self.negotiated) {
                association.negotiate(stream, channel);
            }
            Box::new(association)
        });
        association.handle(now, packet);
    }

    /// The one place where keys go out.
    fn verify(&mut self, now: Instant) {
        let State::HalfOpen { proven, .. } = &mut self.state else { return };
        let Some(expected) = self.expected else { return };
        let Some((keys, shown)) = proven.take() else { return };
        if shown != expected {
            return self.fail("the peer's certificate is not the signalled one".into());
        }
        self.outputs.push_back(Output::Connected(keys));
        self.state = State::Connected { shown, association: None };
        for packet in std::mem::take(&mut self.early) {
            self.associate(now, packet);
        }
    }

    /// Moves everything between the two machines until neither has anything to say.
    fn pump(&mut self, now: Instant) {
        for _ in 0..ROUNDS {
            let before = self.outputs.len();
            while let Some(output) = self.dtls.as_mut().and_then(|dtls| dtls.poll()) {
                self.dtls_output(now, output);
            }
            if !self.association_outputs(now) && self.outputs.len() == before {
                return;
            }
        }
    }

    fn dtls_output(&mut self, now: Instant, output: dtls::Output) {
        match output {
            dtls::Output::Transmit(datagram) => self.outputs.push_back(Output::Transmit(datagram)),
            dtls::Output::Connected { keys, fingerprint } => {
                if let State::HalfOpen { proven, .. } = &mut self.state {
                    *proven = Some((keys, fingerprint));
                }
                self.verify(now);
            }
            dtls::Output::Data(packet) => match &self.state {
                State::Connected { .. } => self.associate(now, packet),
                State::HalfOpen { .. } if self.early.len() < MAX_EARLY => self.early.push(packet),
                State::Idle | State::HalfOpen { .. } | State::Over => {}
            },
            dtls::Output::Closed => self.fail("the peer closed the connection".into()),
            dtls::Output::Failed(error) => self.fail(error.to_string()),
        }
    }

    /// True if something was handed on.
    fn association_outputs(&mut self, now: Instant) -> bool {
        let State::Connected { association: Some(association), .. } = &mut self.state else {
            return false;
        };
        let Some(dtls) = &mut self.dtls else { return false };
        let mut any = false;
        let mut lost = None;
        while let Some(output) = association.poll(now) {
            any = true;
            match output {
                data::Output::Transmit(packet) => {
                    if let Err(error) = dtls.send(&packet) {
                        lost = Some(error);
                        break;
                    }
                }
                other => self.outputs.push_back(Output::Data(other)),
            }
        }
        if let Some(error) = lost {
            self.fail(error.to_string());
        }
        any
    }

    fn flush_dtls(&mut self) {
        while let Some(output) = self.dtls.as_mut().and_then(|dtls| dtls.poll()) {
            if let dtls::Output::Transmit(datagram) = output {
                self.outputs.push_back(Output::Transmit(datagram)); // an alert
            }
        }
    }

    fn fail(&mut self, reason: String) {
        if matches!(self.state, State::Over) {
            return;
        }
        self.state = State::Over;
        self.dtls = None;
        self.early = Vec::new();
        self.outputs.push_back(Output::Failed(reason));
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Idle => "Idle",
            State::HalfOpen { .. } => "HalfOpen",
            State::Connected { .. } => "Connected",
            State::Over => "Over",
        };
        f.debug_struct("Transport").field("state", &state).finish_non_exhaustive()
    }
}

/// SCTP packets kept until the fingerprint is there; an association begins with one.
const MAX_EARLY: usize = 8;
/// Channels that are agreed on before the association begins.
const MAX_NEGOTIATED: usize = 8;
/// Of moving outputs between the machines; a datagram needs two or three.
const ROUNDS: usize = 64;

#[cfg(test)]
mod tests;

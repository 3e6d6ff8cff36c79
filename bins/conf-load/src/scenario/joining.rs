//! The steps of those who join, and when each was reached.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::client::{ClientId, News, Step};
use crate::meter::percentiles_of;
use crate::report::Join;

/// Everybody who joined in this run.
#[derive(Debug, Default)]
pub(super) struct Joining {
    visits: BTreeMap<ClientId, Visit>,
    /// Those below are told already.
    told: ClientId,
    failures: Vec<String>,
}

/// One who joins; times since the start.
#[derive(Debug)]
struct Visit {
    started: Instant,
    signalling: Duration,
    /// What it waits for.
    wants: Wants,
    dtls: Option<Duration>,
    packet: Option<Duration>,
    keyframe: Option<Duration>,
    failed: bool,
    publishes: bool,
}

/// When somebody is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wants {
    Connection,
    Packet,
    Keyframe,
}

impl Joining {
    pub(super) fn began(
        &mut self,
        client: ClientId,
        (started, answered): (Instant, Instant),
        (wants, publishes): (Wants, bool),
    ) {
        let visit = Visit {
            started,
            signalling: answered.saturating_duration_since(started),
            wants,
            dtls: None,
            packet: None,
            keyframe: None,
            failed: false,
            publishes,
        };
        self.visits.insert(client, visit);
    }

    /// Somebody did not even get an answer.
    pub(super) fn refused(&mut self, reason: String) {
        self.failures.push(reason);
    }

    pub(super) fn news(&mut self, news: News) {
        let Some(visit) = self.visits.get_mut(&news.client) else { return };
        let since = news.at.saturating_duration_since(visit.started);
        match news.step {
            Step::Connected => visit.dtls = Some(since),
            Step::FirstPacket => visit.packet = Some(since),
            Step::FirstKeyframe => visit.keyframe = Some(since),
            Step::Failed(reason) => {
                visit.failed = true;
                self.failures.push(reason);
            }
        }
    }

    /// Who is still on the way.
    pub(super) fn waiting(&self) -> usize {
        self.visits.values().filter(|visit| !visit.is_in() && !visit.failed).count()
    }

    /// Whether somebody got what it waited for.
    pub(super) fn is_in(&self, client: ClientId) -> bool {
        self.visits.get(&client).is_some_and(|visit| visit.is_in() && !visit.failed)
    }

    /// Whoever is still on the way has failed.
    pub(super) fn give_up(&mut self) {
        for visit in self.visits.values_mut().filter(|visit| !visit.is_in() && !visit.failed) {
            visit.failed = true;
            self.failures.push(visit.lacks().into());
        }
    }

    /// Why joins failed; one of them.
    pub(super) fn failure(&self) -> Option<&str> {
        self.failures.last().map(String::as_str)
    }

    pub(super) fn failed(&self) -> usize {
        self.failures.len()
    }

    /// When the last of them was connected.
    pub(super) fn last_connection(&self) -> Option<Instant> {
        let connected = self.visits.values().filter_map(|visit| Some(visit.started + visit.dtls?));
        connected.max()
    }

    /// Steps of the subscribers that joined since this was last asked.
    pub(super) fn tell(&mut self) -> Join {
        let next = self.visits.keys().next_back().map_or(0, |last| last + 1);
        let new = self.visits.range(self.told..).map(|(_, visit)| visit);
        let new: Vec<_> = new.filter(|visit| !visit.publishes && !visit.failed).collect();
        let of = |step: fn(&Visit) -> Option<Duration>| {
            percentiles_of(&new.iter().filter_map(|visit| step(visit)).collect::<Vec<_>>())
        };
        self.told = next;
        Join {
            signalling: of(|visit| Some(visit.signalling)),
            dtls: of(|visit| visit.dtls),
            first_packet: of(|visit| visit.packet),
            first_keyframe: of(|visit| visit.keyframe),
        }
    }
}

impl Visit {
    fn is_in(&self) -> bool {
        match self.wants {
            Wants::Connection => self.dtls.is_some(),
            Wants::Packet => self.packet.is_some(),
            Wants::Keyframe => self.keyframe.is_some(),
        }
    }

    fn lacks(&self) -> &'static str {
        match (self.dtls, self.packet) {
            (None, _) => "no connection was made",
            (_, None) => "no packet came",
            _ => "no keyframe came",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn steps_are_told_once_and_failures_counted() {
        let (start, mut joining) = (clock::now(), Joining::default());
        let at = |millis| start + Duration::from_millis(millis);
        for client in 0..3 {
            joining.began(client, (start, at(2)), (Wants::Keyframe, false));
        }
        let news = |client, millis, step| News { client, at: at(millis), step };
        joining.news(news(0, 10, Step::Connected));
        joining.news(news(0, 20, Step::FirstPacket));
        joining.news(news(0, 30, Step::FirstKeyframe));
        joining.news(news(1, 40, Step::Failed("no".into())));
        assert_eq!((joining.waiting(), joining.failed(), joining.failure()), (1, 1, Some("no")));
        assert_eq!([0, 1, 2].map(|client| joining.is_in(client)), [true, false, false]);
        joining.give_up();
        assert_eq!((joining.waiting(), joining.failed()), (0, 2));
        assert_eq!(joining.failure(), Some("no connection was made"));
        let told = joining.tell();
        assert!((told.first_keyframe.unwrap().p50 - 30.0).abs() < 0.1);
        assert_eq!(joining.tell(), Join::default());
        assert_eq!(joining.last_connection(), Some(at(10)));
    }
}

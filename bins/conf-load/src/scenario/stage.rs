//! Door, clients and meter of one run, and the steps that scenarios are made of.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use conf_media::command::Kind;

use super::joining::{Joining, Wants};
use super::{MOST_REPETITIONS, WARM_UP, own_address};
use crate::client::{ClientId, Feed, Fleet, FleetConfig, Manners, Opened, Opens, Role, Sends};
use crate::clock;
use crate::door::{self, Door, Entered, Publish, Source, Subscribe, Terms};
use crate::meter::{Meter, Reading};
use crate::plan::{Phases, Plan, Scenario};
use crate::report::{Report, Window};
use crate::shape::{AUDIO_PERIOD, Camera, Microphone, PICTURES};

/// One run.
pub(super) struct Stage<'a> {
    pub(super) report: Report,
    pub(super) door: Arc<dyn Door>,
    pub(super) joining: Joining,
    plan: &'a Plan,
    fleet: Fleet,
    meter: Meter,
    /// Who is in, in order of entering, and what the door calls it.
    sessions: Vec<(ClientId, String)>,
    /// How many receive each packet.
    audience: Arc<AtomicU64>,
    sources: u32,
}

impl<'a> Stage<'a> {
    /// Reads the empty server and starts the clients' threads.
    pub(super) async fn open(plan: &'a Plan) -> anyhow::Result<Self> {
        let meter = Meter::start(plan.pid).await?;
        Fleet::make_room(clients(&plan.scenario))?;
        let fleet = Fleet::start(FleetConfig {
            ip: own_address(&plan.door.url)?,
            suite: plan.media.suite,
            threads: plan.media.threads,
            seed: plan.media.seed,
        })?;
        let door: Arc<dyn Door> = Arc::from(door::of_plan(plan)?);
        door.open().await?;
        Ok(Self {
            report: Report::new(plan),
            door,
            joining: Joining::default(),
            plan,
            fleet,
            meter,
            sessions: Vec::new(),
            audience: Arc::default(),
            sources: 0,
        })
    }

    /// A publisher enters and connects; `active` ones send.
    pub(super) async fn publish(
        &mut self,
        name: &str,
        kinds: &[Kind],
        active: bool,
    ) -> anyhow::Result<ClientId> {
        let opened = self.fleet.open()?;
        let id = opened.id;
        let sends: Vec<_> = kinds.iter().map(|kind| self.source(*kind, active)).collect();
        let wish = Publish {
            local: opened.local.clone(),
            name: name.into(),
            sources: sends.iter().map(|sends| sends.source).collect(),
            terms: self.terms(),
        };
        let started = clock::now();
        let entered = self.door.publish(&wish).await?;
        let times = (started, clock::now());
        self.joining.began(opened.id, times, (Wants::Connection, true));
        self.sessions.push((opened.id, entered.session.clone()));
        self.fleet.begin(opened, &entered, Role::Publisher(sends, self.audience.clone()))?;
        self.settled().await?;
        let reason = self.joining.failure().unwrap_or_default();
        anyhow::ensure!(self.joining.is_in(id), "{name} cannot publish: {reason}");
        Ok(id)
    }

    /// A subscriber to so many microphones and cameras enters; it connects in the background.
    pub(super) async fn subscribe(
        &mut self,
        name: &str,
        sections: (usize, usize),
    ) -> anyhow::Result<()> {
        let opened = self.fleet.open()?;
        let wish = self.wish(&opened, name, sections);
        let started = clock::now();
        let entered = self.door.subscribe(&wish).await?;
        self.entered(opened, &entered, (started, true))
    }

    /// A socket and what to ask the door for it.
    pub(super) fn candidate(
        &mut self,
        name: &str,
        sections: (usize, usize),
    ) -> anyhow::Result<(Opened, Subscribe)> {
        let opened = self.fleet.open()?;
        let wish = self.wish(&opened, name, sections);
        Ok((opened, wish))
    }

    /// The door has let a subscriber in, that asked at `started`.
    pub(super) fn entered(
        &mut self,
        opened: Opened,
        entered: &Entered,
        (started, measured): (Instant, bool),
    ) -> anyhow::Result<()> {
        let video = entered.remote.sections.iter().any(|section| section.kind == Kind::Video);
        let wants = if video { Wants::Keyframe } else { Wants::Packet };
        self.joining.began(opened.id, (started, clock::now()), (wants, false));
        self.sessions.push((opened.id, entered.session.clone()));
        let media = &self.plan.media;
        let opens = if media.check { Opens::All } else { Opens::Some };
        let manners = Manners { nack: media.feedback.nack, opens, measured };
        self.fleet.begin(opened, entered, Role::Subscriber(manners))
    }

    /// Waits until everybody is in or has failed.
    pub(super) async fn settled(&mut self) -> anyhow::Result<()> {
        let deadline = clock::now() + LONGEST_JOIN;
        while self.joining.waiting() > 0 {
            let left = deadline.saturating_duration_since(clock::now());
            match tokio::time::timeout(left, self.fleet.news()).await {
                Ok(news) => self.joining.news(news.context("the clients' threads have ended")?),
                Err(_) => self.joining.give_up(),
            }
        }
        Ok(())
    }

    /// From now on each packet should arrive so often.
    pub(super) fn audience(&self, count: usize) {
        self.audience.store(u64::try_from(count).unwrap_or_default(), Ordering::Relaxed);
    }

    /// All subscribers ask for keyframes so often.
    pub(super) fn storm(&self, every: Option<Duration>) {
        self.fleet.storm(every);
    }

    /// Measures one window of the plan's length, again if it was not quiet and that was asked for.
    pub(super) async fn window(&mut self, subscribers: usize) -> anyhow::Result<()> {
        tokio::time::sleep(WARM_UP).await;
        let repetitions = if self.plan.window.quiet { MOST_REPETITIONS } else { 1 };
        let mut best: Option<Window> = None;
        for _ in 0..repetitions {
            let length = Duration::from_secs(self.plan.window.seconds);
            let window = self.measured(subscribers, tokio::time::sleep(length)).await?;
            let quieter = |best: &Window| window.other_load_percent < best.other_load_percent;
            let quiet = !window.noisy;
            if best.as_ref().is_none_or(quieter) {
                best = Some(window);
            }
            if quiet {
                break;
            }
        }
        best.into_iter().for_each(|window| self.push(window));
        Ok(())
    }

    /// Measures while `what` lasts.
    pub(super) async fn measured(
        &mut self,
        subscribers: usize,
        what: impl Future<Output = ()>,
    ) -> anyhow::Result<Window> {
        let before = self.reading().await?;
        what.await;
        self.measured_since(&before, subscribers).await
    }

    /// One edge of a window, at a moment within a picture's time when little was on its way.
    pub(super) async fn reading(&self) -> anyhow::Result<Reading> {
        let mut edge = self.meter.read(self.fleet.counts().await?.0)?;
        for _ in 0..EDGE_LOOKS {
            tokio::time::sleep(EDGE_STEP).await;
            edge = edge.or(self.meter.read(self.fleet.counts().await?.0)?);
        }
        Ok(edge)
    }

    /// The window from `before` to now.
    pub(super) async fn measured_since(
        &self,
        before: &Reading,
        subscribers: usize,
    ) -> anyhow::Result<Window> {
        let after = self.reading().await?;
        Ok(self.meter.window(before, &after, subscribers))
    }

    /// Notes a window, with the joins so far.
    pub(super) fn push(&mut self, mut window: Window) {
        window.join_ms = self.joining.tell();
        window.failed_joins = self.joining.failed();
        eprintln!("{}", crate::report::write::line(&window));
        if let Some(failure) = self.joining.failure() {
            eprintln!("{} joins failed, one because: {failure}", window.failed_joins);
        }
        self.report.windows.push(window);
    }

    pub(super) fn rss_kib(&self) -> anyhow::Result<Option<u64>> {
        self.meter.rss_kib()
    }

    /// How long one window lasts.
    pub(super) fn seconds(&self) -> u64 {
        self.plan.window.seconds
    }

    /// Who is in, in order of entering.
    pub(super) fn present(&self) -> Vec<ClientId> {
        self.sessions.iter().map(|(id, _)| *id).collect()
    }

    /// Somebody leaves.
    pub(super) async fn leave(&mut self, id: ClientId) -> anyhow::Result<()> {
        let at = self.sessions.iter().position(|(present, _)| *present == id);
        let (_, session) = self.sessions.remove(at.context("whoever leaves is in")?);
        self.door.leave(&session).await?;
        self.fleet.remove(id);
        Ok(())
    }

    /// Everybody leaves; whoever cannot is told.
    pub(super) async fn close(&mut self) {
        for (_, session) in self.sessions.drain(..) {
            if let Err(error) = self.door.leave(&session).await {
                eprintln!("conf-load: {error}");
                return;
            }
        }
    }

    fn wish(&self, opened: &Opened, name: &str, (audio, video): (usize, usize)) -> Subscribe {
        let (local, name) = (opened.local.clone(), name.into());
        Subscribe { local, name, audio, video, terms: self.terms() }
    }

    fn terms(&self) -> Terms {
        let media = &self.plan.media;
        Terms { nack: media.feedback.nack, twcc: media.feedback.twcc, levels: media.levels }
    }

    fn source(&mut self, kind: Kind, active: bool) -> Sends {
        let shape = self.plan.media.shape;
        let (period, feed) = match kind {
            Kind::Audio => {
                (AUDIO_PERIOD, Feed::Microphone(Microphone::new(shape, self.fleet.bits())))
            }
            Kind::Video => {
                let period = Duration::from_nanos(1_000_000_000 / PICTURES);
                (period, Feed::Camera(Camera::new(shape)))
            }
        };
        let phase = match self.plan.media.phases {
            Phases::Random => self.fleet.phase(period),
            Phases::Same => Duration::ZERO,
        };
        self.sources += 1;
        let source = Source { kind, ssrc: FIRST_SOURCE + self.sources };
        Sends { source, feed: active.then_some(feed), phase }
    }
}

/// Sockets that a scenario needs.
fn clients(scenario: &Scenario) -> usize {
    match scenario {
        Scenario::Fanout { subscribers } | Scenario::Keyframes { subscribers, .. } => {
            subscribers + 1
        }
        // The camera, the microphone, and one who comes before another goes.
        Scenario::Soak { subscribers, .. } => subscribers + 3,
        Scenario::Meeting { participants } | Scenario::Audio { participants, .. } => {
            participants * 2
        }
        Scenario::Ramp { steps } => steps.last().copied().unwrap_or_default() + 1,
        // Each join of a storm may have a connection of its own.
        Scenario::Joins { subscribers, joins, .. } => subscribers + 2 * joins + 1,
    }
}

/// Then a join has failed.
const LONGEST_JOIN: Duration = Duration::from_secs(20);
/// Together one period of a camera.
const EDGE_LOOKS: usize = 6;
const EDGE_STEP: Duration = Duration::from_millis(6);
const FIRST_SOURCE: u32 = 0x1000;

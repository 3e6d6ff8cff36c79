//! Janus' VideoRoom, over its HTTP API.
//!
//! One session holds all peer connections, a handle each; one long poll after the other brings
//! what happens to them. Publishers offer; to subscribers Janus offers, one peer connection for all
//! that they receive.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use serde_json::Value;
use tokio::sync::{OnceCell, oneshot, watch};
use tokio::time::timeout;

use super::http::Http;
use super::{Door, DoorError, Entered, Publish, Subscribe};
use crate::plan::DoorPlan;
use crate::sdp::{self, Remote};
use messages::{Outcome, Refusal};

mod messages;

/// One room of one Janus.
#[derive(Debug)]
pub struct Janus {
    api: Arc<Api>,
    session: OnceCell<Session>,
    /// Who publishes, in the order of entering.
    feeds: Mutex<Vec<Feed>>,
}

/// A publisher: its number in the room, its handle, its name.
#[derive(Clone, Debug)]
struct Feed {
    id: u64,
    handle: u64,
    name: String,
}

/// The session that all handles belong to.
#[derive(Debug)]
struct Session {
    path: String,
    news: Arc<News>,
}

/// What the long polls bring, for those who wait for it.
#[derive(Debug, Default)]
struct News {
    outcomes: Mutex<HashMap<String, oneshot::Sender<Result<Outcome, Refusal>>>>,
    /// Handles whose handshake is done.
    up: watch::Sender<HashSet<u64>>,
}

impl Janus {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// [`DoorError::Url`].
    pub fn new(plan: &DoorPlan) -> Result<Self, DoorError> {
        let api = Arc::new(Api { http: Http::new(&plan.url)?, next: AtomicU64::new(1) });
        Ok(Self { api, session: OnceCell::new(), feeds: Mutex::default() })
    }

    async fn session(&self) -> Result<&Session, DoorError> {
        self.session.get_or_try_init(|| Session::begin(&self.api)).await
    }

    /// A handle of its own for one peer connection.
    async fn attach(&self, session: &Session) -> Result<u64, DoorError> {
        let doing = "attaching to VideoRoom";
        let answer =
            self.api.post(&session.path, &messages::attach(&self.api.name()), doing).await?;
        messages::made(&answer).map_err(|refusal| refusal.while_doing(doing))
    }

    /// Asks VideoRoom for what it only acknowledges, and waits for the outcome.
    async fn ask(
        &self,
        (session, handle): (&Session, u64),
        doing: &'static str,
        request: impl FnOnce(&str) -> Value,
    ) -> Result<Outcome, DoorError> {
        let name = self.api.name();
        let (sender, outcome) = oneshot::channel();
        lock(&session.news.outcomes).insert(name.clone(), sender);
        let path = format!("{}/{handle}", session.path);
        let answer = self.api.post(&path, &request(&name), doing).await?;
        messages::taken(&answer).map_err(|refusal| refusal.while_doing(doing))?;
        let silent = DoorError::Silent { doing, seconds: LONGEST.as_secs() };
        match timeout(LONGEST, outcome).await {
            Ok(Ok(outcome)) => outcome.map_err(|refusal| refusal.while_doing(doing)),
            _ => Err(silent),
        }
    }

    /// Those whom somebody of this name receives, as soon as their media can come.
    async fn feeds_for(&self, session: &Session, name: &str) -> Result<Vec<u64>, DoorError> {
        let feeds: Vec<Feed> =
            lock(&self.feeds).iter().filter(|feed| feed.name != name).cloned().collect();
        let mut up = session.news.up.subscribe();
        let all = up.wait_for(|up| feeds.iter().all(|feed| up.contains(&feed.handle)));
        let silent =
            DoorError::Silent { doing: "waiting for publishers", seconds: LONGEST.as_secs() };
        match timeout(LONGEST, all).await {
            Ok(Ok(_)) => Ok(feeds.iter().map(|feed| feed.id).collect()),
            _ => Err(silent),
        }
    }
}

#[async_trait]
impl Door for Janus {
    async fn open(&self) -> Result<(), DoorError> {
        let doing = "creating the room";
        let session = self.session().await?;
        let path = format!("{}/{}", session.path, self.attach(session).await?);
        let request = messages::create_room(&self.api.name(), ROOM);
        let answer = self.api.post(&path, &request, doing).await?;
        messages::done(&answer).map_err(|refusal| refusal.while_doing(doing))
    }

    async fn publish(&self, wish: &Publish) -> Result<Entered, DoorError> {
        let doing = "publishing (VideoRoom)";
        let session = self.session().await?;
        let handle = self.attach(session).await?;
        let feed = self.api.next.fetch_add(1, Ordering::Relaxed);
        let offer = sdp::offer_of_publisher(wish);
        let ask = |name: &str| messages::publish(name, (ROOM, feed), &offer);
        let outcome = self.ask((session, handle), doing, ask).await?;
        let answer = outcome.sdp.ok_or(DoorError::Incomplete { doing, what: "answer" })?;
        let remote = Remote::parse(&answer)?;
        lock(&self.feeds).push(Feed { id: feed, handle, name: wish.name.clone() });
        Ok(Entered { session: handle.to_string(), remote, keys: None })
    }

    async fn subscribe(&self, wish: &Subscribe) -> Result<Entered, DoorError> {
        let doing = "subscribing (VideoRoom)";
        let session = self.session().await?;
        let feeds = self.feeds_for(session, &wish.name).await?;
        let handle = self.attach(session).await?;
        let ask = |name: &str| messages::subscribe(name, ROOM, &feeds);
        let outcome = self.ask((session, handle), doing, ask).await?;
        let offer = outcome.sdp.ok_or(DoorError::Incomplete { doing, what: "offer" })?;
        let remote = Remote::parse(&offer)?;
        let answer = sdp::answer_of_subscriber(&wish.local, &remote, wish.terms);
        let start = |name: &str| messages::start(name, ROOM, &answer);
        self.ask((session, handle), doing, start).await?;
        Ok(Entered { session: handle.to_string(), remote, keys: None })
    }

    async fn leave(&self, handle: &str) -> Result<(), DoorError> {
        let doing = "leaving (VideoRoom)";
        lock(&self.feeds).retain(|feed| feed.handle.to_string() != handle);
        let path = format!("{}/{handle}", self.session().await?.path);
        let answer = self.api.post(&path, &messages::detach(&self.api.name()), doing).await?;
        messages::done(&answer).map_err(|refusal| refusal.while_doing(doing))
    }
}

impl Session {
    async fn begin(api: &Arc<Api>) -> Result<Self, DoorError> {
        let doing = "creating a session";
        let answer = api.post(API, &messages::create(&api.name()), doing).await?;
        let id = messages::made(&answer).map_err(|refusal| refusal.while_doing(doing))?;
        let session = Self { path: format!("{API}/{id}"), news: Arc::default() };
        tokio::spawn(listen(api.clone(), session.path.clone(), session.news.clone()));
        Ok(session)
    }
}

/// One long poll after the other, which also keeps the session alive, until one fails.
async fn listen(api: Arc<Api>, path: String, news: Arc<News>) {
    let path = format!("{path}?maxev={EVENTS}");
    while let Ok(answer) = api.poll(&path).await {
        for event in messages::events(&answer) {
            news.take(event);
        }
    }
    lock(&news.outcomes).clear(); // nobody waits in vain
}

impl News {
    fn take(&self, event: messages::Event) {
        if let Some(handle) = event.up {
            self.up.send_if_modified(|up| up.insert(handle));
        }
        let waiting = event.transaction.and_then(|name| lock(&self.outcomes).remove(&name));
        if let Some(waiting) = waiting {
            let _ = waiting.send(event.outcome); // whoever gave up does not need it
        }
    }
}

/// Janus' HTTP API.
#[derive(Debug)]
struct Api {
    http: Http,
    next: AtomicU64,
}

impl Api {
    /// A name for a transaction.
    fn name(&self) -> String {
        self.next.fetch_add(1, Ordering::Relaxed).to_string()
    }

    async fn post(
        &self,
        path: &str,
        message: &Value,
        doing: &'static str,
    ) -> Result<Value, DoorError> {
        let body = Full::new(Bytes::from(message.to_string()));
        self.ask(("POST", path), body, (doing, LONGEST)).await
    }

    async fn poll(&self, path: &str) -> Result<Value, DoorError> {
        self.ask(("GET", path), Full::default(), ("listening to Janus", LONGEST_POLL)).await
    }

    async fn ask(
        &self,
        (method, path): (&str, &str),
        body: Full<Bytes>,
        (doing, longest): (&'static str, Duration),
    ) -> Result<Value, DoorError> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", self.http.authority())
            .header("content-type", "application/json")
            .body(body)
            .map_err(|_| DoorError::Url { url: path.into() })?;
        let answer = self.http.ask_within(request, doing, longest).await?;
        serde_json::from_str(&answer.body)
            .map_err(|_| DoorError::Incomplete { doing, what: "JSON" })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The default of its `base_path`.
const API: &str = "/janus";
/// Its rooms are numbers.
const ROOM: u64 = 4242;
/// Most that one long poll brings.
const EVENTS: usize = 100;
/// For an answer.
const LONGEST: Duration = Duration::from_secs(10);
/// Janus answers a long poll after 30 s, whatever happens.
const LONGEST_POLL: Duration = Duration::from_secs(60);

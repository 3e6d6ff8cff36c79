//! The words of Janus' HTTP API, as far as VideoRoom needs them: requests written, answers read.
//!
//! A request is a JSON object posted to the server, a session or a handle. Some are answered at
//! once (`success`, `error`), some only acknowledged (`ack`): their outcome comes as an `event`
//! with the request's transaction through a long poll of the session.

use serde_json::{Value, json};

use super::super::DoorError;

/// Why Janus did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// The core of Janus says no.
    #[error("janus refused: {reason} ({code})")]
    Janus { code: i64, reason: String },
    /// Its plugin VideoRoom says no.
    #[error("janus' VideoRoom refused: {reason} ({code})")]
    VideoRoom { code: i64, reason: String },
    /// Something that is no answer to what was asked.
    #[error("janus answered without {missing}")]
    Incomplete { missing: &'static str },
}

impl Refusal {
    /// As doors say it.
    pub(super) fn while_doing(self, doing: &'static str) -> DoorError {
        let (code, reason, hint) = match self {
            Self::Janus { code, reason } => (code, reason, " (says Janus)"),
            Self::VideoRoom { code, reason } => (code, reason, " (says its VideoRoom)"),
            Self::Incomplete { missing } => return DoorError::Incomplete { doing, what: missing },
        };
        let status = u16::try_from(code).unwrap_or_default();
        DoorError::Refused { doing, status, reason, hint }
    }
}

/// What came out of a long poll.
#[derive(Debug, PartialEq)]
pub(super) struct Event {
    /// Of the request that it answers; none for what happened by itself.
    pub(super) transaction: Option<String>,
    /// The handle whose handshake is done.
    pub(super) up: Option<u64>,
    /// The outcome.
    pub(super) outcome: Result<Outcome, Refusal>,
}

/// The good outcome of a request to VideoRoom.
#[derive(Debug, PartialEq)]
pub(super) struct Outcome {
    /// The session description that comes with it, if one does.
    pub(super) sdp: Option<String>,
    /// VideoRoom's own words.
    pub(super) data: Value,
}

/// A new session.
pub(super) fn create(transaction: &str) -> Value {
    json!({ "janus": "create", "transaction": transaction })
}

/// A new handle of VideoRoom: one peer connection.
pub(super) fn attach(transaction: &str) -> Value {
    json!({ "janus": "attach", "plugin": "janus.plugin.videoroom", "transaction": transaction })
}

/// Ends a handle and its peer connection.
pub(super) fn detach(transaction: &str) -> Value {
    json!({ "janus": "detach", "transaction": transaction })
}

/// A room that caps no bitrate, asks for no keyframes of its own and records nothing.
pub(super) fn create_room(transaction: &str, room: u64) -> Value {
    message(
        transaction,
        json!({
            "request": "create", "room": room, "publishers": 1000, "bitrate": 0, "fir_freq": 0,
            "audiocodec": "opus", "videocodec": "vp8", "record": false, "notify_joining": false,
            "audiolevel_event": false,
        }),
    )
}

/// Joins as a publisher known as `feed`, with an offer.
pub(super) fn publish(transaction: &str, (room, feed): (u64, u64), offer: &str) -> Value {
    let body =
        json!({ "request": "joinandconfigure", "ptype": "publisher", "room": room, "id": feed });
    with_sdp(message(transaction, body), "offer", offer)
}

/// Joins as a subscriber of `feeds`, all in one peer connection; Janus answers with an offer.
pub(super) fn subscribe(transaction: &str, room: u64, feeds: &[u64]) -> Value {
    let streams: Vec<Value> = feeds.iter().map(|feed| json!({ "feed": feed })).collect();
    message(
        transaction,
        json!({ "request": "join", "ptype": "subscriber", "room": room, "streams": streams }),
    )
}

/// Answers the offer to a subscriber.
pub(super) fn start(transaction: &str, room: u64, answer: &str) -> Value {
    let body = json!({ "request": "start", "room": room });
    with_sdp(message(transaction, body), "answer", answer)
}

fn message(transaction: &str, body: Value) -> Value {
    json!({ "janus": "message", "transaction": transaction, "body": body })
}

fn with_sdp(mut message: Value, kind: &str, sdp: &str) -> Value {
    if let Some(fields) = message.as_object_mut() {
        fields.insert("jsep".into(), json!({ "type": kind, "sdp": sdp }));
    }
    message
}

/// The number that a request for a session or handle made.
///
/// # Errors
/// If Janus refused, or there is none.
pub(super) fn made(answer: &Value) -> Result<u64, Refusal> {
    refused(answer)?;
    let id = answer.pointer("/data/id").and_then(Value::as_u64);
    id.ok_or(Refusal::Incomplete { missing: "an id" })
}

/// What VideoRoom says at once; a room that exists is as good as a new one.
///
/// # Errors
/// If Janus or VideoRoom refused.
pub(super) fn done(answer: &Value) -> Result<(), Refusal> {
    refused(answer)?;
    match video_room(answer) {
        Err(Refusal::VideoRoom { code: ROOM_EXISTS, .. }) => Ok(()),
        other => other.map(drop),
    }
}

/// Whether Janus took a request whose outcome comes later.
///
/// # Errors
/// If it refused.
pub(super) fn taken(answer: &Value) -> Result<(), Refusal> {
    refused(answer)?;
    let ack = answer.get("janus").is_some_and(|it| it == "ack");
    if ack { Ok(()) } else { Err(Refusal::Incomplete { missing: "an ack" }) }
}

/// The events of one long poll: an object, or a list of them.
pub(super) fn events(answer: &Value) -> Vec<Event> {
    let list = answer.as_array().map_or(std::slice::from_ref(answer), Vec::as_slice);
    list.iter().map(event).collect()
}

fn event(event: &Value) -> Event {
    let transaction = event.get("transaction").and_then(Value::as_str).map(str::to_owned);
    let sdp = event.pointer("/jsep/sdp").and_then(Value::as_str).map(str::to_owned);
    let is_up = event.get("janus").is_some_and(|it| it == "webrtcup");
    let up = event.get("sender").and_then(Value::as_u64).filter(|_| is_up);
    let outcome = refused(event)
        .and_then(|()| video_room(event))
        .map(|data| Outcome { sdp, data: data.clone() });
    Event { transaction, up, outcome }
}

fn refused(answer: &Value) -> Result<(), Refusal> {
    match answer.get("error") {
        Some(error) => {
            let (code, reason) = fault(error, "code", "reason");
            Err(Refusal::Janus { code, reason })
        }
        None => Ok(()),
    }
}

/// VideoRoom's part of an answer; nothing in it is an empty one.
fn video_room(answer: &Value) -> Result<&Value, Refusal> {
    let data = answer.pointer("/plugindata/data").unwrap_or(&Value::Null);
    if data.get("error_code").is_some() {
        let (code, reason) = fault(data, "error_code", "error");
        return Err(Refusal::VideoRoom { code, reason });
    }
    Ok(data)
}

fn fault(object: &Value, code: &str, reason: &str) -> (i64, String) {
    let code = object.get(code).and_then(Value::as_i64).unwrap_or_default();
    let reason = object.get(reason).and_then(Value::as_str).unwrap_or_default();
    (code, reason.to_owned())
}

const ROOM_EXISTS: i64 = 427;

/// Answers of Janus 1.1.2, as recorded.
#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn sessions_and_handles_are_known_by_the_number_in_their_answer() {
        let session = r#"{"janus":"success","transaction":"a","data":{"id":3975035863574666}}"#;
        assert_eq!(made(&recorded(session)), Ok(3_975_035_863_574_666));
        let gone = r#"{"janus":"error","session_id":3975035863574666,"transaction":"k",
            "error":{"code":458,"reason":"No such session 3975035863574666"}}"#;
        let refusal = made(&recorded(gone)).unwrap_err();
        assert_eq!(refusal.to_string(), "janus refused: No such session 3975035863574666 (458)");
        assert!(made(&recorded(r#"{"janus":"success"}"#)).is_err());
        assert!(made(&recorded("7")).is_err());
    }

    #[test]
    fn a_room_that_exists_is_as_good_as_a_new_one_and_other_refusals_are_not() {
        let created = r#"{"janus":"success","session_id":1,"transaction":"a","sender":5,
            "plugindata":{"plugin":"janus.plugin.videoroom",
            "data":{"videoroom":"created","room":1234,"permanent":false}}}"#;
        assert_eq!(done(&recorded(created)), Ok(()));
        let exists = r#"{"janus":"success","session_id":1,"transaction":"b","sender":5,
            "plugindata":{"plugin":"janus.plugin.videoroom","data":{"videoroom":"event",
            "error_code":427,"error":"Room 1234 already exists"}}}"#;
        assert_eq!(done(&recorded(exists)), Ok(()));
        let other = exists.replace("427", "429");
        assert!(matches!(done(&recorded(&other)), Err(Refusal::VideoRoom { code: 429, .. })));
    }

    #[test]
    fn a_request_that_is_only_acknowledged_was_taken() {
        let ack = r#"{"janus":"ack","session_id":3975035863574666,"transaction":"c"}"#;
        assert_eq!(taken(&recorded(ack)), Ok(()));
        assert!(taken(&recorded(r#"{"janus":"success"}"#)).is_err());
    }

    #[test]
    fn a_long_poll_gives_outcomes_and_refusals_by_transaction() {
        let answer = r#"[{"janus":"event","session_id":1,"transaction":"c","sender":5,
            "plugindata":{"plugin":"janus.plugin.videoroom","data":{"videoroom":"attached",
            "room":1234,"streams":[]}},"jsep":{"type":"offer","sdp":"v=0\r\n"}},
            {"janus":"event","session_id":1,"transaction":"d","sender":6,
            "plugindata":{"plugin":"janus.plugin.videoroom","data":{"videoroom":"event",
            "error_code":428,"error":"No such feed (99)"}}},
            {"janus":"webrtcup","session_id":1,"sender":6}]"#;
        let events = events(&recorded(answer));
        assert_eq!(events[0].transaction.as_deref(), Some("c"));
        let offer = events[0].outcome.as_ref().unwrap();
        assert_eq!(offer.sdp.as_deref(), Some("v=0\r\n"));
        let refused = events[1].outcome.as_ref().unwrap_err();
        assert_eq!(refused.to_string(), "janus' VideoRoom refused: No such feed (99) (428)");
        assert_eq!((events[2].transaction.as_deref(), events[2].up), (None, Some(6)));
        assert_eq!(events[1].up, None);
    }

    #[test]
    fn a_long_poll_in_which_nothing_happened_gives_nothing_to_wait_for() {
        let events = events(&recorded(r#"{"janus":"keepalive"}"#));
        assert_eq!(events.len(), 1);
        assert_eq!((events[0].transaction.as_deref(), events[0].up), (None, None));
    }

    #[test]
    fn a_subscriber_asks_for_all_feeds_in_one_connection() {
        let request = subscribe("t", 7, &[1, 2]);
        let streams = request.pointer("/body/streams").unwrap();
        assert_eq!(streams, &json!([{ "feed": 1 }, { "feed": 2 }]));
        assert!(request.get("jsep").is_none());
        assert_eq!(start("t", 7, "v=0").pointer("/jsep/type").unwrap(), "answer");
    }
}

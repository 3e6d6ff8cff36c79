//! Against a small websocket server on loopback.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_tungstenite::accept_async;

use super::*;
use crate::door::sample::{description, wish};
use crate::plan::DoorKind;

fn door(url: String) -> LiveKit {
    let credentials = Some(Credentials { key: "key".into(), secret: "secret".into() });
    LiveKit::new(&DoorPlan { kind: DoorKind::LiveKit, url, credentials, room: "r".into() }).unwrap()
}

async fn tell(socket: &mut Socket, message: Heard) {
    let response = proto::SignalResponse { message: Some(message) };
    socket.send(Message::Binary(response.encode_to_vec().into())).await.unwrap();
}

async fn heard(socket: &mut Socket) -> Said {
    let Message::Binary(bytes) = socket.next().await.unwrap().unwrap() else { panic!("binary") };
    proto::SignalRequest::decode(bytes).unwrap().message.unwrap()
}

#[tokio::test]
async fn a_subscriber_offers_takes_the_answer_pings_and_leaves_in_words() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (pinged, was_pinged) = oneshot::channel();
    let server = tokio::spawn(async move {
        let mut socket = accept_async(listener.accept().await.unwrap().0).await.unwrap();
        let Said::Offer(offer) = heard(&mut socket).await else { panic!("an offer first") };
        assert!(offer.sdp.contains("a=recvonly"));
        tell(&mut socket, Heard::Pong(1)).await;
        let (r#type, sdp) = ("answer".to_owned(), description());
        let answer = proto::SessionDescription { r#type, sdp, id: offer.id, ..Default::default() };
        tell(&mut socket, Heard::Answer(answer)).await;
        assert!(matches!(heard(&mut socket).await, Said::Ping(_)));
        pinged.send(()).unwrap();
        assert!(matches!(heard(&mut socket).await, Said::Leave(_)));
        assert!(matches!(socket.next().await, Some(Ok(Message::Close(_)))), "it hung up");
    });
    let door = door(url);
    let entered = door.subscribe(&wish()).await.unwrap();
    assert_eq!((entered.session.as_str(), entered.remote.ufrag.as_str()), ("s1", "u"));
    was_pinged.await.unwrap();
    door.leave("s1").await.unwrap();
    server.await.unwrap();
}

#[tokio::test]
async fn a_refusal_is_passed_on_in_the_servers_words() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = vec![0; 4_096];
        let len = stream.read(&mut asked).await.unwrap();
        let answer = "HTTP/1.1 401 Unauthorized\r\ncontent-length: 9\r\n\r\nno token\n";
        stream.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8_lossy(&asked[..len]).into_owned()
    });
    let refused = door(url).subscribe(&wish()).await.unwrap_err().to_string();
    assert_eq!(refused, "the server refused subscribing (LiveKit): 401 no token");
    let asked = server.await.unwrap();
    assert!(asked.starts_with("GET /rtc/v1?access_token="), "{asked}");
    assert!(asked.contains("&join_request="), "{asked}");
}

#[test]
fn a_door_without_credentials_says_so() {
    let (kind, url, room) = (DoorKind::LiveKit, "http://127.0.0.1:1".into(), "r".into());
    let refused = LiveKit::new(&DoorPlan { kind, url, credentials: None, room }).unwrap_err();
    assert_eq!(refused.to_string(), "--door livekit needs --key and --secret, to sign tokens with");
}

//! The relay on loopback.

use std::time::Instant;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::*;

const LONG: Duration = Duration::from_secs(10);

fn plan(to: SocketAddr, up: &str, down: &str) -> RelayPlan {
    RelayPlan {
        listen: "127.0.0.1:0".parse().unwrap(),
        to,
        up: Plan::read(up, []).unwrap(),
        down: Plan::read(down, []).unwrap(),
        rebinds: Vec::new(),
        length: None,
        seed: 1,
        json: None,
    }
}

/// A server that sends back what it gets, with the port it came from in front.
async fn echo() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let listener = TcpListener::bind(address).await.unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 2_000];
        while let Ok((len, from)) = socket.recv_from(&mut buffer).await {
            let mut answer = from.port().to_be_bytes().to_vec();
            answer.extend(&buffer[..len]);
            socket.send_to(&answer, from).await.unwrap();
        }
    });
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                let _ = tokio::io::copy(&mut from, &mut to).await;
            });
        }
    });
    address
}

async fn client(relay: &Relay) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(relay.address()).await.unwrap();
    socket
}

/// Sends one datagram; the port under which the server saw it, and what came back.
async fn ask(client: &UdpSocket, bytes: &[u8]) -> (u16, Vec<u8>) {
    client.send(bytes).await.unwrap();
    let mut buffer = [0; 2_000];
    let len = timeout(LONG, client.recv(&mut buffer)).await.expect("an answer").unwrap();
    (u16::from_be_bytes([buffer[0], buffer[1]]), buffer[2..len].to_vec())
}

fn now() -> Instant {
    crate::clock::now()
}

#[tokio::test]
async fn datagrams_go_both_ways_with_their_delay() {
    let plan = plan(echo().await, "delay=30ms", "delay=20ms");
    let relay = Relay::start(&plan).await.unwrap();
    let (one, two) = (client(&relay).await, client(&relay).await);
    let begun = now();
    let (port, answer) = ask(&one, b"hello").await;
    assert!(begun.elapsed() >= Duration::from_millis(50));
    assert_eq!(answer, b"hello");
    assert_eq!(ask(&one, b"again").await.0, port, "a client keeps its port");
    assert_ne!(ask(&two, b"hello").await.0, port, "each client has one of its own");
    let report = relay.report();
    assert_eq!((report.flows, report.up.delivered, report.down.delivered), (2, 3, 3));
    assert_eq!(report.overrun, 0);
}

#[tokio::test]
async fn what_is_lost_by_plan_does_not_come() {
    let plan = plan(echo().await, "loss=50%", "");
    let relay = Relay::start(&plan).await.unwrap();
    let client = client(&relay).await;
    for _ in 0..200 {
        client.send(&[0; 100]).await.unwrap();
        tokio::task::yield_now().await;
    }
    while relay.report().up.packets < 200 {
        tokio::task::yield_now().await;
    }
    // All that is not lost comes, and then nothing more.
    let mut came = 0;
    let mut buffer = [0; 200];
    while relay.report().up.lost_random + came < 200 {
        timeout(LONG, client.recv(&mut buffer)).await.expect("the rest").unwrap();
        came += 1;
    }
    let report = relay.report();
    assert_eq!((report.up.packets, report.up.delivered), (200, came));
    assert!((70..130).contains(&report.up.lost_random), "{report:?}");
}

#[tokio::test]
async fn a_rate_is_kept_and_changes_with_its_step() {
    let mut plan = plan(echo().await, "rate=1M", "");
    plan.up = Plan::read("rate=1M", ["200ms:rate=none"]).unwrap();
    let relay = Relay::start(&plan).await.unwrap();
    let (client, begun) = (client(&relay).await, now());
    for _ in 0..50 {
        client.send(&[0; 1_000]).await.unwrap();
    }
    // 8 ms each: half of them by the step, the rest at once.
    let mut buffer = [0; 2_000];
    let mut arrivals = Vec::new();
    for _ in 0..50 {
        timeout(LONG, client.recv(&mut buffer)).await.expect("all come").unwrap();
        arrivals.push(begun.elapsed().as_millis());
    }
    assert!(arrivals[9] >= 70, "{arrivals:?}");
    assert!(arrivals[20] >= 160, "{arrivals:?}");
    assert!(arrivals[49] - arrivals[40] < 70, "{arrivals:?}");
}

#[tokio::test]
async fn rebinding_gives_every_client_another_port_and_goes_on() {
    let mut plan = plan(echo().await, "", "");
    plan.rebinds = vec![Duration::from_secs(2)];
    let relay = Relay::start(&plan).await.unwrap();
    let client = client(&relay).await;
    let (before, _) = ask(&client, b"before").await;
    let mut stream = TcpStream::connect(relay.address()).await.unwrap();
    stream.write_all(b"held").await.unwrap();
    let mut buffer = [0; 4];
    stream.read_exact(&mut buffer).await.unwrap();
    let end = timeout(LONG, stream.read(&mut buffer)).await.expect("the connection ends");
    assert!(matches!(end, Ok(0) | Err(_)));
    // Streams and datagrams change at the same moment, in two tasks.
    let after = async {
        while relay.report().rebinds == 0 {
            tokio::task::yield_now().await;
        }
        ask(&client, b"after").await
    };
    let (after, answer) = timeout(LONG, after).await.expect("ports change");
    assert_ne!(before, after);
    assert_eq!(answer, b"after");
}

#[tokio::test]
async fn a_stream_arrives_whole_and_late_where_packets_are_lost() {
    let plan = plan(echo().await, "loss=5%,delay=5ms,rate=20M,queue=20k", "delay=5ms");
    let relay = Relay::start(&plan).await.unwrap();
    let mut stream = TcpStream::connect(relay.address()).await.unwrap();
    let sent: Vec<u8> = (0..200_000u32).map(|n| n.to_be_bytes()[3]).collect();
    let begun = now();
    let (mut from, mut to) = stream.split();
    let mut came = vec![0; sent.len()];
    let both = async { tokio::join!(to.write_all(&sent), from.read_exact(&mut came)) };
    let (written, read) = timeout(2 * LONG, both).await.expect("all of it");
    assert!(written.is_ok() && read.is_ok() && came == sent);
    assert!(begun.elapsed() >= tcp::RETRANSMISSION);
    assert_eq!(relay.report().connections, 1);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_counted_and_nothing_else() {
    let nobody = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let to = nobody.local_addr().unwrap();
    drop(nobody);
    let relay = Relay::start(&plan(to, "", "")).await.unwrap();
    let client = client(&relay).await;
    (0..3).for_each(|_| drop(client.try_send(b"hello")));
    let mut stream = TcpStream::connect(relay.address()).await.unwrap();
    let mut buffer = [0; 1];
    let end = timeout(LONG, stream.read(&mut buffer)).await.expect("the connection ends");
    assert!(matches!(end, Ok(0) | Err(_)));
    assert_eq!(relay.report().refused, 1);
    let taken = Relay::start(&RelayPlan { listen: relay.address(), ..plan(to, "", "") }).await;
    assert!(taken.unwrap_err().to_string().starts_with("cannot listen on TCP 127.0.0.1:"));
}

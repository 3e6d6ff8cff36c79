//! What only Linux has: segmentation, and the time at which a datagram came.

use super::*;

#[test]
fn a_run_that_the_kernel_did_not_take_apart_is_split_again() {
    let (socket, batch) = runs_to_ourselves();
    let mut sender = batch::Sender::new(false);
    assert_eq!(
        sender.send(&socket, &batch),
        batch::Sent { messages: 2, refused: 0, passed_over: 0 }
    );
    let even = (0..20).step_by(2).map(|number| (number, 1_000));
    let odd = (1..20).step_by(2).map(|number| (number, 1_001));
    assert_eq!(drain(&socket), even.chain(odd).collect::<Vec<_>>());
}

#[test]
fn without_segmentation_every_datagram_goes_alone_and_that_is_remembered() {
    let (socket, batch) = runs_to_ourselves();
    let mut sender = batch::Sender::new(false);
    sender.refuse_segmentation();
    for _ in 0..2 {
        assert_eq!(
            sender.send(&socket, &batch),
            batch::Sent { messages: 20, refused: 0, passed_over: 0 }
        );
        assert_eq!(drain(&socket).len(), 20);
    }
}

/// A socket of UDP-Lite, which Linux does not segment: EIO, as for a card that cannot.
fn unsegmented() -> (Socket, TxBatch) {
    let (domain, protocol) = (socket2::Domain::IPV4, socket2::Protocol::UDPLITE);
    let socket = Socket::new(domain, socket2::Type::DGRAM, Some(protocol));
    let socket = socket.expect("UDP-Lite, to provoke EIO");
    socket.set_nonblocking(true).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let mut batch = TxBatch::new();
    for number in 0..20u8 {
        let slot = u32::from(number) % 2;
        assert!(batch.push(Destination { slot, address }, &[number; 1_000]));
    }
    (socket, batch)
}

#[test]
fn eio_from_the_device_sends_every_datagram_alone_and_is_remembered() {
    let (socket, batch) = unsegmented();
    let mut sender = batch::Sender::new(false);
    assert_eq!(sender.segments(), None, "nobody has asked");
    for _ in 0..2 {
        assert_eq!(
            sender.send(&socket, &batch),
            batch::Sent { messages: 20, refused: 0, passed_over: 0 }
        );
        assert_eq!(sender.segments(), Some(false));
        assert_eq!(drain(&socket).len(), 20);
    }
}

#[test]
fn a_datagram_has_the_time_at_which_it_came_not_that_at_which_it_was_read() {
    let socket = socket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let peer = receiver();
    let before = batch::now().mono;
    peer.send_to(b"now", socket.local_addr().unwrap().as_socket().unwrap()).unwrap();
    let after = batch::now().mono;
    // Read much later, without waiting for it.
    let late = batch::now().later(Duration::from_millis(500));
    let mut batch = RxBatch::new();
    assert_eq!(batch::Receiver::new().receive(&socket, &mut batch, late).unwrap(), 1);
    let (.., arrival) = batch.iter_mut().next().unwrap();
    let slack = Duration::from_millis(100); // the two clocks are read one after the other
    assert!(arrival + slack >= before && arrival <= after + slack);
}

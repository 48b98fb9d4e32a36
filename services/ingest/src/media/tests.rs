use std::net::UdpSocket;

use tokio::sync::mpsc;

use super::*;

/// With so many ports, which nobody else has.
fn media(count: u16, cool_down: Duration) -> Media {
    let first = *harness::ports::claim_rtp(100).unwrap().start();
    let options = MediaOptions {
        bind: "127.0.0.1".parse().unwrap(),
        ports: format!("{first}-{}", first + count - 1).parse().unwrap(),
        cool_down,
        threads: 2,
        sweep_every: Duration::from_millis(20),
    };
    Media::start(options, &Metrics::register(&prometheus::Registry::new()).unwrap()).unwrap()
}

async fn next(chunks: &mut mpsc::UnboundedReceiver<RawChunk>) -> Vec<wire::call_v1::Packet> {
    let chunk = tokio::time::timeout(Duration::from_secs(60), chunks.recv()).await.unwrap().unwrap();
    chunk.into_message().packets
}

#[tokio::test]
async fn packets_of_all_streams_of_a_call_share_a_chunk() {
    let media = media(100, Duration::ZERO);
    let (sink, mut chunks) = mpsc::unbounded_channel();
    let mut call = media.call(sink);
    let ports = [call.stream(0, false).unwrap(), call.stream(1, true).unwrap()];
    assert_eq!([ports[0].rtcp, ports[1].rtcp], [ports[0].rtp + 1, ports[1].rtp]);
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let send =
        |data: &[u8], port: u16| assert_eq!(sender.send_to(data, ("127.0.0.1", port)).unwrap(), data.len());
    send(&[0x80, 8, 1], ports[0].rtp);
    send(&[0x80, 200, 2], ports[0].rtcp);
    send(&[0x80, 0x88, 3], ports[1].rtp);
    send(&[0x80, 200, 4], ports[1].rtp);
    call.sweep().await.unwrap();
    let mut seen: Vec<_> = next(&mut chunks).await.iter().map(|p| (p.stream, p.rtcp, p.data[2])).collect();
    seen.sort_unstable();
    assert_eq!(seen, [(0, false, 1), (0, true, 2), (1, false, 3), (1, true, 4)]);
    assert_eq!(call.counters().datagrams(2), [2, 2]);
}

#[tokio::test]
async fn a_chunk_comes_by_itself() {
    let media = media(100, Duration::ZERO);
    let (sink, mut chunks) = mpsc::unbounded_channel();
    let mut call = media.call(sink);
    let port = call.stream(0, false).unwrap().rtp;
    UdpSocket::bind("127.0.0.1:0").unwrap().send_to(&[1; 172], ("127.0.0.1", port)).unwrap();
    assert_eq!(next(&mut chunks).await.len(), 1);
}

#[tokio::test]
async fn what_came_before_a_resumption_is_thrown_away() {
    // As long as the receiver is open.
    let (receiver, other, address) = socket::tests::pair();
    socket::tests::until_arrivals_are_noted(&receiver, &other, address);
    let media = media(100, Duration::ZERO);
    let (sink, mut chunks) = mpsc::unbounded_channel();
    let mut call = media.call(sink);
    let port = call.stream(0, false).unwrap().rtp;
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let send = |text: &[u8]| sender.send_to(text, ("127.0.0.1", port)).unwrap();
    call.discard();
    call.sweep().await.unwrap();
    send(b"private");
    std::thread::sleep(Duration::from_millis(2));
    let from = unix_us();
    // Before the thread hears of it: it counts by its own time.
    send(b"business");
    call.resume(from);
    call.sweep().await.unwrap();
    assert_eq!(next(&mut chunks).await[0].data, &b"business"[..]);
    assert_eq!(call.counters().datagrams(1), [1]);
}

#[tokio::test]
async fn ports_rest_after_a_call_and_a_full_range_says_so() {
    let media = media(4, Duration::from_secs(3600));
    let (sink, _chunks) = mpsc::unbounded_channel();
    let mut call = media.call(sink.clone());
    let first = call.stream(0, false).unwrap();
    assert_eq!(call.stream(0, false).unwrap(), first, "a stream keeps its ports");
    call.stream(1, false).unwrap();
    let refusal = call.stream(2, false).unwrap_err();
    assert!(refusal.to_string().contains("--rtp-ports"), "{refusal}");
    drop(call);
    assert!(media.call(sink).stream(0, false).is_err(), "a used pair rests");
}

#[tokio::test]
async fn ports_come_back_after_their_rest() {
    let media = media(2, Duration::from_millis(100));
    let (sink, _chunks) = mpsc::unbounded_channel();
    let mut call = media.call(sink.clone());
    call.stream(0, false).unwrap();
    drop(call);
    let mut next = media.call(sink);
    let until = Instant::now() + Duration::from_secs(60);
    while next.stream(0, false).is_err() {
        assert!(Instant::now() < until, "the pair never came back");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_sender_that_changes_its_address_is_still_heard_and_counted() {
    let media = media(100, Duration::ZERO);
    let (sink, mut chunks) = mpsc::unbounded_channel();
    let mut call = media.call(sink);
    let port = call.stream(0, false).unwrap().rtp;
    for _ in 0..2 {
        UdpSocket::bind("127.0.0.1:0").unwrap().send_to(&[1; 172], ("127.0.0.1", port)).unwrap();
        call.sweep().await.unwrap();
        assert_eq!(next(&mut chunks).await.len(), 1);
    }
    assert_eq!(call.counters().source_changes(), 1);
}

//! A call over a bad network: what came stands in its place, what was lost is silence, and counted.

mod calls;

use std::time::Duration;

use callseal::load::{Call, Impairments, SipTransport, SsrcChange};
use domain::Side;
use harness::{
    recordings::{self, occurrences},
    resources,
    world::World,
};

const CHANGE_AT: u32 = 150;

#[tokio::test(flavor = "multi_thread")]
async fn loss_disorder_doubles_wraps_and_a_new_ssrc_cost_nothing_but_what_was_lost() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let world = World::start(dir.path(), &resources::record_everything(dir.path())).await?;
    let client = calls::client(&world, SipTransport::Udp).await?;
    let mut spec = calls::two_parties();
    for stream in &mut spec.streams {
        stream.impairments = match stream.side {
            Side::Caller => Impairments {
                seed: 2,
                loss_percent: 5.0,
                reorder_percent: 5.0,
                duplicate_percent: 5.0,
                first_sequence: Some(u16::MAX - 100),
                first_timestamp: Some(u32::MAX - 16_000),
                ssrc_change: None,
            },
            Side::Callee => Impairments {
                seed: 3,
                ssrc_change: Some(SsrcChange { after_packets: CHANGE_AT, new_timestamps: true }),
                ..Impairments::default()
            },
        };
    }
    let mut call = Call::invite(&client, spec).await?;
    call.play(Duration::from_secs(8)).await;
    let report = call.bye().await?;

    let found = recordings::wait_for(&dir.path().join("archive"), 1, Duration::from_secs(120)).await?;
    let channels = found[0].channels()?;
    let info = found[0].info()?;
    let lost = report.streams.iter().find(|stream| stream.side == Side::Caller).map_or(0, |s| s.lost.len());
    assert!(lost > 5, "the network was too good: {lost} lost");
    assert_eq!(info["PacketsLost"], format!("{lost},0"));
    assert_eq!(occurrences(&channels[0], &calls::sent(&report, Side::Caller)?), 1, "{info:?}");

    // Where the sender became another one its clock began anew: both parts whole, in order.
    let callee = calls::sent(&report, Side::Callee)?;
    let (before, after) = callee.split_at(CHANGE_AT as usize * 160);
    let place = |part: &[u8]| channels[1].windows(part.len()).position(|window| window == part);
    let (before, after) = (place(before).expect("the first part"), place(after).expect("the second part"));
    let apart = after - before;
    // New timestamps are placed by their arrival: a sender that was held up is off by as much.
    let late = client.worst_pacing_delay().as_millis() as usize * 8;
    assert!((24_000 - late..24_000 + 800 + late).contains(&apart), "{apart} samples apart, {late} late");
    Ok(())
}

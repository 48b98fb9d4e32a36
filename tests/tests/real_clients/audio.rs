//! What was sent against what was recorded.

use std::fs::File;

use anyhow::{Context, ensure};
use domain::Side;
use harness::recordings::Recording;
use media::wav;

/// What one stream sent, in pieces that may have silence between them but none within.
#[derive(Debug)]
pub struct Sent {
    /// Whose voice it is.
    pub side: Side,
    /// The pieces, in order.
    pub pieces: Vec<Vec<u8>>,
}

struct Channel {
    side: String,
    silence: u8,
    bytes: Vec<u8>,
}

/// Every piece stands once, bit by bit, in a channel of its side, the pieces of a stream in order and
/// in one channel; everything else is silence.
pub fn is_exactly(recording: &Recording, sent: &[Sent]) -> anyhow::Result<()> {
    let mut channels = channels(recording)?;
    for (number, stream) in sent.iter().enumerate().filter(|(_, stream)| !stream.pieces.is_empty()) {
        let side = if stream.side == Side::Caller { "caller" } else { "callee" };
        let mut on_side = channels.iter_mut().filter(|channel| channel.side == side);
        ensure!(
            on_side.any(|channel| take_out(channel, &stream.pieces)),
            "what stream {number} sent does not stand in one channel of the {side}"
        );
    }
    for (number, channel) in channels.iter().enumerate() {
        let noise = channel.bytes.iter().filter(|byte| **byte != channel.silence).count();
        ensure!(noise == 0, "channel {} holds {noise} bytes that nobody sent", number + 1);
    }
    Ok(())
}

/// Replaces the pieces by silence; `false`, and nothing is changed, if they are not all there.
fn take_out(channel: &mut Channel, pieces: &[Vec<u8>]) -> bool {
    let mut found = Vec::new();
    let mut from = 0;
    for piece in pieces {
        let Some(at) = channel.bytes[from..].windows(piece.len()).position(|window| window == piece) else {
            return false;
        };
        found.push(from + at..from + at + piece.len());
        from += at + piece.len();
    }
    for range in found {
        channel.bytes[range].fill(channel.silence);
    }
    true
}

/// All channels of all audio files, as `Channels` of the info lists them.
fn channels(recording: &Recording) -> anyhow::Result<Vec<Channel>> {
    let info = recording.info()?;
    let mut sides = info["Channels"].split(',');
    let mut channels = Vec::new();
    for name in info["Files"].split(',') {
        let (header, of_file) = wav::read_channels(&mut File::open(recording.folder.join(name))?)?;
        for bytes in of_file {
            let side = sides.next().context("the info names fewer channels than the files have")?.to_owned();
            channels.push(Channel { side, silence: header.encoding.silence(), bytes });
        }
    }
    ensure!(sides.next().is_none(), "the info names more channels than the files have");
    Ok(channels)
}

//! Who sends which of the offered streams.

use super::SipIdentities;
use crate::{
    Offer, RecordingMetadata,
    metadata::{Participant, Stream},
};

/// For each offered stream the positions of its senders among the participants, in document order;
/// empty where nobody is known.
pub(super) fn by_metadata(offer: &Offer, metadata: &RecordingMetadata) -> Vec<Vec<usize>> {
    let described = described_streams(offer, metadata);
    let mut senders: Vec<Vec<usize>> =
        described.iter().map(|stream| stream.map(|s| senders_of(s, metadata)).unwrap_or_default()).collect();
    assign_the_rest(offer, &metadata.participants, &mut senders);
    senders
}

/// The same from Cisco's headers: the m-line's position is said directly.
pub(super) fn by_cisco_headers(offer: &Offer, sip: &SipIdentities) -> Vec<Vec<usize>> {
    let sends = |index: usize, p: usize| sip.cisco_participants[p].media_indexes.contains(&index);
    (0..offer.streams.len())
        .map(|index| (0..sip.cisco_participants.len()).filter(|p| sends(index, *p)).collect())
        .collect()
}

/// The metadata's stream for each offered one: by label; what remains on both sides in order, if it
/// is the same number.
fn described_streams<'a>(offer: &Offer, metadata: &'a RecordingMetadata) -> Vec<Option<&'a Stream>> {
    let mut taken = vec![false; metadata.streams.len()];
    let mut described: Vec<Option<&Stream>> = offer
        .streams
        .iter()
        .map(|offered| {
            let label = offered.label.as_deref()?;
            // The last one: a client that describes a label anew means the new description.
            let at = metadata.streams.iter().rposition(|s| s.label.as_deref() == Some(label))?;
            for (stream, taken) in metadata.streams.iter().zip(&mut taken) {
                *taken |= stream.label.as_deref() == Some(label);
            }
            Some(&metadata.streams[at])
        })
        .collect();
    let left: Vec<&Stream> =
        metadata.streams.iter().zip(&taken).filter(|(_, taken)| !**taken).map(|(s, _)| s).collect();
    let open: Vec<usize> = (0..described.len()).filter(|i| described[*i].is_none()).collect();
    if left.len() == open.len() {
        for (index, stream) in open.into_iter().zip(left) {
            described[index] = Some(stream);
        }
    }
    described
}

fn senders_of(stream: &Stream, metadata: &RecordingMetadata) -> Vec<usize> {
    let participants = &metadata.participants;
    let is_an_id = |id: &str| metadata.streams.iter().any(|s| s.id == id);
    // Some clients refer to the label; an id of another stream may look the same.
    let is_stream = |id: &String| {
        (!id.is_empty() && *id == stream.id) || (Some(id) == stream.label.as_ref() && !is_an_id(id))
    };
    let all = 0..participants.len();
    let senders: Vec<usize> = all.clone().filter(|p| participants[*p].sends.iter().any(is_stream)).collect();
    if !senders.is_empty() {
        return senders;
    }
    let receives = |p: &usize| participants[*p].receives.iter().any(is_stream);
    let others: Vec<usize> = all.clone().filter(|p| !receives(p)).collect();
    if others.len() == 1 && participants.len() > 1 { others } else { Vec::new() }
}

/// Audio streams without a sender get those participants, in order, who send nothing else.
fn assign_the_rest(offer: &Offer, participants: &[Participant], senders: &mut [Vec<usize>]) {
    let mut idle = (0..participants.len())
        .filter(|p| participants[*p].is_present() && !senders.iter().any(|s| s.contains(p)))
        .collect::<Vec<_>>()
        .into_iter();
    for (index, senders) in senders.iter_mut().enumerate() {
        if senders.is_empty() && offer.streams[index].media.eq_ignore_ascii_case("audio") {
            senders.extend(idle.next());
        }
    }
}

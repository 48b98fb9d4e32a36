//! Making places final: blocks are laid in the order of their places, each on the first layer
//! that is free there.

use serde::{Deserialize, Serialize};

use super::{
    LAYERS, PUSH_LIMIT, RATE_HZ,
    output::{Gap, GapCause, Output, TrackId},
    report::CodecSpan,
    segment::Segment,
    stream::Stream,
};

/// A source keeps its layer until it has been quiet for this long (500 ms), so that another one
/// does not talk into the holes of its loss.
const HOLD: i64 = RATE_HZ / 2;

/// Who was laid last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Holder {
    pub source: u32,
    pub segment: u64,
    /// Highest sequence number laid.
    sequence: i64,
}

/// A line of payload without overlaps, growing at its end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Layer {
    /// End of what was laid; sample 0 while there is nothing.
    pub end: i64,
    pub holder: Option<Holder>,
    /// Silence before payload. Kept for the main layer only.
    pub gaps: Vec<Gap>,
    /// Codec changes.
    pub codecs: Vec<CodecSpan>,
}

/// What is to happen to a block.
enum Place {
    /// It and what follows it in its segment moves by this much.
    Push(i64),
    /// It is laid on this layer at this position.
    At { layer: usize, position: i64, late: bool },
}

impl Stream {
    /// Lays all blocks whose place is before `horizon`, and more if too many wait.
    pub fn lay(&mut self, horizon: i64, zero: i64, output: &mut Output) {
        for layer in self.layers.iter_mut().filter(|layer| layer.holder.is_none()) {
            layer.end = zero;
        }
        while let Some((at, position)) = self.next_block()
            && (position < horizon || self.is_crowded())
        {
            if !self.segments[at].fixed {
                self.segments[at].fix();
                continue;
            }
            match self.place(at, position) {
                Place::Push(by) => self.segments[at].push_back(by),
                Place::At { layer, position, late } => {
                    if layer > 0 {
                        if late { self.counts.late += 1 } else { self.counts.concurrent += 1 }
                    }
                    self.lay_block(at, layer, position, zero, output);
                }
            }
            if self.is_crowded() {
                self.forget(i64::MAX);
            }
        }
    }

    /// Segment and position of the first block in time; the older segment where two are equal.
    fn next_block(&self) -> Option<(usize, i64)> {
        let heads = self.segments.iter().enumerate();
        heads
            .filter_map(|(at, segment)| Some((at, segment.first_position()?)))
            .min_by_key(|(_, position)| *position)
    }

    fn place(&self, at: usize, position: i64) -> Place {
        let (segment, main) = (&self.segments[at], &self.layers[0]);
        let Some(block) = segment.blocks.front() else { return Place::Push(0) };
        let on_main = Place::At { layer: 0, position, late: false };
        let missing = main.end - position;
        let Some(holder) = main.holder else {
            return if missing > 0 { Place::Push(missing) } else { on_main };
        };
        let fresh = segment.laid.is_none();
        let late = segment.laid.is_some_and(|laid| block.key() < laid)
            || (holder.source == segment.source && segment.id < holder.segment);
        if late {
            return self.beside(segment, position, true);
        }
        if holder.source == segment.source {
            return if missing > 0 { Place::Push(missing) } else { on_main };
        }
        let to_come = self.holder_end(holder.source, position + HOLD).map(|end| end - position);
        let overlap = to_come.unwrap_or(missing);
        let may_move = fresh && segment.pushed + overlap <= PUSH_LIMIT;
        match to_come {
            None if overlap <= 0 => on_main,
            _ if may_move && overlap > 0 => Place::Push(overlap),
            _ => self.beside(segment, position, false),
        }
    }

    /// End of what a source still has to be laid, if any of that begins before `until`.
    fn holder_end(&self, source: u32, until: i64) -> Option<i64> {
        let waiting = self.segments.iter().filter(|segment| segment.source == source);
        let soon = waiting.clone().filter_map(Segment::first_position).any(|first| first < until);
        soon.then(|| waiting.filter_map(Segment::pending_end).max()).flatten()
    }

    /// A place on a further layer.
    fn beside(&self, segment: &Segment, position: i64, late: bool) -> Place {
        let free = |layer: &Layer| match layer.holder {
            None => layer.end <= position,
            Some(holder) if holder.source == segment.source => layer.end <= position,
            Some(_) => layer.end + HOLD <= position,
        };
        match (1..LAYERS).find(|at| free(&self.layers[*at])) {
            Some(layer) => Place::At { layer, position, late },
            None => {
                Place::At { layer: LAYERS - 1, position: position.max(self.layers[LAYERS - 1].end), late }
            }
        }
    }

    fn lay_block(&mut self, at: usize, layer: usize, position: i64, zero: i64, output: &mut Output) {
        let Some(block) = self.take_block(at) else { return };
        let segment = &mut self.segments[at];
        let drift = segment.consume_insertions(block.timestamp);
        segment.laid = segment.laid.max(Some(block.key()));
        let holder = Holder { source: segment.source, segment: segment.id, sequence: block.sequence };
        if layer == 0 {
            self.note_silence(position, drift, zero, holder);
        }
        let target = &mut self.layers[layer];
        // Positions before sample 0 cannot be: every layer begins there.
        let start_sample = (position - zero).max(0) as u64;
        if target.codecs.last().is_none_or(|span| span.codec != block.codec) {
            target.codecs.push(CodecSpan { codec: block.codec, from_sample: start_sample });
        }
        let sequence = match target.holder {
            Some(former) if former.source == holder.source => former.sequence.max(holder.sequence),
            _ => holder.sequence,
        };
        target.holder = Some(Holder { sequence, ..holder });
        target.end = position + block.len();
        let track = TrackId { stream: self.index, layer: layer as u8, codec: block.codec };
        output.append(track, start_sample, block.bytes);
    }

    /// Lists the silence between the end of the main layer and a block of `next` at `position`;
    /// its last `drift` samples were inserted.
    fn note_silence(&mut self, position: i64, drift: i64, zero: i64, next: Holder) {
        let main = &self.layers[0];
        let (start, former) = (main.end, main.holder);
        if position <= start {
            return;
        }
        let cause = match former {
            None => GapCause::LateStart,
            Some(former) if former.source == next.source => {
                let source = self.sources.iter().find(|source| source.id == next.source);
                let missing = source.map_or(0, |one| one.missing_between(former.sequence, next.sequence));
                if missing > 0 { GapCause::Lost } else { GapCause::Quiet }
            }
            Some(_) => GapCause::Quiet,
        };
        let inserted = drift.clamp(0, position - start);
        let gaps = &mut self.layers[0].gaps;
        for (start, end, cause) in
            [(start, position - inserted, cause), (position - inserted, position, GapCause::Drift)]
        {
            if end > start {
                let start_sample = (start - zero) as u64;
                gaps.push(Gap { start_sample, length_samples: (end - start) as u64, cause });
            }
        }
    }
}

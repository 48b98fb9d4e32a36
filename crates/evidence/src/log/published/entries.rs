//! The entries of a published log, and at their end the verdict.

use std::{collections::VecDeque, iter::Peekable, vec};

use jiff::Timestamp;

use super::{PublishedLog, trust};
use crate::{
    Sha256Hash,
    log::{
        Entry, Frontier, LogProblem, What, leaf_hash,
        tiles::{self, WIDTH, checkpoint_path},
    },
};

/// Entries in their order, and what is wrong with them; see [`PublishedLog::entries`].
pub struct Entries<'l> {
    log: &'l PublishedLog<'l>,
    ready: VecDeque<Result<(u64, Entry), LogProblem>>,
    /// Over the hashes of the entries; where entries are missing, over those in the tiles: if the root
    /// fits all the same, the rest is what was signed.
    frontier: Frontier,
    /// False from the first leaf on of which neither is there.
    is_complete: bool,
    copies: Peekable<vec::IntoIter<u64>>,
    good_until: u64,
    contradicted_at: Option<u64>,
    first_changed: Option<u64>,
    clock: Timestamp,
    is_done: bool,
    /// A size and where its root goes.
    watched: Option<(u64, Option<Sha256Hash>)>,
}

impl<'l> Entries<'l> {
    pub(super) fn new(log: &'l PublishedLog<'l>) -> Self {
        let (copies, ready) = match trust::copies(log.files) {
            Ok(copies) => (copies, VecDeque::new()),
            Err(problem) => (Vec::new(), VecDeque::from([Err(problem)])),
        };
        Self {
            log,
            ready,
            frontier: Frontier::default(),
            is_complete: true,
            copies: copies.into_iter().peekable(),
            good_until: 0,
            contradicted_at: None,
            first_changed: None,
            clock: Timestamp::MIN,
            is_done: false,
            watched: None,
        }
    }

    /// Reads all; `root` is that over the first `size` entries, if what was read is what was signed.
    pub(super) fn watch(&mut self, size: u64, root: &mut Option<Sha256Hash>) {
        self.watched = Some((size, None));
        while !self.is_done {
            self.ready.clear();
            self.advance();
        }
        let is_signed = self.is_complete && self.frontier.root() == self.log.newest.checkpoint.root;
        if let (true, Some((_, Some(seen)))) = (is_signed, self.watched) {
            *root = Some(seen);
        }
    }

    /// Reads the next bundle, or tells at the end what the root says.
    fn advance(&mut self) {
        let size = self.log.newest.checkpoint.size;
        let next = self.frontier.size();
        if next < size && self.is_complete {
            self.bundle(next / WIDTH);
        } else if next < size {
            // Without all hashes there is no root; the entries that follow are of no use.
            self.ready.push_back(Err(LogProblem::RootUnknown { size }));
            self.is_done = true;
        } else {
            self.ready.extend(self.verdict().map(Err));
            self.is_done = true;
        }
    }

    fn verdict(&self) -> Option<LogProblem> {
        let head = &self.log.newest.checkpoint;
        if self.frontier.root() != head.root {
            let (good_until, first_changed) = (self.good_until, self.first_changed);
            return Some(LogProblem::RootDiffers { size: head.size, good_until, first_changed });
        }
        let forked = self.contradicted_at.map(|size| LogProblem::Forked { size });
        forked.or(self.first_changed.map(|index| LogProblem::TilesDiffer { index }))
    }

    fn bundle(&mut self, number: u64) {
        let size = self.log.newest.checkpoint.size;
        let (first, width) = (number * WIDTH, tiles::width_of(0, number, size));
        let path = tiles::bundle_path(number, width);
        let bytes = tiles::read_bundle(self.log.files, number, width).unwrap_or_else(|error| {
            self.ready.push_back(Err(LogProblem::of_tree(error, size)));
            None
        });
        let (mut entries, _) = bytes.as_deref().map(tiles::split_bundle).unwrap_or_default();
        entries.truncate(width as usize);
        let here = entries.len() as u64;
        if here < width {
            let (from, to) = (first + here, first + width - 1);
            self.ready.push_back(Err(LogProblem::EntriesMissing { from, to, path }));
        }
        let leaves = tiles::read_leaves(self.log.files, number, width).unwrap_or_else(|error| {
            self.ready.push_back(Err(LogProblem::of_tree(error, size)));
            Vec::new()
        });
        for within in 0..width as usize {
            let (entry, in_tile) = (entries.get(within), leaves.get(within));
            let hashed = entry.map(|entry| leaf_hash(entry));
            let Some(leaf) = hashed.or(in_tile.copied()) else {
                self.is_complete = false;
                return;
            };
            let index = first + within as u64;
            if in_tile.is_some_and(|in_tile| *in_tile != leaf) {
                self.first_changed.get_or_insert(index);
            }
            self.frontier.append(leaf);
            self.compare_at(index + 1);
            if let Some(entry) = entry {
                self.entry(index, entry);
            }
        }
    }

    /// Compares with the copy of the checkpoint of this size, if there is one.
    fn compare_at(&mut self, size: u64) {
        if let Some((watched, root)) = &mut self.watched
            && *watched == size
        {
            *root = Some(self.frontier.root());
        }
        while self.copies.next_if(|copy| *copy < size).is_some() {}
        if self.copies.next_if_eq(&size).is_none() {
            return;
        }
        match trust::checkpoint(self.log.files, &checkpoint_path(size), &self.log.keys) {
            Ok(Some(copy))
                if copy.checkpoint.size == size && copy.checkpoint.origin == self.log.origin.as_str() =>
            {
                if copy.checkpoint.root != self.frontier.root() {
                    self.contradicted_at.get_or_insert(size);
                } else if self.contradicted_at.is_none() {
                    self.good_until = size;
                }
            }
            Ok(Some(copy)) => {
                let (path, origin) = (checkpoint_path(size), copy.checkpoint.origin);
                self.ready.push_back(Err(LogProblem::OtherLog { path, origin }));
            }
            Ok(None) => {}
            Err(problem) => self.ready.push_back(Err(problem)),
        }
    }

    fn entry(&mut self, index: u64, bytes: &[u8]) {
        let entry = match Entry::parse(bytes) {
            Ok(entry) => entry,
            Err(error) => {
                self.ready.push_back(Err(LogProblem::EntryUnreadable { index, error }));
                return;
            }
        };
        if entry.tenant != *self.log.origin.tenant() {
            let tenant = entry.tenant.clone();
            self.ready.push_back(Err(LogProblem::OtherTenant { index, tenant }));
        }
        // What other services tell of may come late; what the signer itself did may not.
        let is_own = matches!(entry.what, What::Sealed(_) | What::Key(_) | What::Heartbeat);
        if is_own && entry.at < self.clock {
            let (before, at) = (self.clock, entry.at);
            self.ready.push_back(Err(LogProblem::TimeGoesBack { index, before, at }));
        }
        if is_own {
            self.clock = self.clock.max(entry.at);
        }
        self.ready.push_back(Ok((index, entry)));
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<(u64, Entry), LogProblem>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.ready.is_empty() && !self.is_done {
            self.advance();
        }
        self.ready.pop_front()
    }
}

impl std::fmt::Debug for Entries<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Entries({} of {:?})", self.frontier.size(), self.log)
    }
}

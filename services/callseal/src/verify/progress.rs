//! The bar at the bottom of the terminal, on standard error.

use std::{
    io::{self, IsTerminal, Write},
    time::{Duration, Instant},
};

/// How often it is drawn.
const EVERY: Duration = Duration::from_millis(200);
/// Characters of the bar.
const WIDTH: u64 = 30;

/// Shows how far it is. On anything but a terminal it shows nothing.
pub(super) struct Progress {
    shown: bool,
    drawn: bool,
    began: Instant,
    last: Option<Instant>,
    /// Recordings to verify, once they are counted.
    pub(super) all: u64,
    /// What is wrong so far.
    pub(super) wrong: u64,
}

impl Progress {
    /// For standard error as it is.
    pub(super) fn new() -> Self {
        let shown = io::stderr().is_terminal();
        Self { shown, drawn: false, began: Instant::now(), last: None, all: 0, wrong: 0 }
    }

    /// True if it is time to draw it again.
    pub(super) fn is_due(&self) -> bool {
        self.shown && self.last.is_none_or(|last| last.elapsed() >= EVERY)
    }

    /// So many files were found.
    pub(super) fn listed(&mut self, files: u64) {
        if self.is_due() {
            self.say(&format!("{files} files found"));
        }
    }

    /// So many recordings were verified.
    pub(super) fn verified(&mut self, done: u64) {
        let line = line(done, self.all, self.wrong, self.began.elapsed());
        self.say(&line);
    }

    pub(super) fn say(&mut self, text: &str) {
        if self.shown {
            // Who closed the terminal does not look at it.
            let _closed = write!(io::stderr(), "\r\x1b[K{text}");
            (self.drawn, self.last) = (true, Some(Instant::now()));
        }
    }

    /// Makes room for lines.
    pub(super) fn clear(&mut self) {
        if std::mem::take(&mut self.drawn) {
            let _closed = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

fn line(done: u64, all: u64, wrong: u64, spent: Duration) -> String {
    let all = all.max(done).max(1);
    let filled = done * WIDTH / all;
    let bar: String = (0..WIDTH).map(|at| if at < filled { '#' } else { '.' }).collect();
    let percent = done * 100 / all;
    let wrong = if wrong > 0 { format!(", {wrong} WRONG") } else { String::new() };
    let left = spent.as_secs_f64() / done.max(1) as f64 * (all - done) as f64;
    let left = if done == all { String::new() } else { format!(", {} left", readable(left as u64)) };
    format!("[{bar}] {percent} %, {done} of {all} recordings{wrong}{left}")
}

fn readable(seconds: u64) -> String {
    match seconds {
        0..=90 => format!("{seconds} s"),
        91..=5400 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h", seconds.div_ceil(3600)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_how_much_is_done_and_how_long_it_takes() {
        let text = line(25_000, 100_000, 3, Duration::from_secs(60));
        assert_eq!(
            text,
            "[#######.......................] 25 %, 25000 of 100000 recordings, 3 WRONG, 3 min left"
        );
        assert_eq!(
            line(0, 0, 0, Duration::ZERO),
            "[..............................] 0 %, 0 of 1 recordings, 0 s left"
        );
    }
}

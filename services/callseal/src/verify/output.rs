//! Where findings go: several places at once.

use std::io;

use evidence::verify::{Observer, RecordingReport};

use super::{progress::Progress, verdict::Verdict};

/// One place that findings go to.
pub(super) trait Output {
    /// A recording was verified.
    fn recording(&mut self, recording: &RecordingReport) -> io::Result<()>;

    /// A file belongs to no recording.
    fn stray(&mut self, path: &str) -> io::Result<()>;

    /// What was said so far is to be seen.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// All is known.
    fn finish(&mut self, verdict: &Verdict<'_>) -> io::Result<()>;
}

/// All places.
pub(super) struct Outputs<'a> {
    pub(super) places: Vec<Box<dyn Output + 'a>>,
    pub(super) progress: Progress,
    /// The first that could not be written to.
    pub(super) failed: Option<io::Error>,
}

impl<'a> Outputs<'a> {
    fn each(&mut self, mut tell: impl FnMut(&mut (dyn Output + 'a)) -> io::Result<()>) {
        for place in &mut self.places {
            if let Err(error) = tell(&mut **place) {
                self.failed.get_or_insert(error);
            }
        }
    }

    /// All is known.
    ///
    /// # Errors
    /// The first place that could not be written to, now or before.
    pub(super) fn finish(mut self, verdict: &Verdict<'_>) -> io::Result<()> {
        self.progress.clear();
        self.each(|place| place.finish(verdict));
        self.failed.map_or(Ok(()), Err)
    }
}

impl Observer for Outputs<'_> {
    fn recording(&mut self, report: &RecordingReport) {
        self.progress.clear();
        self.progress.wrong += u64::from(!report.findings.is_empty());
        self.each(|place| place.recording(report));
    }

    fn stray(&mut self, path: &str) {
        self.progress.clear();
        self.progress.wrong += 1;
        self.each(|place| place.stray(path));
    }

    fn verified(&mut self, recordings: u64) {
        if self.progress.is_due() {
            self.each(|place| place.flush());
            self.progress.verified(recordings);
        }
    }

    fn reading_logs(&mut self) {
        self.each(|place| place.flush());
        self.progress.say("reading the logs");
    }
}

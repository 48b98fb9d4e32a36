//! What the mails say. Recordings by their id and targets by their name alone: no number, no name of a
//! person, no secret. What a service says of a fault is quoted as it is, in English.

mod words;

use domain::resources::tenant::notifications::Language;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use super::{
    access::Ending,
    episode::Episode,
    observed::{Key, Kind},
    stage::Stage,
};
use words::Words;

/// A mail, written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// What it is about, for the metrics: `start`, `over`, `digest`, `ends`.
    pub about: &'static str,
    /// What stands above it.
    pub subject: String,
    /// What stands in it.
    pub body: String,
}

/// Writes in one language and one time zone.
#[derive(Clone)]
pub struct Writer {
    words: &'static Words,
    zone: TimeZone,
}

impl Writer {
    /// In `language`, with times as clocks in `zone` show them.
    pub fn new(language: Language, zone: TimeZone) -> Self {
        Self { words: Words::of(language), zone }
    }

    /// A fault is there, or worse than before.
    pub fn start(&self, key: &Key, episode: &Episode, now: Timestamp) -> Letter {
        let what = self.what(key, episode);
        let mut lines = self.told(key, episode, now);
        lines.extend(["".to_owned(), self.next(key, &episode.recording)]);
        Letter { about: "start", subject: self.subject(key, &what), body: self.body(lines) }
    }

    /// A fault is over; `waiting` recordings are still on their way there, where that is known.
    pub fn over(&self, key: &Key, episode: &Episode, waiting: Option<u64>) -> Letter {
        let what = self.what(key, episode);
        let end = episode.gone_since.unwrap_or(episode.since);
        let span = self.span(end.duration_since(episode.since));
        let mut lines = vec![
            self.words.say("line-what", [("what", what.as_str().into())]),
            self.words.say("line-lasted", [("span", span.into()), ("at", self.time(end).into())]),
        ];
        match key.kind {
            Kind::Failing | Kind::Incomplete | Kind::Orphaned | Kind::Returned => {
                lines.push(self.words.say("line-most", [("count", episode.most.into())]));
                lines.extend(waiting.map(|count| self.words.say("line-still", [("count", count.into())])));
            }
            Kind::Reported => lines.push(self.words.say("line-no-report", [])),
            _ => {}
        }
        lines.extend(self.tenant(key));
        let over = self.words.say("over", [("what", what.into())]);
        Letter { about: "over", subject: self.subject(key, &over), body: self.body(lines) }
    }

    /// All that lasts on.
    pub fn digest(&self, faults: &[(&Key, &Episode)], now: Timestamp) -> Letter {
        let mut lines = Vec::new();
        for (key, episode) in faults {
            lines.extend(self.told(key, episode, now));
            lines.push(String::new());
        }
        lines.push(self.headed("next-digest", "", ""));
        let what = self.words.say("what-digest", [("count", faults.len().into())]);
        let subject = self.words.say("subject", [("what", what.into())]);
        Letter { about: "digest", subject, body: self.body(lines) }
    }

    /// The text of a mail, above which stands that so many earlier ones never came.
    pub fn after_dropped(&self, body: &str, dropped: u64) -> String {
        format!("{}\n\n{body}", self.words.say("line-dropped", [("count", dropped.into())]))
    }

    /// Something ends, or has ended.
    pub fn ends(&self, ending: &Ending, stage: Stage) -> Letter {
        let place = match ending.place.split_once(' ') {
            Some((sort, name)) => self.place(sort, name),
            None => ending.place.clone(),
        };
        let what = self.words.say(
            "what-ends",
            [
                ("stage", stage.as_str().into()),
                ("thing", ending.what.as_str().into()),
                ("place", place.into()),
            ],
        );
        let mut lines = vec![
            self.words.say("line-what", [("what", what.as_str().into())]),
            self.words.say("line-ends-at", [("at", self.time(ending.at).into())]),
        ];
        let tenant = ending.tenant.as_ref().map(|tenant| tenant.as_str());
        lines.extend(tenant.map(|tenant| self.words.say("line-tenant", [("tenant", tenant.into())])));
        let next = match ending.place.strip_prefix("target ") {
            Some(name) => self.headed("next-ends", name, ""),
            None => self.headed("next-signing", "", ""),
        };
        lines.extend([String::new(), next]);
        Letter { about: "ends", subject: self.subject_of(tenant, &what), body: self.body(lines) }
    }

    /// What, whose, since when, why, how much waits.
    fn told(&self, key: &Key, episode: &Episode, now: Timestamp) -> Vec<String> {
        let what = self.what(key, episode);
        let mut lines = vec![self.words.say("line-what", [("what", what.into())])];
        lines.extend(self.tenant(key));
        let span = self.span(now.duration_since(episode.since));
        lines.push(
            self.words.say("line-since", [("at", self.time(episode.since).into()), ("span", span.into())]),
        );
        if !episode.problem.is_empty() {
            lines.push(self.words.say("line-problem", [("problem", episode.problem.as_str().into())]));
        }
        match key.kind {
            Kind::Reported => lines.push(self.words.say("line-times", [("count", episode.count.into())])),
            Kind::Deleting => {
                lines.push(self.words.say("line-deletions", [("count", episode.count.into())]));
            }
            Kind::Astray => lines.push(self.words.say("line-astray", [("count", episode.count.into())])),
            Kind::Quota | Kind::FullSoon | Kind::Halted | Kind::Bus | Kind::Clock => {}
            _ => lines.push(self.words.say("line-waiting", [("count", episode.count.into())])),
        }
        if !episode.recording.is_empty() {
            let recording = episode.recording.as_str();
            lines.push(self.words.say("line-recording", [("recording", recording.into())]));
        }
        lines
    }

    fn what(&self, key: &Key, episode: &Episode) -> String {
        let (sort, name) = key.place.split_once(' ').unwrap_or(("", &key.place));
        let kind = format!("what-{}", key.kind.as_str());
        match key.kind {
            Kind::Reported => self.words.say(&kind, [("place", key.place.as_str().into())]),
            Kind::Quota => self.words.say(&kind, [("level", episode.peak.max(episode.level).into())]),
            Kind::FullSoon => self.words.say(&kind, [("hours", episode.count.into())]),
            Kind::Halted | Kind::Bus | Kind::Deleting | Kind::Clock => self.words.say(&kind, []),
            _ => self.words.say(&kind, [("place", self.place(sort, name).into())]),
        }
    }

    fn next(&self, key: &Key, recording: &str) -> String {
        let (sort, name) = key.place.split_once(' ').unwrap_or(("", &key.place));
        let id = match key.kind {
            Kind::Failing if sort == "journal" => "next-failing-journal",
            Kind::Failing => "next-failing-target",
            Kind::SetAside => "next-set-aside",
            Kind::Orphaned => "next-orphaned",
            Kind::Returned => "next-returned",
            Kind::Incomplete => "next-incomplete",
            Kind::Reported if key.place == "signer/key" => "next-key",
            Kind::Reported if recording.is_empty() => "next-reported",
            Kind::Reported => "next-reported-recording",
            Kind::Halted => "next-halted",
            Kind::Quota | Kind::FullSoon => "next-quota",
            Kind::Bus => "next-bus",
            Kind::Deleting => "next-deleting",
            Kind::Clock => "next-clock",
            Kind::Astray => "next-astray",
        };
        self.headed(id, name, recording)
    }

    fn headed(&self, id: &str, name: &str, recording: &str) -> String {
        let steps = self.words.say(id, [("name", name.into()), ("recording", recording.into())]);
        let indented: Vec<String> = steps.lines().map(|line| format!("  {line}")).collect();
        format!("{}:\n{}", self.words.say("next", []), indented.join("\n"))
    }

    fn place(&self, sort: &str, name: &str) -> String {
        self.words.say("the-place", [("sort", sort.into()), ("name", name.into())])
    }

    fn tenant(&self, key: &Key) -> Option<String> {
        let tenant = key.tenant.as_ref()?;
        Some(self.words.say("line-tenant", [("tenant", tenant.as_str().into())]))
    }

    fn subject(&self, key: &Key, what: &str) -> String {
        self.subject_of(key.tenant.as_ref().map(|tenant| tenant.as_str()), what)
    }

    fn subject_of(&self, tenant: Option<&str>, what: &str) -> String {
        match tenant {
            Some(tenant) => {
                self.words.say("subject-of-tenant", [("tenant", tenant.into()), ("what", what.into())])
            }
            None => self.words.say("subject", [("what", what.into())]),
        }
    }

    fn body(&self, lines: Vec<String>) -> String {
        format!("{}\n\n-- \n{}\n", lines.join("\n"), self.words.say("footer", []))
    }

    fn time(&self, at: Timestamp) -> String {
        at.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M %:z").to_string()
    }

    fn span(&self, span: SignedDuration) -> String {
        let minutes = span.as_secs().max(0) / 60;
        let (id, n) = match minutes {
            0..120 => ("span-minutes", minutes),
            120..2880 => ("span-hours", minutes / 60),
            _ => ("span-days", minutes / 1440),
        };
        self.words.say(id, [("n", n.into())])
    }
}

#[cfg(test)]
mod tests;

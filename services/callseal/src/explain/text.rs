//! A decision for a person at a terminal.

use std::fmt;

use domain::{ConsentAsked, ConsentMode, Decision, Recorded, ResourceName, Side, Verdict};

/// A decision, and what its rule says in plain language if that was asked for.
pub(super) struct Explained {
    pub decision: Decision,
    pub sentence: Option<String>,
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.decision.verdict {
            Verdict::Record(recorded) => {
                writeln!(f, "recorded by rule {}", recorded.rule)?;
                self.direction(f)?;
                orders(f, recorded)?;
            }
            Verdict::AskConsent(asked) => {
                writeln!(f, "recorded by rule {} once there is consent", asked.recorded.rule)?;
                self.direction(f)?;
                orders(f, &asked.recorded)?;
                question(f, asked)?;
            }
            Verdict::DoNotRecord(not) => {
                writeln!(f, "not recorded: {}", not.reason)?;
                self.direction(f)?;
            }
        }
        if !self.decision.trace.is_empty() {
            writeln!(f, "why")?;
        }
        for (i, line) in self.decision.trace.iter().enumerate() {
            writeln!(f, "  {}. {line}", i + 1)?;
        }
        if let Some(sentence) = &self.sentence {
            writeln!(f, "the rule\n  {sentence}")?;
        }
        Ok(())
    }
}

impl Explained {
    fn direction(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        line(f, "direction", self.decision.direction)
    }
}

fn line(f: &mut fmt::Formatter<'_>, name: &str, value: impl fmt::Display) -> fmt::Result {
    writeln!(f, "  {name:<10} {value}")
}

fn orders(f: &mut fmt::Formatter<'_>, recorded: &Recorded) -> fmt::Result {
    line(f, "class", recorded.class)?;
    line(f, "channels", recorded.channels)?;
    line(f, "targets", list(&recorded.targets))?;
    line(f, "journals", list(&recorded.journals))?;
    if let Some(consent) = &recorded.consent {
        line(f, "consent", format_args!("{} ({})", consent.outcome, consent.mode))?;
    }
    match &recorded.stop_keys {
        Some(keys) => {
            let sides: Vec<&str> = keys.sides.iter().map(|side| name(*side)).collect();
            line(f, "stopped by", format_args!("{} of the {}", keys.code, sides.join(" or the ")))
        }
        None => line(f, "stopped by", "no keys"),
    }
}

fn question(f: &mut fmt::Formatter<'_>, asked: &ConsentAsked) -> fmt::Result {
    let who = name(asked.asked_side);
    line(f, "question", format_args!("{} to the {who}, asked by {}", asked.mode, asked.asked_by))?;
    match &asked.announcement {
        Some(played) => {
            let tenths = played.duration_ms.div_ceil(100);
            line(f, "hears", format_args!("{} ({}.{} s)", played.name, tenths / 10, tenths % 10))?;
        }
        None => line(f, "hears", "no announcement of ours")?,
    }
    if asked.mode != ConsentMode::NoChoice {
        let key = asked.key.map_or("any".to_owned(), String::from);
        let seconds = asked.window_ms / 1_000;
        line(f, "key", format_args!("{key}, up to {seconds} s after the announcement"))?;
    }
    Ok(())
}

const fn name(side: Side) -> &'static str {
    match side {
        Side::Caller => "caller",
        Side::Callee => "callee",
    }
}

fn list(names: &[ResourceName]) -> String {
    match names {
        [] => "none".to_owned(),
        names => names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", "),
    }
}

//! What is kept and where it goes: channels, storage targets, journals; and manual recordings.

use domain::{Channels, ResourceName, resources::RecordingRule};
use fluent_bundle::FluentArgs;

use crate::plain::{
    language::{Words, arguments},
    names,
};

/// The sentence about what the rule records by itself.
pub(super) fn sentence(rule: &RecordingRule, words: &Words) -> String {
    words.say_with("kept", &kept(rule.channels, &rule.targets, &rule.journals, words))
}

/// What the users whom the rule covers may do (F-17), if anything.
pub(super) fn manual_sentence(rule: &RecordingRule, words: &Words) -> Option<String> {
    let manual = rule.manual_recording.as_ref()?;
    Some(words.say_with("manual", &kept(manual.channels, &manual.targets, &manual.journals, words)))
}

fn kept(
    channels: Channels,
    targets: &[ResourceName],
    journals: &[ResourceName],
    words: &Words,
) -> FluentArgs<'static> {
    let channels = match channels {
        Channels::Stereo => "stereo",
        Channels::Separate => "separate",
        Channels::CallerOnly => "caller-only",
        Channels::CalleeOnly => "callee-only",
    };
    let list = |names: &[ResourceName]| names::list(names.iter().map(ResourceName::as_str), words);
    arguments([
        ("channels", channels.into()),
        ("targets", targets.len().into()),
        ("target-names", list(targets).into()),
        ("journals", journals.len().into()),
        ("journal-names", list(journals).into()),
    ])
}

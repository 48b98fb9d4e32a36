//! What is kept and where it goes: channels, storage targets, journals; and manual recordings.

use domain::{Channels, ResourceName, resources::RecordingRule};

use crate::plain::{
    language::{Words, arguments},
    names,
};

/// The sentence about what the rule records by itself.
pub(super) fn sentence(rule: &RecordingRule, words: &Words) -> String {
    let args = [
        ("channels", channels(rule.channels, words).into()),
        ("stored", stored(&rule.targets, &rule.journals, words).into()),
    ];
    words.say_with("kept", &arguments(args))
}

/// What the users whom the rule covers may do (F-17), if anything.
pub(super) fn manual_sentence(rule: &RecordingRule, words: &Words) -> Option<String> {
    let manual = rule.manual_recording.as_ref()?;
    let args = [
        ("channels", channels(manual.channels, words).into()),
        ("stored", stored(&manual.targets, &manual.journals, words).into()),
    ];
    Some(words.say_with("manual", &arguments(args)))
}

fn channels(channels: Channels, words: &Words) -> String {
    let channels = match channels {
        Channels::Stereo => "stereo",
        Channels::Separate => "separate",
        Channels::CallerOnly => "caller-only",
        Channels::CalleeOnly => "callee-only",
    };
    words.say_with("channels", &arguments([("channels", channels.into())]))
}

fn stored(targets: &[ResourceName], journals: &[ResourceName], words: &Words) -> String {
    let list = |names: &[ResourceName]| names::list(names.iter().map(ResourceName::as_str), words);
    let args = [
        ("targets", targets.len().into()),
        ("target-names", list(targets).into()),
        ("journals", journals.len().into()),
        ("journal-names", list(journals).into()),
    ];
    words.say_with("stored", &arguments(args))
}

//! Vendors' oddities over the whole system: one installation, all calls at the same time.

use anyhow::Context;
use domain::Side::{self, Callee, Caller};
use futures::future::try_join_all;
use harness::{
    recordings, resources,
    sip_by_hand::{Content, SIPREC},
    world::World,
};

use super::{
    audio::is_exactly,
    recording_of, srs,
    vendor_calls::{
        Step::{self, Play, Rest, Say},
        VendorCall,
    },
    vendor_texts::{
        BROADWORKS, CISCO, HOSTILE, NO_LABELS, ORACLE, RIBBON, audiocodes, metadata, offer, stream, transfer,
        two,
    },
};

const ALAW: u8 = 8;
const ULAW: u8 = 0;

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_all_vendors_are_sealed_with_every_byte_and_the_right_names() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let archive = dir.path().join("archive");
    let world = World::start(dir.path(), &resources::record_everything(dir.path())).await?;
    let certificate = world.installation.path("data/callseal.pem");
    let calls = calls();
    let placed = (1_u64..)
        .zip(&calls)
        .map(async |(seed, call)| call.place(srs(&world), seed).await.with_context(|| call.what));
    let sent = try_join_all(placed).await.with_context(|| world.logs())?;

    let mut wrong = Vec::new();
    for (call, sent) in calls.iter().zip(&sent) {
        let recording = recording_of(&archive, call.what).await.with_context(|| world.logs())?;
        let info = recording.info()?;
        for (key, value) in &call.info {
            let said = info.get(*key).map_or("(nothing)", String::as_str);
            let is_right = match value.strip_suffix('…') {
                Some(beginning) => said.starts_with(beginning),
                None => said == *value,
            };
            if !is_right {
                wrong.push(format!("{}: {key} is {said:?} instead of {value:?}", call.what));
            }
        }
        recording.check_with_plain_tools(&certificate).context(call.what)?;
        if let Err(error) = is_exactly(&recording, sent) {
            wrong.push(format!("{}: {error:#}\n{info:#?}", call.what));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(recordings::find(&archive)?.len(), calls.len());
    Ok(())
}

fn both() -> Vec<Step> {
    vec![Play(vec![(0, ALAW), (1, ALAW)])]
}

/// A call as it should be, to be made odd.
fn usual(what: &'static str, content: Content) -> VendorCall {
    VendorCall {
        what,
        headers: SIPREC,
        contact: ";+sip.src",
        from: "",
        to: "",
        content,
        steps: both(),
        sides: vec![Caller, Callee],
        info: vec![
            ("Channels", "caller,callee"),
            ("Codec", "PCMA"),
            ("PacketsReceived", "50,50"),
            ("PacketsLost", "0,0"),
            ("Interrupted", "no"),
            ("Ended", "hung up"),
        ],
    }
}

impl VendorCall {
    fn with_steps(mut self, steps: Vec<Step>) -> Self {
        self.steps = steps;
        self
    }

    fn with_sides(mut self, sides: &[Side]) -> Self {
        self.sides = sides.to_vec();
        self
    }

    /// What the info must say besides, or instead; `…` stands for any end.
    fn says(mut self, info: &[(&'static str, &'static str)]) -> Self {
        self.info.retain(|(key, _)| info.iter().all(|(other, _)| other != key));
        self.info.extend(info);
        self
    }
}

fn calls() -> Vec<VendorCall> {
    let mut calls = who_is_who();
    calls.extend(streams_and_codecs());
    calls.extend(changes());
    calls.extend(silence());
    calls
}

/// Metadata and headers as they come.
fn who_is_who() -> Vec<VendorCall> {
    vec![
        VendorCall {
            from: "\"Anna Anders\" <sip:+4930999000057@pbx.example>",
            to: "<sip:+4989999000058@pbx.example>",
            ..usual("no metadata at all", Content::sdp(&two(["0", "1"])))
        }
        .says(&[
            ("Caller", "+4930999000057"),
            ("CallerName", "Anna Anders"),
            ("Callee", "+4989999000058"),
        ]),
        usual("nobody named anywhere", Content::sdp(&two(["0", "1"])))
            .says(&[("Caller", ""), ("Callee", "")]),
        usual("labels missing", Content::both(&two(["", ""]), NO_LABELS))
            .says(&[("Caller", "+4930999000061"), ("Callee", "+4989999000062")]),
        VendorCall {
            headers: CISCO,
            contact: "",
            from: "<sip:192.0.2.30>",
            ..usual("Cisco", Content::sdp(&two(["", ""])))
        }
        .says(&[("Caller", "10067"), ("Callee", "708068")]),
        usual("Oracle", Content::both(&two(["16777228", "16777227"]), ORACLE))
            .with_sides(&[Callee, Caller])
            .says(&[
                ("Caller", "4970399900063"),
                ("CallerName", "KUNDE A"),
                ("Callee", "4922199900064"),
                ("CalleeName", "Handel"),
            ]),
        VendorCall {
            headers: "",
            contact: ";src",
            ..usual(
                "AudioCodes",
                Content {
                    content_type: "multipart/mixed;boundary=boundary_12".to_owned(),
                    body: audiocodes(),
                },
            )
        }
        .says(&[("Caller", "2001"), ("Callee", "2002")]),
        usual("Ribbon", Content::both(&two(["a_leg", "b_leg"]), RIBBON))
            .says(&[("Caller", "+4970399900065"), ("Callee", "+4922199900066")]),
        // The info escapes what would mislead its reader.
        usual("numbers and names that are no file names", Content::both(&two(["1", "2"]), HOSTILE)).says(&[
            ("Caller", "../../etc/passwd"),
            ("CallerName", "Müller & Söhne: <CON>"),
            ("Callee", "|?\\\\"),
            ("CalleeName", "日本 \\u202egpj.exe"),
        ]),
        usual("BroadWorks", Content::both(&offer(1, &[stream(40_000, "0 8", "")]), BROADWORKS))
            .with_steps(vec![Play(vec![(0, ULAW)])])
            .says(&[
                ("Caller", "+15145550101"),
                ("CallerName", "Berater"),
                ("Callee", "+15145550199"),
                ("Direction", "out"),
                ("Codec", "PCMU"),
                ("PacketsReceived", "50,0"),
            ]),
    ]
}

/// How many there are, and what they speak.
fn streams_and_codecs() -> Vec<VendorCall> {
    let ulaw = offer(1, &[stream(40_000, "0", "1"), stream(40_002, "0", "2")]);
    let mixed = offer(1, &[stream(40_000, "0", "1"), stream(40_002, "8", "2")]);
    let either = offer(1, &[stream(40_000, "8 0", "1"), stream(40_002, "8 0", "2")]);
    let one_off = offer(1, &[stream(40_000, "8", "1"), stream(0, "8", "2"), stream(40_004, "8", "3")]);
    let eight: Vec<String> = (0..8).map(|n| stream(40_000 + 2 * n, "8", &(n + 1).to_string())).collect();
    let two_people = |caller, callee| metadata(&[(caller, &["1"]), (callee, &["2"])]);
    vec![
        usual("both µ-law", Content::both(&ulaw, &two_people("+4930999000071", "+4989999000072")))
            .with_steps(vec![Play(vec![(0, ULAW), (1, ULAW)])])
            .says(&[("Caller", "+4930999000071"), ("Callee", "+4989999000072"), ("Codec", "PCMU")]),
        usual("µ-law calls A-law", Content::both(&mixed, &two_people("+4930999000073", "+4989999000074")))
            .with_steps(vec![Play(vec![(0, ULAW), (1, ALAW)])])
            .says(&[
                ("Channels", "caller,callee,caller,callee"),
                ("Codec", "PCMA,PCMA,PCMU,PCMU"),
                ("PacketsReceived", "0,50,50,0"),
                ("PacketsLost", "0,0,0,0"),
            ]),
        usual(
            "another law in mid-call",
            Content::both(&either, &two_people("+4930999000075", "+4989999000076")),
        )
        .with_steps(vec![
            Play(vec![(0, ALAW), (1, ALAW)]),
            Play(vec![(0, ALAW), (1, ULAW)]),
            Play(vec![(0, ALAW), (1, ALAW)]),
        ])
        .says(&[
            ("Channels", "caller,callee,caller,callee"),
            ("Codec", "PCMA,PCMA,PCMU,PCMU"),
            ("PacketsReceived", "150,150,0,0"),
            ("PacketsLost", "0,0,0,0"),
        ]),
        usual(
            "eight streams",
            Content::both(
                &offer(1, &eight),
                &metadata(&[
                    ("+4930999000077", &["1", "3", "5", "7"]),
                    ("+4989999000078", &["2", "4", "6", "8"]),
                ]),
            ),
        )
        .with_steps(vec![Play((0..8).map(|index| (index, ALAW)).collect())])
        .with_sides(&[Caller, Callee, Caller, Callee, Caller, Callee, Caller, Callee])
        .says(&[
            ("Caller", "+4930999000077"),
            ("Callee", "+4989999000078"),
            ("Channels", "caller,callee,caller,callee,caller,callee,caller,callee"),
            ("PacketsReceived", "50,50,50,50,50,50,50,50"),
            ("PacketsLost", "0,0,0,0,0,0,0,0"),
        ]),
        usual(
            "a stream on port 0",
            Content::both(
                &one_off,
                &metadata(&[("+4930999000079", &["1", "2"]), ("+4989999000080", &["3"])]),
            ),
        )
        .with_steps(vec![Play(vec![(0, ALAW), (2, ALAW)])])
        .with_sides(&[Caller, Caller, Callee]),
    ]
}

/// Calls that change while they last.
fn changes() -> Vec<VendorCall> {
    let parties = |caller, callee| metadata(&[(caller, &["1"]), (callee, &["2"])]);
    let usual_two = two(["1", "2"]);
    let held = offer(2, &[stream(40_000, "8", "1"), stream(40_002, "8", "2")])
        .replace("c=IN IP4 127.0.0.1", "c=IN IP4 0.0.0.0");
    let resumed = offer(3, &[stream(40_000, "8", "1"), stream(40_002, "8", "2")]);
    let all_off = offer(2, &[stream(0, "8", "1"), stream(0, "8", "2")]);
    let three = offer(2, &[stream(40_000, "8", "1"), stream(0, "8", "2"), stream(40_004, "8", "3")]);
    vec![
        // The first stream is the callee's: only the metadata knows.
        usual("metadata by a later UPDATE", Content::sdp(&usual_two))
            .with_steps(vec![
                Play(vec![(0, ALAW), (1, ALAW)]),
                Say(
                    "UPDATE",
                    Content::metadata(&metadata(&[("+4930999000081", &["2"]), ("+4989999000082", &["1"])])),
                ),
                Play(vec![(0, ALAW), (1, ALAW)]),
            ])
            .with_sides(&[Callee, Caller])
            .says(&[
                ("Caller", "+4930999000081"),
                ("Callee", "+4989999000082"),
                ("PacketsReceived", "100,100"),
            ]),
        usual(
            "transfer to a new stream",
            Content::both(&usual_two, &parties("+4930999000083", "+4989999000084")),
        )
        .with_steps(vec![
            Play(vec![(0, ALAW), (1, ALAW)]),
            Say("INVITE", Content::both(&three, &transfer("+4989999000084", "+4989999000085", "3"))),
            // Its first packets must not overlap the old stream's last ones, which may lag a little.
            Rest,
            Play(vec![(0, ALAW), (2, ALAW)]),
        ])
        .with_sides(&[Caller, Callee, Callee])
        .says(&[
            ("Caller", "+4930999000083"),
            ("Callee", "+4989999000085"),
            ("Participant1", "caller +4930999000083"),
            ("Participant2", "callee +4989999000084"),
            ("Participant3", "callee +4989999000085"),
            ("PacketsReceived", "100,100"),
        ]),
        usual(
            "hold by port 0 for all",
            Content::both(&usual_two, &parties("+4930999000092", "+4989999000093")),
        )
        .with_steps(vec![
            Play(vec![(0, ALAW), (1, ALAW)]),
            Say("UPDATE", Content::sdp(&all_off)),
            Rest,
            Say("UPDATE", Content::sdp(&resumed)),
            Play(vec![(0, ALAW), (1, ALAW)]),
        ])
        .says(&[
            ("Caller", "+4930999000092"),
            ("PacketsReceived", "100,100"),
            ("Duration", "0:00:03.0…"),
        ]),
        usual("hold by 0.0.0.0", Content::both(&usual_two, &parties("+4930999000086", "+4989999000087")))
            .with_steps(vec![
                Play(vec![(0, ALAW), (1, ALAW)]),
                Say("INVITE", Content::sdp(&held)),
                Rest,
                Say("INVITE", Content::sdp(&resumed)),
                Play(vec![(0, ALAW), (1, ALAW)]),
            ])
            .says(&[
                ("Caller", "+4930999000086"),
                ("PacketsReceived", "100,100"),
                // The second of the hold is there, as silence.
                ("Duration", "0:00:03.0…"),
            ]),
    ]
}

/// Calls of which little is heard.
fn silence() -> Vec<VendorCall> {
    let parties =
        |caller, callee| Content::both(&two(["1", "2"]), &metadata(&[(caller, &["1"]), (callee, &["2"])]));
    vec![
        usual("one-way call", parties("+4930999000088", "+4989999000089"))
            .with_steps(vec![Play(vec![(1, ALAW)])])
            .says(&[("PacketsReceived", "0,50"), ("Gaps", "1")]),
        usual("no RTP at all", parties("+4930999000090", "+4989999000091")).with_steps(vec![]).says(&[
            ("Caller", "+4930999000090"),
            ("Callee", "+4989999000091"),
            ("PacketsReceived", "0,0"),
            ("Interrupted", "no RTP was received"),
            ("Duration", "0:00:00.000"),
        ]),
    ]
}

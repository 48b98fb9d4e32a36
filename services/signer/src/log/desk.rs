//! What people at the command line ask of the logs: a note about a deletion or an access, and how the
//! logs stand. Answered by the replica that seals.

use std::sync::Arc;

use bus::{
    subjects::{SIGNER_LOG_STATE, SIGNER_NOTE},
    with_sources,
};
use domain::{RecordingId, TenantId};
use evidence::log::{Entry, SignedCheckpoint, What, WitnessKey, words};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use wire::evidence_v1::{
    LogPlace, LogState, LogStateRequest, LogStateResponse, NoteRequest, NoteResponse,
    note_request::What as Note,
};

use crate::{
    answering,
    context::Context,
    state::{
        Held, StateError,
        log::{LogHead, source},
    },
};

/// Replicas share requests under this name; only the one that seals listens.
const QUEUE: &str = "signer";
/// What people write is cut off: an entry is a line for an auditor, not a letter.
const LONGEST_TEXT: usize = 500;
/// Bytes of the word by which an entry is asked for again.
const LONGEST_ONCE: usize = 100;

/// Answers until `stop`, or until the lease is lost.
pub(super) async fn run(context: &Arc<Context>, lease: &Held, stop: &CancellationToken) {
    let notes = answering::always("notes for the logs", stop, || {
        let (context, lease) = (context.clone(), lease.clone());
        let bus = context.bus.clone();
        let answer = move |request: NoteRequest| {
            let (context, lease) = (context.clone(), lease.clone());
            async move { note(&context, &lease, request).await }
        };
        async move { bus.serve(SIGNER_NOTE, QUEUE, stop.clone(), answer).await }
    });
    let states = answering::always("how the logs stand", stop, || {
        let (context, bus) = (context.clone(), context.bus.clone());
        let answer = move |request: LogStateRequest| {
            let context = context.clone();
            async move { state(&context, &request).await }
        };
        async move { bus.serve(SIGNER_LOG_STATE, QUEUE, stop.clone(), answer).await }
    });
    tokio::join!(notes, states);
}

async fn note(context: &Context, lease: &Held, request: NoteRequest) -> NoteResponse {
    let refused = |problem: String| NoteResponse { problem, place: None };
    let (tenant, entry, source) = match entry(request) {
        Ok(read) => read,
        Err(problem) => return refused(problem.to_owned()),
    };
    match context.state.log_head(&tenant).await {
        Ok(Some(_)) => {}
        Ok(None) => return refused(format!("tenant {tenant} has no log: nothing of it was ever recorded")),
        Err(error) => return refused(with_sources(&error)),
    }
    match context.state.commit_entries(lease, &tenant, &[(entry, source)]).await {
        Ok(numbers) => {
            context.logs.grown.notify_one();
            let place = LogPlace { tenant: tenant.to_string(), index: numbers.first().copied().unwrap_or(0) };
            NoteResponse { problem: String::new(), place: Some(place) }
        }
        Err(StateError::Fenced(_)) => refused("another replica seals now: try again".to_owned()),
        Err(error) => refused(with_sources(&error)),
    }
}

/// The entry that is asked for.
fn entry(request: NoteRequest) -> Result<(TenantId, Entry, String), &'static str> {
    let tenant: TenantId = request.tenant.parse().map_err(|_| "this is no name of a tenant")?;
    let recording: RecordingId = request.recording_id.parse().map_err(|_| "this is no id of a recording")?;
    let at = Timestamp::now();
    let once = request.once;
    if once.len() > LONGEST_ONCE {
        return Err("the word by which it is asked again is too long");
    }
    let source = |what: &str, by: &str| match once.as_str() {
        "" => source::told(what, &recording, at.as_microsecond(), by),
        once => source::told_once(what, &recording, once),
    };
    let said =
        |text: String| (!text.trim().is_empty() && text.chars().count() <= LONGEST_TEXT).then_some(text);
    let public = |text: &str| words::look_at(text).map_err(|found| found.as_str());
    let (what, source) = match request.what.ok_or("it is not said what happened")? {
        Note::Deletion(deletion) => {
            let reason = said(deletion.reason).ok_or("a reason of at most 500 characters is needed")?;
            let by = said(deletion.by).ok_or("it is not said (in at most 500 characters) who did it")?;
            if !deletion.targets.iter().all(|name| name.parse::<domain::ResourceName>().is_ok()) {
                return Err("the name of a target is not valid");
            }
            public(&reason)?;
            public(&by)?;
            let source = source("deleted", &by);
            (What::Deleted { recording, targets: deletion.targets, reason, by }, source)
        }
        Note::Access(access) => {
            let how = access.how.parse().map_err(|_| "an access is \"played\" or \"exported\"")?;
            let by = said(access.by).ok_or("it is not said (in at most 500 characters) who did it")?;
            public(&by)?;
            let source = source(&access.how, &by);
            (What::Accessed { recording, how, by }, source)
        }
    };
    Ok((tenant.clone(), Entry { at, tenant, what }, source))
}

async fn state(context: &Context, request: &LogStateRequest) -> LogStateResponse {
    let heads = match context.state.logs().await {
        Ok(heads) => heads,
        Err(error) => {
            tracing::error!(error = with_sources(&error), "the state of the logs cannot be read");
            return LogStateResponse::default();
        }
    };
    let mut logs = Vec::new();
    for head in heads {
        if request.tenant.is_empty() || head.tenant.as_str() == request.tenant {
            logs.push(one(context, head).await);
        }
    }
    LogStateResponse { logs }
}

async fn one(context: &Context, head: LogHead) -> LogState {
    let last = context.state.last_checkpoint(&head.tenant).await.ok().flatten();
    let trouble = context.logs.troubles.of(&head.tenant).filter(|_| head.halted.is_empty());
    let trouble = trouble.map(|trouble| trouble.to_string());
    let wanted = context.logs.wishes_of(&head.tenant).witnesses.members;
    let keys: Vec<WitnessKey> =
        wanted.iter().filter_map(|witness| WitnessKey::parse(&witness.key).ok()).collect();
    let signed = last.as_ref().and_then(|last| SignedCheckpoint::parse(&last.note).ok());
    let cosigned_by = signed.map(|signed| signed.cosigned_by(&keys)).unwrap_or_default();
    LogState {
        tenant: head.tenant.to_string(),
        size: head.size(),
        origin: head.origin,
        checkpoint_size: last.as_ref().map_or(0, |last| last.size),
        checkpoint_unix_ms: last.as_ref().map_or(0, |last| last.at_ms),
        cosigned_by: cosigned_by.into_iter().map(|(name, _)| name).collect(),
        halted: trouble.unwrap_or(head.halted),
    }
}

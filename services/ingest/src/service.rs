//! Puts ingest together, runs it, and drains it.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use bus::{Bus, CallPublisher, CallPublisherOptions, Pressure};
use nix::sys::{
    prctl,
    resource::{Resource, setrlimit},
};
use runtime::Service;
use tokio::sync::oneshot;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    Options,
    call::{CallOptions, Calls, budget::Budget},
    consent::{ConsentCalls, library::Library, pacer::Pacer},
    media::{Media, MediaOptions},
    metrics::Metrics,
    srs::{Srs, SrsOptions, listen},
};

const SWEEP_EVERY: Duration = Duration::from_millis(100);
/// What calls need to say goodbye once they are told to end, and the bus to take it.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Where ingest can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Started {
    /// SIP over UDP.
    pub sip_udp: SocketAddr,
    /// SIP over TCP.
    pub sip_tcp: SocketAddr,
}

/// Runs ingest until the service's shutdown and the drain after it. `started` is told the addresses
/// as soon as a call can be taken.
///
/// # Errors
/// It cannot start: an address is in use, the configuration folder or the spool cannot be opened.
pub async fn run(
    options: Options,
    bus: Bus,
    service: Service,
    started: Option<oneshot::Sender<Started>>,
) -> anyhow::Result<()> {
    keep_memory_private();
    let shutdown = service.shutdown();
    // The spool and SIP live on while calls are drained.
    let stop = CancellationToken::new();
    let _stop_with_us = stop.clone().drop_guard();
    let metrics = Metrics::register(service.registry()).context("register metrics")?;
    let resources = config::watch(&options.config, stop.clone()).context("configuration")?;
    let listening =
        listen::bind(options.sip).with_context(|| format!("cannot listen for SIP on {}", options.sip))?;
    let address = listening.address;

    let publisher_options = CallPublisherOptions {
        spool_max_bytes: options.spool_max_bytes,
        ..CallPublisherOptions::new(options.node.clone(), &options.spool)
    };
    let publisher =
        CallPublisher::start(bus.clone(), publisher_options, stop.clone()).await.context("spool")?;
    let media_options = MediaOptions {
        bind: options.sip.ip(),
        ports: options.rtp_ports.clone(),
        cool_down: options.port_cooldown,
        threads: options.media_threads,
        sweep_every: SWEEP_EVERY,
    };
    let calls = Arc::new(Calls {
        bus: bus.clone(),
        publisher: publisher.clone(),
        media: Media::start(media_options, &metrics).context("start the media threads")?,
        budget: Budget::new(
            options.memory_per_call,
            options.memory_per_node,
            metrics.undecided_bytes.clone(),
        ),
        metrics,
        options: CallOptions { silence: options.silence_timeout, decision: options.decision_timeout },
        tasks: TaskTracker::new(),
        closing: CancellationToken::new(),
    });
    let consent_calls = Arc::new(ConsentCalls {
        bus: bus.clone(),
        library: Library::default(),
        pacer: Pacer::start(calls.metrics.announcement_packets_late.clone())
            .context("start the thread for announcements")?,
        metrics: calls.metrics.clone(),
    });
    let srs_options = SrsOptions { advertise: options.advertise, t1: options.sip_t1 };
    let in_force = Arc::new(move || resources.current());
    let srs =
        Srs::start(listening, calls.clone(), consent_calls, in_force, srs_options, stop.clone()).await?;
    tracing::info!(sip = %address, rtp_ports = %options.rtp_ports, node = %options.node, epoch = %publisher.epoch(), "taking calls");
    if let Some(started) = started {
        // Nobody waits for it any more: not our concern.
        let _ = started.send(Started { sip_udp: address, sip_tcp: address });
    }

    let room = service.condition("spool");
    let taking = service.condition("taking calls");
    taking.set_ok();
    let mut look = tokio::time::interval(Duration::from_millis(500));
    while !shutdown.is_cancelled() {
        match publisher.pressure() {
            Pressure::Full => room.set_failed("the spool is nearly full: new calls are refused"),
            Pressure::Normal | Pressure::Spooling => room.set_ok(),
        }
        tokio::select! {
            _ = look.tick() => {}
            () = shutdown.cancelled() => {}
            () = srs.broken() => anyhow::bail!("the SIP stack stopped by itself: please report this as a bug"),
        }
    }
    taking.set_failed("draining");
    drain(&srs, &calls, options.grace).await;
    let _ = tokio::time::timeout(LAST_WORDS, publisher.drained()).await;
    Ok(())
}

/// New calls go elsewhere, live ones may finish; what still lives after `grace` is ended properly.
async fn drain(srs: &Srs, calls: &Calls, grace: Duration) {
    srs.drain();
    calls.tasks.close();
    if tokio::time::timeout(grace, calls.tasks.wait()).await.is_ok() {
        return;
    }
    tracing::warn!(calls = calls.metrics.calls_live.get(), "live calls are ended: the grace time is over");
    calls.closing.cancel();
    let _ = tokio::time::timeout(LAST_WORDS, calls.tasks.wait()).await;
}

/// Undecided audio is in this process' memory: a crash must not write it to a disk. The limit alone
/// does not count where the kernel pipes core dumps to a program, such as systemd-coredump (core(5)).
fn keep_memory_private() {
    let limited = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    if let Err(error) = limited.and(prctl::set_dumpable(false)) {
        tracing::warn!(%error, "core dumps could not be switched off");
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::resource::getrlimit;

    use super::*;

    #[test]
    fn a_crash_leaves_no_core_dump_whoever_collects_them() {
        keep_memory_private();
        assert_eq!(getrlimit(Resource::RLIMIT_CORE).unwrap(), (0, 0));
        assert!(!prctl::get_dumpable().unwrap());
    }
}

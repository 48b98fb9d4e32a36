//! A running world with what a test looks through: the API, the events, the archive.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context, ensure};
use bus::{Bus, BusOptions};
use futures::StreamExt;
use harness::{
    programs,
    recordings::{self, Recording},
    wait,
    world::World,
};
use serde_json::Value;
use wire::event_v1::{Decided, Event, event::What};

use super::{PATIENCE, api::Api, tenant};

/// All that a test has.
pub struct Scene {
    pub world: World,
    pub api: Api,
    pub events: Events,
    dir: tempfile::TempDir,
}

impl Scene {
    /// Starts NATS and five processes over these resources, and waits until the API answers.
    pub async fn start(resources: impl FnOnce(&Path) -> String) -> anyhow::Result<Self> {
        Self::start_with(resources, &[]).await
    }

    /// The same with further arguments for some services.
    pub async fn start_with(
        resources: impl FnOnce(&Path) -> String,
        extra: &[(&'static str, &str)],
    ) -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        let world = World::start_with(dir.path(), &resources(dir.path()), extra).await?;
        let port = world.installation.http_port("rules-api")?;
        let base = format!("http://127.0.0.1:{port}/v1/tenants/acme");
        let api = Api { base, token: tenant::TOKEN };
        let events = Events::of(world.installation.ports.nats).await?;
        Ok(Self { world, api, events, dir })
    }

    /// Where SIP is taken.
    pub fn srs(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.world.installation.ports.sip).into()
    }

    /// A path below the world's folder.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.dir.path().join(relative)
    }

    /// Waits for the recordings of a call, as many as there are to be, and checks each by plain tools.
    pub async fn recordings(
        &self,
        archive: &str,
        call_id: &str,
        count: usize,
    ) -> anyhow::Result<Vec<Recording>> {
        let of_call = |recording: &Recording| recording.info().is_ok_and(|info| info["CallId"] == call_id);
        let found = || -> Option<Vec<Recording>> {
            Some(recordings::find(&self.path(archive)).ok()?.into_iter().filter(of_call).collect())
        };
        let found = wait::until(&format!("{count} recordings of {call_id}"), PATIENCE, async || {
            found().filter(|found| found.len() >= count)
        })
        .await
        .with_context(|| self.world.logs())?;
        ensure!(found.len() == count, "{} recordings of {call_id}", found.len());
        let certificate = self.world.installation.path("data/callseal.pem");
        for recording in &found {
            recording.check_with_plain_tools(&certificate).with_context(|| call_id.to_owned())?;
        }
        Ok(found)
    }

    /// The only recording of a call.
    pub async fn recording(&self, archive: &str, call_id: &str) -> anyhow::Result<Recording> {
        self.recordings(archive, call_id, 1).await?.pop().context("no recording")
    }

    /// Call ids of all recordings below a folder.
    pub fn call_ids(&self, archive: &str) -> anyhow::Result<Vec<String>> {
        let found = recordings::find(&self.path(archive))?;
        found.iter().map(|recording| Ok(recording.info()?["CallId"].clone())).collect()
    }

    /// Waits until each of these calls is over at ingest, so that whatever it left is there.
    pub async fn over<'a>(&self, call_ids: impl IntoIterator<Item = &'a str>) -> anyhow::Result<()> {
        for call_id in call_ids {
            self.events.until(call_id, |what| matches!(what, What::Ended(_)).then_some(())).await?;
        }
        Ok(())
    }

    /// What `callseal verify` says of an archive, all of which is good.
    pub fn verified(&self, archive: &str) -> anyhow::Result<String> {
        let mut verify = std::process::Command::new(programs::own("callseal")?);
        let certificate = self.world.installation.path("data/callseal.pem");
        verify.arg("verify").arg(self.path(archive)).arg("--certificate").arg(certificate);
        let output = verify.output()?;
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        ensure!(output.status.success(), "{said}");
        Ok(said)
    }

    /// Kills a service or `nats` and starts it again.
    pub async fn kill_and_restart(&mut self, name: &str) -> anyhow::Result<()> {
        self.world.kill(name)?;
        if name == "nats" {
            return self.world.start_nats().await;
        }
        self.world.start_service(name)?;
        self.world.wait_until_ready(name).await
    }
}

/// `_journal.json` of a recording.
pub fn journal(recording: &Recording) -> anyhow::Result<Value> {
    Ok(serde_json::from_slice(&std::fs::read(recording.file("_journal.json"))?)?)
}

/// Everything that happened.
pub struct Events {
    seen: Arc<Mutex<Vec<Event>>>,
    // Events come as long as it is there.
    _bus: Bus,
}

impl Events {
    async fn of(nats_port: u16) -> anyhow::Result<Self> {
        let bus = Bus::connect(BusOptions::new(format!("nats://127.0.0.1:{nats_port}"), "test")).await?;
        let mut coming = bus.events_from_now(None).await?;
        let seen = Arc::<Mutex<Vec<_>>>::default();
        let noting = seen.clone();
        tokio::spawn(async move {
            while let Some(event) = coming.next().await {
                noting.lock().unwrap_or_else(PoisonError::into_inner).push(event);
            }
        });
        Ok(Self { seen, _bus: bus })
    }

    /// Everything that was said of a call so far: of its recordings, joined to it by their first event,
    /// and of the call itself.
    pub fn of_call(&self, call_id: &str) -> Vec<What> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let names = |event: &&Event| match &event.what {
            Some(What::Ringing(ringing)) => ringing.call_id == call_id,
            _ => false,
        };
        let recordings: Vec<&str> = seen.iter().filter(names).map(|e| e.recording_id.as_str()).collect();
        let is_of_call = |event: &&Event| match &event.what {
            Some(What::ConsentAnswered(answered)) => answered.call_id == call_id,
            _ => recordings.contains(&event.recording_id.as_str()),
        };
        seen.iter().filter(is_of_call).filter_map(|event| event.what.clone()).collect()
    }

    /// Waits for an event of a call from which `pick` takes something.
    pub async fn until<T>(&self, call_id: &str, pick: impl Fn(What) -> Option<T>) -> anyhow::Result<T> {
        wait::until(&format!("an event of {call_id}"), PATIENCE, async || {
            self.of_call(call_id).into_iter().find_map(&pick)
        })
        .await
        .with_context(|| format!("{:#?}", self.of_call(call_id)))
    }

    /// What was decided about a call at last: not that somebody is to be asked.
    pub async fn decided(&self, call_id: &str) -> anyhow::Result<Decided> {
        let settled = |what| match what {
            What::Decided(decided) if !decided.asks_consent => Some(decided),
            _ => None,
        };
        self.until(call_id, settled).await
    }
}

//! NATS and the five services, each a process of its own, running over one folder; any of them can
//! be killed and started again.

use std::{collections::BTreeMap, path::Path, process::ExitStatus, time::Duration};

use anyhow::Context;

use crate::{
    installation::{Installation, SERVICES, http_get},
    process::Process,
    wait,
};

/// A running installation. Everything in it is killed when it is dropped.
pub struct World {
    /// Folder, ports, configuration.
    pub installation: Installation,
    running: BTreeMap<String, Process>,
}

impl World {
    /// Prepares the folder, makes the key, starts everything, waits until all are ready.
    ///
    /// # Errors
    /// A program is missing or does not become ready.
    pub async fn start(dir: &Path, resources: &str) -> anyhow::Result<Self> {
        Self::start_with(dir, resources, &[]).await
    }

    /// The same, with further arguments for some services: `("signer", "--lease=2")`.
    ///
    /// # Errors
    /// A program is missing or does not become ready.
    pub async fn start_with(
        dir: &Path,
        resources: &str,
        extra: &[(&'static str, &str)],
    ) -> anyhow::Result<Self> {
        let mut installation = Installation::new(dir, resources)?;
        installation.extra = extra.iter().map(|(service, words)| (*service, (*words).to_owned())).collect();
        installation.make_key()?;
        let mut world = Self { installation, running: BTreeMap::new() };
        world.start_nats().await?;
        for service in SERVICES {
            world.start_service(service)?;
        }
        for service in SERVICES {
            world.wait_until_ready(service).await?;
        }
        Ok(world)
    }

    /// Starts NATS (again).
    ///
    /// # Errors
    /// It does not answer.
    pub async fn start_nats(&mut self) -> anyhow::Result<()> {
        let nats = self.installation.start_nats().await?;
        self.running.insert("nats".to_owned(), nats);
        Ok(())
    }

    /// Starts a service (again).
    ///
    /// # Errors
    /// It is not built.
    pub fn start_service(&mut self, service: &str) -> anyhow::Result<()> {
        let process = self.installation.start_service(service)?;
        self.running.insert(service.to_owned(), process);
        Ok(())
    }

    /// Starts one more replica of a service.
    ///
    /// # Errors
    /// It is not built.
    pub fn start_replica(&mut self, service: &str, name: &str, arguments: &[String]) -> anyhow::Result<()> {
        let process = self.installation.start_replica(service, name, arguments)?;
        self.running.insert(name.to_owned(), process);
        Ok(())
    }

    /// Waits until a process that was started says that it is ready.
    ///
    /// # Errors
    /// It does not within a minute.
    pub async fn wait_until_ready(&self, name: &str) -> anyhow::Result<()> {
        self.installation.wait_until_ready(name, self.process(name)?).await
    }

    /// `kill -9` for a service or for `nats`.
    ///
    /// # Errors
    /// It does not run.
    pub fn kill(&mut self, name: &str) -> anyhow::Result<()> {
        self.running.remove(name).with_context(|| format!("{name} does not run"))?.kill_hard()
    }

    /// A running process.
    ///
    /// # Errors
    /// It does not run.
    pub fn process(&self, name: &str) -> anyhow::Result<&Process> {
        self.running.get(name).with_context(|| format!("{name} does not run"))
    }

    /// Waits until a service says at `/readyz` that it is not ready, in these words.
    ///
    /// # Errors
    /// It does not within a minute.
    pub async fn wait_until_not_ready(&self, name: &str, why: &str) -> anyhow::Result<()> {
        let port = self.installation.http_port(name)?;
        wait::until(&format!("{name} to say: {why}"), Duration::from_secs(60), || async move {
            let (status, said) = http_get(port, "/readyz").await.ok()?;
            (status == 503 && said.contains(why)).then_some(())
        })
        .await
    }

    /// Waits until a process that was started to fail has done so.
    ///
    /// # Errors
    /// It still runs after `deadline`.
    pub async fn wait_until_ended(&mut self, name: &str, deadline: Duration) -> anyhow::Result<ExitStatus> {
        let mut process = self.running.remove(name).with_context(|| format!("{name} does not run"))?;
        let ended = wait::until(&format!("{name} to end"), deadline, || {
            let ended = process.ended();
            async move { ended.ok().flatten() }
        })
        .await;
        ended.with_context(|| process.output())
    }

    /// Waits until a process has printed a line that holds all of `words`, and returns it.
    ///
    /// # Errors
    /// It does not within `deadline`; the text holds what it printed.
    pub async fn wait_until_says(
        &self,
        name: &str,
        words: &[&str],
        deadline: Duration,
    ) -> anyhow::Result<String> {
        let process = self.process(name)?;
        wait::until(&format!("{name} to say {words:?}"), deadline, || async {
            let output = process.output();
            let line = output.lines().find(|line| words.iter().all(|word| line.contains(word)));
            line.map(str::to_owned)
        })
        .await
        .with_context(|| process.output())
    }

    /// Waits until a metric of a service or replica is as `is_good` wants it.
    ///
    /// # Errors
    /// It is not within `deadline`.
    pub async fn wait_for_metric(
        &self,
        name: &str,
        metric: &str,
        deadline: Duration,
        is_good: impl Fn(f64) -> bool,
    ) -> anyhow::Result<()> {
        let port = self.installation.http_port(name)?;
        let is_good = &is_good;
        wait::until(&format!("{metric} of {name}"), deadline, || async move {
            let (_, page) = http_get(port, "/metrics").await.ok()?;
            let line = page.lines().find(|line| line.starts_with(metric))?;
            let value = line.rsplit(' ').next()?.parse().ok()?;
            is_good(value).then_some(())
        })
        .await
    }

    /// What all processes have printed, each line behind its name: for a test that fails, and for one
    /// that looks for what must not be there.
    pub fn logs(&self) -> String {
        let logs = std::fs::read_dir(self.installation.path("logs")).into_iter().flatten().flatten();
        logs.filter_map(|entry| {
            let text = std::fs::read(entry.path()).ok()?;
            Some(format!("--- {}\n{}\n", entry.file_name().to_string_lossy(), String::from_utf8_lossy(&text)))
        })
        .collect()
    }
}

//! A leg of a call as rules sees it: a peer on the bus that answers as ingest does.

use std::time::Duration;

use bus::{Bus, subjects};
use domain::{CallFacts, Class, Recorded};
use tokio::{sync::mpsc, task::AbortHandle};
use wire::{
    call_v1,
    rules_v1::{CallControl, CallControlled, CallStanding, call_control::What},
};

use crate::setup::PATIENCE;

/// A live leg. It ends when it is dropped.
pub struct Leg {
    pub recording_id: String,
    wishes: mpsc::UnboundedReceiver<What>,
    task: AbortHandle,
}

impl Drop for Leg {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Leg {
    /// A leg that is not recorded.
    pub async fn answers(bus: &Bus, facts: CallFacts) -> Self {
        Self::stands(bus, facts, CallStanding::NotRecorded, None, Duration::ZERO).await
    }

    /// A leg that is recorded in this class, by a rule called "advice".
    pub async fn recorded(bus: &Bus, facts: CallFacts, class: Class) -> Self {
        Self::stands(bus, facts, CallStanding::Recorded, Some(class), Duration::ZERO).await
    }

    /// The same on a node that has much to do: it answers `late` by so much.
    pub async fn recorded_late(bus: &Bus, facts: CallFacts, class: Class, late: Duration) -> Self {
        Self::stands(bus, facts, CallStanding::Recorded, Some(class), late).await
    }

    /// A leg that was recorded in this class until it was stopped.
    pub async fn stopped(bus: &Bus, facts: CallFacts, class: Class) -> Self {
        Self::stands(bus, facts, CallStanding::Stopped, Some(class), Duration::ZERO).await
    }

    async fn stands(
        bus: &Bus,
        facts: CallFacts,
        standing: CallStanding,
        class: Option<Class>,
        late: Duration,
    ) -> Self {
        let recording_id = domain::RecordingId::new().to_string();
        let (wished, wishes) = mpsc::unbounded_channel();
        let mut state = CallControlled {
            recording_id: recording_id.clone(),
            facts: Some((&facts).into()),
            standing: standing.into(),
            recorded: class.map(recorded),
            error: String::new(),
        };
        let subject = subjects::control(&facts.tenant, &facts.call_id);
        let mut requests = bus.listen::<CallControl>(subject.clone());
        let task = tokio::spawn(async move {
            loop {
                let asked = requests.next().await;
                let only = &asked.request.recording_id;
                if !only.is_empty() && *only != state.recording_id {
                    continue;
                }
                let what = asked.request.what.clone().unwrap();
                tokio::time::sleep(late).await;
                obey(&mut state, &what);
                asked.answer(&state).await;
                if !matches!(what, What::Describe(_)) {
                    let _ = wished.send(what);
                }
            }
        });
        let leg = Self { recording_id, wishes, task: task.abort_handle() };
        // Heard by NATS: from now on nothing is missed.
        let describe = CallControl {
            what: Some(What::Describe(Default::default())),
            recording_id: leg.recording_id.clone(),
        };
        // Another leg of the call may listen already, and does not answer for this one.
        let asked = async || {
            let at_once = late + Duration::from_millis(500);
            bus.ask_all::<_, CallControlled>(&subject, &describe, at_once, Duration::ZERO).await.ok()
        };
        harness::wait::until("the leg to listen", PATIENCE, asked).await.unwrap();
        leg
    }

    /// The next thing that the leg was told.
    pub async fn next_wish(&mut self) -> What {
        tokio::time::timeout(PATIENCE, self.wishes.recv()).await.expect("a wish in time").unwrap()
    }

    /// Whether it was told anything by now.
    pub fn was_told(&mut self) -> bool {
        self.wishes.try_recv().is_ok()
    }
}

fn recorded(class: Class) -> call_v1::Recorded {
    (&Recorded {
        rule: "advice".parse().unwrap(),
        class,
        channels: domain::Channels::Stereo,
        targets: Vec::new(),
        journals: Vec::new(),
        consent: None,
        stop_keys: None,
    })
        .into()
}

fn obey(state: &mut CallControlled, what: &What) {
    match what {
        What::Stop(_) => state.set_standing(CallStanding::Stopped),
        What::Start(start) => {
            state.recorded = start.decision.as_ref().and_then(|decision| decision.recorded.clone());
            state.set_standing(CallStanding::Recorded);
        }
        What::Describe(_) | What::DecideAgain(_) => {}
    }
}

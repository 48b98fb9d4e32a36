//! How long it takes until what the PBX tells is known everywhere: two replicas of rules, a real
//! NATS that syncs every write, gRPC over loopback. Prints medians and maxima; judges nothing.

use std::time::{Duration, Instant};

use bus::{
    Bus, BusOptions,
    server::{NatsServer, find_program},
    subjects::RULES_DECIDE,
};
use callseal_rules::{ApiAddress, Options, Rules};
use domain::{CallFacts, Override, Party};
use runtime::Service;
use tonic::{Request, transport::Channel};
use wire::{
    control_v1::{
        ListMembershipsRequest, SetMembershipRequest, SetOverrideRequest,
        control_service_client::ControlServiceClient,
    },
    rules_v1::{DecideRequest, DecideResponse},
};

const ROUNDS: usize = 200;
const TOKEN: &str = "0123456789abcdef-acme";
const RESOURCES: &str = r#"
apiVersion: callseal.io/v1alpha1
kind: Tenant
metadata: {name: acme}
spec: {country: DE, api: {tokens: [{secretRef: {name: api, key: token}}]}}
---
apiVersion: callseal.io/v1alpha1
kind: Secret
metadata: {name: api}
stringData: {token: 0123456789abcdef-acme}
---
apiVersion: callseal.io/v1alpha1
kind: Directory
metadata: {name: staff}
spec:
  users: {erika: {identities: ["22"]}}
  groups: {desk: {numbers: ["500"], members: [erika]}}
---
apiVersion: callseal.io/v1alpha1
kind: RecordingRule
metadata: {name: desk}
spec: {profile: legalDuty, scope: {groups: [desk]}, directions: [out]}
"#;

type Client = ControlServiceClient<Channel>;

fn main() -> anyhow::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(measure())
}

async fn measure() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let config = folder.path().join("config");
    std::fs::create_dir(&config)?;
    std::fs::write(config.join("resources.yaml"), RESOURCES)?;
    let nats = NatsServer::start(&find_program()?, &folder.path().join("nats"), None)?;
    let small = BusOptions { calls_max_bytes: 1 << 20, ..BusOptions::new(nats.url(), "bench") };
    let asking = Bus::connect(small).await?;
    asking.ensure_streams().await?;
    let mut clients = Vec::new();
    for name in ["here", "there"] {
        let service = Service::new("rules");
        let options = Options {
            config: config.clone(),
            vault_key: config.join("vault.key"),
            api: ApiAddress(Some("127.0.0.1:0".parse()?)),
        };
        let bus = Bus::connect(BusOptions::new(nats.url(), name)).await?;
        let rules = Rules::start(options, bus, service.clone()).await?;
        let address = rules.api_address().ok_or_else(|| anyhow::anyhow!("no API"))?;
        tokio::spawn(rules.run());
        let ready = async || service.health().ready().ok();
        harness::wait::until("rules to be ready", Duration::from_secs(60), ready).await?;
        clients.push(Client::new(Channel::from_shared(format!("http://{address}"))?.connect().await?));
    }
    let [here, there] = &mut clients[..] else { anyhow::bail!("two clients") };

    let (mut kept, mut known, mut decided) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let active = round % 2 == 1;
        let begun = Instant::now();
        set_membership(here, active).await?;
        kept.push(begun.elapsed());
        while is_active(there).await? != active {}
        known.push(begun.elapsed());
        let begun = Instant::now();
        set_override(here, &format!("{round}@pbx")).await?;
        let answer = decide(&asking, &format!("{round}@pbx")).await?;
        decided.push(begun.elapsed());
        anyhow::ensure!(answer.decision.is_some_and(|decision| decision.recorded.is_none()), "it was denied");
    }
    println!("{ROUNDS} changes, 2 replicas of rules, NATS with sync_interval always, loopback");
    print("membership: told until kept and in force here", kept);
    print("membership: told until another replica shows it", known);
    print("override: told, then a call decided by it", decided);
    Ok(())
}

fn print(what: &str, mut times: Vec<Duration>) {
    times.sort();
    println!("{what:50} median {:?}, longest {:?}", times[times.len() / 2], times[times.len() - 1]);
}

fn with_token<T>(message: T) -> anyhow::Result<Request<T>> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {TOKEN}").parse()?);
    Ok(request)
}

async fn set_membership(client: &mut Client, active: bool) -> anyhow::Result<()> {
    let (tenant, group, user) = ("acme".into(), "desk".into(), "erika".into());
    let request = SetMembershipRequest { tenant, group, user, active: Some(active) };
    client.set_membership(with_token(request)?).await?;
    Ok(())
}

async fn is_active(client: &mut Client) -> anyhow::Result<bool> {
    let request = ListMembershipsRequest { tenant: "acme".into(), group: "desk".into() };
    let list = client.list_memberships(with_token(request)?).await?.into_inner();
    Ok(list.members.iter().any(|member| member.active))
}

async fn set_override(client: &mut Client, call_id: &str) -> anyhow::Result<()> {
    let request =
        SetOverrideRequest { tenant: "acme".into(), call_id: call_id.into(), r#override: "deny".into() };
    client.set_override(with_token(request)?).await?;
    Ok(())
}

async fn decide(bus: &Bus, call_id: &str) -> anyhow::Result<DecideResponse> {
    let facts = CallFacts {
        tenant: "acme".parse()?,
        call_id: call_id.into(),
        direction: None,
        caller: Party { number: "22".into(), ..Party::default() },
        callee: Party { number: "+4922198765".into(), ..Party::default() },
        override_by_pbx: Override::Auto,
    };
    let request = DecideRequest { recording_id: String::new(), facts: Some((&facts).into()) };
    Ok(bus.request(RULES_DECIDE, &request, Duration::from_secs(10)).await?)
}

//! The same over gRPC.

use tonic::{Code, Request, transport::Channel};
use wire::control_v1::{
    GetConsentRequest, ListMembershipsRequest, SetConsentRequest, SetMembershipRequest, SetOverrideRequest,
    StartRecordingRequest, control_service_client::ControlServiceClient,
};

use crate::setup::*;

impl World {
    async fn grpc(&self) -> ControlServiceClient<Channel> {
        let url = format!("http://{}", self.replicas[0].api);
        ControlServiceClient::new(Channel::from_shared(url).unwrap().connect().await.unwrap())
    }
}

fn with_token<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {TOKEN}").parse().unwrap());
    request
}

#[tokio::test(flavor = "multi_thread")]
async fn grpc_means_the_same_as_http() {
    let world = World::start().await;
    let mut client = world.grpc().await;
    let (tenant, call_id) = ("acme".to_owned(), "1@pbx".to_owned());

    let (group, user) = ("desk".to_owned(), "22".to_owned());
    let off =
        SetMembershipRequest { tenant: tenant.clone(), group: group.clone(), user, active: Some(false) };
    let set = client.set_membership(with_token(off)).await.unwrap().into_inner();
    assert_eq!(set.membership.unwrap().user, "erika");
    assert!(world.decide(&outbound("22", "1@pbx")).await.recorded.is_none());
    let list =
        client.list_memberships(with_token(ListMembershipsRequest { tenant: tenant.clone(), group })).await;
    let (_, http) = world.api("GET", "groups/desk/members", "").await;
    assert_eq!(serde_json::to_string(&list.unwrap().into_inner()).unwrap(), http);

    let outcome = "granted".to_owned();
    let granted =
        SetConsentRequest { tenant: tenant.clone(), call_id: call_id.clone(), outcome, ..Default::default() };
    assert!(client.set_consent(with_token(granted)).await.unwrap().into_inner().permits);
    let asked = GetConsentRequest { tenant, call_id };
    let consent = client.get_consent(with_token(asked)).await.unwrap().into_inner();
    let (_, http) = world.api("GET", "calls/1%40pbx/consent", "").await;
    assert_eq!(serde_json::to_string(&consent).unwrap(), http);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn grpc_refuses_with_the_codes_and_the_sentences() {
    let world = World::start().await;
    let mut client = world.grpc().await;
    let deny = SetOverrideRequest { tenant: "acme".into(), call_id: "1".into(), r#override: "deny".into() };
    let stranger = client.set_override(deny.clone()).await.unwrap_err();
    assert_eq!(stranger.code(), Code::Unauthenticated);
    let other = SetOverrideRequest { tenant: "globex".into(), ..deny.clone() };
    let other = client.set_override(with_token(other)).await.unwrap_err();
    assert_eq!((other.code(), other.message()), (Code::Unauthenticated, stranger.message()));
    let never = SetOverrideRequest { r#override: "never".into(), ..deny };
    assert_eq!(client.set_override(with_token(never)).await.unwrap_err().code(), Code::InvalidArgument);
    let nowhere =
        StartRecordingRequest { tenant: "acme".into(), call_id: "nowhere".into(), user: "karl".into() };
    assert_eq!(client.start_recording(with_token(nowhere)).await.unwrap_err().code(), Code::NotFound);
    world.stop().await;
}

//! The API over gRPC: `callseal.control.v1.ControlService`.

use axum::Router;
use tonic::{Request, Response, Status};
use wire::control_v1::{
    GetConsentRequest, GetConsentResponse, GetOverrideRequest, GetOverrideResponse, ListMembershipsRequest,
    ListMembershipsResponse, PressPhoneButtonRequest, PressPhoneButtonResponse, SetConsentRequest,
    SetConsentResponse, SetMembershipRequest, SetMembershipResponse, SetOverrideRequest, SetOverrideResponse,
    StartRecordingRequest, StartRecordingResponse, StopRecordingRequest, StopRecordingResponse,
    control_service_server::{ControlService, ControlServiceServer},
};

use super::{ControlApi, Operation, auth};

/// As over HTTP.
const MAX_MESSAGE: usize = 16 << 10;

/// The service's methods as routes, to be merged with others.
pub(crate) fn routes(api: ControlApi) -> Router {
    let service = ControlServiceServer::new(api).max_decoding_message_size(MAX_MESSAGE);
    Router::new().route_service("/callseal.control.v1.ControlService/{method}", service)
}

impl ControlApi {
    async fn over_grpc<O: Operation>(&self, request: Request<O>) -> Result<Response<O::Answer>, Status> {
        let (metadata, _, operation) = request.into_parts();
        let header = metadata.get("authorization").and_then(|header| header.to_str().ok());
        let answer = self.perform(operation, header.and_then(auth::bearer), "grpc").await?;
        Ok(Response::new(answer))
    }
}

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl ControlService for ControlApi {
    async fn set_membership(&self, request: Request<SetMembershipRequest>) -> Answer<SetMembershipResponse> {
        self.over_grpc(request).await
    }

    async fn list_memberships(
        &self,
        request: Request<ListMembershipsRequest>,
    ) -> Answer<ListMembershipsResponse> {
        self.over_grpc(request).await
    }

    async fn set_override(&self, request: Request<SetOverrideRequest>) -> Answer<SetOverrideResponse> {
        self.over_grpc(request).await
    }

    async fn get_override(&self, request: Request<GetOverrideRequest>) -> Answer<GetOverrideResponse> {
        self.over_grpc(request).await
    }

    async fn set_consent(&self, request: Request<SetConsentRequest>) -> Answer<SetConsentResponse> {
        self.over_grpc(request).await
    }

    async fn get_consent(&self, request: Request<GetConsentRequest>) -> Answer<GetConsentResponse> {
        self.over_grpc(request).await
    }

    async fn start_recording(
        &self,
        request: Request<StartRecordingRequest>,
    ) -> Answer<StartRecordingResponse> {
        self.over_grpc(request).await
    }

    async fn stop_recording(&self, request: Request<StopRecordingRequest>) -> Answer<StopRecordingResponse> {
        self.over_grpc(request).await
    }

    async fn press_phone_button(
        &self,
        request: Request<PressPhoneButtonRequest>,
    ) -> Answer<PressPhoneButtonResponse> {
        self.over_grpc(request).await
    }
}

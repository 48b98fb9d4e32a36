//! The INVITE that begins a recording session.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use bus::Pressure;
use domain::{CallFacts, Override, RecordingId, resources::TenantResources};
use rsipstack::{
    sip::{HeadersExt, StatusCode},
    transaction::make_tag,
};
use siprec::{Answer, CallPicture, Offer, OwnOrigin, RecordingMetadata, SipIdentities, who_is_who};
use wire::call_v1::{Payload, Stream};

use super::{
    Srs,
    dialog::{Dialog, DialogKey},
    listen,
    peer::DialogPeer,
    reply::Reply,
    request::{Incoming, OVERRIDE},
};
use crate::{
    call::{NewCall, Opened, Told},
    media::{NoPorts, unix_us},
};

/// Highest SIP version numbers of `o=` lines begin here; any value will do (RFC 8866, section 5.2).
pub(super) const FIRST_VERSION: u64 = 1;

impl Srs {
    /// Answers an INVITE without a To tag.
    pub(super) fn invite(self: &Arc<Self>, incoming: &Incoming<'_>) -> Reply {
        let invited_unix_us = unix_us();
        if self.dialogs.has_merged(incoming.sip_call_id(), &incoming.their_tag(), incoming.cseq()) {
            return Reply::new(StatusCode::LoopDetected);
        }
        let body = incoming.body();
        if !incoming.is_siprec(&body) {
            let Some(wanted) = incoming.wanted() else {
                let why =
                    "only recording sessions (SIPREC, RFC 7866) and calls to consent.RULE are taken here";
                return Reply::refusal(StatusCode::NotAcceptableHere, why);
            };
            return self.consent_invite(incoming, &wanted);
        }
        if let Some(overload) = self.overload() {
            return overload;
        }
        let Some(tenant) = self.tenant(incoming) else {
            let why = "no tenant is configured for this domain or source address";
            return Reply::refusal(StatusCode::NotFound, why);
        };
        let Some(sdp) = body.sdp else {
            let why = "the INVITE of a recording session must hold the SDP offer";
            return Reply::refusal(StatusCode::NotAcceptableHere, why);
        };
        let offer = match Offer::parse(sdp) {
            Ok(offer) => offer,
            Err(problem) => return Reply::refusal(StatusCode::NotAcceptableHere, &problem.to_string()),
        };
        if let Some(refusal) = offer.refusal() {
            return Reply::refusal(StatusCode::NotAcceptableHere, &refusal.to_string());
        }
        let opened = self.calls.open(RecordingId::new());
        let ports = match open_ports(&opened.handle, &offer) {
            Ok(ports) => ports,
            Err(no_ports) => {
                tracing::warn!(error = %no_ports, "a call was refused");
                return Reply::overloaded(&no_ports.to_string());
            }
        };

        let mut metadata = RecordingMetadata::default();
        read_metadata(&mut metadata, body.metadata, &opened.handle.recording);
        let identities = SipIdentities::read(incoming.headers());
        let picture = who_is_who(&offer, &metadata, &identities);
        let facts = CallFacts {
            tenant: tenant.tenant.id.clone(),
            call_id: incoming.call_id(&tenant.tenant.call_id_header, metadata.call_id()),
            direction: picture.direction,
            caller: picture.caller.clone(),
            callee: picture.callee.clone(),
            override_by_pbx: read_wish(incoming, &opened.handle.recording).unwrap_or_default(),
        };
        let mut streams = BTreeMap::new();
        learn_streams(&mut streams, &offer, &picture, &ports);

        let address = self.address_towards(incoming);
        let origin = OwnOrigin { id: u64::try_from(invited_unix_us).unwrap_or(1), version: FIRST_VERSION };
        let sdp = Answer::to(&offer, address, &ports, origin).to_sdp();
        let our_tag = make_tag();
        let key = DialogKey { call_id: incoming.sip_call_id().to_owned(), our_tag: our_tag.0.clone() };
        let mut invite = incoming.request.clone();
        if let Ok(to) = incoming.request.to_header() {
            invite.headers.unique_push(to.with_tag(our_tag.clone()).into());
        }
        // The body holds names and numbers and is needed no more.
        invite.body = Vec::new();
        let call = NewCall {
            recording: opened.handle.recording,
            tenant,
            invited_unix_us,
            facts: facts.clone(),
            streams: streams.values().cloned().collect(),
            answered_unix_us: answered_unix_us(&picture),
            expects_media: expects_media(&offer),
        };
        let dialog = Dialog {
            call: opened.handle.clone(),
            facts,
            metadata,
            picture,
            identities,
            offer,
            streams,
            origin,
            sdp: sdp.clone(),
            address,
            their_cseq: incoming.cseq(),
            our_cseq: 0,
            invite,
            connection: incoming.connection.clone(),
        };
        self.begin(key, dialog, opened, call, incoming, sdp)
    }

    fn begin(
        self: &Arc<Self>,
        key: DialogKey,
        dialog: Dialog,
        opened: Opened,
        call: NewCall,
        incoming: &Incoming<'_>,
        sdp: String,
    ) -> Reply {
        let address = dialog.address;
        let our_tag = key.our_tag.clone();
        self.dialogs.insert(key.clone(), dialog);
        let peer = Arc::new(DialogPeer::new(Arc::downgrade(self), key));
        let handle = self.calls.run(opened, call, peer);
        let mut reply = Reply::ok().with_abilities().with_sdp(sdp);
        reply.headers.extend(incoming.record_routes());
        reply = reply.with("Contact", self.contact(address, incoming.connection));
        if let Some(interval) = incoming.session_refresh() {
            reply = reply.with("Require", "timer").with("Session-Expires", interval);
        }
        reply.to_tag = Some(our_tag);
        reply.acknowledged = Some(Box::new(move |acknowledged| {
            if !acknowledged {
                handle.tell(Told::NoAck);
            }
        }));
        reply
    }

    /// The refusal for times when no further call can be taken; the client then goes elsewhere.
    pub(super) fn overload(&self) -> Option<Reply> {
        if self.is_draining() {
            return Some(Reply::overloaded("this recorder is being stopped"));
        }
        if self.calls.publisher.pressure() == Pressure::Full {
            return Some(Reply::overloaded("the recorder's spool is nearly full"));
        }
        if self.calls.budget.is_spent() {
            return Some(Reply::overloaded("the recorder's memory for undecided calls is spent"));
        }
        None
    }

    pub(super) fn tenant(&self, incoming: &Incoming<'_>) -> Option<Arc<TenantResources>> {
        let resources = self.resources();
        let domains = incoming.domains();
        let is_owned = |domain: &&String| {
            let domain = domain.trim_end_matches('.');
            resources
                .tenants
                .values()
                .any(|t| t.tenant.sip.domains.iter().any(|d| d.eq_ignore_ascii_case(domain)))
        };
        let domain = domains.iter().find(is_owned).map_or("", String::as_str);
        resources.tenant_of_call(domain, incoming.source().ip()).cloned().map(Arc::new)
    }

    pub(super) fn address_towards(&self, incoming: &Incoming<'_>) -> IpAddr {
        let bound = self.address.ip();
        self.options.advertise.unwrap_or_else(|| listen::address_towards(incoming.source(), bound))
    }
}

/// Ports for every stream of the offer that can be recorded, by index; the same ones as before for
/// streams that have some.
pub(super) fn open_ports(call: &crate::call::CallHandle, offer: &Offer) -> Result<Vec<Option<u16>>, NoPorts> {
    let mut media = call.media();
    let port = |stream: &siprec::OfferedStream| {
        if stream.refusal().is_some() {
            return Ok(None);
        }
        match media.stream(u32::try_from(stream.index).unwrap_or(u32::MAX), stream.rtcp_mux) {
            Ok(ports) => Ok(Some(ports.rtp)),
            Err(NoPorts::TooManyStreams) => Ok(None),
            Err(no_ports) => Err(no_ports),
        }
    };
    offer.streams.iter().map(port).collect()
}

/// What the PBX wishes for this call, if this request says so. A word that is no wish is a warning, and
/// the rules decide.
pub(super) fn read_wish(incoming: &Incoming<'_>, recording: &RecordingId) -> Option<Override> {
    let wish = incoming.wish()?;
    Some(wish.unwrap_or_else(|_| {
        tracing::warn!(%recording, "{OVERRIDE} is none of auto, force, deny, manual: the rules decide");
        Override::Auto
    }))
}

/// Applies an update of the metadata. What is wrong with it is a warning: the call is recorded.
pub(super) fn read_metadata(
    known: &mut RecordingMetadata,
    xml: Option<&[u8]>,
    recording: &RecordingId,
) -> bool {
    let Some(xml) = xml else { return false };
    match RecordingMetadata::parse(xml) {
        Ok(update) => {
            for problem in &update.warnings {
                tracing::warn!(%recording, %problem, "recording metadata");
            }
            known.apply(update);
            true
        }
        Err(problem) => {
            tracing::warn!(%recording, %problem, "the recording metadata is not used");
            false
        }
    }
}

/// When the call was answered, as far as the client says. Unix time, microseconds; 0: not said.
pub(super) fn answered_unix_us(picture: &CallPicture) -> i64 {
    picture.answered.map_or(0, |at| at.as_microsecond())
}

/// Brings the list of streams up to date: new ones are added, known ones are described anew, ones
/// that were switched off stay as they were.
pub(super) fn learn_streams(
    streams: &mut BTreeMap<u32, Stream>,
    offer: &Offer,
    picture: &CallPicture,
    ports: &[Option<u16>],
) {
    for offered in offer.streams.iter().filter(|s| ports.get(s.index).copied().flatten().is_some()) {
        let Ok(index) = u32::try_from(offered.index) else { continue };
        let payload = |p: &siprec::Payload| Payload {
            payload_type: p.payload_type.into(),
            encoding: p.encoding.clone(),
            clock_rate_hz: p.clock_rate_hz,
            channels: p.channels.into(),
        };
        let stream = streams.entry(index).or_default();
        stream.index = index;
        stream.label = offered.label.clone().unwrap_or_default();
        stream.payloads = offered.accepted_payloads().map(payload).collect();
    }
    for owner in &picture.streams {
        if let Some(stream) = u32::try_from(owner.index).ok().and_then(|index| streams.get_mut(&index)) {
            stream.set_side(owner.side.into());
            stream.participant.clone_from(owner.number.expose());
            stream.participant_name.clone_from(owner.name.expose());
        }
    }
}

/// False while every stream is held or switched off.
pub(super) fn expects_media(offer: &Offer) -> bool {
    offer.streams.iter().any(|stream| stream.refusal().is_none() && !stream.is_held())
}

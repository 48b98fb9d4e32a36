//! Signalling of calls to the consent endpoint.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use async_trait::async_trait;
use domain::ConsentOutcome;
use rsipstack::{
    sip::{Header, HeadersExt, Method, Request, StatusCode},
    transaction::make_tag,
    transport::SipConnection,
};
use siprec::{Offer, OwnOrigin};
use tokio::sync::{
    Notify,
    mpsc::{UnboundedSender, unbounded_channel},
};

use super::{
    Srs,
    dialog::{DialogKey, lock},
    invite::FIRST_VERSION,
    peer::{self, Reachable, Way},
    reply::Reply,
    request::Incoming,
};
use crate::{
    consent::{
        agreement::Agreement,
        call::{Caller, ConsentCall, Told},
        terms::{NoTerms, Terms},
        wanted::{Purpose, Wanted},
    },
    media::unix_us,
};

/// What a caller may send within such a call.
const ALLOW: &str = "INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, INFO, NOTIFY";
/// The header that says the outcome.
const OUTCOME: &str = "X-Callseal-Consent";
/// A caller that was sent on hangs up by itself within this time, or is hung up on.
const SENT_ON: Duration = Duration::from_secs(10);

/// One call to the endpoint, between its requests.
struct ConsentDialog {
    told: UnboundedSender<Told>,
    invite: Request,
    connection: SipConnection,
    their_tag: String,
    their_cseq: u32,
    our_cseq: u32,
    address: IpAddr,
    port: u16,
    origin: OwnOrigin,
    sdp: String,
    /// Told when the caller has hung up.
    hung_up: Arc<Notify>,
}

impl Reachable for ConsentDialog {
    fn way(&self) -> Way {
        Way { invite: self.invite.clone(), connection: self.connection.clone() }
    }

    fn next_cseq(&mut self) -> u32 {
        self.our_cseq += 1;
        self.our_cseq
    }
}

type Shared = Arc<Mutex<ConsentDialog>>;

/// All calls to the endpoint.
#[derive(Default)]
pub struct ConsentDialogs(Mutex<HashMap<DialogKey, Shared>>);

impl ConsentDialogs {
    fn table(&self) -> MutexGuard<'_, HashMap<DialogKey, Shared>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, key: &DialogKey) -> Option<Shared> {
        self.table().get(key).cloned()
    }

    /// RFC 3261, section 8.2.2.2: the same INVITE came by another way already.
    fn has_merged(&self, incoming: &Incoming<'_>) -> bool {
        let table = self.table();
        let mut of_call = table.iter().filter(|(key, _)| key.call_id == incoming.sip_call_id());
        of_call.any(|(_, dialog)| {
            let dialog = lock(dialog);
            dialog.their_tag == incoming.their_tag()
                && dialog.invite.cseq_header().and_then(|c| c.seq()).ok() == Some(incoming.cseq())
        })
    }
}

impl Srs {
    /// Answers a plain INVITE to `consent.<rule>` or `announce.<rule>`.
    pub(super) fn consent_invite(self: &Arc<Self>, incoming: &Incoming<'_>, wanted: &Wanted) -> Reply {
        if self.consent_dialogs.has_merged(incoming) {
            return Reply::new(StatusCode::LoopDetected);
        }
        if self.is_draining() {
            return Reply::overloaded("this recorder is being stopped");
        }
        let Some(tenant) = self.tenant(incoming) else {
            return Reply::refusal(
                StatusCode::NotFound,
                "no tenant is configured for this domain or source address",
            );
        };
        let terms = match Terms::of(&tenant, wanted) {
            Ok(terms) => terms,
            Err(why @ NoTerms::Rule) => return Reply::refusal(StatusCode::NotFound, &why.to_string()),
            Err(why) => return Reply::refusal(StatusCode::NotAcceptableHere, &why.to_string()),
        };
        let call_id = incoming.told_call_id(&tenant.tenant.call_id_header);
        if wanted.purpose == Purpose::Consent && call_id.is_none() {
            let why = format!(
                "the call that is asked about has no id: send {} or Session-ID",
                tenant.tenant.call_id_header
            );
            return Reply::refusal(StatusCode::BadRequest, &why);
        }
        let agreed = match agree(incoming) {
            Ok(agreed) => agreed,
            Err(refusal) => return refusal,
        };
        let line = match self.calls.media.line() {
            Ok(line) => line,
            Err(no_ports) => return Reply::overloaded(&no_ports.to_string()),
        };
        let our_tag = make_tag();
        let key = DialogKey { call_id: incoming.sip_call_id().to_owned(), our_tag: our_tag.0.clone() };
        let address = self.address_towards(incoming);
        let origin = OwnOrigin { id: u64::try_from(unix_us()).unwrap_or(1), version: FIRST_VERSION };
        let sdp = agreed.to_sdp(address, line.port, origin);
        let mut invite = incoming.request.clone();
        if let Ok(to) = incoming.request.to_header() {
            invite.headers.unique_push(to.with_tag(our_tag.clone()).into());
        }
        invite.body = Vec::new();
        let (told, inbox) = unbounded_channel();
        let dialog = ConsentDialog {
            told: told.clone(),
            invite,
            connection: incoming.connection.clone(),
            their_tag: incoming.their_tag(),
            their_cseq: incoming.cseq(),
            our_cseq: 0,
            address,
            port: line.port,
            origin,
            sdp: sdp.clone(),
            hung_up: Arc::default(),
        };
        self.consent_dialogs.table().insert(key.clone(), Arc::new(Mutex::new(dialog)));
        let call = ConsentCall {
            calls: self.consent_calls.clone(),
            tenant: tenant.tenant.id.clone(),
            call_id: call_id.unwrap_or_default(),
            terms,
            agreed,
            line,
            caller: Arc::new(DialogCaller { srs: Arc::downgrade(self), key }),
        };
        self.calls.tasks.spawn(call.run(inbox));

        let mut reply = Reply::ok().with("Allow", ALLOW).with("Accept", "application/sdp").with_sdp(sdp);
        reply.headers.extend(incoming.record_routes());
        reply = reply.with("Contact", self.plain_contact(address, incoming.connection));
        if let Some(interval) = incoming.session_refresh() {
            reply = reply.with("Require", "timer").with("Session-Expires", interval);
        }
        reply.to_tag = Some(our_tag.0);
        // A call that is over needs to hear nothing.
        reply.acknowledged =
            Some(Box::new(move |acknowledged| drop(told.send(Told::Acknowledged(acknowledged)))));
        reply
    }

    /// Answers a request within such a call; `None`: it belongs to none.
    pub(super) fn in_consent_dialog(&self, incoming: &Incoming<'_>, our_tag: &str) -> Option<Reply> {
        let key = DialogKey { call_id: incoming.sip_call_id().to_owned(), our_tag: our_tag.to_owned() };
        let shared = self.consent_dialogs.get(&key)?;
        let mut dialog = lock(&shared);
        let method = incoming.request.method;
        if method != Method::Bye && incoming.cseq() < dialog.their_cseq {
            let why = "CSeq is lower than that of an earlier request";
            return Some(Reply::refusal(StatusCode::ServerInternalError, why));
        }
        dialog.their_cseq = dialog.their_cseq.max(incoming.cseq());
        dialog.connection = incoming.connection.clone();
        Some(match method {
            Method::Bye => {
                let _ = dialog.told.send(Told::HungUp);
                dialog.hung_up.notify_one();
                Reply::ok()
            }
            Method::Info => info(&dialog, incoming),
            Method::Invite | Method::Update => self.renegotiate(&mut dialog, incoming),
            Method::Options | Method::Notify | Method::PRack | Method::Message => {
                Reply::ok().with("Allow", ALLOW)
            }
            _ => Reply::refusal(StatusCode::MethodNotAllowed, "not within a call to the consent endpoint")
                .with("Allow", ALLOW),
        })
    }

    /// Hold, a change of address, or a sign of life. The codec stays.
    fn renegotiate(&self, dialog: &mut ConsentDialog, incoming: &Incoming<'_>) -> Reply {
        if incoming.body().sdp.is_some() {
            let agreed = match agree(incoming) {
                Ok(agreed) => agreed,
                Err(refusal) => return refusal,
            };
            let same = agreed.to_sdp(dialog.address, dialog.port, dialog.origin);
            if same != dialog.sdp {
                dialog.origin.version += 1;
                dialog.sdp = agreed.to_sdp(dialog.address, dialog.port, dialog.origin);
                if !agreed.to.ip().is_unspecified() {
                    let _ = dialog.told.send(Told::MovedTo(agreed.to));
                }
            }
        }
        let mut reply = Reply::ok().with("Allow", ALLOW);
        if incoming.request.method == Method::Invite || incoming.body().sdp.is_some() {
            reply = reply.with_sdp(dialog.sdp.clone());
        }
        reply = reply.with("Contact", self.plain_contact(dialog.address, incoming.connection));
        if let Some(interval) = incoming.session_refresh() {
            reply = reply.with("Require", "timer").with("Session-Expires", interval);
        }
        reply
    }

    /// Our Contact in a plain call: without the feature tag of a recorder.
    fn plain_contact(&self, address: IpAddr, connection: &SipConnection) -> String {
        self.contact(address, connection).replace(";+sip.srs", "")
    }
}

fn agree(incoming: &Incoming<'_>) -> Result<Agreement, Reply> {
    let refuse = |why: &str| Reply::refusal(StatusCode::NotAcceptableHere, why);
    let sdp = incoming.body().sdp.ok_or_else(|| refuse("the INVITE must hold the SDP offer"))?;
    let offer = Offer::parse(sdp).map_err(|problem| refuse(&problem.to_string()))?;
    Agreement::on(&offer).map_err(|none| refuse(&none.to_string()))
}

/// RFC 6086 with the bodies that phones send for keys.
fn info(dialog: &ConsentDialog, incoming: &Incoming<'_>) -> Reply {
    let content_type = incoming.header("Content-Type").unwrap_or_default();
    if incoming.request.body().is_empty() {
        return Reply::ok();
    }
    match media::dtmf::info::parse(&content_type, incoming.request.body()) {
        Ok(pressed) => {
            let _ = dialog.told.send(Told::Key(pressed, unix_us()));
            Reply::ok()
        }
        Err(why @ media::dtmf::info::InfoError::ContentType) => {
            Reply::refusal(StatusCode::UnsupportedMediaType, &why.to_string())
        }
        Err(why) => Reply::refusal(StatusCode::BadRequest, &why.to_string()),
    }
}

/// The caller of one dialog.
struct DialogCaller {
    srs: Weak<Srs>,
    key: DialogKey,
}

impl DialogCaller {
    async fn ask(&self, method: Method, headers: Vec<Header>) -> Option<StatusCode> {
        let srs = self.srs.upgrade()?;
        let dialog = srs.consent_dialogs.get(&self.key)?;
        peer::ask(&srs, &dialog, method, headers).await
    }

    fn hung_up(&self) -> Option<Arc<Notify>> {
        let srs = self.srs.upgrade()?;
        let shared = srs.consent_dialogs.get(&self.key)?;
        Some(lock(&shared).hung_up.clone())
    }
}

#[async_trait]
impl Caller for DialogCaller {
    async fn hang_up(&self, outcome: Option<ConsentOutcome>) {
        let said = outcome.map(|outcome| Header::Other(OUTCOME.to_owned(), outcome.to_string()));
        let _ = self.ask(Method::Bye, said.into_iter().collect()).await;
    }

    async fn send_on(&self, target: &str, outcome: ConsentOutcome) {
        let Some(hung_up) = self.hung_up() else { return };
        // The outcome goes along as a header of the request that the caller will send (RFC 3261,
        // section 19.1.1).
        let join = if target.contains('?') { '&' } else { '?' };
        let refer_to = Header::Other("Refer-To".to_owned(), format!("<{target}{join}{OUTCOME}={outcome}>"));
        let said = Header::Other(OUTCOME.to_owned(), outcome.to_string());
        let answer = self.ask(Method::Refer, vec![refer_to, said]).await;
        if answer.is_some_and(|status| (200..300).contains(&u16::from(status)))
            && tokio::time::timeout(SENT_ON, hung_up.notified()).await.is_ok()
        {
            return;
        }
        self.hang_up(Some(outcome)).await;
    }

    fn forget(&self) {
        if let Some(srs) = self.srs.upgrade() {
            srs.consent_dialogs.table().remove(&self.key);
        }
    }
}

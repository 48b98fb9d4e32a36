//! Requests within a recording session: re-INVITE, UPDATE, BYE and the rest.

use rsipstack::sip::{Method, StatusCode};
use siprec::{Answer, Offer, OwnOrigin, who_is_who};
use wire::call_v1::EndReason;

use super::{
    Srs,
    dialog::{Dialog, DialogKey, lock},
    invite::{answered_unix_us, expects_media, learn_streams, open_ports, read_metadata, read_wish},
    reply::{ALLOW, Reply},
    request::Incoming,
};
use crate::call::{Change, Told};

impl Srs {
    /// Answers a request whose To header has a tag.
    pub(super) fn in_dialog(&self, incoming: &Incoming<'_>, our_tag: String) -> Reply {
        let key = DialogKey { call_id: incoming.sip_call_id().to_owned(), our_tag };
        let Some(shared) = self.dialogs.get(&key) else {
            return Reply::new(StatusCode::CallTransactionDoesNotExist);
        };
        let mut dialog = lock(&shared);
        let method = incoming.request.method;
        if method != Method::Bye && incoming.cseq() < dialog.their_cseq {
            // RFC 3261, section 12.2.2. Gaps are fine, going back is not. A BYE counts all the same.
            return Reply::refusal(
                StatusCode::ServerInternalError,
                "CSeq is lower than that of an earlier request",
            );
        }
        dialog.their_cseq = dialog.their_cseq.max(incoming.cseq());
        dialog.connection = incoming.connection.clone();
        match method {
            Method::Bye => {
                if learn(&mut dialog, incoming) {
                    repaint(&mut dialog);
                    tell(&dialog, "metadata");
                }
                dialog.call.tell(Told::Ended(EndReason::Bye));
                drop(dialog);
                self.dialogs.remove(&key);
                Reply::ok()
            }
            Method::Invite | Method::Update => self.change(&mut dialog, incoming),
            Method::Options => {
                dialog.call.tell(Told::Alive);
                Reply::ok().with_abilities()
            }
            Method::Info | Method::PRack | Method::Message | Method::Notify => {
                // Keys that come by INFO are nobody's here: see `call::keys`.
                dialog.call.tell(Told::Alive);
                Reply::ok()
            }
            _ => Reply::refusal(StatusCode::MethodNotAllowed, "not within a recording session")
                .with("Allow", ALLOW),
        }
    }

    /// Re-INVITE and UPDATE: a new offer, new metadata, both, or just a sign of life (RFC 4028).
    fn change(&self, dialog: &mut Dialog, incoming: &Incoming<'_>) -> Reply {
        let is_invite = incoming.request.method == Method::Invite;
        let new_metadata = learn(dialog, incoming);
        let wish = read_wish(incoming, &dialog.call.recording);
        let new_wish = wish.is_some_and(|wish| wish != dialog.facts.override_by_pbx);
        let mut reason = match (new_metadata, new_wish) {
            (true, _) => "metadata",
            (false, true) => "override",
            (false, false) => "",
        };
        let mut reply = Reply::ok().with_abilities();
        match incoming.body().sdp.map(Offer::parse) {
            // A re-INVITE without an offer asks for ours: the description as it stands. Its ACK
            // then holds the client's answer, which can only say what was agreed before.
            None if is_invite => reply = reply.with_sdp(dialog.sdp.clone()),
            None => {}
            Some(Err(problem)) => {
                // The session goes on as it was (RFC 3261, section 14.2).
                return Reply::refusal(StatusCode::NotAcceptableHere, &problem.to_string());
            }
            Some(Ok(offer)) => {
                if let Some(refusal) = offer.refusal() {
                    return Reply::refusal(StatusCode::NotAcceptableHere, &refusal.to_string());
                }
                let ports = match open_ports(&dialog.call, &offer) {
                    Ok(ports) => ports,
                    Err(no_ports) => return Reply::overloaded(&no_ports.to_string()),
                };
                if offer != dialog.offer {
                    let (before, now) = (expects_media(&dialog.offer), expects_media(&offer));
                    reason = match (before, now) {
                        (true, false) => "held",
                        (false, true) => "resumed",
                        _ => "streams",
                    };
                }
                dialog.sdp = answer(dialog, &offer, &ports);
                learn_streams(&mut dialog.streams, &offer, &dialog.picture, &ports);
                dialog.offer = offer;
                reply = reply.with_sdp(dialog.sdp.clone());
            }
        }
        // Only now: a wish in a request that was refused would be taken for known when it comes again.
        dialog.facts.override_by_pbx = wish.unwrap_or(dialog.facts.override_by_pbx);
        if reason.is_empty() {
            dialog.call.tell(Told::Alive);
        } else {
            repaint(dialog);
            tell(dialog, reason);
        }
        reply = reply.with("Contact", self.contact(dialog.address, incoming.connection));
        if let Some(interval) = incoming.session_refresh() {
            reply = reply.with("Require", "timer").with("Session-Expires", interval);
        }
        reply
    }
}

/// Our description for a new offer; the version rises only if something in it changed (RFC 3264,
/// section 8).
fn answer(dialog: &mut Dialog, offer: &Offer, ports: &[Option<u16>]) -> String {
    let text = |origin: OwnOrigin| Answer::to(offer, dialog.address, ports, origin).to_sdp();
    let same = text(dialog.origin);
    if same == dialog.sdp {
        return same;
    }
    dialog.origin.version += 1;
    Answer::to(offer, dialog.address, ports, dialog.origin).to_sdp()
}

fn learn(dialog: &mut Dialog, incoming: &Incoming<'_>) -> bool {
    let recording = dialog.call.recording;
    read_metadata(&mut dialog.metadata, incoming.body().metadata, &recording)
}

/// Puts together anew who is who. Streams stay on their side.
fn repaint(dialog: &mut Dialog) {
    let picture =
        who_is_who(&dialog.offer, &dialog.metadata, &dialog.identities).carrying_on(&dialog.picture);
    dialog.facts.caller = picture.caller.clone();
    dialog.facts.callee = picture.callee.clone();
    dialog.facts.direction = picture.direction.or(dialog.facts.direction);
    learn_streams(&mut dialog.streams, &dialog.offer, &picture, &[]);
    dialog.picture = picture;
}

fn tell(dialog: &Dialog, reason: &'static str) {
    let change = Change {
        facts: dialog.facts.clone(),
        streams: dialog.streams.values().cloned().collect(),
        answered_unix_us: answered_unix_us(&dialog.picture),
        expects_media: expects_media(&dialog.offer),
        reason,
    };
    dialog.call.tell(Told::Changed(Box::new(change)));
}

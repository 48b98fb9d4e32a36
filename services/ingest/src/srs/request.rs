//! What we read out of a request.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use domain::{InvalidId, Override};
use rsipstack::{
    sip::{Header, HeadersExt, Host, Request, Uri},
    transport::SipConnection,
};
use siprec::Body;

use crate::consent::wanted::Wanted;

/// The header by which a PBX overrides the rules for one call.
pub const OVERRIDE: &str = "X-Callseal-Override";
/// Longest call id that is kept.
const MAX_CALL_ID: usize = 255;

/// A request and where it came from.
pub struct Incoming<'a> {
    /// The request.
    pub request: &'a Request,
    /// The connection it came by.
    pub connection: &'a SipConnection,
}

impl Incoming<'_> {
    /// Who sent it: the last hop.
    pub fn source(&self) -> SocketAddr {
        let nowhere = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        self.connection.get_remote_addr().and_then(|a| a.get_socketaddr().ok()).unwrap_or(nowhere)
    }

    /// The first header of this name; compact names have been expanded.
    pub fn header(&self, name: &str) -> Option<String> {
        self.request.header_value(name)
    }

    /// All headers as pairs of name and value.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.request.headers.iter().map(|h| (h.name(), h.value()))
    }

    /// The parts of the body.
    pub fn body(&self) -> Body<'_> {
        Body::read(&self.header("Content-Type").unwrap_or_default(), self.request.body())
    }

    /// True if the body ends before its Content-Length: a datagram larger than the stack's 8192
    /// bytes, or than what the network carried.
    pub fn is_cut(&self) -> bool {
        let length = self.header("Content-Length").and_then(|text| text.trim().parse::<usize>().ok());
        length.is_some_and(|length| length > self.request.body().len())
    }

    /// SIP Call-ID.
    pub fn sip_call_id(&self) -> &str {
        self.request.call_id_header().map_or("", |id| id.value().trim())
    }

    /// Tag of the From header; the stack lets no request pass without one.
    pub fn their_tag(&self) -> String {
        self.request.from_header().ok().and_then(|h| h.tag().ok().flatten()).map(|t| t.0).unwrap_or_default()
    }

    /// Tag of the To header: there is one in requests within a dialog.
    pub fn to_tag(&self) -> Option<String> {
        self.request.to_header().ok()?.tag().ok().flatten().map(|t| t.0).filter(|t| !t.is_empty())
    }

    /// Number of CSeq.
    pub fn cseq(&self) -> u32 {
        self.request.cseq_header().and_then(|c| c.seq()).unwrap_or(0)
    }

    /// Hosts that may say whose call it is: of the Request-URI, then of the To header.
    pub fn domains(&self) -> [String; 2] {
        let host = |uri: &Uri| match uri.host() {
            Host::Domain(domain) => domain.to_string(),
            Host::IpAddr(address) => address.to_string(),
        };
        let to = self.request.to_header().ok().and_then(|h| h.uri().ok());
        [host(&self.request.uri), to.as_ref().map(host).unwrap_or_default()]
    }

    /// What a plain call asks of the consent endpoint.
    pub fn wanted(&self) -> Option<Wanted> {
        Wanted::read(self.request.uri.user()?)
    }

    /// A recording session (RFC 7866, section 6.1) or what vendors send instead of one.
    pub fn is_siprec(&self, body: &Body<'_>) -> bool {
        let requires = |name: &str| {
            self.headers().any(|(n, value)| {
                n.eq_ignore_ascii_case(name)
                    && value.split(',').any(|v| v.trim().eq_ignore_ascii_case("siprec"))
            })
        };
        // AudioCodes writes `;src`, others `;+sip.src`.
        let is_source = |contact: &str| {
            contact
                .split([';', ',', '>'])
                .any(|p| matches!(p.trim().to_ascii_lowercase().as_str(), "+sip.src" | "src"))
        };
        body.metadata.is_some()
            || requires("Require")
            || self.headers().any(|(name, value)| {
                (name.eq_ignore_ascii_case("Contact") && is_source(value))
                    || name.eq_ignore_ascii_case("X-Cisco-Recording-Participant")
            })
    }

    /// The PBX's id of the call (F-42), if it said one: in the tenant's `header`, else `Session-ID`.
    pub fn told_call_id(&self, header: &str) -> Option<String> {
        let session =
            || self.header("Session-ID").map(|s| s.split(';').next().unwrap_or_default().to_owned());
        let told = self.header(header).filter(|id| !id.trim().is_empty()).or_else(session)?;
        let id: String = told.trim().chars().filter(|c| !c.is_control()).take(MAX_CALL_ID).collect();
        (!id.is_empty()).then_some(id)
    }

    /// The PBX's id of the call: what it said, else what the metadata says, else the SIP Call-ID.
    pub fn call_id(&self, header: &str, in_metadata: Option<&str>) -> String {
        let other = || in_metadata.unwrap_or_else(|| self.sip_call_id()).trim();
        self.told_call_id(header)
            .unwrap_or_else(|| other().chars().filter(|c| !c.is_control()).take(MAX_CALL_ID).collect())
    }

    /// What the PBX wishes for this call (F-16), if this request says so; an error for a word that is
    /// no wish.
    pub fn wish(&self) -> Option<Result<Override, InvalidId>> {
        let word = self.header(OVERRIDE)?;
        Some(word.trim().to_ascii_lowercase().parse())
    }

    /// Record-Route headers, which go into the answer that makes a dialog (RFC 3261, section 12.1.1).
    pub fn record_routes(&self) -> Vec<Header> {
        self.request.headers.iter().filter(|h| matches!(h, Header::RecordRoute(_))).cloned().collect()
    }

    /// The client wants to refresh the session itself (RFC 4028): the interval to agree to.
    pub fn session_refresh(&self) -> Option<String> {
        let supported = self.headers().any(|(name, value)| {
            matches!(name.to_ascii_lowercase().as_str(), "supported" | "require")
                && value.split(',').any(|v| v.trim().eq_ignore_ascii_case("timer"))
        });
        let wanted = self.header("Session-Expires").filter(|_| supported)?;
        let mut parameters = wanted.split(';').map(str::trim);
        let seconds: u32 = parameters.next()?.parse().ok()?;
        let we_should = parameters.any(|p| p.replace(' ', "").eq_ignore_ascii_case("refresher=uas"));
        (!we_should).then(|| format!("{seconds};refresher=uac"))
    }
}

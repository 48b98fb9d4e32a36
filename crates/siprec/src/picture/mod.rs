//! Who is who: from offer, metadata and SIP headers to caller, callee and the owner of each stream.
//!
//! The rules, in order; the first that gives an answer counts.
//!
//! **Who is there:** the participants of the metadata; else those of Cisco's
//! `X-Cisco-Recording-Participant` headers; else nobody but what `From` and `To` say.
//!
//! **Who is heard on a stream:** who sends the metadata stream of the same label (RFC 7865 § 6.5) and
//! has not left, the latest of them; where labels do not match, offered and described streams are
//! paired in order; where nobody is said to send it, the only one who does not receive it; else whoever
//! is left over, in order.
//!
//! **Who called:** the participant that a vendor's element `callingParty` marks; who has the number
//! that the vendor's elements `callingPartyNumber` and `calledPartyNumber` name; who is in `From` and
//! `To` of the recording session's INVITE; else the first participant. Without any, `From` called
//! `To`, unless they name nobody or a machine (see [`Address::is_nobody`]).
//!
//! **Sides of streams:** that of its first sender; a stream of somebody unknown goes to the caller if
//! the caller has none yet, else to the callee. Both sides have a stream if there are two: else the
//! first one is the caller's. A single stream that two people are heard on is the caller's.
//!
//! **When it was answered:** when the first participant beside the caller joined, if that is later than
//! the session began. Clients that name one time for everybody do not say.

mod answered;
mod identities;
mod senders;

use domain::{Direction, Party, Sensitive, Side};
use jiff::Timestamp;

pub use identities::{CiscoParticipant, SipIdentities};

use crate::{
    Address, Offer, RecordingMetadata,
    metadata::{NameId, Participant},
};

/// Caller, callee and the owners of the streams, as far as known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallPicture {
    /// Who called. Empty if unknown.
    pub caller: Party,
    /// Who was called. Empty if unknown.
    pub callee: Party,
    /// What the client says about the direction, if it does.
    pub direction: Option<Direction>,
    /// One for each m-line of the offer, in order.
    pub streams: Vec<StreamOwner>,
    /// What caller and callee were told apart by.
    pub basis: Basis,
    /// When the call was answered, by the client's clock, if the metadata says so.
    pub answered: Option<Timestamp>,
}

/// Whose voice a stream carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamOwner {
    /// Position of the m-line.
    pub index: usize,
    /// Side of the call.
    pub side: Side,
    /// The participant's number; empty if unknown or if several are heard.
    pub number: Sensitive<String>,
    /// The participant's name; empty if unknown or if several are heard.
    pub name: Sensitive<String>,
}

/// What caller and callee were told apart by, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Basis {
    /// The metadata says so.
    Metadata,
    /// From and To of the recording session's INVITE.
    SipHeaders,
    /// The order of participants.
    ParticipantOrder,
    /// The order of m-lines; nobody is known.
    StreamOrder,
}

/// One human being on the call.
struct Person {
    party: Party,
    is_present: bool,
    /// From Oracle's `callingParty`.
    called: Option<bool>,
}

/// Puts together what is known. Pure and deterministic: the same input gives the same picture.
pub fn who_is_who(offer: &Offer, metadata: &RecordingMetadata, sip: &SipIdentities) -> CallPicture {
    let people = people(metadata, sip);
    let senders = if metadata.participants.is_empty() {
        senders::by_cisco_headers(offer, sip)
    } else {
        senders::by_metadata(offer, metadata)
    };
    let roles = Roles::find(&people, metadata, sip);
    let sides = sides(offer, &senders, roles.caller);
    let is_single = offer.streams.iter().filter(|s| s.media.eq_ignore_ascii_case("audio")).count() == 1;
    let owner = |senders: &Vec<usize>| current_owner(senders, &people, is_single);
    let owners: Vec<Option<usize>> = senders.iter().map(owner).collect();

    let streams = (0..offer.streams.len()).map(|index| {
        let owner = owners[index].map(|p| &people[p].party);
        StreamOwner {
            index,
            side: sides[index],
            number: owner.map(|p| p.number.clone()).unwrap_or_default(),
            name: owner.map(|p| p.name.clone()).unwrap_or_default(),
        }
    });
    let on_side =
        |side: Side| owners.iter().zip(&sides).filter(move |(_, s)| **s == side).find_map(|(o, _)| *o);
    let person = |role: Option<usize>, side: Side| {
        let present = role.filter(|p| people[*p].is_present);
        present.or_else(|| on_side(side).filter(|p| people[*p].is_present)).or(role)
    };
    let caller = person(roles.caller, Side::Caller);
    let callee = person(roles.callee, Side::Callee).filter(|p| Some(*p) != caller);
    let mut picture = CallPicture {
        caller: caller.map_or(roles.caller_from_outside, |p| people[p].party.clone()),
        callee: callee.map_or(roles.callee_from_outside, |p| people[p].party.clone()),
        direction: direction(metadata),
        streams: streams.collect(),
        basis: roles.basis,
        answered: answered::answered(metadata, roles.caller),
    };
    // Participants without any address are as good as none.
    if picture.caller.number.is_empty() && picture.callee.number.is_empty() {
        picture.caller = party_of(sip.caller().into_iter());
        picture.callee = party_of(sip.callee().into_iter());
    }
    for party in [&mut picture.caller, &mut picture.callee] {
        sip.complete(party);
    }
    picture
}

impl CallPicture {
    /// A later picture of a call that has been going on: streams stay on the side where they were, and
    /// caller and callee follow. So a transfer, after which the client lists its participants in another
    /// order, does not turn the call round.
    ///
    /// Where the earlier sides were a guess there is nothing to keep: nobody was known on any stream
    /// (the metadata came later, by UPDATE), or only now a vendor's element says who called.
    pub fn carrying_on(mut self, previous: &Self) -> Self {
        self.answered = previous.answered.or(self.answered);
        let was_guessed = previous.streams.iter().all(|s| s.number.is_empty() && s.name.is_empty());
        let is_said_now = self.basis == Basis::Metadata && previous.basis != Basis::Metadata;
        if was_guessed || is_said_now {
            return self;
        }
        let side_before = |index: usize| previous.streams.iter().find(|s| s.index == index).map(|s| s.side);
        let is_turned_round =
            self.streams.iter().find_map(|s| side_before(s.index).map(|before| before != s.side))
                == Some(true);
        for stream in &mut self.streams {
            if let Some(side) = side_before(stream.index) {
                stream.side = side;
            }
        }
        if is_turned_round {
            std::mem::swap(&mut self.caller, &mut self.callee);
        }
        self
    }

    /// The party of a side.
    pub fn party(&self, side: Side) -> &Party {
        match side {
            Side::Caller => &self.caller,
            Side::Callee => &self.callee,
        }
    }
}

fn people(metadata: &RecordingMetadata, sip: &SipIdentities) -> Vec<Person> {
    if metadata.participants.is_empty() {
        let party = |c: &CiscoParticipant| party_of([&c.address].into_iter());
        return sip
            .cisco_participants
            .iter()
            .map(|c| Person { party: party(c), is_present: true, called: None })
            .collect();
    }
    let person = |p: &Participant| Person {
        party: party_of(p.names.iter().map(address_of).collect::<Vec<_>>().iter()),
        is_present: p.is_present(),
        called: p.extension("callingParty").and_then(|v| v.expose().to_ascii_lowercase().parse().ok()),
    };
    metadata.participants.iter().map(person).collect()
}

fn address_of(name: &NameId) -> Address {
    let mut address = Address::parse(name.aor.expose());
    if !name.name.is_empty() {
        address.name = name.name.clone();
    }
    address
}

fn party_of<'a>(addresses: impl Iterator<Item = &'a Address>) -> Party {
    let mut party = Party::default();
    for address in addresses {
        if party.number.is_empty() {
            party.number = address.number.clone();
        } else {
            identities::add_identity(&mut party, &address.number);
        }
        if party.name.is_empty() {
            party.name = address.name.clone();
        }
        identities::add_identity(&mut party, &address.identity);
    }
    party
}

/// Who called whom: positions among the people, or parties who are known by other means only.
struct Roles {
    caller: Option<usize>,
    callee: Option<usize>,
    caller_from_outside: Party,
    callee_from_outside: Party,
    basis: Basis,
}

impl Roles {
    fn find(people: &[Person], metadata: &RecordingMetadata, sip: &SipIdentities) -> Self {
        let marked = people.iter().position(|p| p.called == Some(true)).or_else(|| {
            // With only "not the caller" on one of two, it is the other.
            let not = people.iter().position(|p| p.called == Some(false))?;
            (people.len() == 2).then_some(1 - not)
        });
        if let Some(caller) = marked {
            return Self::between(people, Some(caller), None, Basis::Metadata);
        }
        let vendor = |name: &str| {
            metadata.extension(name).map(|v| Address::parse(v.expose())).filter(|a| !a.number.is_empty())
        };
        let by_vendor = (vendor("callingPartyNumber"), vendor("calledPartyNumber"), Basis::Metadata);
        let by_headers = (sip.caller().cloned(), sip.callee().cloned(), Basis::SipHeaders);
        for (calling, called, basis) in [by_vendor, by_headers] {
            let find =
                |a: &Option<Address>| a.as_ref().and_then(|a| people.iter().position(|p| is_of(&p.party, a)));
            let (caller, callee) = (find(&calling), find(&called));
            let is_known = caller.is_some() || callee.is_some();
            if (is_known && caller != callee)
                || (people.is_empty() && (calling.is_some() || called.is_some()))
            {
                let mut roles = Self::between(people, caller, callee, basis);
                if roles.caller.is_none() {
                    roles.caller_from_outside = party_of(calling.iter());
                }
                if roles.callee.is_none() {
                    roles.callee_from_outside = party_of(called.iter());
                }
                return roles;
            }
        }
        let basis = if people.is_empty() { Basis::StreamOrder } else { Basis::ParticipantOrder };
        Self::between(people, (!people.is_empty()).then_some(0), None, basis)
    }

    /// Fills the side that is not known with the first other who is present, else the first other.
    fn between(people: &[Person], caller: Option<usize>, callee: Option<usize>, basis: Basis) -> Self {
        let other_than = |taken: Option<usize>| {
            let others = || (0..people.len()).filter(move |p| Some(*p) != taken);
            others().find(|p| people[*p].is_present).or_else(|| others().next())
        };
        Self {
            caller: caller.or_else(|| other_than(callee)),
            callee: callee.or_else(|| other_than(caller)),
            caller_from_outside: Party::default(),
            callee_from_outside: Party::default(),
            basis,
        }
    }
}

fn is_of(party: &Party, address: &Address) -> bool {
    party.all_identities().any(|known| is_same_number(known, address.number.expose()))
}

fn is_same_number(one: &str, other: &str) -> bool {
    let bare = |number: &str| number.strip_prefix('+').unwrap_or(number).to_lowercase();
    !one.is_empty() && bare(one) == bare(other)
}

fn sides(offer: &Offer, senders: &[Vec<usize>], caller: Option<usize>) -> Vec<Side> {
    let mut sides: Vec<Option<Side>> = senders
        .iter()
        .map(|s| s.first().map(|first| if Some(*first) == caller { Side::Caller } else { Side::Callee }))
        .collect();
    let is_audio = |index: usize| offer.streams[index].media.eq_ignore_ascii_case("audio");
    let audio: Vec<usize> = (0..sides.len()).filter(|i| is_audio(*i)).collect();
    for index in audio.iter().copied().chain((0..sides.len()).filter(|i| !is_audio(*i))) {
        if sides[index].is_none() {
            let caller_has_one = sides.contains(&Some(Side::Caller));
            sides[index] = Some(if caller_has_one { Side::Callee } else { Side::Caller });
        }
    }
    let is_one_sided = audio.len() > 1 && audio.iter().all(|i| sides[*i] == sides[audio[0]]);
    if is_one_sided {
        for (nth, index) in audio.iter().enumerate() {
            sides[*index] = Some(if nth == 0 { Side::Caller } else { Side::Callee });
        }
    } else if let [only] = audio[..]
        && senders[only].len() > 1
    {
        sides[only] = Some(Side::Caller);
    }
    sides.into_iter().map(|s| s.unwrap_or(Side::Callee)).collect()
}

/// The latest sender who has not left. On the only stream of a call several senders are a mix of all
/// of them, and nobody owns it.
fn current_owner(senders: &[usize], people: &[Person], is_single: bool) -> Option<usize> {
    let mut present = senders.iter().rev().copied().filter(|p| people[*p].is_present);
    let latest = present.next();
    if is_single && present.next().is_some() {
        return None;
    }
    latest.or(senders.last().copied())
}

fn direction(metadata: &RecordingMetadata) -> Option<Direction> {
    if let Some(said) = metadata.extension("callDirection").or_else(|| metadata.extension("direction")) {
        return match said.expose().to_ascii_lowercase().as_str() {
            "in" | "inbound" | "incoming" | "terminating" | "termination" => Some(Direction::In),
            "out" | "outbound" | "outgoing" | "originating" | "origination" => Some(Direction::Out),
            "internal" => Some(Direction::Internal),
            _ => None,
        };
    }
    // BroadWorks: <callType><origination>…
    match (metadata.extension("origination"), metadata.extension("termination")) {
        (Some(_), None) => Some(Direction::Out),
        (None, Some(_)) => Some(Direction::In),
        _ => None,
    }
}

//! Conversions between the messages of a call and the domain's types.

use domain::{CallFacts, Override, Party, RecordingId, Side, TenantId};

use crate::call_v1;

/// A message that has the right form but says something that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("field {field}: {problem}")]
pub struct InvalidMessage {
    /// Path of the field in the message.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: String,
}

pub(crate) fn parse<T: std::str::FromStr>(field: &'static str, text: &str) -> Result<T, InvalidMessage>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|e: T::Err| InvalidMessage { field, problem: e.to_string() })
}

pub(crate) fn missing(field: &'static str) -> InvalidMessage {
    InvalidMessage { field, problem: "is missing".to_owned() }
}

impl call_v1::CallMessage {
    /// The recording this message belongs to. Error: not a UUIDv7.
    pub fn recording(&self) -> Result<RecordingId, InvalidMessage> {
        parse("recording_id", &self.recording_id)
    }

    /// The tenant this message belongs to. Error: not a tenant name.
    pub fn tenant_id(&self) -> Result<TenantId, InvalidMessage> {
        parse("tenant", &self.tenant)
    }
}

impl From<&Party> for call_v1::Party {
    fn from(party: &Party) -> Self {
        Self {
            number: party.number.expose().clone(),
            name: party.name.expose().clone(),
            identities: party.identities.iter().map(|i| i.expose().clone()).collect(),
        }
    }
}

impl From<call_v1::Party> for Party {
    fn from(party: call_v1::Party) -> Self {
        Self {
            number: party.number.into(),
            name: party.name.into(),
            identities: party.identities.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<&CallFacts> for call_v1::CallFacts {
    fn from(facts: &CallFacts) -> Self {
        Self {
            tenant: facts.tenant.to_string(),
            call_id: facts.call_id.clone(),
            direction: facts.direction.map(|d| d.to_string()).unwrap_or_default(),
            caller: Some((&facts.caller).into()),
            callee: Some((&facts.callee).into()),
            r#override: facts.override_by_pbx.to_string(),
        }
    }
}

impl TryFrom<call_v1::CallFacts> for CallFacts {
    type Error = InvalidMessage;
    fn try_from(facts: call_v1::CallFacts) -> Result<Self, InvalidMessage> {
        Ok(Self {
            tenant: parse("facts.tenant", &facts.tenant)?,
            call_id: facts.call_id,
            direction: match facts.direction.as_str() {
                "" => None,
                text => Some(parse("facts.direction", text)?),
            },
            caller: facts.caller.map(Into::into).unwrap_or_default(),
            callee: facts.callee.map(Into::into).unwrap_or_default(),
            override_by_pbx: match facts.r#override.as_str() {
                "" => Override::Auto,
                text => parse("facts.override", text)?,
            },
        })
    }
}

impl From<Side> for call_v1::Side {
    fn from(side: Side) -> Self {
        match side {
            Side::Caller => Self::Caller,
            Side::Callee => Self::Callee,
        }
    }
}

impl TryFrom<call_v1::Side> for Side {
    type Error = InvalidMessage;
    fn try_from(side: call_v1::Side) -> Result<Self, InvalidMessage> {
        match side {
            call_v1::Side::Caller => Ok(Self::Caller),
            call_v1::Side::Callee => Ok(Self::Callee),
            call_v1::Side::Unspecified => Err(missing("side")),
        }
    }
}

impl call_v1::Stream {
    /// The side this stream belongs to. Error: not said.
    pub fn known_side(&self) -> Result<Side, InvalidMessage> {
        self.side().try_into().map_err(|_| missing("stream.side"))
    }
}

#[cfg(test)]
mod tests {
    use domain::Direction;

    use super::*;

    fn facts() -> CallFacts {
        CallFacts {
            tenant: "acme".parse().unwrap(),
            call_id: "abc@pbx".into(),
            direction: Some(Direction::In),
            caller: Party { number: "+4970311".into(), ..Party::default() },
            callee: Party { number: "22".into(), name: "Desk".into(), identities: vec!["22@pbx".into()] },
            override_by_pbx: Override::Manual,
        }
    }

    #[test]
    fn facts_survive_the_bus() {
        assert_eq!(CallFacts::try_from(call_v1::CallFacts::from(&facts())), Ok(facts()));
    }

    #[test]
    fn an_unknown_direction_names_its_field() {
        let bad = call_v1::CallFacts { tenant: "acme".into(), direction: "up".into(), ..Default::default() };
        assert_eq!(CallFacts::try_from(bad).unwrap_err().field, "facts.direction");
    }
}

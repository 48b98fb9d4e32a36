//! From the first byte to an open database (DRDA ch. 4, "Connect"; DDM `EXCSAT`, `ACCSEC`, `SECCHK`, `ACCRDB`).

use crate::{
    card::Card,
    charset::Charset,
    code_point::USRIDPWD,
    dss::Chain,
    error::{DrdaError, ProtocolFault},
    message::SqlFault,
    options::Options,
    reply::Reply,
    request::{self, Requests},
    transport::Transport,
};

/// Logs in; what later commands are made by, and what the database warned of.
///
/// # Errors
/// The login is refused, or there is no such database.
pub async fn log_in(
    transport: &mut Transport,
    options: &Options,
) -> Result<(Requests, Vec<SqlFault>), DrdaError> {
    // Judged before anything is sent.
    Requests::new(Charset::Utf8, &options.database, options.create)?;
    let mut chain = Chain::default();
    chain.command(&request::exchange_attributes());
    chain.command(&request::access_security());
    let charset = agree(turn(transport, chain, options).await?)?;

    let requests = Requests::new(charset, &options.database, options.create)?;
    let mut chain = Chain::default();
    chain.command(&requests.security_check(&options.user, options.password.expose())?);
    chain.command(&requests.access_database());
    let warnings = admitted(turn(transport, chain, options).await?)?;
    Ok((requests, warnings))
}

async fn turn(transport: &mut Transport, chain: Chain, options: &Options) -> Result<Vec<Reply>, DrdaError> {
    let answer = transport.turn(chain, options.connect_timeout).await?;
    Ok(Reply::read_answer(&answer)?.into_iter().map(|(_, reply)| reply).collect())
}

fn agree(replies: Vec<Reply>) -> Result<Charset, DrdaError> {
    let (mut charset, mut agreed) = (None, false);
    for reply in replies {
        match reply {
            Reply::Attributes { utf8 } => charset = Some(if utf8 { Charset::Utf8 } else { Charset::Ebcdic }),
            Reply::Mechanisms(offered) if offered == [USRIDPWD] => agreed = true,
            Reply::Mechanisms(offered) => return Err(DrdaError::LoginKind { offered }),
            Reply::Notice => {}
            _ => return Err(ProtocolFault::Unexpected.into()),
        }
    }
    charset.filter(|_| agreed).ok_or_else(|| ProtocolFault::Unexpected.into())
}

fn admitted(replies: Vec<Reply>) -> Result<Vec<SqlFault>, DrdaError> {
    let (mut checked, mut accessed, mut refusal) = (false, false, None);
    let mut warnings = Vec::new();
    for reply in replies {
        match reply {
            Reply::Checked(0x00) => checked = true,
            Reply::Checked(0x0E) => return Err(DrdaError::PasswordExpired),
            Reply::Checked(0x10) => return Err(DrdaError::PasswordMissing),
            Reply::Checked(code) => return Err(DrdaError::LoginRefused { code }),
            Reply::Accessed => accessed = true,
            Reply::NoDatabase => refusal = Some(DrdaError::NoDatabase),
            Reply::NotAuthorised => refusal = Some(DrdaError::NotAuthorised),
            Reply::AccessFailed | Reply::Notice => {}
            Reply::Card(Card::Warning { warning, .. }) => warnings.push(warning),
            Reply::Card(Card::Fault(fault)) => refusal = refusal.or(Some(DrdaError::Sql(fault))),
            Reply::Card(_) => {}
            _ => return Err(ProtocolFault::Unexpected.into()),
        }
    }
    match refusal {
        Some(refusal) => Err(refusal),
        None if checked && accessed => Ok(warnings),
        None => Err(ProtocolFault::Unexpected.into()),
    }
}

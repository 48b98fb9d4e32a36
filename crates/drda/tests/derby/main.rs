//! Against a real Derby server. The harness is taken file by file: as a crate it brings everything that
//! the other tests start, and this crate stands alone.

#[path = "../../../../tests/src/derby.rs"]
#[expect(dead_code, reason = "shared with the harness, which offers more")]
mod derby;
#[path = "../../../../tests/src/loopback_tls.rs"]
mod loopback_tls;
#[path = "../../../../tests/src/ports.rs"]
mod ports;
#[path = "../../../../tests/src/process.rs"]
#[expect(dead_code, reason = "shared with the harness, which offers more")]
mod process;
#[path = "../../../../tests/src/programs.rs"]
#[expect(dead_code, reason = "shared with the harness, which offers more")]
mod programs;
#[path = "../../../../tests/src/wait.rs"]
mod wait;

mod breaking;
mod faults;
mod login;
mod scissors;
mod speed;
mod values;

use derby::Derby;
use drda::{Connection, Options};

/// The table of a journal, as old systems have made it: without a key.
const TABLE: &str = "CREATE TABLE recordings (basefilename VARCHAR(255), direction VARCHAR(3), time BIGINT, \
                     signature VARCHAR(1024))";

/// How to log in to this server.
fn options(server: &Derby) -> Options {
    Options::new("127.0.0.1", server.port(), Derby::DATABASE, Derby::USER, Derby::PASSWORD)
}

/// A connection to this server.
async fn connect(server: &Derby) -> Connection {
    Connection::connect(&options(server)).await.unwrap()
}

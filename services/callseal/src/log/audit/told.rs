//! What an audit tells: lines for people, or one JSON object for programs.

use std::io::{self, Write};

use domain::Class;
use evidence::log::audit::{AuditNote, Chain};
use serde_json::{Value, json};

use crate::terminal::printable;

/// Takes what is found, as it is found.
pub(super) struct Told<'a> {
    out: &'a mut dyn Write,
    /// What comes at the end of the object; `None`: lines are wanted.
    object: Option<Object>,
    wrong: u64,
}

/// Notes are written at once, for there may be many; the rest is short.
#[derive(Default)]
struct Object {
    /// A note was written.
    begun: bool,
    log: Value,
    continues: Vec<&'static str>,
    chains: Vec<Value>,
    findings: Vec<String>,
}

/// More findings are counted, and not listed.
const FINDINGS: usize = 1000;

impl<'a> Told<'a> {
    pub(super) fn lines(out: &'a mut dyn Write) -> Self {
        Self { out, object: None, wrong: 0 }
    }

    pub(super) fn json(out: &'a mut dyn Write) -> Self {
        Self { out, object: Some(Object::default()), wrong: 0 }
    }

    pub(super) fn wrong(&mut self, problem: &dyn ToString) -> io::Result<()> {
        self.wrong += 1;
        match &mut self.object {
            None => writeln!(self.out, "WRONG  {}", printable(&problem.to_string())),
            Some(object) => {
                if object.findings.len() < FINDINGS {
                    object.findings.push(problem.to_string());
                }
                Ok(())
            }
        }
    }

    pub(super) fn log(&mut self, origin: &str, size: u64) -> io::Result<()> {
        match &mut self.object {
            None => writeln!(self.out, "{}: {size} entries", printable(origin)),
            Some(object) => {
                object.log = json!({ "origin": origin, "size": size });
                Ok(())
            }
        }
    }

    /// The log continues the checkpoint that is called so.
    pub(super) fn continues(&mut self, name: &'static str, size: u64) -> io::Result<()> {
        match &mut self.object {
            None => writeln!(self.out, "ok     the log continues the {name} checkpoint, of {size} entries"),
            Some(object) => {
                object.continues.push(name);
                Ok(())
            }
        }
    }

    pub(super) fn note(&mut self, note: &AuditNote) -> io::Result<()> {
        let Some(object) = &mut self.object else {
            return writeln!(self.out, "       {}", printable(&note.to_string()));
        };
        self.out.write_all(if object.begun { b",\n" } else { b"{\"notes\":[\n" })?;
        object.begun = true;
        let value = json!({
            "kind": note.kind(),
            "entry": note.index(),
            "at": note.at(),
            "loud": note.is_loud(),
            "text": note.to_string(),
        });
        write!(self.out, "{value}")
    }

    pub(super) fn chain(&mut self, class: Class, chain: &Chain) -> io::Result<()> {
        let (sealed, first, last) = (chain.sealed, chain.first, chain.last);
        match &mut self.object {
            None => writeln!(
                self.out,
                "       chain of class {class}: {sealed} recordings, positions {first} to {last}"
            ),
            Some(object) => {
                let class = class.to_string();
                object.chains.push(json!({ "class": class, "sealed": sealed, "positions": [first, last] }));
                Ok(())
            }
        }
    }

    /// The last words; true if nothing is wrong.
    pub(super) fn finish(self) -> io::Result<bool> {
        let good = self.wrong == 0;
        match self.object {
            None if good => {
                writeln!(self.out, "the log only grew, and tells every call and chain to its end: all good")?;
            }
            None => writeln!(self.out, "SOMETHING IS WRONG: {} findings", self.wrong)?,
            Some(Object { begun, log, continues, chains, findings }) => {
                self.out.write_all(if begun { b"\n],\n" } else { b"{\"notes\":[],\n" })?;
                let (chains, continues) = (Value::from(chains), Value::from(continues));
                writeln!(self.out, "\"log\":{log},\n\"continues\":{continues},\n\"chains\":{chains},")?;
                let findings = json!({ "count": self.wrong, "first": findings });
                writeln!(self.out, "\"findings\":{findings},\n\"good\":{good}}}")?;
            }
        }
        Ok(good)
    }
}

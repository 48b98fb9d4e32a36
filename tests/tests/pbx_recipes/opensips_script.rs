//! A parser for the part of OpenSIPS' script language that the recipe uses: enough to know every module,
//! parameter, route, call and variable in it, strict enough to refuse what OpenSIPS would refuse.

use anyhow::{Context, bail, ensure};
use regex::Regex;

/// What stands in a script.
#[derive(Debug, Default)]
pub struct Script {
    /// `name=value` outside of routes.
    pub settings: Vec<(String, String)>,
    /// Loaded modules, without `.so`, in order.
    pub modules: Vec<String>,
    /// Module and parameter of each `modparam`.
    pub parameters: Vec<(String, String)>,
    /// Kind (`route`, `failure_route`, …) and name of each route; the main one has an empty name.
    pub routes: Vec<(String, String)>,
    /// Each call of a function: its name, and its arguments as they are written.
    pub calls: Vec<(String, Vec<String>)>,
    /// Each variable, with its `$`, also those within strings.
    pub variables: Vec<String>,
}

/// Reads a script.
///
/// # Errors
/// It is not well-formed; the text names the line.
pub fn parse(text: &str) -> anyhow::Result<Script> {
    let mut parser = Parser { text, at: 0, script: Script::default() };
    parser.file().with_context(|| format!("line {}", text[..parser.at].lines().count().max(1)))?;
    Ok(parser.script)
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    script: Script,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Passes over blanks and comments.
    fn skip(&mut self) -> anyhow::Result<()> {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start();
            self.at += rest.len() - trimmed.len();
            if trimmed.starts_with('#') {
                self.at += trimmed.find('\n').unwrap_or(trimmed.len());
            } else if trimmed.starts_with("/*") {
                self.at += trimmed.find("*/").context("a comment without end")? + 2;
            } else {
                return Ok(());
            }
        }
    }

    /// Takes `token` if it comes next.
    fn takes(&mut self, token: &str) -> anyhow::Result<bool> {
        self.skip()?;
        let next = self.rest().starts_with(token);
        if next {
            self.at += token.len();
        }
        Ok(next)
    }

    fn expects(&mut self, token: &str) -> anyhow::Result<()> {
        let taken = self.takes(token)?;
        ensure!(taken, "{token:?} expected before {:?}", self.rest().lines().next().unwrap_or_default());
        Ok(())
    }

    fn word(&mut self) -> anyhow::Result<&'a str> {
        self.skip()?;
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        ensure!(end > 0, "a name expected before {:?}", rest.lines().next().unwrap_or_default());
        self.at += end;
        Ok(&rest[..end])
    }

    /// A string, without its quotes.
    fn string(&mut self) -> anyhow::Result<&'a str> {
        self.expects("\"")?;
        let rest = self.rest();
        let mut escaped = false;
        for (index, character) in rest.char_indices() {
            match character {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => {
                    self.at += index + 1;
                    self.variables_in(&rest[..index])?;
                    return Ok(&rest[..index]);
                }
                '\n' => bail!("a string that does not end in its line"),
                _ => {}
            }
        }
        bail!("a string without end")
    }

    /// Notes the variables of a format string.
    fn variables_in(&mut self, string: &str) -> anyhow::Result<()> {
        let variable =
            Regex::new(r"\$(?:[a-zA-Z_]+(?:\([^()]*\))?|\([a-zA-Z_]+(?:\([^()]*\))?(?:\{[^}]*\})*\))")?;
        for (at, _) in string.match_indices('$') {
            // A lone `$` is the end of a regular expression.
            if at + 1 < string.len() {
                let found = variable.find_at(string, at).filter(|found| found.start() == at);
                self.script
                    .variables
                    .push(found.with_context(|| format!("variable in {string:?}"))?.as_str().to_owned());
            }
        }
        Ok(())
    }

    /// `$name`, `$name(inner)` or `$(name(inner){transformation})`.
    fn variable(&mut self) -> anyhow::Result<()> {
        let start = self.at;
        self.expects("$")?;
        if !self.rest().starts_with('(') {
            self.word()?;
        }
        if self.rest().starts_with('(') {
            let mut depth = 0;
            for (index, character) in self.rest().char_indices() {
                match character {
                    '(' => depth += 1,
                    ')' => depth -= 1,
                    '\n' => bail!("a variable without end"),
                    _ => {}
                }
                if depth == 0 {
                    self.at += index + 1;
                    break;
                }
            }
            ensure!(depth == 0, "a variable without end");
        }
        self.script.variables.push(self.text[start..self.at].trim().to_owned());
        Ok(())
    }

    fn file(&mut self) -> anyhow::Result<()> {
        loop {
            self.skip()?;
            if self.rest().is_empty() {
                return Ok(());
            }
            match self.word()? {
                "loadmodule" => {
                    let name = self.string()?;
                    let module = name.strip_suffix(".so").with_context(|| format!("module {name}"))?;
                    self.script.modules.push(module.to_owned());
                }
                "modparam" => {
                    self.expects("(")?;
                    let module = self.string()?.to_owned();
                    self.expects(",")?;
                    let parameter = self.string()?.to_owned();
                    self.expects(",")?;
                    self.expression()?;
                    self.expects(")")?;
                    ensure!(self.script.modules.contains(&module), "modparam before loadmodule of {module}");
                    self.script.parameters.push((module, parameter));
                }
                kind if kind == "route" || kind.ends_with("_route") => {
                    let mut name = String::new();
                    if self.takes("[")? {
                        self.word()?.clone_into(&mut name);
                        self.expects("]")?;
                    }
                    self.script.routes.push((kind.to_owned(), name));
                    self.block()?;
                }
                name => {
                    self.expects("=")?;
                    let value = self.rest().lines().next().unwrap_or_default();
                    self.at += value.len();
                    ensure!(!value.trim().is_empty(), "{name} without a value");
                    self.script.settings.push((name.to_owned(), value.trim().to_owned()));
                }
            }
        }
    }

    fn block(&mut self) -> anyhow::Result<()> {
        self.expects("{")?;
        while !self.takes("}")? {
            self.statement()?;
        }
        Ok(())
    }

    fn statement(&mut self) -> anyhow::Result<()> {
        self.skip()?;
        if self.rest().starts_with('$') {
            self.variable()?;
            self.expects("=")?;
            self.expression()?;
            return self.expects(";");
        }
        match self.word()? {
            "if" => {
                self.expects("(")?;
                self.expression()?;
                self.expects(")")?;
                self.block()?;
                if self.takes("else")? {
                    self.skip()?;
                    return if self.rest().starts_with("if") { self.statement() } else { self.block() };
                }
                Ok(())
            }
            "exit" => self.expects(";"),
            name => {
                self.call(name)?;
                self.expects(";")
            }
        }
    }

    fn call(&mut self, name: &str) -> anyhow::Result<()> {
        self.expects("(")?;
        let mut arguments = Vec::new();
        if !self.takes(")")? {
            loop {
                self.skip()?;
                let start = self.at;
                // The name of a route is a bare word.
                if name == "route" {
                    self.word().map(|_| ())?
                } else {
                    self.expression()?
                }
                arguments.push(self.text[start..self.at].trim().to_owned());
                if self.takes(")")? {
                    break;
                }
                self.expects(",")?;
            }
        }
        self.script.calls.push((name.to_owned(), arguments));
        Ok(())
    }

    fn expression(&mut self) -> anyhow::Result<()> {
        self.operand()?;
        for operator in ["&&", "||", "==", "!=", "=~", "!~", ">=", "<=", ">", "<", "+", "-"] {
            if self.takes(operator)? {
                return self.expression();
            }
        }
        Ok(())
    }

    fn operand(&mut self) -> anyhow::Result<()> {
        self.skip()?;
        match self.rest().chars().next() {
            Some('!') => {
                self.at += 1;
                self.operand()
            }
            Some('(') => {
                self.at += 1;
                self.expression()?;
                self.expects(")")
            }
            Some('"') => self.string().map(|_| ()),
            Some('$') => self.variable(),
            Some(digit) if digit.is_ascii_digit() => self.word().map(|_| ()),
            _ => {
                let name = self.word()?;
                // NULL is a value, everything else of letters a call.
                if name == "NULL" { Ok(()) } else { self.call(name) }
            }
        }
    }
}

//! Lists of numbers: exception lists (F-15) and the number filters of rules (F-14). A number is
//! looked up in all lists at once; expressions are tried only in lists that a rule asks for.

use std::{
    cell::Cell,
    collections::{BTreeMap, HashMap},
    fmt,
};

use domain::resources::NumberPattern;
use regex::{Regex, RegexSet, RegexSetBuilder};

use crate::number::NumberPlan;

/// A list's position in [`Lists`].
pub(crate) type List = usize;

/// All lists of a tenant.
#[derive(Default)]
pub(crate) struct Lists {
    /// The lists in which a number stands, by its canonical spelling.
    exact: HashMap<String, Vec<List>>,
    /// By list.
    expressions: Vec<Expressions>,
}

impl fmt::Debug for Lists {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lists({})", self.expressions.len())
    }
}

/// The expressions of one list.
enum Expressions {
    None,
    /// All in one pass.
    Set(RegexSet),
    /// One by one: together they would take too much memory.
    Each(Vec<Regex>),
}

/// A set that would take more memory than this, bytes, is tried one by one.
const SET_SIZE_LIMIT: usize = 32 << 20;

impl Lists {
    /// Adds a list.
    pub fn add(&mut self, patterns: &[NumberPattern], plan: &NumberPlan) -> List {
        let list = self.expressions.len();
        let mut regexes = Vec::new();
        for pattern in patterns {
            match pattern {
                NumberPattern::Exact(number) => {
                    let lists = self.exact.entry(plan.number_of(number)).or_default();
                    if lists.last() != Some(&list) {
                        lists.push(list);
                    }
                }
                NumberPattern::Regex(regex) => regexes.push(regex.clone()),
            }
        }
        self.expressions.push(Expressions::new(regexes));
        list
    }

    /// Looks `numbers` up.
    pub fn test(&self, numbers: Vec<Number>) -> Tested<'_> {
        let mut exact = Vec::new();
        for number in &numbers {
            exact.extend(self.exact.get(&number.canonical).into_iter().flatten().copied());
        }
        Tested { lists: self, exact, numbers, tried: vec![Cell::new(None); self.expressions.len()] }
    }
}

impl Expressions {
    fn new(regexes: Vec<Regex>) -> Self {
        if regexes.is_empty() {
            return Self::None;
        }
        let set = RegexSetBuilder::new(regexes.iter().map(Regex::as_str)).size_limit(SET_SIZE_LIMIT).build();
        set.map_or(Self::Each(regexes), Self::Set)
    }

    fn match_any(&self, text: &str) -> bool {
        match self {
            Self::None => false,
            Self::Set(set) => set.is_match(text),
            Self::Each(regexes) => regexes.iter().any(|regex| regex.is_match(text)),
        }
    }
}

/// A number as it came, and in its one spelling. An expression may be written for either.
pub(crate) struct Number {
    raw: Option<String>,
    canonical: String,
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("‹sensitive›")
    }
}

impl Number {
    pub fn new(raw: &str, plan: &NumberPlan) -> Self {
        let canonical = plan.number_of(raw);
        Self { raw: (raw != canonical).then(|| raw.to_owned()), canonical }
    }

    /// A number that is in its one spelling already.
    pub const fn of(canonical: String) -> Self {
        Self { raw: None, canonical }
    }
}

/// Numbers of a call against the lists; each list is tried at most once.
pub(crate) struct Tested<'p> {
    lists: &'p Lists,
    numbers: Vec<Number>,
    /// The lists in which one of the numbers stands as it is.
    exact: Vec<List>,
    /// What came of trying the expressions of a list.
    tried: Vec<Cell<Option<bool>>>,
}

impl fmt::Debug for Tested<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("‹sensitive›")
    }
}

impl Tested<'_> {
    /// True if one of the numbers is on the list.
    pub fn is_on(&self, list: List) -> bool {
        if self.exact.contains(&list) {
            return true;
        }
        let expressions = &self.lists.expressions[list];
        if matches!(expressions, Expressions::None) {
            return false;
        }
        self.tried[list].get().unwrap_or_else(|| {
            let found = self.numbers.iter().any(|number| {
                expressions.match_any(&number.canonical)
                    || number.raw.as_deref().is_some_and(|raw| expressions.match_any(raw))
            });
            self.tried[list].set(Some(found));
            found
        })
    }
}

/// Adds each named list once, however many rules select it.
#[derive(Debug, Default)]
pub(crate) struct Named(BTreeMap<domain::ResourceName, List>);

impl Named {
    pub fn get_or_add(&mut self, name: &domain::ResourceName, add: impl FnOnce() -> List) -> List {
        *self.0.entry(name.clone()).or_insert_with(add)
    }
}

//! `verify.sh` in the shells and with the tools of Linux, small Linux and BSD: what is good passes, and
//! each kind of damage is found and named.
//!
//! Each recording that is judged starts some sixty small programs, so none comes after the damaged
//! one, one shell is shown all kinds of damage and each other system those that its tools could stumble
//! over; with `ALL_DAMAGES` set (`make soak`) every system is shown all.

mod archives;
mod damages;
mod judging;
#[path = "../provable/mod.rs"]
mod provable;
#[path = "../signed/mod.rs"]
mod signed;
#[path = "../systems/mod.rs"]
mod systems;

use damages::{files, log, signatures};
use judging::{Scene, finds, judges_as_dash, passes};
use systems::System;

#[test]
fn what_is_good_passes_in_dash_and_damaged_files_are_found() {
    let (system, scene) = (System::shell(&["dash"]), Scene::new());
    passes(&system, &scene);
    finds(&system, files(), &scene);
}

#[test]
fn damaged_signatures_are_found_in_dash() {
    finds(&System::shell(&["dash"]), signatures(), &Scene::new());
}

#[test]
fn damage_to_the_log_is_found_in_dash() {
    finds(&System::shell(&["dash"]), log(), &Scene::new());
}

#[test]
fn bash_judges_as_dash() {
    judges_as_dash(&System::shell(&["bash", "--posix"]));
}

#[test]
fn busybox_with_its_own_tools_judges_as_dash() {
    judges_as_dash(&System::busybox());
}

#[test]
fn the_tools_of_bsd_and_macos_judge_as_dash() {
    judges_as_dash(&System::bsd());
}

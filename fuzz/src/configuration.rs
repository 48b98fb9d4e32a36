//! A configuration file, and the policy that is made of it.

use std::{cell::LazyCell, fs};

use domain::CallFacts;
use policy::{Policy, RunTime};

thread_local! {
    /// One folder a thread, used again: making one costs more than reading it.
    static FOLDER: LazyCell<tempfile::TempDir> =
        LazyCell::new(|| tempfile::tempdir().expect("a temporary folder"));
}

/// The content of `policy.yaml`; then each tenant decides about a call.
pub(crate) fn folder(data: &[u8]) {
    FOLDER.with(|folder| {
        fs::write(folder.path().join("policy.yaml"), data).expect("a temporary file");
        let loaded = config::load(folder.path()).expect("a folder that is there");
        for problem in loaded.problems.iter() {
            let _told = problem.to_string();
        }
        for (tenant, resources) in &loaded.resources.tenants {
            let policy = Policy::new(resources);
            let facts = CallFacts {
                tenant: tenant.clone(),
                call_id: "1".into(),
                direction: None,
                caller: domain::Party { number: "+4922198765".to_owned().into(), ..Default::default() },
                callee: domain::Party { number: "500".to_owned().into(), ..Default::default() },
                override_by_pbx: domain::Override::Auto,
            };
            let _decision =
                policy.decide(&facts, &RunTime::default(), jiff::Timestamp::UNIX_EPOCH).into_decision();
        }
    });
}

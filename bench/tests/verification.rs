//! Verification at a size that `make test` has time for; `make soak` measures a hundred thousand.

use bench::verify;

#[test]
fn a_thousand_recordings_verify_clean_and_are_counted() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let outcome = verify::run(folder.path(), 1_000)?;
    assert_eq!((outcome.small.recordings, outcome.large.recordings), (100, 1_000));
    Ok(())
}

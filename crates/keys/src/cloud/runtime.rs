//! Blocking calls over asynchronous SDKs.
//!
//! Signing is a blocking trait, for PKCS#11 knows nothing else. The SDKs of clouds are asynchronous and
//! keep connections and background tasks in a runtime: theirs is one small runtime of this process's,
//! which lives as long as it does. The caller's thread only waits; it may belong to any runtime or none,
//! but if it belongs to one, it has to be a thread for blocking tasks.

use std::{
    io,
    sync::{Mutex, PoisonError, mpsc},
};

use tokio::runtime::{Builder, Handle, Runtime};

/// Carries `work` out and waits for it.
///
/// # Errors
/// The system gives no thread, or the work panicked.
pub(crate) fn wait_for<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> io::Result<T> {
    let (answer, answered) = mpsc::sync_channel(1);
    handle()?.spawn(async move {
        // Nobody is there to take it only if the waiting thread is gone.
        let _waiter_gone = answer.send(work.await);
    });
    answered.recv().map_err(|_| io::Error::other("the request ended without an answer"))
}

fn handle() -> io::Result<Handle> {
    static RUNTIME: Mutex<Option<Runtime>> = Mutex::new(None);
    let mut runtime = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(running) = &*runtime {
        return Ok(running.handle().clone());
    }
    // One thread carries thousands of requests; the signing is done elsewhere.
    let new =
        Builder::new_multi_thread().worker_threads(1).thread_name("key-service").enable_all().build()?;
    let handle = new.handle().clone();
    *runtime = Some(new);
    Ok(handle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_without_a_runtime_get_their_answers() {
        let threads = (0..4).map(|n| std::thread::spawn(move || wait_for(async move { n * 2 })));
        let answers: Vec<i32> = threads.map(|thread| thread.join().unwrap().unwrap()).collect();
        assert_eq!(answers, [0, 2, 4, 6]);
    }

    #[tokio::test]
    async fn blocking_tasks_of_another_runtime_get_their_answers() {
        let answer = tokio::task::spawn_blocking(|| wait_for(async { 7 })).await.unwrap();
        assert_eq!(answer.unwrap(), 7);
    }

    #[test]
    fn work_that_panics_is_an_error_and_not_the_end() {
        assert!(wait_for(async { panic!("on purpose") }).is_err());
        assert_eq!(wait_for(async { 1 }).unwrap(), 1);
    }
}

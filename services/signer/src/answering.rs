//! Questions from the command line, answered for as long as there is somebody to ask.

use std::time::Duration;

use bus::{BusError, with_sources};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Whoever has listened for so long begins again with the first pause.
const STEADY: Duration = Duration::from_secs(60);

/// Listens with `serve`, and again after a growing pause when that ends, until `stop`: a subscription can
/// fail, and the server can end it.
pub async fn always<F>(what: &'static str, stop: &CancellationToken, serve: impl Fn() -> F)
where
    F: Future<Output = Result<(), BusError>>,
{
    let mut pause = FIRST_PAUSE;
    while !stop.is_cancelled() {
        let begun = Instant::now();
        let outcome = serve().await;
        if stop.is_cancelled() {
            return;
        }
        if begun.elapsed() >= STEADY {
            pause = FIRST_PAUSE;
        }
        let problem = outcome.err().map_or_else(|| "the subscription ended".to_owned(), |e| with_sources(&e));
        tracing::error!(what, problem, "questions are not answered; listening again in a moment");
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, future};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_cannot_listen_tries_again_ever_less_often_until_it_is_to_stop() {
        let (stop, begun) = (CancellationToken::new(), Instant::now());
        let tries = RefCell::new(Vec::new());
        let serve = || {
            let mut tries = tries.borrow_mut();
            tries.push(begun.elapsed().as_millis());
            let ended = tries.len();
            if ended == 10 {
                stop.cancel();
            }
            async move {
                // The eighth time it goes well for long.
                let time = if ended == 8 { STEADY } else { Duration::ZERO };
                tokio::time::sleep(time).await;
                Ok(())
            }
        };
        always("tests", &stop, serve).await;
        let pauses: Vec<u128> = tries.borrow().windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!(pauses, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 60_500, 1_000]);
        // Nobody listens when it is to stop before it began.
        let tried = tries.borrow().len();
        always("tests", &stop, || {
            tries.borrow_mut().push(0);
            future::ready(Ok(()))
        })
        .await;
        assert_eq!(tries.borrow().len(), tried);
    }
}

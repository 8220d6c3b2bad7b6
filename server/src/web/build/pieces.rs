//! A download that takes turns with pages, piece by piece.

use crate::auth::turns::{Asker, Turns};
use futures_util::stream::{Stream, StreamExt as _, unfold};
use std::sync::Arc;

/// Each piece takes a turn of its own: a reader may be slow, and a log long.
pub(super) fn in_turns<S: Stream + Unpin>(turns: Arc<Turns>, asker: Asker, pieces: S) -> impl Stream<Item = S::Item> {
    unfold(pieces, move |mut pieces| {
        let (turns, asker) = (turns.clone(), asker.clone());
        async move {
            let _turn = turns.any_time(&asker).await;
            Some((pieces.next().await?, pieces))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;
    use futures_util::stream::iter;
    use std::pin::pin;

    #[tokio::test]
    async fn each_piece_takes_a_turn_and_gives_it_back() {
        let turns = Turns::new(1, 1);
        let asker = Asker::stranger([192, 0, 2, 1].into());
        let mut download = pin!(in_turns(turns.clone(), asker.clone(), iter(1..=2)));
        assert_eq!(download.next().await, Some(1));
        let page = turns.any_time(&asker).now_or_never().expect("a piece that was read holds no turn");
        assert!(download.next().now_or_never().is_none());
        drop(page);
        assert_eq!(download.next().await, Some(2));
        assert_eq!(download.next().await, None);
    }
}

//! How much of a long work one job does.

use crate::app::App;

/// Pieces of one turn, each a transaction of a few hundred rows: about a second of them.
const PIECES: u32 = 30;

/// What is left of a turn. A job that uses it up asks for another one, behind those that wait: whoever deletes what is
/// large does not hold up whoever deletes what is small.
pub struct Turn {
    left: u32,
}

impl Turn {
    pub fn begin() -> Self {
        Self { left: PIECES }
    }

    /// Takes a piece; false at the end of the turn, and when the server stops, which waits for the jobs in hand.
    pub fn has_piece(&mut self, app: &App) -> bool {
        let has = self.left > 0 && !app.wake.is_stopping();
        self.left = self.left.saturating_sub(1);
        has
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestApp;

    #[tokio::test]
    async fn a_turn_ends_with_its_pieces_and_when_the_server_stops() {
        let app = TestApp::start().await;
        let mut turn = Turn::begin();
        assert_eq!((0..100).filter(|_| turn.has_piece(&app)).count(), 30);
        app.wake.stop();
        assert!(!Turn::begin().has_piece(&app));
    }
}

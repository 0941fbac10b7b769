//! A last client, which looks at everything when nothing is left to do.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::client::Line;
use super::oracle::{Verdict, front};
use super::stage::Stage;
use super::step::{INSPECTOR_NUMBER, Step};
use super::wire::{self, Response};

/// The name of its host.
pub(super) const INSPECTOR: &str = "inspector";

/// How long it waits for each answer. There is nothing that could hold one up.
const PATIENCE: Duration = Duration::from_millis(100);

/// Asks for what the front shows, and looks whether it is what is owed.
pub(super) async fn live(stage: Arc<Stage>) -> turmoil::Result {
    let verdict = look(&stage).await;
    stage.judge(verdict);
    Ok(())
}

async fn look(stage: &Arc<Stage>) -> Verdict {
    let mut line = Line::new(stage, INSPECTOR_NUMBER);
    front::ready(&ask(&mut line, 0, "/readyz").await?)?;
    front::numbers(&ask(&mut line, 1, "/v1/stats").await?)?;
    let page = ask(&mut line, 2, "/v1/events?limit=1000").await?;
    // What may be gone by now may have been gone when the page was made.
    front::page(&page, &stage.owed())
}

async fn ask(line: &mut Line, index: usize, path: &str) -> Result<Response, crate::failure::Broken> {
    let bytes = wire::without_body("GET", path);
    let answer = timeout(PATIENCE, line.exchange(&bytes)).await;
    let (generation, response) = match answer {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => return Err(front::silent(&format!("{path}: {error}"))),
        Err(_) => return Err(front::silent(path)),
    };
    let Response { status, body, .. } = &response;
    line.stage.note(&Step::Answered { client: INSPECTOR_NUMBER, request: index, generation, status: *status, body });
    Ok(response)
}

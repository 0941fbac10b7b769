//! Requests of the inspector with other tokens, from a sender that signs, and as CloudEvents.

use eventful::RecordView;

use super::connection_owners::{SIGNER, source};
use super::inspect::Inspector;
use super::oracle::{OracleResult, front};
use super::scenario::SubmittedItem;
use super::wire;

impl Inspector {
    /// Makes calls that a token does not allow, and calls with an unknown token.
    pub(super) async fn try_tokens(&mut self) -> OracleResult {
        for (method, path, token, due) in [
            ("POST", "/v1/pause", wire::SUBMITTER, "forbidden"),
            ("POST", "/v1/pause", wire::READER, "forbidden"),
            ("GET", "/v1/stats", wire::SUBMITTER, "forbidden"),
            ("POST", "/v1/events", wire::READER, "forbidden"),
            ("POST", "/v1/pause", "another", "unauthorized"),
            ("GET", "/v1/stats", "", "unauthorized"),
        ] {
            let answer = self.ask(&wire::with_token(method, path, token), path).await?;
            front::refused_as(&answer, due)?;
        }
        front::is_of(&self.ask(&wire::with_token("GET", "/v1/stats", wire::READER), "numbers").await?, 200, front::JSON)
    }

    /// Submits a known event as its sender does: with a wrong signature, signed, and with another payload.
    pub(super) async fn send_signed(&mut self, shown: &[RecordView]) -> OracleResult {
        let known = self.owed_of(shown).into_iter().find(|item| source(item.key) == SIGNER);
        let Some(item) = known.filter(|_| !self.forgets_meanwhile()) else { return Ok(()) };
        let other = SubmittedItem { payload: item.payload.wrapping_add(1), ..item };
        for (sent, signed) in [(item, other), (other, item)] {
            let refused = self.ask(&wire::signed(sent, &wire::signature(signed)), "a wrong signature").await?;
            front::refused_as(&refused, "unverified")?;
        }
        let answer = self.ask(&wire::signed(item, &wire::signature(item)), "a signed event").await?;
        front::is_of(&answer, 202, front::JSON)?;
        front::taken(&answer.body, item.key, None)?;
        let refused = self.ask(&wire::signed(other, &wire::signature(other)), "another payload").await?;
        front::refused_as(&refused, "conflict")?;
        self.line.stage.with(|notes, _| notes.coverage.reach("signed"));
        Ok(())
    }

    /// Submits a known event as a CloudEvent.
    pub(super) async fn send_cloud_event(&mut self, shown: &[RecordView]) -> OracleResult {
        let known = self.owed_of(shown).into_iter().find(|item| !source(item.key).is_empty());
        let Some(item) = known.filter(|_| !self.forgets_meanwhile()) else { return Ok(()) };
        let answer = self.ask(&wire::cloud_event(item), "a CloudEvent").await?;
        front::is_of(&answer, 200, front::JSON)?;
        front::taken(&answer.body, item.key, None)?;
        self.line.stage.with(|notes, _| notes.coverage.reach("sent as a CloudEvent"));
        Ok(())
    }
}

//! What happened, as one number and, if asked for, as text.

use std::hash::{Hash, Hasher};

use eventful::Timestamp;

use super::diary::Diary;
use super::scenario::Request;
use super::step::Step;
use crate::mix::Mix;
use crate::trace::Entry;

/// One step of a run, as text.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Line {
    /// When, in microseconds since the beginning.
    pub at_micros: u64,
    /// The hash of the run up to here.
    pub hash: u64,
    /// What happened.
    pub what: String,
    /// The same, for the page that shows the run.
    #[serde(skip)]
    pub entries: Vec<Entry>,
}

/// The steps so far.
#[derive(Debug, Default)]
pub(super) struct Trace {
    hash: Mix,
    pub(super) kept: Option<(Diary, Vec<Line>)>,
}

impl Trace {
    /// One that keeps what happens, when these are asked for.
    pub(super) fn keeping(requests: Option<&[Request]>) -> Self {
        Self { hash: Mix::default(), kept: requests.map(|requests| (Diary::of(requests), Vec::new())) }
    }

    pub(super) fn note(&mut self, at: Timestamp, step: &Step<'_>) {
        let at_micros = at.as_micros() - super::clock::EPOCH.as_micros() as u64;
        self.hash.write_u64(at_micros);
        step.hash(&mut self.hash);
        if let Some((diary, kept)) = &mut self.kept {
            let what = if let Step::Answered { client, request, generation, status, body } = step {
                let head = format!("client: {client}, request: {request}, generation: {generation}, status: {status}");
                format!("Answered {{ {head} }} {}", String::from_utf8_lossy(body).trim_end())
            } else {
                format!("{step:?}")
            };
            kept.push(Line { at_micros, hash: self.hash.finish(), what, entries: diary.entries(at_micros, step) });
        }
    }

    pub(super) fn hash(&self) -> u64 {
        self.hash.finish()
    }
}

//! Clients that wait and read, and panics of the node.

use super::draw::CoreDraw;
use super::family::FaultFamily;
use super::units::MILLI;
use super::{Act, CoreFault, Injection, Operation};

impl CoreDraw {
    /// Makes some submissions wait for room, and some clients read records or wait for the end of events.
    pub(super) fn waiters(&self, operations: &mut Vec<Operation>) {
        let draw = &mut self.stream(FaultFamily::Waiters);
        for operation in operations.iter_mut() {
            if let Act::Submit { event, payload } = operation.act
                && draw.per_mille(500)
            {
                operation.act = Act::Enter { event, payload, patience: draw.pick(&[0, 20, 200, 5_000]) * MILLI };
            }
        }
        for _ in 0..draw.between(1, u64::from(self.submits / 2) + 2) {
            let (event, patience) = (draw.below(self.submits.into()) as u16, draw.pick(&[10, 200, 10_000]) * MILLI);
            let act = match draw.below(8) {
                0..=2 => Act::Read { event },
                3 => {
                    let every = draw.pick(&[0, 0, 1, 20]) * MILLI;
                    let limit = u8::try_from(draw.between(1, 4) as usize * self.length()).unwrap_or(u8::MAX);
                    Act::List { which: draw.below(26) as u8, limit, every }
                }
                4..=6 => Act::Watch { event, patience },
                _ => Act::AwaitIdle { patience },
            };
            operations.push(self.operation(draw, self.span * 2, act));
        }
    }

    /// Gives some events a delay; several have the same start time.
    pub(super) fn delays(&self, operations: &mut [Operation]) {
        let draw = &mut self.stream(FaultFamily::Delays);
        for operation in operations.iter_mut() {
            if matches!(operation.act, Act::Submit { .. } | Act::Enter { .. }) && draw.per_mille(300) {
                operation.delay = draw.pick(&[1, 20, 20, 300, 2_000]) * MILLI;
            }
        }
    }

    pub(super) fn readers(&self, operations: &mut Vec<Operation>) {
        let draw = &mut self.stream(FaultFamily::Readers);
        for _ in 0..draw.between(1, 3) {
            let every = draw.pick(&[0, 1, 10, 100]) * MILLI;
            let lasts = draw.pick(&[20, 500, 10_000]) * MILLI;
            let act = Act::Subscribe { capacity: draw.pick(&[1, 2, 5, 100]), every, lasts };
            operations.push(self.operation(draw, self.span, act));
        }
    }

    pub(super) fn panics(&self, faults: &mut Vec<CoreFault>) {
        let draw = &mut self.stream(FaultFamily::Panics);
        if draw.per_mille(200) {
            faults.push(Injection::NodePanics { sending: draw.per_mille(500) }.at(self.trouble(draw)));
        }
    }
}

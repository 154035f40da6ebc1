//! Contenders measured in turn, so that whatever else the machine does meets all of them alike.

use std::sync::Arc;

use crate::child::Child;
use crate::failure::Outcome;
use crate::figures::Figures;
use crate::load::{Load, Order, Until};

/// A server or floor, and what it is asked.
#[derive(Clone)]
pub(crate) struct Contender {
    /// The process.
    pub(crate) child: Arc<Child>,
    /// The load.
    pub(crate) load: Load,
}

impl Contender {
    /// One round.
    pub(crate) async fn round(&self) -> Outcome<Figures> {
        let before = self.child.cpu()?;
        let sample = self.load.run(self.child.address).await?;
        Ok(sample.figures(self.child.cpu()?.since(&before)))
    }

    /// Asks every request once, so that caches hold what they can.
    pub(crate) async fn pass(&self) -> Outcome<()> {
        let count = Until::Count(self.load.requests.len());
        let load = Load { order: Order::InTurn(0), until: count, ..self.load.clone() };
        load.run(self.child.address).await.map(drop)
    }
}

/// Measures each in turn, `rounds` times after one that does not count; every round's figures in the order of `contenders`.
pub(crate) async fn take(contenders: &[Contender], rounds: usize) -> Outcome<Vec<Vec<Figures>>> {
    let mut taken = vec![Vec::with_capacity(rounds); contenders.len()];
    for round in 0..=rounds {
        for (contender, figures) in contenders.iter().zip(&mut taken) {
            let measured = contender.round().await?;
            if round > 0 {
                figures.push(measured);
            }
        }
    }
    Ok(taken)
}

//! `GET /api/auth/profile`: a check and one row of the database.

use crate::failure::Outcome;
use crate::load::{Load, Order, Until};
use crate::place::Place;
use crate::requests::with_tokens;
use crate::seed::{self, Plan};
use crate::table::Report;
use crate::verify::{Asked, CONNECTIONS, measure_beside_floor};

/// Measures it for 10,000 sessions of 1,000 users.
pub(crate) async fn measure(place: &Place, report: &mut Report) -> Outcome<()> {
    let seed = place.folder("seed")?;
    seed::fill(&seed, Plan { live: 10_000, ended: 0, tokens: 10_000 }).await?;
    let load = Load {
        requests: with_tokens("GET /api/auth/profile", &seed::read_tokens(&seed, "live")?),
        order: Order::Random,
        connections: CONNECTIONS,
        until: Until::Count(place.amounts.requests / 2),
        status: 200,
    };
    measure_beside_floor(place, report, Asked { what: "profile, 10,000 live tokens", seed: &seed, load }).await
}

//! What is done in which order: rounds of injections, all from the seed. The same arguments make the
//! same plan.

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use crate::faults::Fault;

/// Injections before everything is checked, and begins anew.
const ROUND: usize = 10;

/// So many injections, on one stack.
pub(crate) struct Round {
    /// Its place in the plan.
    pub(crate) number: usize,
    pub(crate) seed: u64,
    pub(crate) faults: Vec<Fault>,
}

/// Every fault as often as it is asked for, shuffled. Faults that need a stack of their own kind have
/// rounds of their own.
pub(crate) fn rounds(seed: u64, wanted: &[(Fault, u32)]) -> Vec<Round> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut kinds: Vec<Vec<Fault>> = Vec::new();
    for (fault, times) in wanted {
        let of_kind =
            |faults: &&mut Vec<Fault>| std::ptr::fn_addr_eq(faults[0].layout, fault.layout);
        let injections = vec![*fault; usize::try_from(*times).unwrap()];
        match kinds.iter_mut().find(of_kind) {
            Some(faults) => faults.extend(injections),
            None if injections.is_empty() => {}
            None => kinds.push(injections),
        }
    }
    let mut rounds: Vec<Vec<Fault>> = Vec::new();
    for mut faults in kinds {
        faults.shuffle(&mut rng);
        rounds.extend(faults.chunks(ROUND).map(<[Fault]>::to_vec));
    }
    rounds.shuffle(&mut rng);
    let round = |(number, faults)| Round {
        number,
        seed: seed
            .wrapping_mul(1_000)
            .wrapping_add(u64::try_from(number).unwrap()),
        faults,
    };
    rounds.into_iter().enumerate().map(round).collect()
}

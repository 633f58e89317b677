//! Which faults are injected in which order. The plan follows from the seed: the same arguments
//! make the same plan.

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use crate::faults::Fault;

/// How many faults are injected into one stack before its invariants are checked.
const FAULTS_PER_ROUND: usize = 10;

/// Faults that are injected one after the other into one stack.
pub(crate) struct Round {
    /// The place of the round in the plan, from 0; `--round` takes it.
    pub(crate) number: usize,
    /// What all random choices within the round follow from.
    pub(crate) seed: u64,
    pub(crate) faults: Vec<Fault>,
}

/// Makes a plan with each fault as often as it is asked for, in a random order. Faults that need
/// another layout of the stack get rounds of their own.
pub(crate) fn rounds(seed: u64, wanted: &[(Fault, u32)]) -> Vec<Round> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut by_layout: Vec<Vec<Fault>> = Vec::new();
    for (fault, times) in wanted {
        let same_layout =
            |faults: &&mut Vec<Fault>| std::ptr::fn_addr_eq(faults[0].layout, fault.layout);
        let injections = vec![*fault; usize::try_from(*times).unwrap()];
        match by_layout.iter_mut().find(same_layout) {
            Some(faults) => faults.extend(injections),
            None if injections.is_empty() => {}
            None => by_layout.push(injections),
        }
    }
    let mut rounds: Vec<Vec<Fault>> = Vec::new();
    for mut faults in by_layout {
        faults.shuffle(&mut rng);
        rounds.extend(faults.chunks(FAULTS_PER_ROUND).map(<[Fault]>::to_vec));
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

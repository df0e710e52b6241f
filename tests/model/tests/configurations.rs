//! Every configuration, as far as the test command has time for.

use model::configurations::CONFIGURATIONS;
use model::explored;
use model::search::Bound;

/// Distinct states in all that the test fails without.
const MINIMUM: usize = 10_000_000;

#[test]
fn every_property_holds_in_every_state_that_the_configurations_lead_to() {
    let mut sum = 0;
    for configuration in CONFIGURATIONS {
        let bound = Bound { depth: usize::MAX, states: configuration.states };
        let found = explored(configuration, bound);
        let (name, minimum) = (configuration.name, configuration.minimum);
        assert!(found.states >= minimum, "{name}: only {} states", found.states);
        sum += found.states;
    }
    println!("{sum} states");
    assert!(sum >= MINIMUM, "only {sum} states");
}

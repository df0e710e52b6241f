//! Every configuration, as far as the test command has time for.

use model::configurations::CONFIGURATIONS;
use model::explored;
use model::search::Bound;

/// Distinct states in all that the test fails without.
const MINIMUM: usize = 10_000_000;

#[test]
fn every_property_holds_in_every_state_that_the_configurations_lead_to() {
    // A campaign of mutants asks whether a bug is found soon, not how many states there are.
    let short = std::env::var("STATES").ok().and_then(|number| number.parse().ok());
    let mut sum = 0;
    for configuration in CONFIGURATIONS {
        let bound = Bound { depth: usize::MAX, states: short.unwrap_or(configuration.states) };
        let found = explored(configuration, bound);
        let (name, minimum) = (configuration.name, configuration.minimum);
        assert!(short.is_some() || found.states >= minimum, "{name}: only {} states", found.states);
        sum += found.states;
    }
    println!("{sum} states");
    assert!(short.is_some() || sum >= MINIMUM, "only {sum} states");
}

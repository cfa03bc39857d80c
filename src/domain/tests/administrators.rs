//! Who may change the configuration.

use super::fixture::config;
use crate::domain::principal::Principal;

#[test]
fn only_administrators_and_the_operator_may_change_the_configuration() {
    let config = config("");
    for (who, may) in [
        (Principal::Operator, true),
        (Principal::Person("dan".into()), true),
        (Principal::Service("ci".into()), true),
        (Principal::Person("alice".into()), false),
        (Principal::Person("nobody".into()), false),
        (Principal::Service("stray".into()), false),
        (Principal::Bot, false),
    ] {
        assert_eq!(config.check_may_change(&who).is_ok(), may, "{who}");
    }
}

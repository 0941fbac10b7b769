//! The real program, one scenario per test.

use std::process::{Command, Output};

#[test]
fn seeds_that_break_nothing_are_summed_up() {
    let output = call(&["run", "--seeds", "50"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(text(&output.stdout).contains("50 seeds from 0 to 49"), "{output:?}");
}

fn call(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_eventful-sim")).args(arguments).output().expect("the program starts")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("the program writes UTF-8")
}

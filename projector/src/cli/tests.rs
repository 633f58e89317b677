//! What the tool says of itself.

use clap::{Command, CommandFactory, Parser};
use clap_complete::{Shell, generate};

use super::{Cli, NAME};

/// Every command that does something, without those that only group others.
fn commands(command: &Command) -> Vec<Command> {
    if !command.has_subcommands() {
        return vec![command.clone()];
    }
    command.get_subcommands().flat_map(commands).collect()
}

#[test]
fn every_command_shows_an_example_that_it_takes() {
    for command in commands(&Cli::command()) {
        let name = command.get_name();
        let help = command.get_after_help().map(ToString::to_string);
        let help = help.unwrap_or_else(|| panic!("{name} has no example"));
        let example = help.strip_prefix("Example: ").unwrap();
        let example = example.split(" > ").next().unwrap();
        let mut arguments = Vec::new();
        // What stands between quotes is one argument.
        for (at, part) in example.split('\'').enumerate() {
            if at % 2 == 1 {
                arguments.push(part);
            } else {
                arguments.extend(part.split_whitespace());
            }
        }
        assert!(arguments.contains(&name), "{example}");
        if let Err(error) = Cli::try_parse_from(arguments) {
            panic!("{example}: {error}");
        }
    }
}

#[test]
fn shells_complete_every_command() {
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        let mut script = Vec::new();
        generate(shell, &mut Cli::command(), NAME, &mut script);
        let script = String::from_utf8(script).unwrap();
        for command in commands(&Cli::command()) {
            assert!(script.contains(command.get_name()), "{shell}: {command}");
        }
    }
}

#[test]
fn an_argument_of_another_form_is_refused_with_the_form_that_it_needs() {
    for (arguments, needed) in [
        (
            "actions list --before yesterday",
            "it must be a time such as 2027-01-31T12:00:00Z",
        ),
        (
            "parked list --before 2027-01-31",
            "it must be a time such as 2027-01-31T12:00:00Z",
        ),
        ("parked show auction 42", "it must be a UUID"),
        ("rebuild auction --reason why --row 42", "it must be a UUID"),
    ] {
        let arguments = [NAME].into_iter().chain(arguments.split(' '));
        let error = Cli::try_parse_from(arguments).unwrap_err().to_string();
        assert!(error.contains(needed), "{error}");
    }
}

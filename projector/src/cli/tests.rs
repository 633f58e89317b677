//! What the tool says of itself.

use clap::{Command, CommandFactory, Parser};
use clap_complete::Shell;

use super::completions::script;
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
        let to_shell = |part: &&str| [">", "<"].contains(part);
        let parts: Vec<_> = example.split(' ').take_while(|it| !to_shell(it)).collect();
        let example = parts.join(" ");
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
        let script = String::from_utf8(script(shell)).unwrap();
        for command in commands(&Cli::command()) {
            assert!(script.contains(command.get_name()), "{shell}: {command}");
        }
    }
}

#[test]
fn shells_complete_the_names_of_read_models_and_others_are_taken() {
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        let script = String::from_utf8(script(shell)).unwrap();
        for (read_model, _) in tidemark_read_models::folds() {
            assert!(script.contains(read_model), "{shell}: {read_model}");
        }
    }
    let of_another_build = [NAME, "pause", "of_another_build", "--reason", "why"];
    assert!(Cli::try_parse_from(of_another_build).is_ok());
}

/// The settings without which a command cannot do anything, but for those that show only what the tool itself knows.
#[test]
fn every_command_says_which_settings_it_needs() {
    let without = ["completions"];
    for command in Cli::command().get_subcommands() {
        let groups = command.has_subcommands();
        let group = command
            .get_long_about()
            .map(ToString::to_string)
            .unwrap_or_default();
        let parts: Vec<_> = if groups {
            command.get_subcommands().collect()
        } else {
            vec![command]
        };
        for command in parts {
            let name = command.get_name();
            let about = command.get_long_about().map(ToString::to_string);
            let about = format!("{group} {}", about.unwrap_or_default());
            let is_said = about.contains("TIDEMARK_") || about.contains("same settings as");
            assert!(is_said || without.contains(&name), "{name}: {about}");
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

//! Scripts by which shells complete the arguments of the tool.

use clap::{Command, CommandFactory};
use clap_complete::{Shell, generate};
use tidemark_read_models::folds;

use super::{Cli, NAME};

/// The script for a shell.
pub(super) fn script(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    generate(shell, &mut Cli::command(), NAME, &mut script);
    if shell == Shell::Fish {
        script.extend(read_models_in_fish().into_bytes());
    }
    script
}

/// What completes the names of read models in fish, to which `clap_complete` proposes no values of arguments that have
/// no option.
fn read_models_in_fish() -> String {
    let names: Vec<_> = folds().into_iter().map(|(name, _)| name).collect();
    let names = names.join(" ");
    let takes_one = |command: &&Command| {
        let mut arguments = command.get_arguments();
        arguments.any(|argument| argument.get_id() == "read_model")
    };
    let mut lines = Vec::new();
    for command in Cli::command().get_subcommands() {
        let under = format!(
            "__fish_tidemark_projector_using_subcommand {}",
            command.get_name()
        );
        let parts = command.get_subcommands().filter(takes_one).map(|part| {
            format!(
                "{under}; and __fish_seen_subcommand_from {}",
                part.get_name()
            )
        });
        let whole = Some(under.clone()).filter(|_| takes_one(&command));
        for condition in parts.chain(whole) {
            lines.push(format!(
                "complete -c {NAME} -n \"{condition}\" -f -a \"{names}\"\n"
            ));
        }
    }
    lines.concat()
}

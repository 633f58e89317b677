//! Crash points: where `FAILPOINTS` says so, the process dies at once, as if the power had gone.
//! Only `./dev chaos` builds them in.

#[cfg(not(debug_assertions))]
compile_error!("crash points are for builds with debug assertions, never for a release");

/// Takes what `FAILPOINTS` says. From then on every panic is the end of the process, whoever would
/// have caught it.
pub(crate) fn arm() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        std::process::abort();
    }));
    // They stay as they are to the end.
    std::mem::forget(fail::FailScenario::setup());
}

//! Crash points: at the points that the variable `FAILPOINTS` names, the process dies at once, as if the
//! power had failed. Only `./dev chaos` builds them in.

#[cfg(not(debug_assertions))]
compile_error!(
    "the feature `failpoints` needs debug assertions, so that no release has crash points"
);

/// Arms the crash points that `FAILPOINTS` names. From then on every panic ends the process, even one that
/// would have been caught.
pub(crate) fn arm() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        std::process::abort();
    }));
    // Dropping the scenario would disarm the crash points.
    std::mem::forget(fail::FailScenario::setup());
}

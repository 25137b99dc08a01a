//! How far a program confines itself.

use clap::ValueEnum;

/// How far a program confines itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Sandbox {
    /// As far as the kernel can; it says once what is missing
    Auto,
    /// Wholly, or it does not start
    Require,
    /// Not at all
    Off,
}

/// The flag, as typed.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Confinement")]
pub struct SandboxArgs {
    /// Give up what a run does not need: files that its settings do not name, other programs, further ports (Linux' Landlock);
    /// the images set auto
    #[arg(long, env = "KAFKA_CLIENT_SANDBOX", value_name = "MODE", value_enum, default_value = "off")]
    pub sandbox: Sandbox,
}

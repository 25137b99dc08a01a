//! The only file that knows the crate `landlock`. Rights are named one by one: "all" would grow with the crate, and deny the UNIX
//! sockets and datagrams that look-ups of names need.

use std::path::Path;

use landlock::{
    ABI, AccessFs, AccessNet, AddRuleError, AddRulesError, BitFlags, LandlockStatus, PathBeneath, PathFd,
    RestrictionStatus, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
    make_bitflags,
};
use rustix::io::Errno;

use super::{Rules, State, abi};

/// What is denied unless a rule allows it. No rule allows `Execute`.
const FILES: BitFlags<AccessFs> = make_bitflags!(AccessFs::{
    Execute | ReadFile | ReadDir | WriteFile | Truncate | IoctlDev | Refer | RemoveDir | RemoveFile | MakeChar | MakeDir
    | MakeReg | MakeSock | MakeFifo | MakeBlock | MakeSym
});
const READ_FOLDER: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | ReadDir});
const WRITE: BitFlags<AccessFs> = make_bitflags!(AccessFs::{WriteFile | Truncate});
const SCOPES: BitFlags<Scope> = make_bitflags!(Scope::{AbstractUnixSocket | Signal});

/// A restriction, ready to be entered.
pub struct Prepared {
    ruleset: RulesetCreated,
    /// Kept open to the end of the process.
    pinned: Vec<PathFd>,
}

impl Prepared {
    /// Hands the rules to the kernel. Opens every path, which may hang where a file server does; what is not there needs no rule.
    ///
    /// # Errors
    /// When the kernel refuses a rule. That it has no Landlock is no error.
    pub fn new(rules: &Rules) -> Result<Self, String> {
        let ruleset = handled().map_err(|error| format!("the restriction cannot be prepared: {error}"))?;
        let mut prepared = Self { ruleset, pinned: Vec::new() };
        for path in &rules.read {
            let access = |is_folder| if is_folder { READ_FOLDER } else { AccessFs::ReadFile.into() };
            prepared.allow(path, access)?;
        }
        for path in &rules.write {
            prepared.allow(path, |_| WRITE)?;
        }
        Ok(prepared)
    }

    fn allow(&mut self, path: &Path, access: impl Fn(bool) -> BitFlags<AccessFs>) -> Result<(), String> {
        let Ok(opened) = PathFd::new(path) else { return Ok(()) };
        let is_folder = path.is_dir();
        let added = (&mut self.ruleset).add_rule(PathBeneath::new(&opened, access(is_folder)));
        match added {
            Ok(_) => {}
            // A pipe or socket that has no name, as /dev/stdin may be: nothing denies it.
            Err(error) if is_nameless(&error) => {}
            Err(error) => return Err(format!("{}: the kernel takes no rule for it: {error}", path.display())),
        }
        // The kernel makes up what is in /proc anew once it has forgotten it, and a rule would not know it again.
        if path.starts_with("/proc") {
            self.pinned.push(opened);
        }
        Ok(())
    }

    /// Restricts the calling thread and all that it starts, for ever.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn enter(self) -> Result<State, String> {
        let status = self.ruleset.restrict_self();
        let status = status.map_err(|error| format!("the kernel refuses the restriction: {error}"))?;
        // As long as the process.
        std::mem::forget(self.pinned);
        Ok(state(&status))
    }
}

fn handled() -> Result<RulesetCreated, RulesetError> {
    Ruleset::default().handle_access(FILES)?.handle_access(AccessNet::BindTcp)?.scope(SCOPES)?.create()
}

fn is_nameless(error: &RulesetError) -> bool {
    let RulesetError::AddRules(AddRulesError::Fs(AddRuleError::AddRuleCall { source, .. })) = error else {
        return false;
    };
    source.raw_os_error() == Some(Errno::BADFD.raw_os_error())
}

fn state(status: &RestrictionStatus) -> State {
    let abi = match status.landlock {
        LandlockStatus::NotEnabled => {
            return State::nothing(
                "all of it: Landlock is not enabled on this machine (lsm= of the kernel's command line)".to_owned(),
            );
        }
        LandlockStatus::NotImplemented => {
            return State::nothing(
                "all of it: this kernel has no Landlock (Linux 5.13), or its calls are filtered".to_owned(),
            );
        }
        LandlockStatus::Available { effective_abi, .. } => version(effective_abi),
    };
    let mut missing = abi::missing(abi);
    if missing.is_empty() && status.ruleset != RulesetStatus::FullyEnforced {
        missing.push("a part that the kernel does not name".to_owned());
    }
    State { abi, files: status.ruleset != RulesetStatus::NotEnforced, bind: abi >= abi::PORTS, missing }
}

/// The version in use.
fn version(abi: ABI) -> u8 {
    u8::try_from(abi as i32).map_or(abi::NEWEST, |abi| abi.min(abi::NEWEST))
}

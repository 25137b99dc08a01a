//! `cargo xtask release`: what the release's workflows do, a step each, so that each can be run and tested without them.

mod bases;
mod index;
mod notes;
mod publish;
mod push;
mod render;
mod sboms;
mod verify;

use std::path::PathBuf;

use anyhow::Result;

use crate::published::{Place, Tag};

/// The steps, in their order.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Whether the tag is the programs' version, and the changelog has it
    Check {
        #[command(flatten)]
        tag: Tag,
    },
    /// Verify the signature of the base image that the Dockerfiles pin; needs cosign and the internet
    Bases,
    /// Push the images of `cargo xtask images` for this platform, and keep their digests; needs podman, and a login to the registry
    Push {
        #[command(flatten)]
        place: Place,
    },
    /// Make one image of those of all platforms, and tell the digests
    Index {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        tag: Tag,
    },
    /// Write the SBOM of each platform's image, from the registry
    Sboms {
        #[command(flatten)]
        place: Place,
        /// The folder to write to
        #[arg(long, value_name = "FOLDER", default_value = "target/sbom")]
        out: PathBuf,
    },
    /// Look the SBOMs up in a scanner's database; needs the internet
    Scan {
        /// The folder with the SBOMs
        #[arg(long, value_name = "FOLDER", default_value = "target/sbom")]
        sboms: PathBuf,
    },
    /// Sign the images by the workflow's own identity; needs cosign, in a job with `id-token: write`
    Sign {
        #[command(flatten)]
        place: Place,
    },
    /// Verify signatures, provenance and SBOMs as a user does, with the exact identity; needs cosign and gh
    Verify {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        tag: Tag,
    },
    /// Write what is attached to the release: manifests with tag and digest, SBOMs, VEX, licences, checksums
    Render {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        tag: Tag,
        /// The folder with the SBOMs
        #[arg(long, value_name = "FOLDER", default_value = "target/sbom")]
        sboms: PathBuf,
        /// A folder whose files are attached too: those of `bundles`
        #[arg(long, value_name = "FOLDER")]
        bundles: Option<PathBuf>,
        /// The folder to write to
        #[arg(long, value_name = "FOLDER", default_value = "target/dist")]
        out: PathBuf,
    },
    /// Fetch what a place without the internet verifies with: trusted root and bundles; needs cosign and gh
    Bundles {
        #[command(flatten)]
        place: Place,
        /// The folder to write to
        #[arg(long, value_name = "FOLDER", default_value = "target/bundles")]
        out: PathBuf,
    },
    /// Create the release on GitHub, with everything in a folder attached; needs gh
    Create {
        #[command(flatten)]
        tag: Tag,
        /// The folder
        #[arg(long, value_name = "FOLDER", default_value = "target/dist")]
        from: PathBuf,
    },
}

/// Does one of them. `false` when something is not as it has to be.
pub fn run(command: &Command) -> Result<bool> {
    match command {
        Command::Check { tag } => notes::check(&tag.get()?),
        Command::Bases => bases::verify(),
        Command::Push { place } => push::run(place),
        Command::Index { place, tag } => index::run(place, &tag.get()?),
        Command::Sboms { place, out } => sboms::run(place, out),
        Command::Scan { sboms } => sboms::scan(sboms),
        Command::Sign { place } => verify::sign(place),
        Command::Verify { place, tag } => verify::run(place, &tag.get()?),
        Command::Render { place, tag, sboms, bundles, out } => {
            render::run(place, &tag.get()?, sboms, bundles.as_deref(), out)
        }
        Command::Bundles { place, out } => publish::bundles(place, out),
        Command::Create { tag, from } => publish::run(&tag.get()?, from),
    }
}

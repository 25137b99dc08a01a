//! `cargo xtask supply-chain`: from the images to what is said of them, signed, and believed: bills of materials, statements on
//! vulnerabilities, a scan, signatures, and what must be refused; and the system calls that they need. Nothing but the loopback
//! address is reached.

mod image;
mod policies;
mod refuse;
mod registry;
mod sbom;
mod scan;
mod seccomp;
pub mod sign;
mod table;
mod tools;
mod vex;

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Subcommand;

use crate::images::PROGRAMS;
use crate::images::engine::Engine;
use image::Image;
use registry::Registry;
use sbom::Sbom;
use sbom::sources::Sources;
use sign::cosign::Cosign;
use table::Table;
use tools::Tools;

/// The flags of the task.
#[derive(clap::Args)]
pub struct Args {
    /// One step, with those that it needs [default: all but seccomp]
    #[command(subcommand)]
    step: Option<Step>,

    /// What has the images of `cargo xtask images` [default: the first that works]
    #[arg(long, value_enum, global = true)]
    engine: Option<Engine>,
}

#[derive(Subcommand, Clone)]
enum Step {
    /// Write a bill of materials for each image, CycloneDX 1.6, into target/supply-chain
    Sbom(Bill),
    /// Check the statements of security/vex.openvex.json against the images and the compiled sources
    Vex,
    /// Prove the scanner's gate on known vulnerabilities; with --internet, scan on Grype's own database
    Scan(Scan),
    /// Sign both images, attest what is known of them, verify it, also at a second registry, and refuse a wrong key
    Sign,
    /// Prove that each of the things that must be refused is refused, for its own reason
    Refuse,
    /// Write infra/policies/seccomp from traces of the programs in their images, and try it; with --check, compare a short trace.
    /// Needs root, strace, Java 17 and Maven
    Seccomp(seccomp::Args),
    /// Prove what Kyverno admits and denies by the policy of infra/policies/kyverno; needs no images, and builds Kyverno first
    Policies,
}

/// The flags of `sbom`.
#[derive(clap::Args, Clone)]
struct Bill {
    /// An image in a registry, by its digest, in place of the local ones
    #[arg(long, value_name = "NAME@sha256:...")]
    image: Option<String>,

    /// With --image: the index that names the image, which the bill then names, too
    #[arg(long, value_name = "sha256:...", requires = "image")]
    index: Option<String>,

    /// With --image: refuse an image that is built on a stand-in
    #[arg(long, requires = "image")]
    release: bool,

    /// Where to write [default: target/supply-chain]
    #[arg(long, value_name = "FOLDER")]
    output: Option<PathBuf>,
}

/// The flags of `scan`.
#[derive(clap::Args, Clone)]
struct Scan {
    /// Scan on Grype's own database, which is downloaded
    #[arg(long)]
    internet: bool,

    /// With --internet: bills that are there already, in place of the local images
    #[arg(long, value_name = "FILE", requires = "internet", num_args = 1..)]
    sbom: Vec<PathBuf>,
}

/// Runs the steps. `false` when one fails.
pub fn run(args: &Args) -> Result<bool> {
    let tools = Tools::new()?;
    let mut table = Table::default();
    steps(args, &tools, &mut table)?;
    Ok(table.end())
}

/// Each step needs the one before; the first that fails ends the run.
fn steps(args: &Args, tools: &Tools, table: &mut Table) -> Result<()> {
    let all = args.step.is_none();
    match &args.step {
        Some(Step::Sbom(bill @ Bill { image: Some(reference), .. })) => {
            of_registry(tools, table, reference, bill);
            return Ok(());
        }
        Some(Step::Scan(scan)) if !scan.sbom.is_empty() => {
            for file in &scan.sbom {
                table.row(format!("scan {}", file.display()), || Ok(((), scan::online(tools, file)?)));
            }
            return Ok(());
        }
        Some(Step::Seccomp(wanted)) => return seccomp::run(wanted, args.engine, tools, table),
        Some(Step::Policies) => return policies::run(tools, table),
        _ => {}
    }
    let sources = Sources::find()?;
    let registry = Registry::start(tools)?;
    let engine = Engine::find(args.engine)?;
    let (mut images, mut sboms) = (Vec::new(), Vec::new());
    let output = match &args.step {
        Some(Step::Sbom(Bill { output: Some(folder), .. })) => folder.clone(),
        _ => tools.folder().to_owned(),
    };
    for name in PROGRAMS {
        let pushed = table.row(format!("push kafka-{name}"), || {
            let image = Image::push(tools, engine, name, registry.host())?;
            let said = image.digest.clone();
            Ok((image, said))
        });
        let Some(image) = pushed else { return Ok(()) };
        let Some(sbom) = table.row(format!("sbom kafka-{name}"), || bill(tools, &sources, &image, None, &output))
        else {
            return Ok(());
        };
        images.push(image);
        sboms.push(sbom);
    }
    if all || matches!(args.step, Some(Step::Vex | Step::Scan(_) | Step::Sign | Step::Refuse)) {
        let checked = table.row("vex", || {
            let count = vex::check(&vex::document::read()?, &sboms, &sources)?;
            Ok(((), format!("{count} statements hold, in sources and programs")))
        });
        if checked.is_none() {
            return Ok(());
        }
    }
    if all || matches!(args.step, Some(Step::Scan(_))) {
        scans(tools, table, args, &images, &sboms);
    }
    if all || matches!(args.step, Some(Step::Sign | Step::Refuse)) {
        signatures(tools, table, args, &images, &sboms, registry)?;
    }
    if all {
        policies::run(tools, table)?;
    }
    Ok(())
}

/// Writes the bill of an image that is to be released.
///
/// # Errors
/// When the image is built on a stand-in, or the bill is not valid.
pub fn released(image: &str, index: &str, folder: &std::path::Path) -> Result<PathBuf> {
    let tools = Tools::new()?;
    let image = Image::find(&tools, image)?;
    image.releasable()?;
    Ok(Sbom::of(&tools, &Sources::find()?, &image, Some(index), folder)?.file)
}

/// Looks a bill up in Grype's own database.
///
/// # Errors
/// When something high or critical has a fix and no statement covers it.
pub fn scanned(bill: &std::path::Path) -> Result<String> {
    scan::online(&Tools::new()?, bill)
}

fn of_registry(tools: &Tools, table: &mut Table, reference: &str, wanted: &Bill) {
    table.row(format!("sbom {reference}"), || {
        let image = Image::find(tools, reference)?;
        if wanted.release {
            image.releasable()?;
        }
        let folder = wanted.output.clone().unwrap_or_else(|| tools.folder().to_owned());
        bill(tools, &Sources::find()?, &image, wanted.index.as_deref(), &folder)
    });
}

fn bill(
    tools: &Tools,
    sources: &Sources,
    image: &Image,
    index: Option<&str>,
    folder: &std::path::Path,
) -> Result<(Sbom, String)> {
    let sbom = Sbom::of(tools, sources, image, index, folder)?;
    let said = sbom.summary();
    Ok((sbom, said))
}

fn scans(tools: &Tools, table: &mut Table, args: &Args, images: &[Image], sboms: &[Sbom]) {
    if let Some(Step::Scan(Scan { internet: true, .. })) = &args.step {
        for sbom in sboms {
            table.row(format!("scan {}", sbom.program), || Ok(((), scan::online(tools, &sbom.file)?)));
        }
        return;
    }
    for (image, sbom) in images.iter().zip(sboms) {
        let gate = table.row(format!("scan: a database for {}", sbom.program), || {
            Ok((scan::Gate::new(tools, image, sbom)?, "written and imported".to_owned()))
        });
        let Some(gate) = gate else { return };
        for (name, case) in scan::ALL {
            table.row(format!("scan {}: {name}", sbom.program), || Ok(((), case(&gate)?)));
        }
    }
}

fn signatures(
    tools: &Tools,
    table: &mut Table,
    args: &Args,
    images: &[Image],
    sboms: &[Sbom],
    registry: Registry,
) -> Result<()> {
    let cosign = Cosign::new(tools)?;
    for (image, sbom) in images.iter().zip(sboms) {
        let signed = table.row(format!("sign {}", image.program), || {
            sign::sign(tools, &cosign, image, sbom)?;
            sign::verify(tools, &cosign, image, sbom, &image.repository)?;
            Ok(((), format!("signature and {} attestations made and verified", sign::KINDS.len())))
        });
        if signed.is_none() {
            return Ok(());
        }
    }
    let matrix = args.step.is_none() || matches!(args.step, Some(Step::Refuse));
    ensure!(images.len() == 2, "the cases need two images");
    for (this, that) in [(0, 1), (1, 0)] {
        let case =
            refuse::Case { tools, cosign: &cosign, image: &images[this], other: &images[that], bill: &sboms[that] };
        for (name, refusal) in refuse::ALL.iter().take(if matrix { refuse::ALL.len() } else { 1 }) {
            table.row(format!("refuse {}: {name}", case.image.program), || Ok(((), refusal(&case)?)));
        }
    }
    table.row("the commands of SECURITY.md", || {
        sign::as_documented(tools, &cosign, images)?;
        Ok(((), "verify, and copy to a second registry, as they stand there".to_owned()))
    });
    table.row("mirror", || {
        sign::mirrored(tools, &cosign, images, sboms, registry)?;
        Ok(((), "all of it verified at a second registry, the first ended".to_owned()))
    });
    Ok(())
}

//! `portolan lint`: judges a contract before it is published, and against the one that it would follow.

mod source;
mod versions;

use crate::cli::output::{self, Form, clean, count};
use crate::descriptors::{Break, ServiceName, breaks};
use anyhow::bail;
use serde_json::json;
use source::Source;
use std::path::PathBuf;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  buf build -o ledger.binpb && portolan lint ledger.binpb
  portolan lint ledger.binpb --against ledger-1.4.0.binpb
  protoc --include_imports --descriptor_set_out=ledger.binpb ledger.proto
  portolan lint ledger.binpb --against old.binpb --service acme.ledger.v1.Ledger
  portolan lint parameters.json --against parameters-1.4.0.json -o json
  portolan lint platform/ --against ../released/platform/

Each break is one line: `path: RULE: message`; of manifests `file:line: path: RULE: message`. What is checked stands in
docs/compatibility.md.

Exit codes: 0 sound and compatible, 1 failed (a file cannot be read), 2 wrong usage, 3 breaks or faults were found.";

/// What `portolan lint` ends with when it found something.
const FOUND: u8 = 3;

/// Check a contract, and whether it may follow another within one major version
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// A descriptor set (`buf build -o`, `protoc --include_imports --descriptor_set_out`), the JSON Schema of parameters
    /// (*.json), or manifests (*.yaml, or a folder of them), whose versions are also compared with each other
    file: PathBuf,
    /// The contract that consumers rely on: what they would lose is a break
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// Only this service of a descriptor set and what it reaches; may be given several times. Otherwise all that it
    /// declares
    #[arg(long, value_name = "NAME")]
    service: Vec<String>,
    /// Lines, or one JSON object
    #[arg(long, short, value_enum, default_value = "table")]
    output: Form,
}

/// One thing that was found.
#[derive(Debug, Clone)]
struct Finding {
    /// Of a manifest: file and line.
    origin: Option<String>,
    what: Break,
}

/// What was found, of whichever contract.
#[derive(Default)]
struct Found {
    faults: Vec<Finding>,
    breaks: Vec<Finding>,
}

pub(super) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let services: Vec<ServiceName> =
        args.service.iter().map(|name| ServiceName::parse(name)).collect::<Result<_, _>>()?;
    let (new, faults) = source::read(&args.file, &services)?;
    let mut found = Found { faults, breaks: Vec::new() };
    let old = match &args.against {
        Some(file) => {
            let (old, faults) = source::read(file, &services)?;
            for fault in faults {
                eprintln!("warning: in {}: {}", file.display(), clean(&fault.to_string()));
            }
            Some(old)
        }
        None => None,
    };
    match (&new, &old) {
        (Source::Manifests(new), None) => found.breaks = versions::compare(&[], new),
        (Source::Manifests(new), Some(Source::Manifests(old))) => {
            found.breaks = versions::compare(old, new);
        }
        (_, None) => {}
        (Source::Descriptors(new), Some(Source::Descriptors(old)))
        | (Source::Schema(new), Some(Source::Schema(old))) => {
            let broken = breaks(old.contract(), new.contract());
            found.breaks = broken.into_iter().map(Finding::from).collect();
        }
        _ => bail!("{} and what it is compared with are not of one kind", args.file.display()),
    }
    let summary = match (&new, &args.against) {
        (_, Some(old)) => format!("it may follow {}", old.display()),
        (Source::Descriptors(new), None) => format!("{} sound", count(new.services.len(), "service")),
        (Source::Schema(_), None) => "the schema is sound".to_owned(),
        (Source::Manifests(new), None) => format!("{} sound", count(new.len(), "version")),
    };
    report(&found, args.output, &summary)
}

/// Prints what was found, and says by the exit code whether anything was.
fn report(found: &Found, form: Form, summary: &str) -> anyhow::Result<ExitCode> {
    let is_clean = found.faults.is_empty() && found.breaks.is_empty();
    if form == Form::Json {
        let list = |found: &[Finding]| -> Vec<_> { found.iter().map(Finding::json).collect() };
        let whole = json!({"ok": is_clean, "faults": list(&found.faults), "breaks": list(&found.breaks)});
        output::say(format!("{whole:#}"))?;
    } else if is_clean {
        output::say(clean(&format!("OK: {summary}")))?;
    } else {
        for found in found.faults.iter().chain(&found.breaks) {
            output::say(clean(&found.to_string()))?;
        }
        let told = [(found.faults.len(), "fault"), (found.breaks.len(), "break")];
        let told: Vec<_> = told.iter().filter(|(n, _)| *n > 0).map(|(n, word)| count(*n, word)).collect();
        let advice =
            if found.breaks.is_empty() { "" } else { "; a new major version may break, this one may not" };
        eprintln!("{}{advice}", told.join(", "));
    }
    Ok(if is_clean { ExitCode::SUCCESS } else { ExitCode::from(FOUND) })
}

impl Finding {
    fn json(&self) -> serde_json::Value {
        let Break { path, rule, message } = &self.what;
        let mut json = json!({"path": path, "rule": rule, "message": message});
        if let Some(origin) = &self.origin {
            json["origin"] = json!(origin);
        }
        json
    }
}

impl From<Break> for Finding {
    fn from(what: Break) -> Self {
        Self { origin: None, what }
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.origin {
            Some(origin) => write!(f, "{origin}: {}", self.what),
            None => write!(f, "{}", self.what),
        }
    }
}

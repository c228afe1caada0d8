//! `portolan lint`: judges a contract before it is published, and against the one that it would follow.

use crate::cli::output::{self, Form, clean, count};
use crate::descriptors::{
    Break, Contract, Limits, SchemaError, ServiceName, Set, Warning, breaks, check_schema,
};
use anyhow::{Context as _, bail};
use serde_json::json;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  buf build -o ledger.binpb && portolan lint ledger.binpb
  portolan lint ledger.binpb --against ledger-1.4.0.binpb
  protoc --include_imports --descriptor_set_out=ledger.binpb ledger.proto
  portolan lint ledger.binpb --against old.binpb --service acme.ledger.v1.Ledger
  portolan lint parameters.json --against parameters-1.4.0.json -o json

Each break is one line: `path: RULE: message`. What is checked stands in docs/compatibility.md.

Exit codes: 0 sound and compatible, 1 failed (a file cannot be read), 2 wrong usage, 3 breaks or faults were found.";

/// What `portolan lint` ends with when it found something.
const FOUND: u8 = 3;

/// Check a contract, and whether it may follow another within one major version
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// A descriptor set (`buf build -o`, `protoc --include_imports --descriptor_set_out`), or the JSON Schema of
    /// parameters (*.json)
    file: PathBuf,
    /// The contract that consumers rely on: what they would lose is a break
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// Only this service and what it reaches; may be given several times. Otherwise all that the set declares
    #[arg(long, value_name = "NAME")]
    service: Vec<String>,
    /// Lines, or one JSON object
    #[arg(long, short, value_enum, default_value = "table")]
    output: Form,
}

/// One contract, as far as it stands in one file.
struct Linted {
    /// Those that count.
    services: Vec<ServiceName>,
    set: Option<Set>,
    parameter_schema: Option<String>,
    /// What is wrong with it in itself.
    faults: Vec<Break>,
}

/// What was found, of whichever contract.
#[derive(Default)]
struct Found {
    faults: Vec<Break>,
    breaks: Vec<Break>,
}

pub(super) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let services: Vec<ServiceName> =
        args.service.iter().map(|name| ServiceName::parse(name)).collect::<Result<_, _>>()?;
    let new = read(&args.file, &services)?;
    let old = args.against.as_deref().map(|file| read(file, &services)).transpose()?;
    let mut found = Found { faults: new.faults.clone(), breaks: Vec::new() };
    if let Some(old) = &old {
        if old.set.is_some() != new.set.is_some() {
            bail!("one is a descriptor set and the other a JSON Schema");
        }
        for fault in &old.faults {
            eprintln!("warning: in the old contract: {}", clean(&fault.to_string()));
        }
        found.breaks = breaks(old.contract(), new.contract());
    }
    let summary = match (&new.set, &args.against) {
        (Some(_), None) => format!("{} sound", count(new.services.len(), "service")),
        (None, None) => "the schema is sound".to_owned(),
        (_, Some(old)) => format!("it may follow {}", old.display()),
    };
    report(&found, args.output, &summary)
}

impl Linted {
    fn contract(&self) -> Contract<'_> {
        Contract {
            services: &self.services,
            set: self.set.as_ref(),
            parameter_schema: self.parameter_schema.as_deref(),
        }
    }
}

/// Reads a contract; `only` names the services that count, if not all do.
fn read(file: &Path, only: &[ServiceName]) -> anyhow::Result<Linted> {
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    match file.extension().and_then(OsStr::to_str) {
        Some("json") => schema(bytes),
        Some("proto") => bail!(
            "{} is source: build a descriptor set first, with `buf build -o {}`",
            file.display(),
            file.with_extension("binpb").display()
        ),
        _ => descriptors(&bytes, only),
    }
    .with_context(|| format!("{} cannot be judged", file.display()))
}

fn schema(bytes: Vec<u8>) -> anyhow::Result<Linted> {
    let text = String::from_utf8(bytes).context("it is not UTF-8")?;
    let is_image = serde_json::from_str(&text).is_ok_and(|value: serde_json::Value| value["file"].is_array());
    if is_image {
        bail!("it is a descriptor set in JSON; build it in binary, with `buf build -o x.binpb`");
    }
    let fault = |error: SchemaError| Break {
        path: "parameter_schema:".to_owned(),
        rule: "SCHEMA_UNSOUND",
        message: error.to_string(),
    };
    let faults = check_schema(&text).err().map(fault).into_iter().collect();
    Ok(Linted { services: Vec::new(), set: None, parameter_schema: Some(text), faults })
}

fn descriptors(bytes: &[u8], only: &[ServiceName]) -> anyhow::Result<Linted> {
    let set = Set::screen(bytes, &Limits::default())?;
    let fault = |warning: &Warning| Break {
        path: warning.file.clone(),
        rule: "FILE_UNSOUND",
        message: warning.fault.to_string(),
    };
    let mut faults: Vec<Break> = set.warnings().iter().map(fault).collect();
    let is_wanted = |name: &&ServiceName| only.is_empty() || only.contains(name);
    let services: Vec<ServiceName> = set.services().filter(is_wanted).cloned().collect();
    if services.is_empty() {
        let message = match only {
            [] => "it declares no service, so there is nothing to call",
            _ => "it declares none of the services asked for",
        };
        faults.push(Break { path: "contract".into(), rule: "SERVICE_MISSING", message: message.into() });
    }
    Ok(Linted { services, set: Some(set), parameter_schema: None, faults })
}

/// Prints what was found, and says by the exit code whether anything was.
fn report(found: &Found, form: Form, summary: &str) -> anyhow::Result<ExitCode> {
    let is_clean = found.faults.is_empty() && found.breaks.is_empty();
    if form == Form::Json {
        let list = |found: &[Break]| -> Vec<_> {
            let one =
                |found: &Break| json!({"path": found.path, "rule": found.rule, "message": found.message});
            found.iter().map(one).collect()
        };
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

//! `portolan certs`: a development PKI, one authority for each trust domain.
//!
//! Owns: files below its directory; keys are mode 0600 and never overwritten unasked.
//! Never: certificates for production. An organisation's own PKI (SPIRE, Vault, step-ca) makes those.

mod authority;
mod keep;
mod show;

pub use authority::{Authority, Issued, Purpose, Request, Written};

use crate::cli::output;
use crate::client::{Identity, TrustDomain};
use anyhow::{Context as _, bail};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);
const EXAMPLES: &str = "\
Examples:
  An authority for an organisation, in certs/payments.example:
    portolan certs init payments.example

  A certificate for a broker that listens on this machine:
    portolan certs issue spiffe://payments.example/broker --dns localhost --ip 127.0.0.1

  A certificate for a consumer, or for a producer:
    portolan certs issue spiffe://data.example/reports

  One without SPIFFE, for an organisation known by DNS names:
    portolan certs issue --trust-domain legacy.example --dns ledger.legacy.internal

  What is in a file, and what is wrong with it:
    portolan certs show certs/payments.example/*.pem";

/// Make and inspect certificates for development.
///
/// Each trust domain has an authority of its own in DIR/TRUST_DOMAIN: `ca.pem` is the bundle that others trust, `ca.key`
/// signs. Keys are readable by you alone (mode 0600), nothing is overwritten without --force, and git ignores the
/// default directory.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Init(Init),
    Issue(Issue),
    Show(Show),
}

/// Make the authority of a trust domain.
#[derive(Debug, clap::Args)]
struct Init {
    /// The organisation, as a SPIFFE trust domain: payments.example
    #[arg(value_parser = TrustDomain::parse)]
    trust_domain: TrustDomain,
    /// The directory of all authorities
    #[arg(long, default_value = "certs")]
    dir: PathBuf,
    /// How many days the authority lives
    #[arg(long, value_name = "DAYS", default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
    /// Replace an authority that is there: everything that it signed becomes worthless
    #[arg(long)]
    force: bool,
}

/// Issue a certificate for one workload: a broker, a producer or a consumer.
#[derive(Debug, clap::Args)]
struct Issue {
    /// Who it is, as a SPIFFE id: spiffe://payments.example/ledger
    #[arg(value_parser = Identity::parse_spiffe, required_unless_present = "trust_domain")]
    id: Option<Identity>,
    /// Whose authority signs, for a certificate with DNS names instead of a SPIFFE id
    #[arg(long, value_parser = TrustDomain::parse, conflicts_with = "id", requires = "dns")]
    trust_domain: Option<TrustDomain>,
    /// A DNS name at which it listens (repeat for more)
    #[arg(long, value_name = "NAME")]
    dns: Vec<String>,
    /// An IP address at which it listens (repeat for more)
    #[arg(long, value_name = "ADDRESS")]
    ip: Vec<IpAddr>,
    /// How many days it lives, at most as long as its authority
    #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=825))]
    days: u32,
    /// Whether it listens, dials or does both
    #[arg(long, value_enum, default_value_t = Purpose::Both)]
    purpose: Purpose,
    /// The name of the files, without ending [default: the last part of the id, or the first DNS name]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The directory of all authorities
    #[arg(long, default_value = "certs")]
    dir: PathBuf,
    /// Replace files that are there
    #[arg(long)]
    force: bool,
}

/// Tell what is in PEM files: who, by whom, from when to when, and what is wrong with it.
#[derive(Debug, clap::Args)]
struct Show {
    /// Certificates, bundles or revocation lists in PEM form
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

/// Runs one `portolan certs` command.
pub fn run(args: Args) -> anyhow::Result<()> {
    match args.command {
        Command::Init(init) => run_init(&init),
        Command::Issue(issue) => run_issue(&issue),
        Command::Show(show) => {
            for file in &show.files {
                output::write(show::page(file, jiff::Timestamp::now())?.as_bytes())?;
            }
            Ok(())
        }
    }
}

fn run_init(init: &Init) -> anyhow::Result<()> {
    let dir = init.dir.join(init.trust_domain.as_str());
    let ttl = DAY * init.days;
    let authority = Authority::create_with(&dir, &init.trust_domain, ttl, init.force)?;
    let (bundle, key, domain) = (authority.bundle(), dir.join(authority::KEY), &init.trust_domain);
    output::say(format!("bundle  {}   give this to everyone who is to trust {domain}", bundle.display()))?;
    output::say(format!("key     {}   give this to nobody", key.display()))?;
    output::say(format!("next    portolan certs issue spiffe://{domain}/NAME{}", dir_flag(&init.dir)))?;
    Ok(())
}

fn run_issue(issue: &Issue) -> anyhow::Result<()> {
    let domain = match (&issue.id, &issue.trust_domain) {
        (Some(id), _) => &id.trust_domain,
        (None, Some(domain)) => domain,
        (None, None) => bail!("name a SPIFFE id, or --trust-domain and --dns"),
    };
    let dir = issue.dir.join(domain.as_str());
    let authority = Authority::open(&dir).with_context(|| {
        format!("no authority of {domain}; make one: portolan certs init {domain}{}", dir_flag(&issue.dir))
    })?;
    let request = Request {
        id: issue.id.as_ref().map(ToString::to_string),
        dns: issue.dns.clone(),
        ips: issue.ip.clone(),
        ttl: DAY * issue.days,
        purpose: issue.purpose,
    };
    let name = match &issue.name {
        Some(name) => name.clone(),
        None => request.file_name().context("no name for the files: give --name")?,
    };
    let written = authority.issue_to(&dir, &name, &request, issue.force)?;
    output::say(format!("certificate  {}", written.certificate.display()))?;
    output::say(format!("key          {}", written.key.display()))?;
    output::say(format!("bundle       {}", authority.bundle().display()))?;
    Ok(())
}

/// The flag that the next command needs to find the same directory.
fn dir_flag(dir: &Path) -> String {
    if dir == Path::new("certs") { String::new() } else { format!(" --dir {}", dir.display()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use std::os::unix::fs::PermissionsExt as _;
    use tempfile::TempDir;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn portolan(home: &TempDir, line: &str) -> anyhow::Result<()> {
        let line = line.replace("HOME", home.path().to_str().unwrap());
        run(Line::try_parse_from(std::iter::once("certs").chain(line.split(' ')))?.args)
    }

    fn mode(file: &Path) -> u32 {
        file.metadata().unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn an_authority_and_a_leaf_are_written_for_their_owner_alone() {
        let home = TempDir::new().unwrap();
        portolan(&home, "init a.example --dir HOME").unwrap();
        portolan(&home, "issue spiffe://a.example/ns/x/ledger --dns localhost --ip 127.0.0.1 --dir HOME")
            .unwrap();
        let dir = home.path().join("a.example");
        assert_eq!(mode(&dir), 0o700);
        assert_eq!(mode(&dir.join("ca.key")), 0o600);
        assert_eq!(mode(&dir.join("ledger.key")), 0o600);
        assert_eq!(mode(&dir.join("ledger.pem")), 0o644);
        let left: Vec<_> = std::fs::read_dir(&dir).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left.len(), 5, "nothing half-written stays: {left:?}");
    }

    #[test]
    fn nothing_is_overwritten_unasked() {
        let home = TempDir::new().unwrap();
        let key = home.path().join("a.example/x.key");
        portolan(&home, "init a.example --dir HOME").unwrap();
        portolan(&home, "issue spiffe://a.example/x --dir HOME").unwrap();
        let before = std::fs::read(&key).unwrap();
        let error = portolan(&home, "issue spiffe://a.example/x --dir HOME").unwrap_err();
        assert!(error.to_string().contains("is there already; --force replaces it"), "{error}");
        assert!(portolan(&home, "init a.example --dir HOME").is_err());
        assert_eq!(std::fs::read(&key).unwrap(), before);
        portolan(&home, "issue spiffe://a.example/x --dir HOME --force").unwrap();
        assert_ne!(std::fs::read(&key).unwrap(), before);
    }

    #[test]
    fn an_authority_signs_for_its_own_domain_only() {
        let home = TempDir::new().unwrap();
        let authority = Authority::create(home.path(), &TrustDomain::parse("a.example").unwrap()).unwrap();
        let again = Authority::open(home.path()).unwrap();
        assert_eq!(again.trust_domain(), authority.trust_domain());
        assert!(again.issue(&Request::workload("/ledger")).is_ok());
        for wrong in ["spiffe://b.example/ledger", "spiffe://a.example", "ledger", "/led ger"] {
            assert!(again.issue(&Request::workload(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_missing_authority_is_named_with_the_command_that_makes_it() {
        let home = TempDir::new().unwrap();
        let error = portolan(&home, "issue spiffe://a.example/x --dir HOME").unwrap_err();
        assert!(error.to_string().contains("portolan certs init a.example --dir"), "{error}");
    }

    #[test]
    fn names_that_leave_the_directory_are_refused() {
        let home = TempDir::new().unwrap();
        portolan(&home, "init a.example --dir HOME").unwrap();
        for name in ["../x", "/tmp/x", ".x", "ca"] {
            let line = format!("issue spiffe://a.example/x --name {name} --dir HOME --force");
            assert!(portolan(&home, &line).is_err(), "{name}");
        }
    }

    #[test]
    fn a_page_tells_who_and_what_is_wrong() {
        let home = TempDir::new().unwrap();
        portolan(&home, "init a.example --dir HOME").unwrap();
        portolan(&home, "issue spiffe://a.example/x --dns localhost --purpose client --dir HOME").unwrap();
        let dir = home.path().join("a.example");
        let now = jiff::Timestamp::now();
        let page = show::page(&dir.join("x.pem"), now).unwrap();
        for line in ["spiffe://a.example/x", "to dial only", "DNS localhost", "29 days left", "SHA-256 "] {
            assert!(page.contains(line), "{line} in\n{page}");
        }
        assert!(!page.contains("PROBLEM"), "{page}");
        let later = now + jiff::SignedDuration::from_hours(24 * 33);
        let page = show::page(&dir.join("x.pem"), later).unwrap();
        assert!(page.contains("expired 3 days ago") || page.contains("expired 2 days ago"), "{page}");
        assert!(show::page(&dir.join("ca.pem"), now).unwrap().contains("of a.example"));
        assert!(show::page(&dir.join("x.key"), now).unwrap().contains("not shown"));
        let text = dir.join("text");
        std::fs::write(&text, "no PEM at all").unwrap();
        assert!(show::page(&text, now).unwrap_err().to_string().contains("is not PEM"));
    }

    #[test]
    fn a_revocation_list_shows_whom_it_names() {
        let home = TempDir::new().unwrap();
        let authority = Authority::create(home.path(), &TrustDomain::parse("a.example").unwrap()).unwrap();
        let issued = authority.issue(&Request::workload("/x")).unwrap();
        let file = home.path().join("crl.pem");
        std::fs::write(&file, authority.crl(std::slice::from_ref(&issued.serial)).unwrap()).unwrap();
        let page = show::page(&file, jiff::Timestamp::now()).unwrap();
        let serial: Vec<String> = issued.serial.iter().map(|b| format!("{b:02x}")).collect();
        assert!(page.contains("revoked      1\n") && page.contains(&serial.join(":")), "{page}");
    }
}

//! What `portolan demo` prints: who runs, where the certificates are, and commands to copy into a second terminal.

use super::DIR;
use super::cast::{HUB, OPERATOR, ORGANISATIONS, Organisation, ROLES};
use super::place::Place;
use std::fmt::Write as _;
use std::path::Path;

const EMBED: &str = "ml.embedding.v1.EmbeddingService/Embed";

/// The page for a demo that runs in `place`.
pub(super) fn of(place: &Place, port: u16) -> anyhow::Result<String> {
    let mut page = String::new();
    writeln!(page, "\nOne broker, three organisations, five producers.\n")?;
    writeln!(page, "  BROKER      localhost:{port}  of {HUB}, configured in {}", place.config().display())?;
    writeln!(page, "\n  PRODUCER    SERVICE                            OF                 FOR")?;
    for role in &ROLES {
        writeln!(page, "  {:<11} {:<34} {:<18} {}", role.name, role.service, role.domain, role.audience())?;
    }
    writeln!(page, "\n  CONSUMER    OF                 CERTIFICATE")?;
    for Organisation { domain, consumer, .. } in &ORGANISATIONS {
        let certificate = place.files(domain, consumer).certificate;
        writeln!(page, "  {consumer:<11} {domain:<18} {}", certificate.display())?;
    }
    writeln!(page, "\nIn a second terminal, in this folder, as it stands:")?;
    for (title, commands) in chapters(place, port) {
        writeln!(page, "\n  # {title}")?;
        for command in commands {
            writeln!(page, "  {command}")?;
        }
    }
    writeln!(page, "\nCtrl-C ends it. All that it wrote is in {}.", place.root().display())?;
    Ok(page)
}

/// The commands, by what they show.
fn chapters(place: &Place, port: u16) -> [(&'static str, Vec<String>); 7] {
    let me = myself();
    let there = if place.root() == Path::new(DIR) {
        String::new()
    } else {
        format!(" --dir {}", quoted(place.root()))
    };
    let profile = |short: &str| quoted(&place.profile(short));
    let call = |short: &str, method: &str, message: &str| {
        format!("{me} call --profile {} {method} -d '{message}'", profile(short))
    };
    let files = |ca: &str, cert: &str, key: &str, domain: &str, consumer: &str| {
        let of = place.files(domain, consumer);
        let (bundle, certificate, secret) =
            (quoted(&place.bundle(HUB)), quoted(&of.certificate), quoted(&of.key));
        format!("{ca} {bundle} {cert} {certificate} {key} {secret}")
    };
    let grpcurl =
        |domain, consumer| format!("grpcurl {}", files("-cacert", "-cert", "-key", domain, consumer));
    let buf = |domain, consumer| {
        format!("buf curl --protocol grpc {}", files("--cacert", "--cert", "--key", domain, consumer))
    };
    let contract = quoted(&place.contract("embedding"));
    let post = r#"{"debitAccount":"accounts/alice","creditAccount":"accounts/bob","amount":{"currencyCode":"EUR","minorUnits":1250},"description":"lunch"}"#;
    [
        (
            "what there is, as data and as payments see it (payments may not see the embedding), and how it is",
            vec![
                format!("{me} catalog --profile {}", profile("data")),
                format!("{me} catalog --profile {}", profile("payments")),
                format!("{me} status --profile {}", profile("data")),
            ],
        ),
        (
            "calls across organisations: unary, server stream, client stream, bidi, deprecated",
            vec![
                call("data", "payments.ledger.v2.LedgerService/PostEntry", post),
                call("ml", "data.kv.v1.KeyValueService/Watch", r#"{"fromRevision":1,"limit":3}"#),
                call(
                    "payments",
                    "data.search.v1.SearchService/IndexDocuments",
                    r#"{"document":{"id":"a","title":"Anchors"}} {"document":{"id":"b","title":"Buoys"}}"#,
                ),
                call(
                    "data",
                    "ml.embedding.v1.EmbeddingService/StreamEmbeddings",
                    r#"{"id":"a","text":"the ship sails"} {"id":"b","text":"the ships sail"}"#,
                ),
                call("ml", "payments.ledger.v1.LedgerService/GetBalance", r#"{"account":"trainer"}"#) + " -v",
            ],
        ),
        (
            "the same with grpcurl",
            vec![
                format!("{} localhost:{port} list", grpcurl("payments.example", "checkout")),
                format!(
                    "{} localhost:{port} describe data.kv.v1.KeyValueService",
                    grpcurl("payments.example", "checkout")
                ),
                format!(
                    "{} -d '{{\"query\":\"ports\"}}' localhost:{port} data.search.v1.SearchService/Search",
                    grpcurl("payments.example", "checkout")
                ),
            ],
        ),
        (
            "and with buf",
            vec![
                format!("{} --list-services https://localhost:{port}", buf("data.example", "reports")),
                format!(
                    "{} -d '{{\"text\":\"ahoy\"}}' https://localhost:{port}/{EMBED}",
                    buf("data.example", "reports")
                ),
            ],
        ),
        (
            "denied: for payments there is no embedding, and a call with its contract at hand is refused",
            vec![
                format!("{me} call --profile {} list", profile("payments")),
                call("payments", &format!("--descriptor-set {contract} {EMBED}"), r#"{"text":"ahoy"}"#),
                format!(
                    "{} --schema {contract} -d '{{\"text\":\"ahoy\"}}' https://localhost:{port}/{EMBED}",
                    buf("payments.example", "checkout"),
                ),
            ],
        ),
        (
            "platforms as code: what the manifests of this demo would change (nothing), as its operator",
            vec![format!("{me} plan -f {} --profile {}", quoted(&place.manifests()), profile(OPERATOR))],
        ),
        (
            "let the ledger crash, see what others see, and bring it back",
            vec![
                format!("{me} demo stop ledger{there}"),
                format!("{me} status --profile {}", profile("data")),
                call("data", "payments.ledger.v2.LedgerService/ListEntries", "{}"),
                format!("{me} demo start ledger{there}"),
            ],
        ),
    ]
}

/// How this very program is called: as it was, which is right in the same folder.
fn myself() -> String {
    let name = std::env::args_os().next().unwrap_or_else(|| "portolan".into());
    quoted(Path::new(&name))
}

/// The path as a shell reads it back.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '-' | '_' | '+' | ':' | '@');
    if text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_quoted_for_a_shell() {
        assert_eq!(quoted(Path::new("portolan-demo/data.toml")), "portolan-demo/data.toml");
        assert_eq!(quoted(Path::new("it's here")), r"'it'\''s here'");
    }
}

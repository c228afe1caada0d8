//! `portolan catalog watch`: the catalogue, and then a line for each change; a lost connection goes on where it ended.

use super::CatalogServiceClient;
use crate::cli::call::one_line;
use crate::cli::connection::Connection;
use crate::cli::output::{self, Form, clean, word};
use crate::client::pb::portolan::catalog::v1 as pb;
use crate::client::{self, Target};
use prost::Message;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::process::ExitCode;
use std::time::Duration;
use tonic::{Code, Status};

const EXAMPLES: &str = "\
Lines: + came, ~ is different, - is gone, or no longer to be seen.

Examples:
  portolan catalog watch
  portolan catalog watch --filter 'stage = deprecated'
  portolan catalog watch -o json | jq -r '.removed[]'";

/// The first pause before another try, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(30));

/// Watch the catalogue, and print a line for each change
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Only versions that pass, with their platforms and producers; see `portolan catalog search --help`
    #[arg(
        long,
        value_name = "EXPR",
        default_value = "",
        hide_default_value = true,
        allow_hyphen_values = true
    )]
    filter: String,
    /// Only what happened since; the position that another watch told
    #[arg(long, value_name = "EPOCH/REVISION", value_parser = parse_position)]
    since: Option<pb::Position>,
    /// The form of the answer; as JSON, one message a line
    #[arg(long, short, value_enum, default_value = "table")]
    output: Form,
    #[command(flatten)]
    connection: Connection,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let target = args.connection.target()?;
    let mut watch = Watch {
        filter: args.filter,
        form: args.output,
        position: args.since,
        is_blind: args.since.is_some(),
        known: BTreeMap::new(),
        before: None,
        heard: false,
        was_there: false,
    };
    let mut pause = PAUSES.0;
    loop {
        let end = tokio::select! {
            end = watch.follow(&target) => end?,
            _ = tokio::signal::ctrl_c() => return Ok(ExitCode::SUCCESS),
        };
        if std::mem::take(&mut watch.heard) {
            pause = PAUSES.0;
        }
        eprintln!("the watch ended ({}); it goes on in {pause:?}", clean(&end));
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = tokio::signal::ctrl_c() => return Ok(ExitCode::SUCCESS),
        }
        pause = (pause * 2).min(PAUSES.1);
    }
}

/// What was told so far.
struct Watch {
    filter: String,
    form: Form,
    position: Option<pb::Position>,
    /// A digest of each thing, by name.
    known: BTreeMap<String, u64>,
    /// What was known before the broker began anew, until it is through.
    before: Option<BTreeMap<String, u64>>,
    /// Whether anything was heard on this connection.
    heard: bool,
    /// Whether the broker was ever reached.
    was_there: bool,
    /// Whether what stood where the watch began is not known, so that nothing can be said to have come.
    is_blind: bool,
}

impl Watch {
    /// Follows until the connection is lost, and says why; an error if another try is of no use.
    async fn follow(&mut self, target: &Target) -> anyhow::Result<String> {
        let channel = match client::connect(target).await {
            Ok(channel) => channel,
            Err(error) if !self.was_there => return Err(error.into()),
            Err(error) => return Ok(error.to_string()),
        };
        self.was_there = true;
        let request = pb::WatchCatalogRequest { since: self.position, filter: self.filter.clone() };
        let ended = |status: Status| match status.code() {
            Code::Unavailable | Code::Internal | Code::Unknown | Code::Cancelled => Ok(one_line(&status)),
            _ => Err(anyhow::anyhow!(one_line(&status))),
        };
        let mut messages = match CatalogServiceClient::new(channel).watch_catalog(request).await {
            Ok(answer) => answer.into_inner(),
            Err(status) => return ended(status),
        };
        loop {
            match messages.message().await {
                Ok(Some(message)) => self.take(&message)?,
                Ok(None) => return Ok("the broker ended it".to_owned()),
                Err(status) => return ended(status),
            }
        }
    }

    fn take(&mut self, message: &pb::WatchCatalogResponse) -> anyhow::Result<()> {
        self.heard = true;
        self.position = message.position.or(self.position);
        if self.form == Form::Json {
            let json = output::json("portolan.catalog.v1.WatchCatalogResponse", message)?;
            return Ok(output::say(json.to_string())?);
        }
        if message.kind() == pb::WatchKind::Reset {
            // What comes again unchanged is no news to whoever reads here.
            let known = std::mem::take(&mut self.known);
            self.before.get_or_insert_default().extend(known);
            self.is_blind = false;
            if message.reason != "START" {
                eprintln!("the broker tells all again: {}", clean(&message.reason));
            }
        }
        for platform in &message.platforms {
            let about = format!("{}, {} capabilities", platform.trust_domain, platform.capability_count);
            self.tell(&platform.name, platform, &about)?;
        }
        for version in &message.versions {
            let stage = word(version.stage().as_str_name(), "STAGE_").to_lowercase();
            self.tell(&version.name, version, &format!("{stage}, {}", version.services.join(", ")))?;
        }
        for producer in &message.producers {
            let freshness = word(producer.freshness().as_str_name(), "FRESHNESS_").to_lowercase();
            let addresses: Vec<_> = producer.endpoints.iter().map(|e| e.address.as_str()).collect();
            self.tell(&producer.name, producer, &format!("{freshness}, {}", addresses.join(", ")))?;
        }
        for name in &message.removed {
            self.known.remove(name);
            output::say(clean(&format!("- {name}")))?;
        }
        if message.kind() == pb::WatchKind::Synced {
            for name in self.before.take().unwrap_or_default().into_keys() {
                output::say(clean(&format!("- {name}")))?;
            }
            let position = message.position.unwrap_or_default();
            eprintln!("that is all for now, at {}/{}", position.epoch, position.revision);
        }
        Ok(())
    }

    fn tell(&mut self, name: &str, message: &impl Message, about: &str) -> anyhow::Result<()> {
        let mut digest = DefaultHasher::new();
        message.encode_to_vec().hash(&mut digest);
        let digest = digest.finish();
        let earlier = self.before.as_mut().and_then(|before| before.remove(name));
        let earlier = self.known.insert(name.to_owned(), digest).or(earlier);
        let sign = match earlier {
            Some(earlier) if earlier == digest => return Ok(()),
            None if !self.is_blind => '+',
            _ => '~',
        };
        Ok(output::say(clean(&format!("{sign} {name}  {about}")))?)
    }
}

fn parse_position(text: &str) -> Result<pb::Position, String> {
    let wrong = || "write EPOCH/REVISION, as a watch tells it".to_owned();
    let (epoch, revision) = text.split_once('/').ok_or_else(wrong)?;
    let number = |text: &str| text.parse().map_err(|_| wrong());
    Ok(pb::Position { epoch: number(epoch)?, revision: number(revision)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_two_numbers() {
        assert_eq!(parse_position("7/42"), Ok(pb::Position { epoch: 7, revision: 42 }));
        for wrong in ["", "7", "7/", "a/1", "1/2/3", "-1/2"] {
            assert!(parse_position(wrong).is_err(), "{wrong}");
        }
    }
}

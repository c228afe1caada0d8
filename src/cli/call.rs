//! `portolan call`: calls any method that the caller may see, told its messages by reflection; JSON in, JSON out.

mod answer;
mod codec;
mod describe;
mod input;
mod invoke;
mod reflection;
mod screen;

pub(super) use answer::one_line;

use crate::cli::connection::Connection;
use crate::cli::output;
use crate::client::parse_duration;
use reflection::Reflection;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use tonic::metadata::MetadataMap;

const EXAMPLES: &str = "\
Examples:
  What can be called, and how:
    portolan call list
    portolan call list acme.ledger.v1.Ledger
    portolan call describe acme.ledger.v1.Ledger
    portolan call describe acme.ledger.v1.PostRequest

  Call it:
    portolan call acme.ledger.v1.Ledger/GetBalance -d '{\"account\": \"a\"}'
    portolan call acme.search.v1.Search/Query -d @query.json --version ^1 --deadline 2s -v

  Why did it go there?
    portolan call acme.search.v1.Search/Query -d @query.json --platform data.example --explain

  Stream messages in, one JSON object after the other, and see the answers as they arrive:
    portolan call acme.embed.v1.Embedding/Embed -d @-

Exit codes: 0 OK; 64 + the gRPC code of any other status (69 NOT_FOUND, 71 PERMISSION_DENIED, 78 UNAVAILABLE);
1 the call could not be made, 2 wrong usage.";

/// Call a method, or list and describe what can be called
///
/// Messages are JSON (proto3 JSON mapping). What they look like is learnt from the broker by server reflection.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// SERVICE/METHOD to call; or `list`, or `describe`
    #[arg(value_name = "METHOD|list|describe")]
    method: String,
    /// With list: a service whose methods are listed. With describe: a service, method, message or enum
    #[arg(value_name = "SYMBOL")]
    symbol: Option<String>,
    /// The request: JSON, @FILE, or @- for standard input; several messages stand one after the other
    #[arg(long, short, value_name = "JSON|@FILE|@-")]
    data: Option<String>,
    /// Metadata to send; a name that ends in -bin has a base64 value. May be given more than once
    #[arg(long, short = 'H', value_name = "NAME: VALUE", value_parser = input::header)]
    header: Vec<(String, String)>,
    /// Give the call up after this time; it is sent along (grpc-timeout)
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    deadline: Option<Duration>,
    /// Learn messages from this FileDescriptorSet (`buf build -o FILE`), not by reflection
    #[arg(long, visible_alias = "protoset", value_name = "FILE")]
    descriptor_set: Option<PathBuf>,
    #[command(flatten)]
    route: Route,
    /// Tell headers, trailers and the resolved method on standard error
    #[arg(long, short)]
    verbose: bool,
    #[command(flatten)]
    connection: Connection,
}

/// What is asked of the route.
#[derive(Debug, clap::Args)]
struct Route {
    /// Go to this platform, also where another owns the service name (portolan-platform)
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<String>,
    /// Only versions of this range: ^1.2, =1.4.0, ">=1, <3" (portolan-version)
    #[arg(long, value_name = "RANGE")]
    version: Option<String>,
    /// Only producers whose knowledge is not older: 30s, or 0 for those known to live now (portolan-max-staleness)
    #[arg(long, value_name = "AGE")]
    max_staleness: Option<String>,
    /// Tell on standard error where the call went, and why (portolan-explain)
    #[arg(long)]
    explain: bool,
}

/// What a call is made of beside its messages.
struct Extras {
    metadata: MetadataMap,
    deadline: Option<Duration>,
    verbose: bool,
    explain: bool,
}

impl Route {
    /// The metadata that ask for it.
    fn headers(&self) -> impl Iterator<Item = (String, String)> {
        let explain = self.explain.then(|| "1".to_owned());
        let asked = [
            ("portolan-platform", self.platform.clone()),
            ("portolan-version", self.version.clone()),
            ("portolan-max-staleness", self.max_staleness.clone()),
            ("portolan-explain", explain),
        ];
        asked.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)))
    }
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    // What the user gave is judged before anybody is dialled.
    let headers: Vec<_> = args.header.iter().cloned().chain(args.route.headers()).collect();
    let metadata = input::metadata(&headers)?;
    let source = input::Source::open(args.data.as_deref())?;
    let wanted = Wanted::parse(&args.method, args.symbol)?;
    let known = args.descriptor_set.as_deref().map(screen::load).transpose()?;

    let channel = args.connection.open().await?;
    let mut reflection = Reflection::new(channel.clone(), metadata.clone(), known);
    match wanted {
        Wanted::Services => match reflection.services().await? {
            services if services.is_empty() => {
                eprintln!("nothing is listed: there is nothing, or nothing that you may see")
            }
            services => output::say(output::clean(&services.join("\n")))?,
        },
        Wanted::Methods(service) => output::say(describe::methods(&reflection.service(&service).await?))?,
        Wanted::Everything => {
            for service in reflection.services().await? {
                match reflection.service(&service).await {
                    Ok(service) => output::say(describe::service(&service))?,
                    Err(error) => eprintln!("{}: {error:#}", output::clean(&service)),
                }
            }
        }
        Wanted::Symbol(symbol) => {
            let pool = reflection.pool(&symbol).await?;
            output::say(describe::symbol(&pool, &symbol)?)?;
        }
        Wanted::Call { service, method } => {
            let method = reflection.method(&service, &method).await?;
            if args.verbose {
                eprintln!("{}", output::clean(&describe::method(&method)));
            }
            let Args { deadline, verbose, route: Route { explain, .. }, .. } = args;
            let extras = Extras { metadata, deadline, verbose, explain };
            return invoke::run(channel, method, source, extras).await;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What is asked for.
#[derive(Debug, PartialEq)]
enum Wanted {
    Services,
    Methods(String),
    Everything,
    Symbol(String),
    Call { service: String, method: String },
}

impl Wanted {
    fn parse(word: &str, symbol: Option<String>) -> anyhow::Result<Self> {
        let bare = |symbol: String| symbol.trim_start_matches('.').to_owned();
        match (word, symbol) {
            ("list", None) => Ok(Self::Services),
            ("list", Some(service)) => Ok(Self::Methods(bare(service))),
            ("describe", None) => Ok(Self::Everything),
            ("describe", Some(symbol)) => Ok(Self::Symbol(bare(symbol).replace('/', "."))),
            (_, Some(extra)) => {
                anyhow::bail!("{extra:?} is one word too many; the request is given with -d")
            }
            (method, None) => {
                let split = method.trim_start_matches('/');
                let split = split.rsplit_once('/').or_else(|| split.rsplit_once('.'));
                let named = split.filter(|(service, method)| !service.is_empty() && !method.is_empty());
                let Some((service, method)) = named else {
                    anyhow::bail!(
                        "{method:?} is no method; write acme.ledger.v1.Ledger/GetBalance, or `list` to see what there is"
                    )
                };
                Ok(Self::Call { service: service.to_owned(), method: method.to_owned() })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_understood_as_grpcurl_does() {
        let call =
            |service: &str, method: &str| Wanted::Call { service: service.into(), method: method.into() };
        for (word, symbol, wanted) in [
            ("list", None, Wanted::Services),
            ("list", Some("a.B"), Wanted::Methods("a.B".into())),
            ("describe", None, Wanted::Everything),
            ("describe", Some(".a.B"), Wanted::Symbol("a.B".into())),
            ("describe", Some("a.B/C"), Wanted::Symbol("a.B.C".into())),
            ("a.B/C", None, call("a.B", "C")),
            ("/a.B/C", None, call("a.B", "C")),
            ("a.B.C", None, call("a.B", "C")),
        ] {
            assert_eq!(Wanted::parse(word, symbol.map(str::to_owned)).unwrap(), wanted, "{word}");
        }
        for (word, symbol) in [("B", None), ("a.B/", None), ("a.B/C", Some("{}"))] {
            assert!(Wanted::parse(word, symbol.map(str::to_owned)).is_err(), "{word}");
        }
    }
}

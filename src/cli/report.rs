//! `portolan report`: one question of each role, answered by the broker.

mod rows;

use crate::cli::call::one_line;
use crate::cli::catalog::lists::{Listed, pages};
use crate::cli::connection::Connection;
use crate::cli::output::{self, Form};
use crate::client::Channel;
use crate::client::pb::portolan::report::v1::{self as pb, report_service_client::ReportServiceClient};
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  portolan report consumer --profile hub
  portolan report producer --platform payments.example
  portolan report operator -o json | jq -r '.entries[] | select(.calls == \"0\") | .version'
  portolan report security

Calls are those of the last 30 days. You learn of the use of your own platforms; an operator learns of all.

Exit codes: 0 done, 1 failed, 2 wrong usage; `security`: 3 something has to be done.";

/// As many as the broker gives in one page.
const PAGE: i32 = 1000;

type Client = ReportServiceClient<Channel>;

/// Answer the question of a role: what may I use, who uses mine, is it worth keeping, what does it cost, is it in posture.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Who asks
    #[arg(value_enum)]
    role: Role,
    /// Only of this platform
    #[arg(long, value_name = "NAME")]
    platform: Option<String>,
    /// The form of the answer
    #[arg(long, short, value_enum, default_value = "table")]
    output: Form,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Role {
    /// May I use it, and what do I owe?
    Consumer,
    /// Is it healthy, and who uses it?
    Producer,
    /// Is it worth keeping?
    Operator,
    /// What does it cost whom?
    Finance,
    /// Is it in posture?
    Security,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let parent = args.platform.map(|platform| format!("platforms/{platform}")).unwrap_or_default();
    let mut client = ReportServiceClient::new(args.connection.open().await?);
    let made = match args.role {
        Role::Consumer => consumer(&mut client, &parent).await,
        Role::Producer => producer(&mut client, &parent).await,
        Role::Operator => operator(&mut client, &parent).await,
        Role::Finance => finance(&mut client, &parent).await,
        Role::Security => security(&mut client, &parent).await,
    };
    let (listed, code) = made.map_err(|status| anyhow::anyhow!(one_line(&status)))?;
    match args.output {
        Form::Json => output::say(format!("{:#}", listed.json()?))?,
        Form::Table if listed.is_empty() => {
            eprintln!("nothing to report: there is nothing, or nothing that you may know")
        }
        Form::Table => output::show(listed.table())?,
    }
    Ok(code)
}

type Made = Result<(Listed, ExitCode), tonic::Status>;

async fn consumer(client: &mut Client, parent: &str) -> Made {
    let items = pages(async |page_token| {
        let asked = pb::GetConsumerReportRequest { parent: parent.into(), page_size: PAGE, page_token };
        let answer = client.get_consumer_report(asked).await?.into_inner();
        Ok((answer.entries, answer.next_page_token))
    })
    .await?;
    let kind = ("entries", "portolan.report.v1.ConsumerEntry");
    Ok((Listed::new(kind, rows::CONSUMER, &items, rows::consumer), ExitCode::SUCCESS))
}

async fn producer(client: &mut Client, parent: &str) -> Made {
    let items = pages(async |page_token| {
        let asked = pb::GetProducerReportRequest { parent: parent.into(), page_size: PAGE, page_token };
        let answer = client.get_producer_report(asked).await?.into_inner();
        Ok((answer.entries, answer.next_page_token))
    })
    .await?;
    let kind = ("entries", "portolan.report.v1.ProducerEntry");
    Ok((Listed::new(kind, rows::PRODUCER, &items, rows::producer), ExitCode::SUCCESS))
}

async fn operator(client: &mut Client, parent: &str) -> Made {
    let items = pages(async |page_token| {
        let asked = pb::GetOperatorReportRequest { parent: parent.into(), page_size: PAGE, page_token };
        let answer = client.get_operator_report(asked).await?.into_inner();
        Ok((answer.entries, answer.next_page_token))
    })
    .await?;
    let kind = ("entries", "portolan.report.v1.OperatorEntry");
    Ok((Listed::new(kind, rows::OPERATOR, &items, rows::operator), ExitCode::SUCCESS))
}

async fn finance(client: &mut Client, parent: &str) -> Made {
    let items = pages(async |page_token| {
        let asked = pb::GetFinanceReportRequest { parent: parent.into(), page_size: PAGE, page_token };
        let answer = client.get_finance_report(asked).await?.into_inner();
        if answer.other_calls > 0 && answer.next_page_token.is_empty() {
            eprintln!("{} more calls, of consumers that were too many to be told apart", answer.other_calls);
        }
        Ok((answer.entries, answer.next_page_token))
    })
    .await?;
    let kind = ("entries", "portolan.report.v1.FinanceEntry");
    Ok((Listed::new(kind, rows::FINANCE, &items, rows::finance), ExitCode::SUCCESS))
}

async fn security(client: &mut Client, parent: &str) -> Made {
    let items = pages(async |page_token| {
        let asked = pb::GetSecurityReportRequest { parent: parent.into(), page_size: PAGE, page_token };
        let answer = client.get_security_report(asked).await?.into_inner();
        Ok((answer.findings, answer.next_page_token))
    })
    .await?;
    let is_well = items.iter().all(|finding: &pb::SecurityFinding| finding.informational);
    let code = if is_well { ExitCode::SUCCESS } else { ExitCode::from(3) };
    let kind = ("findings", "portolan.report.v1.SecurityFinding");
    Ok((Listed::new(kind, rows::SECURITY, &items, rows::security), code))
}

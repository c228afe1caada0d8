//! The frames of a session.

use super::super::catalog::{freshness, parse_freshness};
use super::super::time::{duration, parse_duration};
use super::item::{batch, item, parse_batch, parse_item};
use super::pb::{self, frame::Frame as Form};
use super::{
    MOST_ITEMS, MOST_ORIGINS, at_most, missing, origin, parse_origin, parse_position, parse_role,
    parse_stamp, position, role, sentence, stamp, wrong,
};
use crate::model::sync::{
    Begin, Course, Credit, End, Frame, GoAway, GoAwayReason, Limits, Mark, Open, Position, Progress, Reason,
    ResetReason, Stance, Terminate, TerminateReason, Verdict, Verdicts, Withdraw,
};
use crate::model::{Freshness, Kind, Origin, Violation};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

const MOST_FEATURES: usize = 64;
const LONGEST_FEATURE: usize = 64;
const MOST_KINDS: usize = 256;
/// Characters of a reason in capital letters.
const LONGEST_CODE: usize = 64;
/// Characters of what a verdict says to people.
const LONGEST_TEXT: usize = 256;
/// Characters of what a farewell says to people.
const LONGEST_MESSAGE: usize = 1024;

/// A frame on the wire.
pub fn frame(frame: &Frame) -> pb::Frame {
    pb::Frame {
        frame: Some(match frame {
            Frame::Open(it) => Form::Open(open(it)),
            Frame::Stance(it) => Form::Stance(stance(it)),
            Frame::Begin(it) => {
                Form::Begin(pb::Begin { origin: Some(origin(&it.origin)), snapshot: it.snapshot })
            }
            Frame::Batch(it) => Form::Batch(batch(it)),
            Frame::End(it) => Form::End(pb::End {
                origin: Some(origin(&it.origin)),
                snapshot: it.snapshot,
                items: it.items,
            }),
            Frame::Verdicts(it) => Form::Verdicts(pb::Verdicts {
                batch: it.batch,
                verdicts: it.verdicts.iter().map(verdict).collect(),
            }),
            Frame::Credit(it) => Form::Credit(pb::Credit { items: it.items, bytes: it.bytes }),
            Frame::Mark(it) => {
                Form::Mark(pb::Mark { number: it.number, origins: it.origins.iter().map(progress).collect() })
            }
            Frame::Withdraw(it) => Form::Withdraw(pb::Withdraw { origin: Some(origin(&it.origin)) }),
            Frame::Yours(it) => Form::Yours(pb::Yours { item: Some(item(it)) }),
            Frame::GoAway(it) => Form::GoAway(go_away(it)),
            Frame::Terminate(it) => Form::Terminate(terminate(it)),
        }),
    }
}

/// Reads a frame; `None` for a frame of a type that is not known here, which is skipped.
pub fn parse_frame(frame: pb::Frame) -> Result<Option<Frame>, Violation> {
    let Some(form) = frame.frame else { return Ok(None) };
    Ok(Some(match form {
        Form::Open(it) => Frame::Open(parse_open(it)?),
        Form::Stance(it) => Frame::Stance(parse_stance(it)?),
        Form::Begin(it) => {
            Frame::Begin(Begin { origin: parse_origin("begin.origin", it.origin)?, snapshot: it.snapshot })
        }
        Form::Batch(it) => Frame::Batch(parse_batch(it)?),
        Form::End(it) => Frame::End(End {
            origin: parse_origin("end.origin", it.origin)?,
            snapshot: it.snapshot,
            items: it.items,
        }),
        Form::Verdicts(it) => {
            at_most("verdicts.verdicts", it.verdicts.len(), MOST_ITEMS)?;
            let verdicts = it.verdicts.into_iter().map(parse_verdict).collect();
            Frame::Verdicts(Verdicts { batch: it.batch, verdicts })
        }
        Form::Credit(it) => Frame::Credit(Credit { items: it.items, bytes: it.bytes }),
        Form::Mark(it) => {
            at_most("mark.origins", it.origins.len(), MOST_ORIGINS)?;
            let origins = it.origins.into_iter().map(parse_progress).collect::<Result<_, _>>()?;
            Frame::Mark(Mark { number: it.number, origins })
        }
        Form::Withdraw(it) => {
            Frame::Withdraw(Withdraw { origin: parse_origin("withdraw.origin", it.origin)? })
        }
        Form::Yours(it) => Frame::Yours(parse_item(it.item.unwrap_or_default())),
        Form::GoAway(it) => Frame::GoAway(parse_go_away(it)?),
        Form::Terminate(it) => Frame::Terminate(parse_terminate(it)),
    }))
}

fn open(open: &Open) -> pb::Open {
    let resume = open
        .resume
        .iter()
        .map(|(of, at)| pb::ResumePoint { origin: Some(origin(of)), position: Some(position(*at)) });
    pb::Open {
        broker: Some(origin(&open.broker)),
        boot: open.boot,
        features: open.features.iter().cloned().collect(),
        role: role(open.role).into(),
        limits: Some(pb::Limits {
            items: open.limits.items,
            bytes: open.limits.bytes,
            hops: open.limits.hops.into(),
        }),
        kinds: open.kinds.iter().map(|kind| kind.number()).collect(),
        interval: Some(duration(open.interval)),
        head: Some(stamp(open.head)),
        resume: resume.collect(),
    }
}

fn parse_open(open: pb::Open) -> Result<Open, Violation> {
    at_most("open.features", open.features.len(), MOST_FEATURES)?;
    at_most("open.kinds", open.kinds.len(), MOST_KINDS)?;
    at_most("open.resume", open.resume.len(), MOST_ORIGINS)?;
    if open.features.iter().any(|name| name.is_empty() || name.len() > LONGEST_FEATURE) {
        return Err(wrong("open.features", "a name has 1 to 64 bytes"));
    }
    let limits = open.limits.ok_or_else(|| missing("open.limits"))?;
    let mut resume: BTreeMap<Origin, Position> = BTreeMap::new();
    for point in open.resume {
        let of = parse_origin("open.resume.origin", point.origin)?;
        let at = point.position.map(parse_position).ok_or_else(|| missing("open.resume.position"))?;
        if resume.insert(of, at).is_some() {
            return Err(wrong("open.resume", "an origin is named twice"));
        }
    }
    Ok(Open {
        broker: parse_origin("open.broker", open.broker)?,
        boot: open.boot,
        features: open.features.into_iter().collect(),
        role: parse_role(open.role).ok_or_else(|| missing("open.role"))?,
        limits: Limits {
            items: limits.items,
            bytes: limits.bytes,
            hops: u8::try_from(limits.hops).unwrap_or(u8::MAX),
        },
        kinds: open.kinds.into_iter().map(Kind::from).collect(),
        interval: parse_span("open.interval", open.interval)?,
        head: parse_stamp(open.head),
        resume,
    })
}

fn stance(stance: &Stance) -> pb::Stance {
    pb::Stance {
        origin: Some(origin(&stance.origin)),
        reset: match stance.course {
            Course::Resume => pb::ResetReason::Unspecified,
            Course::Reset(ResetReason::New) => pb::ResetReason::New,
            Course::Reset(ResetReason::Epoch) => pb::ResetReason::Epoch,
            Course::Reset(ResetReason::Unknown) => pb::ResetReason::Unknown,
            Course::Reset(ResetReason::Behind) => pb::ResetReason::Behind,
            Course::Reset(ResetReason::Deferred) => pb::ResetReason::Deferred,
        }
        .into(),
        freshness: freshness(stance.freshness).into(),
        age: Some(duration(stance.age)),
    }
}

fn parse_stance(stance: pb::Stance) -> Result<Stance, Violation> {
    let course = match pb::ResetReason::try_from(stance.reset) {
        Ok(pb::ResetReason::Unspecified) => Course::Resume,
        Ok(pb::ResetReason::New) => Course::Reset(ResetReason::New),
        Ok(pb::ResetReason::Epoch) => Course::Reset(ResetReason::Epoch),
        Ok(pb::ResetReason::Behind) => Course::Reset(ResetReason::Behind),
        Ok(pb::ResetReason::Deferred) => Course::Reset(ResetReason::Deferred),
        Ok(pb::ResetReason::Unknown) | Err(_) => Course::Reset(ResetReason::Unknown),
    };
    Ok(Stance {
        origin: parse_origin("stance.origin", stance.origin)?,
        course,
        freshness: worst_if_unknown(stance.freshness),
        age: parse_span("stance.age", stance.age)?,
    })
}

fn verdict(verdict: &Verdict) -> pb::Verdict {
    let (outcome, reason) = match verdict {
        Verdict::Applied => (pb::Outcome::Applied, None),
        Verdict::Rejected(reason) => (pb::Outcome::Rejected, Some(reason)),
        Verdict::Deferred(reason) => (pb::Outcome::Deferred, Some(reason)),
    };
    pb::Verdict {
        outcome: outcome.into(),
        reason: reason.map(|reason| reason.code.clone().into_owned()).unwrap_or_default(),
        message: reason.map(|reason| sentence(&reason.text, LONGEST_TEXT)).unwrap_or_default(),
    }
}

fn parse_verdict(verdict: pb::Verdict) -> Verdict {
    let is_word = |c: &char| c.is_ascii_uppercase() || c.is_ascii_digit() || *c == '_';
    let code: String = verdict.reason.chars().filter(is_word).take(LONGEST_CODE).collect();
    let reason = Reason { code: Cow::Owned(code), text: sentence(&verdict.message, LONGEST_TEXT) };
    match pb::Outcome::try_from(verdict.outcome) {
        Ok(pb::Outcome::Applied) => Verdict::Applied,
        Ok(pb::Outcome::Deferred) => Verdict::Deferred(reason),
        Ok(pb::Outcome::Rejected | pb::Outcome::Unspecified) | Err(_) => Verdict::Rejected(reason),
    }
}

fn progress(progress: &Progress) -> pb::Progress {
    pb::Progress {
        origin: Some(origin(&progress.origin)),
        position: progress.position.map(position),
        freshness: freshness(progress.freshness).into(),
        age: Some(duration(progress.age)),
    }
}

fn parse_progress(progress: pb::Progress) -> Result<Progress, Violation> {
    Ok(Progress {
        origin: parse_origin("mark.origins.origin", progress.origin)?,
        position: progress.position.map(parse_position),
        freshness: worst_if_unknown(progress.freshness),
        age: parse_span("mark.origins.age", progress.age)?,
    })
}

fn go_away(it: &GoAway) -> pb::GoAway {
    let reason = match it.reason {
        GoAwayReason::Stopping => pb::GoAwayReason::Stopping,
        GoAwayReason::Duplicate => pb::GoAwayReason::Duplicate,
        GoAwayReason::Reconfigured => pb::GoAwayReason::Reconfigured,
        GoAwayReason::Damped => pb::GoAwayReason::Damped,
        GoAwayReason::Stalled => pb::GoAwayReason::Stalled,
        GoAwayReason::Silent => pb::GoAwayReason::Silent,
        GoAwayReason::Protocol => pb::GoAwayReason::Protocol,
        GoAwayReason::Paused => pb::GoAwayReason::Paused,
    };
    let message = sentence(&it.message, LONGEST_MESSAGE);
    pb::GoAway { reason: reason.into(), retry_after: Some(duration(it.retry_after)), message }
}

fn parse_go_away(it: pb::GoAway) -> Result<GoAway, Violation> {
    use pb::GoAwayReason as Form;
    let reason = match Form::try_from(it.reason) {
        Ok(Form::Stopping) => GoAwayReason::Stopping,
        Ok(Form::Duplicate) => GoAwayReason::Duplicate,
        Ok(Form::Reconfigured) => GoAwayReason::Reconfigured,
        Ok(Form::Damped) => GoAwayReason::Damped,
        Ok(Form::Stalled) => GoAwayReason::Stalled,
        Ok(Form::Silent) => GoAwayReason::Silent,
        Ok(Form::Paused) => GoAwayReason::Paused,
        Ok(Form::Protocol | Form::Unspecified) | Err(_) => GoAwayReason::Protocol,
    };
    let retry_after = parse_span("go_away.retry_after", it.retry_after)?;
    Ok(GoAway { reason, retry_after, message: sentence(&it.message, LONGEST_MESSAGE) })
}

fn terminate(it: &Terminate) -> pb::Terminate {
    let reason = match it.reason {
        TerminateReason::NotPeered => pb::TerminateReason::NotPeered,
        TerminateReason::RoleMismatch => pb::TerminateReason::RoleMismatch,
        TerminateReason::WrongBroker => pb::TerminateReason::WrongBroker,
    };
    pb::Terminate { reason: reason.into(), message: sentence(&it.message, LONGEST_MESSAGE) }
}

fn parse_terminate(it: pb::Terminate) -> Terminate {
    use pb::TerminateReason as Form;
    let reason = match Form::try_from(it.reason) {
        Ok(Form::RoleMismatch) => TerminateReason::RoleMismatch,
        Ok(Form::WrongBroker) => TerminateReason::WrongBroker,
        Ok(Form::NotPeered | Form::Unspecified) | Err(_) => TerminateReason::NotPeered,
    };
    Terminate { reason, message: sentence(&it.message, LONGEST_MESSAGE) }
}

/// What is not said, or in words that are not known here, is not to be believed.
fn worst_if_unknown(freshness: i32) -> Freshness {
    parse_freshness(freshness).unwrap_or(Freshness::Expired)
}

/// A span; unset is none.
fn parse_span(path: &str, span: Option<prost_types::Duration>) -> Result<Duration, Violation> {
    let Some(span) = span else { return Ok(Duration::ZERO) };
    parse_duration(span).ok_or_else(|| wrong(path, "not a span of time: negative, or malformed"))
}

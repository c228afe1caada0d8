//! How a second terminal speaks to a running demo: one line in, one line out, over a socket in the demo's directory.

use super::house::House;
use super::place::Place;
use crate::lifecycle::{self, Shutdown};
use anyhow::{Context as _, bail};
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;

/// Longer than a producer needs to register.
const PATIENCE: Duration = Duration::from_secs(30);
const MAX_LINE: u64 = 1024;

/// What may be asked of a running demo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Let a producer crash.
    Stop,
    /// Bring a producer back.
    Start,
}

/// Refuses if a demo runs in this directory; takes the socket of one that is gone.
pub(super) async fn claim(place: &Place) -> anyhow::Result<()> {
    let socket = place.socket();
    if UnixStream::connect(&socket).await.is_ok() {
        bail!("a demo runs in {} already; end it, or give --dir another directory", place.root().display());
    }
    match std::fs::remove_file(&socket) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", socket.display()))
        }
        _ => Ok(()),
    }
}

/// Hears orders until stopping is asked for.
pub(super) fn listen(house: &Arc<House>, shutdown: Shutdown) -> anyhow::Result<()> {
    let socket = house.place().socket();
    let listener = UnixListener::bind(&socket)
        .with_context(|| format!("cannot listen on {} (is the path too long?)", socket.display()))?;
    let house = Arc::downgrade(house);
    lifecycle::spawn("demo control", async move {
        loop {
            let accepted = tokio::select! {
                () = shutdown.requested() => break,
                accepted = listener.accept() => accepted,
            };
            let (Ok((stream, _)), Some(house)) = (accepted, house.upgrade()) else { continue };
            // One at a time: whoever gives orders is a person.
            if timeout(PATIENCE, answer(stream, &house)).await.is_err() {
                tracing::warn!("an order to the demo took too long");
            }
        }
    });
    Ok(())
}

/// Gives an order to the demo that runs in `place`, and returns what it said.
pub(super) async fn send(place: &Place, order: Order, producer: &str) -> anyhow::Result<String> {
    let mut stream = UnixStream::connect(place.socket()).await.with_context(|| {
        format!("no demo runs in {}; start one: portolan demo --dir {0}", place.root().display())
    })?;
    let verb = if order == Order::Stop { "stop" } else { "start" };
    stream.write_all(format!("{verb} {producer}\n").as_bytes()).await?;
    let mut said = String::new();
    timeout(PATIENCE, stream.take(MAX_LINE).read_to_string(&mut said))
        .await
        .context("no answer in time")??;
    match said.trim().split_once(' ') {
        Some(("ok", text)) => Ok(text.to_owned()),
        Some(("error", text)) => bail!("{text}"),
        _ => bail!("the demo ended before it answered"),
    }
}

async fn answer(mut stream: UnixStream, house: &House) {
    let mut line = String::new();
    let read = BufReader::new((&mut stream).take(MAX_LINE)).read_line(&mut line).await;
    let done = match (read, line.trim().split_once(' ')) {
        (Ok(_), Some(("stop", name))) => {
            house.kill(name).await.map(|()| format!("{name} is stopped; the broker sees it within a second"))
        }
        (Ok(_), Some(("start", name))) => house.start(name).await.map(|()| format!("{name} runs")),
        _ => Err(anyhow::anyhow!("say `stop PRODUCER` or `start PRODUCER`")),
    };
    let said = match done {
        Ok(text) => format!("ok {text}\n"),
        Err(error) => format!("error {error:#}\n"),
    };
    // Whoever gave the order may be gone by now.
    let _ = stream.write_all(said.as_bytes()).await;
}

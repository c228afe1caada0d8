use crate::fixture::{Organisation, Producer, World};
use portolan::{identity, lifecycle};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// What a producer that speaks HTTP/2 by hand does with a request that holds [`MARK`]. Others, such as probes, get no answer.
#[derive(Debug, Clone, Copy)]
pub enum Act {
    /// GOAWAY that names no stream as processed.
    GoAway,
    /// Hangs up without a word.
    HangUp,
}

/// Stands in the message of a call that counts.
pub const MARK: &[u8] = b"message";

const PREFACE: usize = 24;
const DATA: u8 = 0;
const EMPTY_SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
/// GOAWAY, last stream 0, NO_ERROR.
const GOAWAY: [u8; 17] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// A producer that greets, and then does one thing with every request that counts.
pub async fn producer(world: &World, organisation: &Organisation, path: &str, act: Act) -> Producer {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let trust = organisation.trust(&world.hub);
    let tls = identity::server_config(&trust, &organisation.credentials(path));
    let (calls, stop) = (Arc::new(AtomicUsize::new(0)), CancellationToken::new());
    let (seen, token) = (calls.clone(), stop.clone());
    lifecycle::spawn("raw producer", async move {
        loop {
            let (tcp, _) = tokio::select! {
                accepted = socket.accept() => accepted.unwrap(),
                () = token.cancelled() => return,
            };
            let (trust, tls, seen) = (trust.clone(), tls.clone(), seen.clone());
            lifecycle::spawn("raw connection", async move {
                let Ok((io, _)) = identity::accept(&trust, tls, tcp).await else { return };
                // The broker may hang up first.
                let _ = serve(io, act, &seen).await;
            });
        }
    });
    Producer::elsewhere(address, organisation.id(path), calls, stop)
}

async fn serve<IO>(mut io: IO, act: Act, seen: &AtomicUsize) -> std::io::Result<()>
where
    IO: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    io.read_exact(&mut [0; PREFACE]).await?;
    io.write_all(&EMPTY_SETTINGS).await?;
    io.flush().await?;
    loop {
        let mut head = [0; 9];
        io.read_exact(&mut head).await?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let mut payload = vec![0; length];
        io.read_exact(&mut payload).await?;
        if head[3] != DATA || !payload.windows(MARK.len()).any(|part| part == MARK) {
            continue;
        }
        seen.fetch_add(1, Ordering::SeqCst);
        match act {
            Act::HangUp => return Ok(()),
            Act::GoAway => {
                io.write_all(&GOAWAY).await?;
                io.flush().await?;
            }
        }
    }
}

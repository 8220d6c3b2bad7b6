//! One transfer: the list of files goes out, requests for content come in and are answered.
//!
//! ```text
//!   us      STAT … STAT, empty STAT        DATA … empty DATA         FIN
//!   daemon                          REQ id                    … FIN
//! ```
//! Files are known by their place in the list, from 0. Listing and reading run on threads of their own, held back by
//! the bounded channel of outgoing packets; requests are taken at once, so that neither side waits for the other.

use std::collections::HashMap;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError, mpsc as blocking};

use bollard_buildkit_proto::fsutil::types::packet::PacketType;
use bollard_buildkit_proto::fsutil::types::{Packet, Stat};
use futures_util::{Stream, StreamExt};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::effort::Effort;
use super::failure::Failure;
use super::follow::follow;
use super::glob::Room;
use super::metadata::Asked;
use super::pattern::{Patterns, check_size};
use super::reader::Listed;
use super::walk::{Found, Walk};
use super::{Limits, LocalDir, Progress, ignore};

/// Outgoing packets, of 32 KiB at most.
const PACKETS: usize = 64;
/// Threads that read files, so that one slow file does not hold up many small ones.
const READERS: usize = 2;

type Packets = mpsc::Sender<Result<Packet, Status>>;

#[derive(Clone)]
pub(super) struct Transfer(Arc<Inner>);

struct Inner {
    dir: LocalDir,
    asked: Asked,
    limits: Limits,
    progress: Arc<Progress>,
    /// Files whose content was not asked for yet.
    listed: Mutex<HashMap<u32, Listed>>,
}

impl Transfer {
    pub(super) fn new(dir: LocalDir, asked: Asked, limits: Limits, progress: Arc<Progress>) -> Self {
        Self(Arc::new(Inner { dir, asked, limits, progress, listed: Mutex::default() }))
    }

    /// Runs until the daemon has all it wants, or leaves.
    pub(super) fn start<S>(self, requests: S) -> ReceiverStream<Result<Packet, Status>>
    where
        S: Stream<Item = Result<Packet, Status>> + Send + Unpin + 'static,
    {
        let (packets, outgoing) = mpsc::channel(PACKETS);
        // At most as many requests as there are files: an id is asked for once.
        let (wanted, queue) = blocking::channel();
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..READERS {
            let (transfer, queue, packets) = (self.clone(), Arc::clone(&queue), packets.clone());
            tokio::task::spawn_blocking(move || {
                transfer.settle(transfer.0.read(&queue, &packets), &packets);
            });
        }
        let (walker, sender) = (self.clone(), packets.clone());
        tokio::task::spawn_blocking(move || walker.settle(walker.0.list(&sender), &sender));
        tokio::spawn(async move { self.0.receive(requests, wanted, packets).await });
        ReceiverStream::new(outgoing)
    }

    /// A failure ends the call, which fails the build.
    fn settle(&self, result: Result<(), Failure>, packets: &Packets) {
        match result {
            Ok(()) | Err(Failure::Gone) => {}
            Err(failure) => {
                self.0.progress.fail(&failure);
                let _ = packets.blocking_send(Err(Status::failed_precondition(failure.to_string())));
            }
        }
    }
}

impl Inner {
    async fn receive<S>(&self, mut requests: S, wanted: blocking::Sender<(u32, Listed)>, packets: Packets)
    where
        S: Stream<Item = Result<Packet, Status>> + Unpin,
    {
        loop {
            let request = tokio::select! {
                request = requests.next() => request,
                () = packets.closed() => return,
            };
            let Some(Ok(request)) = request else { return };
            match request.r#type() {
                PacketType::PacketReq => {
                    let listed = self.listed().remove(&request.id);
                    let Some(listed) = listed else {
                        let no_such = Status::invalid_argument(format!("no file {} to send", request.id));
                        let _ = packets.send(Err(no_such)).await;
                        return;
                    };
                    // The readers live as long as this end of the queue, unless they failed.
                    let _ = wanted.send((request.id, listed));
                }
                PacketType::PacketFin => {
                    let _ = packets.send(Ok(packet(PacketType::PacketFin, 0, Vec::new()))).await;
                    return;
                }
                // The receiver's own failure; it tells the build itself.
                _ => return,
            }
        }
    }

    fn list(&self, packets: &Packets) -> Result<(), Failure> {
        let root = &self.dir.dir;
        let is_wanted = || !packets.is_closed();
        let mut effort = Effort::new(&is_wanted);
        let mut include = self.asked.include.clone();
        if !self.asked.follow.is_empty() {
            check_size(&self.asked.follow)?;
            if let Some(line) = ignore::check(&self.dir, &self.asked.follow, &mut effort)? {
                let _ = self.progress.wrong_line.set(line.to_string());
            }
            include.extend(follow(root, &self.asked.follow, &mut effort)?.unwrap_or_default());
        }
        let mut space = Room::new();
        let include = Patterns::new(&include, &mut space, &mut effort)?;
        let exclude = Patterns::new(&self.asked.exclude, &mut space, &mut effort)?;
        let (mut next, mut bytes) = (0, 0_u64);
        let mut tell = |found: Found| {
            bytes = bytes.saturating_add(u64::try_from(found.stat.size).unwrap_or(0));
            if bytes > self.limits.bytes {
                return Err(Failure::TooLarge { limit: self.limits.bytes });
            }
            if let Some(identity) = found.content {
                self.listed().insert(next, Listed { path: found.stat.path.clone(), identity });
            }
            next += 1;
            self.progress.entries.fetch_add(1, Relaxed);
            send(packets, stat_packet(Some(found.stat)))
        };
        let most = self.limits.entries.min(u32::MAX.into());
        Walk::new((include, exclude), &self.dir.absent, most, effort, &mut tell).dir(root, "")?;
        send(packets, stat_packet(None))
    }

    fn read(&self, queue: &Mutex<blocking::Receiver<(u32, Listed)>>, packets: &Packets) -> Result<(), Failure> {
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok((id, listed)) = next else {
                return Ok(());
            };
            self.progress.files.fetch_add(1, Relaxed);
            listed.read(&self.dir.dir, |chunk| {
                self.progress.bytes.fetch_add(chunk.len() as u64, Relaxed);
                send(packets, packet(PacketType::PacketData, id, chunk))
            })?;
            send(packets, packet(PacketType::PacketData, id, Vec::new()))?;
        }
    }

    fn listed(&self) -> std::sync::MutexGuard<'_, HashMap<u32, Listed>> {
        self.listed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn send(packets: &Packets, packet: Packet) -> Result<(), Failure> {
    packets.blocking_send(Ok(packet)).map_err(|_closed| Failure::Gone)
}

fn packet(kind: PacketType, id: u32, data: Vec<u8>) -> Packet {
    Packet { r#type: kind.into(), stat: None, id, data }
}

fn stat_packet(stat: Option<Stat>) -> Packet {
    Packet { r#type: PacketType::PacketStat.into(), stat, id: 0, data: Vec::new() }
}

//! The modules of a program, and how others reach them while they run.

use super::journal::Journal;
use crate::capture::Capture;
use crate::clock::Clock;
use crate::flash::FlashFolder;
use crate::net::Resolver;
use crate::port::Port;
use crate::record::Recorder;
use crate::runtime::{Handle, Host};
use crate::trace::Writer;
use dialect::Model;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinSet};
use world::Rig;

/// Modules at a time.
pub const MODULES_MAX: usize = 4_000;

/// A module that is to be.
pub struct Plan {
    /// The module, recording when there is a recorder.
    pub rig: Rig,
    /// Its own number.
    pub imei: String,
    /// The address that its network gives it.
    pub address: Ipv4Addr,
    /// Where its serial line is.
    pub port: Port,
    /// Where its flash is kept.
    pub folder: Option<FlashFolder>,
    /// Where it is recorded.
    pub recorder: Option<Recorder>,
}

/// A module that is there.
#[derive(Debug)]
pub struct Member {
    /// Its number, never used again.
    pub id: u32,
    /// Which model.
    pub model: &'static Model,
    /// Its own number.
    pub imei: String,
    /// What decides everything that is left to chance.
    pub seed: u64,
    /// What kind of port it has, and where.
    pub port: (&'static str, String),
    /// Reaches it.
    pub handle: Handle,
    /// What happens to it.
    pub journal: Arc<Journal>,
    task: AbortHandle,
}

/// A list of modules that any thread may look at.
#[derive(Clone, Debug, Default)]
pub struct Members(Arc<Mutex<BTreeMap<u32, Arc<Member>>>>);

impl Members {
    /// The module of this number.
    pub fn find(&self, id: u32) -> Option<Arc<Member>> {
        self.lock().get(&id).cloned()
    }

    /// All of them.
    pub fn all(&self) -> Vec<Arc<Member>> {
        self.lock().values().cloned().collect()
    }

    /// Ends a module; false when there is none of this number.
    pub fn remove(&self, id: u32) -> bool {
        let Some(member) = self.lock().remove(&id) else {
            return false;
        };
        member.task.abort();
        member.journal.close();
        true
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u32, Arc<Member>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody wants one more module, as these arguments of `modemq module` would make it.
#[derive(Debug)]
pub struct Ask {
    /// The arguments.
    pub args: Vec<String>,
    /// Who waits for the number.
    pub answer: oneshot::Sender<Result<Arc<Member>, Refused>>,
}

/// Why there is no module.
#[derive(Debug)]
pub enum Refused {
    /// It cannot be as it was described.
    Wrong(String),
    /// It could be at another time or place: a port is taken, there are too many.
    Taken(String),
}

/// The modules of this thread.
pub struct Fleet {
    /// The list.
    pub members: Members,
    clock: Clock,
    resolver: Resolver,
    writer: Option<Rc<RefCell<Writer>>>,
    capture: Option<Rc<RefCell<Capture>>>,
    /// Whether what happens is kept.
    journals: bool,
    next: u32,
    tasks: JoinSet<(u32, io::Result<()>)>,
}

impl Fleet {
    /// None yet.
    pub fn new(
        clock: Clock,
        resolver: Resolver,
        writer: Option<Rc<RefCell<Writer>>>,
        journals: bool,
    ) -> Self {
        Self {
            members: Members::default(),
            clock,
            resolver,
            writer,
            capture: None,
            journals,
            next: 0,
            tasks: JoinSet::new(),
        }
    }

    /// Shows what goes over the links of its modules in a packet capture, each on an interface of its own.
    #[must_use]
    pub fn with_capture(mut self, capture: Rc<RefCell<Capture>>) -> Self {
        self.capture = Some(capture);
        self
    }

    /// Starts a module. It runs on the `LocalSet` around the caller.
    pub fn add(&mut self, plan: Plan, numbered: bool) -> Arc<Member> {
        let Plan {
            rig,
            imei,
            address,
            port,
            folder,
            recorder,
        } = plan;
        let id = self.next;
        self.next += 1;
        let (model, seed, place) = (rig.model(), rig.seed(), port.place());
        let journal = Journal::new();
        let (mut host, handle) = Host::new(rig, port, self.clock, self.resolver.clone());
        if let Some(folder) = folder {
            host = host.with_flash(folder);
        }
        if let Some(recorder) = recorder {
            host = host.with_recorder(recorder);
        }
        if self.journals {
            host = host.with_journal(journal.clone());
        }
        if let Some(writer) = &self.writer {
            host = host.with_trace(writer.clone(), numbered.then_some(id as usize));
        }
        if let Some(capture) = &self.capture {
            let name = if numbered {
                format!("{}#{id}", model.name)
            } else {
                model.name.to_owned()
            };
            host = host.with_capture(Capture::interface(capture, &name, address));
        }
        let task = self
            .tasks
            .spawn_local(async move { (id, host.run().await) });
        let member = Arc::new(Member {
            id,
            model,
            imei,
            seed,
            port: place,
            handle,
            journal,
            task,
        });
        self.members.lock().insert(id, member.clone());
        member
    }

    /// Whether there is room for one more.
    pub fn has_room(&self) -> bool {
        self.members.lock().len() < MODULES_MAX
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.members.lock().is_empty()
    }

    /// Its time.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// The number of the next one.
    pub fn next_id(&self) -> u32 {
        self.next
    }

    /// Waits until a module has ended by itself.
    ///
    /// # Errors
    /// Its port is broken.
    pub async fn ended(&mut self) -> io::Result<()> {
        loop {
            match self.tasks.join_next().await {
                None => std::future::pending().await,
                // It was removed.
                Some(Err(error)) if error.is_cancelled() => {}
                Some(Err(error)) => return Err(io::Error::other(error)),
                Some(Ok((id, result))) => {
                    self.members.remove(id);
                    return result;
                }
            }
        }
    }
}

/// Where modules are asked for.
pub type Asks = mpsc::UnboundedSender<Ask>;

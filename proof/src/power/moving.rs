//! The power goes while a tenant moves: two cells, each a whole node on a disk of its own, and the tenant is written and
//! asked all along. Moves are begun, repeated and undone; the power goes at either end or at both.

use super::link::{CELLS, Cut, LOST, Link};
use super::tally::Tally;
use super::{RECOVERY_CALLS, survived};
use crate::node::Trouble;
use crate::seams::Stepped;
use crate::simulate::{DEADLINE, Node, Profile, Seat, Spoil, World, options, runtime};
use std::sync::Arc;
use std::time::Duration;
use tessera_crypto::PasswordPool;
use tessera_engine::HelloRefusal;
use tessera_engine::moving::{MoveStatus, MoveTold, MoveWay};
use tessera_model::{Cell, CellName, Fleet};
use tessera_storage::disk::simulated::{Fault, Planted, Simulated};
use tessera_storage::{Moves as _, Options, RootKey, Store as _};

/// Faults that are planted into moves, and what a world must say of them.
pub(super) const PLANTS: [(Plant, &str, &[&str]); 2] = [
    (Plant::CopyNotDurable, "a tenant that opens before its copy is durable", &LOST_COPY),
    (Plant::Left, "a cell that goes on with what has left it", &[TWO]),
];
/// What is said where a copy is lost: of the file that it lay in, and of the tenant.
const LOST_COPY: [&str; 4] = [
    "a cell does not start",
    "a start found damage",
    "the tenant's data does not read",
    "nobody answers for a tenant that does not move",
];
/// What is said when both cells answer.
const TWO: &str = "two cells answer for one tenant";
/// Looks at a cell that is to answer, some milliseconds apart: the deadline.
const LOOKS: u32 = 6_000;
/// Times that an undisturbed move is begun at most.
const TRIES: u32 = 4;
/// Calls of a whole move at the cell that gives, and at the one that takes.
const CALLS: [u64; 2] = [90, 150];
/// Calls of one phase of it, at most.
const PHASE_CALLS: u64 = 20;
/// The phases of a move, as the cell that gives tells them.
const PHASES: [MoveStatus; 3] = [MoveStatus::Copying, MoveStatus::Frozen, MoveStatus::HandedOver];

/// A fault that is planted into moves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Plant {
    /// The disk of the cell that takes says that what it checkpoints is durable, and it is not.
    CopyNotDurable,
    /// The cell that gives loads nothing of its having given.
    Left,
}

/// Both cells.
struct Pair {
    nodes: [Option<Node>; 2],
    disks: [Simulated; 2],
    link: Link,
    clock: Arc<Stepped>,
    pool: Arc<PasswordPool>,
    plant: Option<Plant>,
    /// The cell that gives, while a move is not over.
    giving: Option<usize>,
}

/// One world of two cells.
pub(super) fn world(
    seed: u64,
    plant: Option<Plant>,
    pool: &Arc<PasswordPool>,
    tally: &mut Tally,
) -> Result<(), Trouble> {
    let profile = Profile { tenants: 1, people: 2, steps: (1, 4), failing: false, spoil: None };
    let mut world = World::new(seed.wrapping_add(2 << 40), profile);
    runtime()?.block_on(async {
        let mut pair = Pair {
            nodes: [None, None],
            disks: [Simulated::new(), Simulated::new()],
            link: Link::default(),
            clock: Arc::new(Stepped::new(world.now)),
            pool: Arc::clone(pool),
            plant,
            giving: None,
        };
        drop(tokio::spawn(pair.link.clone().watch()));
        pair.live(&mut world, tally).await
    })?;
    tally.counts.add(&world.counts);
    tally.faults.append(&mut world.faults);
    Ok(())
}

/// What the store of a cell is opened with: each has keys of its own.
fn options_of(side: usize) -> Options {
    let no = if side == 0 { 3 } else { 4 };
    let Options { journal_file_bytes, tail_frames_max, cache_bytes, drive, .. } = options();
    let own = Options::new(RootKey::new([no; 32]), [no + 4; 32], [no + 2; 32]);
    Options { journal_file_bytes, tail_frames_max, cache_bytes, drive, ..own }
}

fn fleet_of(side: usize) -> Result<Fleet, Trouble> {
    let mut cells = Vec::new();
    for (id, name) in CELLS {
        let name = CellName::new(name).ok_or("a cell without a name")?;
        let address = format!("{name}.example.org:7443").into();
        cells.push(Cell { id, name, address, certificate: "node.example.org".into(), http: "".into() });
    }
    let own = cells.get(side).map(|cell| cell.name.clone()).ok_or("no such cell")?;
    Fleet::new(1, &own, cells).map_err(|error| format!("a fleet: {error}").into())
}

impl Pair {
    async fn live(&mut self, world: &mut World, tally: &mut Tally) -> Result<(), Trouble> {
        self.raise(world, false, tally).await?;
        let Some(Some(node)) = self.nodes.first_mut() else { return Ok(()) };
        world.prepare(node).await?;
        let key = world.tenants.first().map(|tenant| tenant.key.to_bytes()).ok_or("no tenant")?;
        self.link.know(key);
        for _ in 0..4 + world.dice.below(5) {
            self.raise(world, true, tally).await?;
            self.go(world, true, tally).await?;
            if !world.faults.is_empty() {
                return Ok(());
            }
        }
        // Whatever was left open is finished, then both lose what they had not made durable, and start again.
        for _ in 0..TRIES {
            self.raise(world, false, tally).await?;
            self.go(world, false, tally).await?;
            if self.giving.is_none() || !world.faults.is_empty() {
                break;
            }
        }
        if self.giving.is_some() && world.faults.is_empty() {
            world.fault("a move does not come to its end");
        }
        self.fall(world, &[0, 1]);
        self.raise(world, false, tally).await?;
        let home = self.home(world).await;
        self.rest(world, home).await;
        // Both have had their time to wake.
        self.link.look();
        if self.link.both() {
            world.fault(TWO);
        }
        Ok(())
    }

    /// Starts what does not run; the power may go meanwhile.
    async fn raise(&mut self, world: &mut World, cut: bool, tally: &mut Tally) -> Result<(), Trouble> {
        for (side, (cell, _)) in CELLS.into_iter().enumerate() {
            if self.node(side).is_some_and(|node| !node.is_up()) {
                // It fell at rest, behind the move that it was to fall in.
                self.fall(world, &[side]);
            }
            while self.node(side).is_none() && world.faults.is_empty() {
                let Some(disk) = self.disks.get(side).cloned() else { return Ok(()) };
                if cut && world.dice.below(3) == 0 {
                    disk.plant(1 + world.dice.below(RECOVERY_CALLS), Fault::PowerCut);
                }
                match self.plant {
                    Some(Plant::Left) if side == 0 => world.profile.spoil = Some(Spoil::Left(cell)),
                    Some(Plant::CopyNotDurable | Plant::Left) | None => world.profile.spoil = None,
                }
                let seat = Seat { cell, options: options_of(side), clock: Arc::clone(&self.clock) };
                match world.begin_at(&disk, &self.pool, seat).await? {
                    Some(node) => {
                        self.link.raise(side, &node);
                        if !node.engine.set_fleet(fleet_of(side)?) {
                            world.fault("a fleet was not taken");
                        }
                        if let Some(place) = self.nodes.get_mut(side) {
                            *place = Some(node);
                        }
                    }
                    None if disk.is_off() => {
                        self.note(&disk, "a start", side, tally);
                        self.fall(world, &[side]);
                    }
                    None => world.fault("a cell does not start"),
                }
            }
        }
        Ok(())
    }

    fn node(&self, side: usize) -> Option<&Node> {
        self.nodes.get(side).and_then(Option::as_ref)
    }

    fn is_off(&self, side: usize) -> bool {
        self.node(side).is_none_or(|node| !node.is_up())
    }

    /// Notes a power cut: in a phase of a move, or in a start while one is not over.
    fn note(&self, disk: &Simulated, phase: &'static str, side: usize, tally: &mut Tally) {
        tally.note_move(disk, self.giving.map(|giving| (phase, giving == side)));
    }

    /// These cells have no power: what it leaves of their disks.
    fn fall(&mut self, world: &mut World, sides: &[usize]) {
        for side in sides {
            self.link.lower(*side);
            if let Some(node) = self.nodes.get_mut(*side).and_then(Option::take) {
                // What still runs of it writes nothing.
                node.disk.plant(node.disk.calls() + 1, Fault::PowerCut);
            }
            if let Some(disk) = self.disks.get_mut(*side) {
                *disk = survived(world, disk);
            }
        }
    }

    /// The cell that answers for the tenant; none while it is between them.
    async fn home(&self, world: &mut World) -> Option<usize> {
        let key = world.tenants.first().map(|tenant| tenant.key.to_bytes())?;
        for _ in 0..LOOKS {
            self.link.look();
            let mut waits = false;
            for side in 0..CELLS.len() {
                let Some(node) = self.node(side).filter(|node| node.is_up()) else { continue };
                match node.engine.hello(&key, None) {
                    Ok(_) => return Some(side),
                    Err(HelloRefusal::NotReady) => waits = true,
                    Err(HelloRefusal::Failed) => {
                        world.fault("the tenant's data does not read");
                        return None;
                    }
                    Err(_) => {}
                }
            }
            if !waits {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        None
    }

    /// Begins a move, goes on with one or undoes it, until it has ended or the power goes.
    async fn go(&mut self, world: &mut World, cut: bool, tally: &mut Tally) -> Result<(), Trouble> {
        let Some(from) = (match self.giving {
            Some(giving) => Some(giving),
            None => self.home(world).await,
        }) else {
            if !self.is_off(0) && !self.is_off(1) {
                world.fault("nobody answers for a tenant that does not move");
            }
            return Ok(());
        };
        let back = cut && self.giving.is_some() && world.dice.below(3) == 0;
        let way = if back { MoveWay::Back } else { MoveWay::There };
        self.bind(world, from).await;
        let (Some(tenant), Some((to, _))) =
            (world.tenants.first().map(|tenant| tenant.id), CELLS.get(1 - from))
        else {
            return Ok(());
        };
        let Some(node) = self.node(from) else { return Ok(()) };
        let (planned, both) = if cut { self.plan(world, from, way) } else { (None, false) };
        if self.plant == Some(Plant::CopyNotDurable)
            && let Some(disk) = self.disks.get(1 - from)
        {
            // What the cell that takes has made before is durable.
            disk.plant_fault(Planted::CheckpointNotSynced);
        }
        let mut begun = node.engine.begin_move(tenant, *to, way);
        for _ in 0..LOOKS {
            if begun.is_ok() || !node.is_up() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            begun = node.engine.begin_move(tenant, *to, way);
        }
        match begun {
            Ok(_) => {}
            Err(_) if !node.is_up() => {}
            Err(refusal) => world.fault(format!("a move was not begun: {refusal}")),
        }
        self.giving = Some(from);
        self.link.begin(tenant, from, planned);
        let told = self.follow(world, from, cut).await;
        let phase = self.link.end();
        let mut fallen: Vec<usize> = (0..CELLS.len()).filter(|side| self.is_off(*side)).collect();
        if both && !fallen.is_empty() {
            fallen = vec![0, 1];
            tally.both += 1;
        }
        let name = if back { "undone" } else { name_of(phase) };
        for side in &fallen {
            if let Some(disk) = self.disks.get(*side).filter(|disk| disk.is_off()) {
                self.note(disk, name, *side, tally);
            }
        }
        self.fall(world, &fallen);
        if fallen.is_empty() {
            self.ended(world, (from, way), told).await;
        }
        if self.link.both() {
            world.fault(TWO);
        }
        Ok(())
    }

    /// Where the power is to go, and whether in both cells.
    fn plan(&self, world: &mut World, from: usize, way: MoveWay) -> (Option<Cut>, bool) {
        let dice = &mut world.dice;
        let sides = match dice.below(8) {
            0 => return (None, false),
            1 => vec![0, 1],
            2..=4 => vec![from],
            _ => vec![1 - from],
        };
        let both = sides.len() > 1;
        let phase = PHASES.get(dice.index(PHASES.len() + 1)).filter(|_| way == MoveWay::There);
        let most = if dice.below(2) == 0 { 3 } else { PHASE_CALLS };
        let mut disks = Vec::new();
        for side in sides {
            let Some(disk) = self.disks.get(side) else { continue };
            match (phase, way) {
                (Some(_), _) => disks.push((disk.clone(), dice.below(most))),
                (None, MoveWay::There) => {
                    let calls = CALLS.get(side ^ from).copied().unwrap_or_default();
                    disk.plant(disk.calls() + 1 + dice.below(calls), Fault::PowerCut);
                }
                (None, MoveWay::Back) => disk.plant(disk.calls() + 1 + dice.below(most), Fault::PowerCut),
            }
        }
        (phase.map(|phase| Cut { phase: *phase, disks }), both)
    }

    /// Takes the key of the tenant's admin into use where it answers.
    async fn bind(&mut self, world: &mut World, side: usize) {
        let key = world.tenants.first().map(|tenant| tenant.key.to_bytes());
        let Some((node, key)) = self.nodes.get_mut(side).and_then(Option::as_mut).zip(key) else { return };
        node.admins.clear();
        for _ in 0..LOOKS {
            match node.engine.hello(&key, None) {
                Ok(bound) => return node.admins.push(bound),
                Err(HelloRefusal::NotReady) if node.is_up() => {}
                // It is in the other cell, or between them.
                Err(_) => return,
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Has the tenant written and asked until its move has ended, or the power went.
    async fn follow(&self, world: &mut World, from: usize, cut: bool) -> Option<MoveTold> {
        let begun = tokio::time::Instant::now();
        while !self.is_off(0) && !self.is_off(1) {
            self.link.look();
            if let Some(told) = self.link.told().filter(|told| told.status.is_over()) {
                return Some(told);
            }
            if begun.elapsed() > 2 * DEADLINE {
                world.fault(format!("a move does not end: {:?}", self.link.told()));
                return None;
            }
            // Whoever asks for what has left is sent on.
            let is_here = |node: &&Node| node.admins.first().is_some_and(|admin| !admin.entry.is_away());
            let node = self.node(from).filter(is_here);
            match node.filter(|_| world.dice.below(3) == 0) {
                Some(node) => {
                    // One cell has the keys that erasures are looked behind with.
                    if cut && from == 0 && world.doomed.is_empty() && world.dice.below(8) == 0 {
                        world.erase_one(node).await;
                    } else {
                        world.order_some(node).await;
                    }
                    if is_here(&node) {
                        world.look(node);
                    }
                }
                None => tokio::time::sleep(Duration::from_millis(1 + world.dice.below(8))).await,
            }
        }
        // Where both are to go, the other one has a moment to go by itself.
        tokio::time::sleep(Duration::from_millis(world.dice.below(40))).await;
        None
    }

    /// A move that nothing cut short ended as it was ordered; the tenant is whole where it is.
    async fn ended(&mut self, world: &mut World, (from, way): (usize, MoveWay), told: Option<MoveTold>) {
        let Some(told) = told else { return };
        let tenant = told.tenant;
        let trouble = told.trouble.unwrap_or_default();
        let home = if told.status == MoveStatus::Done { 1 - from } else { from };
        match (way, told.status) {
            (MoveWay::There, MoveStatus::Done) | (MoveWay::Back, MoveStatus::Stayed) => self.giving = None,
            // What has left is not called back: the move is repeated.
            (MoveWay::Back, MoveStatus::Failed) if trouble.starts_with("it has left") => return,
            // It was begun before the other cell fell, and goes on with the next.
            (_, MoveStatus::Failed) if trouble.ends_with(LOST) => return,
            (_, status) => return world.fault(format!("a move ended as {status:?}: {trouble}")),
        }
        world.counts.moved += u64::from(home != from);
        let kept = |side: usize| self.node(side).map(|node| node.store.is_kept(tenant));
        if home != from && !matches!(kept(from), Some(Ok(true)) | None) {
            world.fault("nothing is kept of a tenant that has moved");
        }
        let waits = |side: usize| self.node(side).map(|node| node.store.arrived(tenant));
        if !matches!(waits(1 - home), Some(Ok(None)) | None) && home != from {
            world.fault("a copy waits in the cell that gave");
        }
        self.rest(world, Some(home)).await;
    }

    /// At rest: the tenant answers in one cell, which has everything that was acknowledged, and whose chain verifies.
    async fn rest(&mut self, world: &mut World, home: Option<usize>) {
        let Some(home) = home else {
            if world.faults.is_empty() && !self.is_off(0) && !self.is_off(1) {
                world.fault("nobody answers for a tenant that does not move");
            }
            return;
        };
        let Some(node) = self.nodes.get_mut(home).and_then(Option::as_mut) else { return };
        if !node.is_up() || !world.bind_all(node).await {
            return;
        }
        world.settle(node, true).await;
        world.finish_erasures(node).await;
        world.order_some(node).await;
        world.look(node);
        if node.is_up() {
            world.verify(node);
        }
        self.link.look();
        world.now = node.now();
    }
}

/// The name of a phase.
fn name_of(phase: Option<MoveStatus>) -> &'static str {
    match phase {
        Some(MoveStatus::Frozen) => "frozen",
        Some(MoveStatus::HandedOver) => "handed over",
        _ => "copying",
    }
}

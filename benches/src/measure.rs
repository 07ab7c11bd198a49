//! Best of many rounds, and an allocator that counts.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, OnceCell};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

/// How many times each measurement is repeated; the fastest counts, since noise only adds. So many that a neighbour's burst of
/// work does not cover them all.
const ROUNDS: usize = 1_000;
/// Packets in a round.
pub const BATCH: usize = 2_000;

#[derive(Clone, Copy)]
pub struct Cost {
    pub nanoseconds: f64,
    pub allocations: f64,
}

/// Times `run` on what `prepare` made; `run` handles [`BATCH`] packets.
pub fn best_of<T, R>(mut prepare: impl FnMut() -> T, mut run: impl FnMut(&mut T) -> R) -> Cost {
    let mut best = Cost {
        nanoseconds: f64::MAX,
        allocations: f64::MAX,
    };
    for _ in 0..ROUNDS {
        let mut input = prepare();
        let allocations = COUNT.load(Relaxed);
        let start = Instant::now();
        let result = run(&mut input);
        let elapsed = start.elapsed();
        let allocations = COUNT.load(Relaxed) - allocations;
        std::hint::black_box((result, input));
        let per_packet = elapsed.as_nanos() as f64 / BATCH as f64;
        best.nanoseconds = best.nanoseconds.min(per_packet);
        best.allocations = best.allocations.min(allocations as f64 / BATCH as f64);
    }
    best
}

/// Heap that lives in what `make` gives, in bytes per piece.
pub fn idle(make: fn() -> Box<dyn std::any::Any>) -> usize {
    const PIECES: usize = 100;
    let mut pieces = Vec::with_capacity(PIECES);
    drop(make());
    let before = LIVE.load(Relaxed);
    for _ in 0..PIECES {
        pieces.push(make());
    }
    let size = std::mem::size_of_val(&*pieces[0]);
    let heap = (LIVE.load(Relaxed) - before) / PIECES;
    drop(pieces);
    // The box itself is the struct, which the caller counts.
    heap - size
}

pub struct Table {
    columns: usize,
    ours: OnceCell<Vec<f64>>,
    rows: Cell<usize>,
}

impl Table {
    pub fn new(columns: &[&str]) -> Self {
        print!("|");
        for column in columns {
            print!(" | {column}, ns | ratio | allocations");
        }
        println!(" |\n|---{}|", "|---:|---:|---:".repeat(columns.len()));
        Self {
            columns: columns.len(),
            ours: OnceCell::new(),
            rows: Cell::new(0),
        }
    }

    /// The first row is ours: the ratios are to it.
    pub fn row(&self, name: &str, cells: &[Option<Cost>]) {
        assert_eq!(cells.len(), self.columns);
        let ours = self.ours.get_or_init(|| {
            cells
                .iter()
                .map(|cell| cell.map_or(f64::NAN, |cost| cost.nanoseconds))
                .collect()
        });
        print!("| {name}");
        for (cell, ours) in cells.iter().zip(ours) {
            match cell {
                Some(cost) => print!(
                    " | {:.1} | {:.1}x | {:.1}",
                    cost.nanoseconds,
                    cost.nanoseconds / ours,
                    cost.allocations
                ),
                None => print!(" | - | - | -"),
            }
        }
        println!(" |");
        self.rows.set(self.rows.get() + 1);
    }
}

static COUNT: AtomicUsize = AtomicUsize::new(0);
static LIVE: AtomicUsize = AtomicUsize::new(0);

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(1, Relaxed);
        LIVE.fetch_add(layout.size(), Relaxed);
        // SAFETY: as promised to us.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as promised to us.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.fetch_add(1, Relaxed);
        LIVE.fetch_add(size, Relaxed);
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as promised to us.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

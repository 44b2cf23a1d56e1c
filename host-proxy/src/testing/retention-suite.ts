/** When bodies leave the store, in every engine. */
import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { OPEN_SESSION_DAYS, Retention } from "../store/retention.ts";
import type { ArchivingEngine } from "./archive-suite.ts";
import { batch, bodies, record } from "./log-records.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

const DAY = 86_400_000;
const TERM = 7;

/** A log in which each record is a segment of its own, and the time that its snapshots name. */
async function roomOf(engine: ArchivingEngine, t: TestContext) {
  const folder = join(temporaryDirectory(t), "archive");
  const store = await engine.create(t, folder);
  let size = 0;
  const add = async (session: string, kind: string, body: object = {}): Promise<number> => {
    await store.append(batch(size, record(JSON.stringify({ at: size, ...body }), session, kind)));
    return size++;
  };
  const room = {
    folder,
    store,
    add,
    /** Days since the epoch. */
    day: 0,
    snapshot: async () => add("instance", "snapshot", { time_floor: room.day * DAY }),
    handOver: async () => add("instance", "hand-over"),
    /** The session in which an operator's reset lets another one go on. */
    reset: async (from: string, to: string) =>
      add(from, "entry", {
        entry_type: "session_reset",
        detail: { closed_session_id: from, successor_session_id: to },
      }),
    /** What has left the store by a day. */
    left: async (day: number, termDays = TERM) => {
      await store.compact({ keep: 0, records: 1 });
      return await new Retention(store, { termDays, now: () => day * DAY }).look();
    },
  };
  return room;
}

/** Runs the suite over one engine. */
export function retentionSuite(engine: ArchivingEngine): void {
  const it = (what: string, run: (room: Awaited<ReturnType<typeof roomOf>>) => Promise<void>): Promise<void> =>
    test(`${engine.name}: ${what}`, async (t) => {
      const room = await roomOf(engine, t);
      await run(room);
      await room.store.close();
    });

  void it("a body leaves when two snapshots, its session's claim and the term lie behind", async (room) => {
    await room.handOver();
    await room.add("a", "entry");
    await room.snapshot();
    assert.equal(await room.left(99), 0, "one snapshot");
    room.day = 1;
    await room.add("a", "claim");
    const second = await room.snapshot();
    assert.equal(await room.left(TERM), 1, "the term has not passed since the claim");
    assert.equal(await room.left(1 + TERM), 2, "the newest snapshot but one");
    const third = await room.snapshot();
    assert.equal(await room.left(1 + TERM), second);
    room.day = 2;
    await room.snapshot();
    await room.snapshot();
    assert.equal(await room.left(1 + TERM), third, "the term of what follows has not passed");
    assert.equal((await bodies(room.store)).length, 8, "all is read as before");
  });

  void it("an open session holds its bodies and later ones, for a month after the term", async (room) => {
    await room.add("a", "entry");
    const open = await room.add("b", "entry");
    await room.add("a", "claim");
    const last = await room.snapshot();
    await room.snapshot();
    assert.equal(await room.left(TERM), open);
    assert.equal(await room.left(TERM + OPEN_SESSION_DAYS - 1), open);
    assert.equal(await room.left(TERM + OPEN_SESSION_DAYS), last);
  });

  void it("a claim over an open session covers what came before it", async (room) => {
    await room.add("a", "entry");
    await room.add("a", "claim");
    const open = await room.add("a", "entry");
    for (let count = 0; count < 3; count += 1) await room.snapshot();
    assert.equal(await room.left(TERM), open);
  });

  void it("a session without a claim ends with the next hand-over, and has the term after that", async (room) => {
    await room.handOver();
    const crashed = await room.add("a", "entry");
    await room.snapshot();
    await room.snapshot();
    assert.equal(await room.left(TERM), crashed);
    room.day = 3;
    await room.handOver();
    const open = await room.add("b", "entry");
    await room.snapshot();
    await room.snapshot();
    assert.equal(await room.left(2 + TERM), crashed);
    assert.equal(await room.left(3 + TERM), open, "what the next instance writes is its own");
  });

  void it("a session that was reset ends with the claim of its last successor", async (room) => {
    await room.add("a", "entry");
    await room.add("a", "claim");
    const uncovered = await room.add("a", "entry");
    await room.reset("a", "b");
    await room.reset("b", "c");
    await room.add("c", "entry");
    await room.snapshot();
    await room.snapshot();
    assert.equal(await room.left(TERM), uncovered, "c has no claim");
    await room.add("c", "claim");
    await room.snapshot();
    const last = await room.snapshot();
    await room.snapshot();
    assert.equal(await room.left(TERM), last);
  });

  void it("a session whose resets lead back to it has no claim", async (room) => {
    await room.reset("a", "a");
    await room.snapshot();
    await room.snapshot();
    assert.equal(await room.left(TERM), 0);
  });

  void it("a snapshot that names no time lets nothing leave", async (room) => {
    for (let count = 0; count < 3; count += 1) await room.add("instance", "snapshot");
    assert.equal(await room.left(99), 0);
    assert.equal(await room.left(99, 0), 0);
  });

  void it("more than one step's records leave in one look", async ({ store, left }) => {
    const size = 20_000;
    const time = JSON.stringify({ time_floor: 0 });
    for (let first = 0; first < size; first += 1_000)
      await store.append(batch(first, ...Array.from({ length: 1_000 }, () => record("{}", "instance", "claim"))));
    await store.append(batch(size, record(time, "instance", "snapshot"), record(time, "instance", "snapshot")));
    await store.compact({ keep: 0 });
    assert.equal(await left(TERM), size);
  });

  void it("an archive that cannot be written is said, and tried again", async (room) => {
    for (let count = 0; count < 3; count += 1) await room.snapshot();
    writeFileSync(room.folder, "");
    await assert.rejects(room.left(TERM), { code: "AUDIT_STORE_UNAVAILABLE" });
    assert.equal(await room.store.archivedBefore(), 0);
    rmSync(room.folder);
    assert.equal(await room.left(TERM), 1);
  });

  void it("a retention that is closed archives no more", async ({ store, snapshot }) => {
    for (let count = 0; count < 3; count += 1) await snapshot();
    await store.compact({ keep: 0, records: 1 });
    const retention = new Retention(store, { termDays: TERM, now: () => TERM * DAY });
    await retention.close();
    assert.equal(await retention.look(), 0);
  });
}

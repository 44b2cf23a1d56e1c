/** Exports: what is streamed is the chain or no bundle, and however many there are, few run and others go on. */
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import * as fc from "fast-check";
import { bundleText } from "@cmcp/audit";
import type { CmcpError } from "@cmcp/boundary";
import { Turns } from "@cmcp/wire";
import { entriesOf } from "../testing/entries.ts";
import { callerOf, HostStore, ofSession, recordRoom, type StoredRecord } from "../testing/record-room.ts";
import { Exports } from "./exports.ts";
import type { ChainPoint } from "./read-entries.ts";
import { pointOf } from "./sessions.ts";

const ENTRIES = 300;
const NEVER = new AbortController().signal;

/** Entries of one piece of an export. */
const PIECE = 16;

/** A session of this many entries in a host's store, and exports over it. */
async function longSession(length = ENTRIES) {
  const store = new HostStore();
  const room = recordRoom(store);
  const recorded = await room.sessions.openOrJoin(callerOf("alice"), null);
  await room.recorder.ensureStarted(recorded);
  for (let count = 1; count < length; count += 1) await room.recorder.note(recorded, { entry_type: "fault" }).stored;
  const { id } = recorded.session;
  const point: ChainPoint = { ...pointOf(recorded), length };
  const sign = (bytes: Uint8Array): Uint8Array => room.key.sign(bytes);
  const own = { journal: room.journal, instance: room.instance };
  const exportsOver = (journal: typeof own.journal | { scan: typeof room.journal.scan } = own.journal): Exports =>
    // Without a clock no piece takes time, and none waits after another.
    new Exports({ own: { ...own, journal }, sign, turns: new Turns({ now: () => 0, sleep: () => Promise.resolve() }) });
  const expected = (upTo = length): string => [...bundleText(id, entriesOf(store, id).slice(0, upTo), sign)].join("");
  return { store, room, recorded, id, point, exportsOver, expected };
}

async function textOf(pieces: AsyncIterable<Uint8Array>): Promise<string> {
  let text = "";
  for await (const piece of pieces) text += Buffer.from(piece).toString();
  return text;
}

/** What came before the error, and its code. */
async function failing(open: () => Promise<AsyncIterable<Uint8Array>>): Promise<{ text: string; code: string }> {
  let text = "";
  try {
    for await (const piece of await open()) text += Buffer.from(piece).toString();
  } catch (thrown) {
    return { text, code: (thrown as CmcpError).code };
  }
  return assert.fail("the export ended as if it were whole");
}

describe("an export", () => {
  let made: Awaited<ReturnType<typeof longSession>>;
  before(async () => {
    made = await longSession();
  });
  const alice = { principalId: "alice", signal: NEVER };

  test("is the session's bundle, whole or up to a point", async () => {
    const { id, point, exportsOver, expected, store } = made;
    const exports = exportsOver();
    assert.equal(await textOf(await exports.open(alice, point)), expected());
    for (const length of [1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE]) {
      const tip = entriesOf(store, id)[length - 1]?.entry_hash ?? "";
      assert.equal(await textOf(await exports.open(alice, { ...point, tip, length })), expected(length), `${length}`);
    }
  });

  test("of anything but the chain is an error, and what came before it is no JSON", async () => {
    const { id, point, store, exportsOver, room } = made;
    const records = ofSession(store, id, "entry");
    const other = await longSession(3);
    const foreign = ofSession(other.store, other.id, "entry");
    const show = (shown: readonly StoredRecord[]): Exports => {
      const lying = new HostStore();
      lying.records = shown.map((record) => ({ ...record, session: id, instance: room.instance }));
      return exportsOver({
        scan: async function* (filter) {
          await Promise.resolve();
          yield* lying.scan(filter);
        },
      });
    };
    const change = fc.oneof(
      fc.nat(ENTRIES - 1).map((at) => ({ what: `without ${at}`, shown: records.toSpliced(at, 1) })),
      fc.nat(ENTRIES - 2).map((at) => {
        const [one, next] = records.slice(at, at + 2);
        return { what: `swapped ${at}`, shown: one && next ? records.toSpliced(at, 2, next, one) : [] };
      }),
      fc
        .tuple(fc.nat(ENTRIES - 1), fc.constantFrom(...foreign))
        .map(([at, record]) => ({ what: `another's at ${at}`, shown: records.toSpliced(at, 1, record) })),
      fc.tuple(fc.nat(ENTRIES - 1), fc.nat(1_000)).map(([at, byte]) => {
        const body = Uint8Array.from(records[at]?.body ?? []);
        const within = byte % body.length;
        body[within] = (body[within] ?? 0) ^ 1;
        return {
          what: `bit of ${at} at ${within}`,
          shown: records.map((record, index) => (index === at ? { ...record, body } : record)),
        };
      }),
      fc.nat(ENTRIES - 1).map((length) => ({ what: `only ${length}`, shown: records.slice(0, length) })),
    );
    await fc.assert(
      fc.asyncProperty(change, async ({ what, shown }) => {
        const { text, code } = await failing(async () => await show(shown).open(alice, point));
        assert.equal(code, "AUDIT_STORE_MISMATCH", what);
        assert.throws(() => JSON.parse(text), SyntaxError);
      }),
      { numRuns: 60 },
    );
    for (const wrong of [
      { root: "0".repeat(64) },
      { tip: "0".repeat(64) },
      { length: ENTRIES - 1 },
      { length: ENTRIES + 1 },
    ])
      assert.equal(
        (await failing(async () => await exportsOver().open(alice, { ...point, ...wrong }))).code,
        "AUDIT_STORE_MISMATCH",
      );
  });

  test("reads the store no faster than it is read", async () => {
    const { point, room, exportsOver } = made;
    let read = 0;
    const exports = exportsOver({
      scan: async function* (filter) {
        for await (const bytes of room.journal.scan(filter)) {
          read += 1;
          yield bytes;
        }
      },
    });
    const pieces = (await exports.open(alice, point))[Symbol.asyncIterator]();
    for (let piece = 1; piece <= 3; piece += 1) {
      await pieces.next();
      await new Promise(setImmediate);
      assert.equal(read, piece * PIECE);
    }
    await pieces.return?.();
  });

  test("leaves turns to other work, however many there are", async () => {
    const { point, exportsOver } = made;
    const exports = exportsOver();
    let [turns, running] = [0, true];
    const look = (): void => {
      turns += 1;
      if (running) setImmediate(look);
    };
    setImmediate(look);
    await Promise.all(Array.from({ length: 8 }, async () => await textOf(await exports.open(alice, point))));
    running = false;
    assert.ok(turns >= 8 * Math.floor(ENTRIES / PIECE), `${turns} turns`);
  });
});

test("of a principal's exports a few run and others wait; another principal's begins at once; a place is given back however one ends", async () => {
  const { point, room, exportsOver } = await longSession(130);
  let [open, most] = [0, 0];
  const exports = exportsOver({
    scan: async function* (filter) {
      open += 1;
      most = Math.max(most, open);
      try {
        yield* room.journal.scan(filter);
      } finally {
        open -= 1;
      }
    },
  });
  const settled = async (): Promise<void> => {
    for (let turn = 0; turn < 50; turn += 1) await new Promise(setImmediate);
  };
  const aborts = Array.from({ length: 32 }, () => new AbortController());
  const opened: AsyncIterable<Uint8Array>[] = [];
  const asked = aborts.map(async ({ signal }) => {
    opened.push(await exports.open({ principalId: "alice", signal }, point));
  });
  const ended = Promise.allSettled(asked);
  await settled();
  assert.deepEqual([opened.length, open], [4, 4]);
  const bobs = await exports.open({ principalId: "bob", signal: NEVER }, point);
  assert.equal(open, 5);
  await textOf(bobs);
  // One is read whole, one is left in the middle, one is not read at all and its request ends.
  const [whole, left] = opened;
  assert.ok(whole !== undefined && left !== undefined);
  await textOf(whole);
  for await (const _ of left) break;
  aborts[2]?.abort();
  await settled();
  assert.deepEqual([opened.length, open], [7, 4], "three places were given back and taken again");
  for (const abort of aborts) abort.abort();
  await ended;
  await settled();
  assert.equal(open, 0);
  // A place is given back when an export ends, and its reading ends a few turns later.
  assert.ok(most <= 8, `${most}`);
  await textOf(await exports.open({ principalId: "alice", signal: NEVER }, point));
});

test("an export that fails gives its place back", async () => {
  const { point, exportsOver } = await longSession(3);
  const exports = exportsOver();
  for (let count = 0; count < 20; count += 1)
    await failing(async () => await exports.open({ principalId: "alice", signal: NEVER }, { ...point, tip: "0" }));
  await textOf(await exports.open({ principalId: "alice", signal: NEVER }, point));
});

/** Logs that their instance signed, and that `cmcp log verify` and `cmcp log fsck` refuse all the same. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { handOverSchema } from "@cmcp/audit";
import { toHex } from "@cmcp/boundary";
import { rootOf } from "@cmcp/log";
import { Instance, relink } from "../../../verify/src/testing/instance.ts";
import { backOf, GIVEN, UNSTORED, without } from "../../../verify/src/testing/provisionings.ts";
import { claimOf, entriesOf } from "../../../verify/src/testing/session.ts";
import { claimStatement, entryStatement, ORIGIN, type WrittenLog } from "../../../verify/src/testing/written-log.ts";
import { logFsck } from "./log-fsck.ts";
import { logVerify } from "./log-verify.ts";
import { judgeLog } from "./testing/run-command.ts";
import { room } from "./testing/room.ts";

type Forged = [string, (log: WrittenLog) => Promise<unknown>, string];
/** A log that its instance signed, and what is wrong with it all the same. */
const FORGED: readonly Forged[] = [
  ["a first record that is none", (log) => log.append(entryStatement(first(log))), "hand-overs"],
  ["a hand-over of another key", async (log) => log.begin(undefined, { jwk: new Instance().jwk }), "hand-overs"],
  [
    "a hand-over of another head",
    async (log) => {
      await log.begin();
      const predecessor = { size: 1, root: "00".repeat(32), instance: log.instance.name };
      await log.begin(undefined, { predecessor });
    },
    "hand-overs",
  ],
  [
    "a hand-over of another size",
    async (log) => {
      await log.begin();
      const predecessor = { size: 2, root: toHex(rootOf(log.range)), instance: log.instance.name };
      await log.begin(undefined, { predecessor });
    },
    "hand-overs",
  ],
  [
    "a hand-over that is not its instance's first record",
    async (log) => {
      await log.begin();
      const predecessor = { size: 1, root: toHex(rootOf(log.range)), instance: log.instance.name };
      const [again] = log.records.map(({ body }) => handOverSchema.parse(JSON.parse(new TextDecoder().decode(body))));
      assert.ok(again !== undefined);
      await log.append({ kind: "hand-over", body: { ...again, predecessor } });
    },
    "hand-overs",
  ],
  ...(
    [
      ["after none", [backOf(GIVEN)]],
      ["of another than the one before", [GIVEN, { ...GIVEN, sequence: 2 }, backOf(GIVEN, { sequence: 3 })]],
      ["of another hash", [GIVEN, backOf(GIVEN, { restored_from: `sha256:${"0".repeat(64)}` })]],
      ["with other tokens", [GIVEN, backOf(GIVEN, { principals: [] })]],
      ["with other credentials", [GIVEN, backOf(GIVEN, { credentials: [] })]],
      ["after one that stored none", [UNSTORED, backOf(UNSTORED)]],
      ["that was not stored again", [GIVEN, without(backOf(GIVEN), "stored")]],
      ["without a statement", [GIVEN, without(backOf(GIVEN), "statement")]],
    ] as const
  ).map(
    ([why, provisionings]): Forged => [
      `a stored set that came back ${why}`,
      async (log) => {
        await log.begin();
        for (const body of provisionings) await log.append({ kind: "provision", body });
      },
      "provisionings",
    ],
  ),
  [
    "a session without its start",
    async (log) => {
      await log.begin();
      await log.append(...relink(entriesOf(log.instance).slice(-1)).map(entryStatement));
    },
    "session chains",
  ],
  [
    "a hand-over that continues nothing",
    async (log) => {
      await log.begin();
      await log.begin(undefined, { predecessor: null });
    },
    "hand-overs",
  ],
  [
    "a hand-over after an instance that did not sign",
    async (log) => {
      await log.begin();
      const predecessor = { size: 1, root: toHex(rootOf(log.range)), instance: new Instance().name };
      await log.begin(undefined, { predecessor });
    },
    "hand-overs",
  ],
  [
    "a record of an earlier instance",
    async (log) => {
      await log.begin();
      const before = log.instance.name;
      await log.begin();
      await log.tampered([{ statement: entryStatement(first(log)), by: { instance: before } }]);
    },
    "hand-overs",
  ],
  [
    "a number that is left out",
    async (log) => {
      await log.begin();
      await log.tampered([{ statement: entryStatement(first(log)), by: { seq: 2 } }]);
    },
    "hand-overs",
  ],
  [
    "an entry that is left out",
    async (log) => {
      await log.begin();
      await log.append(
        ...entriesOf(log.instance)
          .filter((_, at) => at !== 2)
          .map(entryStatement),
      );
    },
    "session chains",
  ],
  [
    "an entry of another chain",
    async (log) => {
      await log.begin();
      const [one, other] = [entriesOf(log.instance), entriesOf(log.instance)];
      const stranger = { ...other[1], session_id: one[0]?.session_id };
      await log.append(...one.slice(0, 1).map(entryStatement), entryStatement(stranger as never));
    },
    "records",
  ],
  [
    "an entry after the end of its session",
    async (log) => {
      await log.begin();
      const entries = entriesOf(log.instance);
      await log.append(...entries.map(entryStatement), ...entries.slice(-1).map(entryStatement));
    },
    "session chains",
  ],
  [
    "a session that goes on under another instance",
    async (log) => {
      await log.begin();
      const entries = entriesOf(log.instance);
      await log.append(...entries.slice(0, 3).map(entryStatement));
      await log.begin();
      await log.append(...entries.slice(3).map(entryStatement));
    },
    "session chains",
  ],
  [
    "an entry that does not hash to its hash",
    async (log) => {
      await log.begin();
      const [start] = entriesOf(log.instance);
      await log.append({ kind: "entry", body: { ...start, entry_hash: "0".repeat(64) } as never });
    },
    "records",
  ],
  [
    "a claim that does not hash to its hash",
    async (log) => {
      await log.begin();
      const entries = entriesOf(log.instance);
      const { body } = claimStatement(claimOf(log.instance, entries), entries);
      await log.append({ kind: "claim", body: { ...body, claim_hash: `sha256:${"0".repeat(64)}` } as never });
    },
    "records",
  ],
  [
    "a leaf of no known form",
    async (log) => {
      await log.begin();
      const header = (): Uint8Array => Buffer.from("{}");
      await log.tampered([{ statement: entryStatement(first(log)), by: { header } }]);
    },
    "records",
  ],
];

function first({ instance }: WrittenLog) {
  const [entry] = entriesOf(instance);
  assert.ok(entry !== undefined);
  return entry;
}

for (const [name, write, subject] of FORGED)
  test(`${name} is found`, async (t) => {
    const { log, path, exported } = room(t);
    await write(log);
    for (const [command, where] of [
      [logVerify, [await exported()]],
      [logFsck, ["--store", path]],
    ] as const) {
      const { code, failed } = await judgeLog(command, ...where);
      assert.equal(code, 10);
      assert.ok(failed.includes(`${subject} LOG_MISMATCH`), failed.join());
    }
  });

test("a checkpoint that an earlier instance signed is rejected", async (t) => {
  const { log, exported } = room(t);
  await log.begin();
  const { instance: earlier } = log;
  await log.begin();
  const folder = await exported();
  const note = log.signed(log.range.size, rootOf(log.range), { instance: earlier, origin: ORIGIN });
  writeFileSync(join(folder, "checkpoint"), note);
  const { code, failed } = await judgeLog(logVerify, folder);
  assert.deepEqual([code, failed], [10, ["checkpoint signature SIGNATURE_INVALID"]]);
});

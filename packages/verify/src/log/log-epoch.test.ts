/** A log that follows a lost one: the statement that opened it. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { epochOpening, type HandOver } from "@cmcp/audit";
import { OPERATOR_KEY, signedLostStore } from "../../../audit/src/testing/lost-store.ts";
import { renderVerdict } from "../render.ts";
import { failures } from "../testing/session.ts";
import { WrittenLog } from "../testing/written-log.ts";
import type { Verdict } from "../verdict.ts";
import type { LogFiles } from "./shown-log.ts";
import { judge } from "../testing/logged-session.ts";

describe("a log whose epoch is not the first", () => {
  const LOST = signedLostStore({ reason: "gone\u009b\u202e" });
  const INCOMPLETE = { state: "incomplete", reason: "lost-store" } as const;
  const judged = async (origin: string, said: Partial<HandOver>): Promise<Verdict> => {
    const opened = new WrittenLog(origin);
    await opened.begin(undefined, said);
    return await judge({ record: await opened.session(), files: opened.files() });
  };

  test("is shown with the operator's statement that opened it", async () => {
    const verdict = await judged("gateway.example/1", { lost_store: LOST, history: INCOMPLETE });
    assert.deepEqual([failures(verdict), verdict.log?.lostStore], [[], LOST]);
    const { why } = verdict.checks.find(({ name }) => name === "log epoch") ?? assert.fail("no check");
    assert.match(
      why,
      /^epoch 1, opened after gateway\.example\/0 was lost: it had 45 records, root a{64}\. .*"gone\?\?"$/,
    );
    assert.ok(why.includes(OPERATOR_KEY));
    assert.match(renderVerdict(verdict)[0]?.text ?? "", /log: UNWITNESSED, AFTER A LOST STORE/);
  });

  test("is rejected without its statement, with a wrong one, and with a past that is said to be complete", async () => {
    const signature = `${LOST.signature[0] === "A" ? "B" : "A"}${LOST.signature.slice(1)}`;
    const mismatch = "log epoch LOG_MISMATCH";
    for (const [what, origin, lost_store, failure] of [
      ["none", "gateway.example/1", undefined, mismatch],
      ["of another log", "gateway.example/1", signedLostStore({ origin: "other.example/0" }), mismatch],
      ["of the same epoch", "gateway.example/1", signedLostStore({ origin: "gateway.example/1" }), mismatch],
      ["of an epoch that is skipped", "gateway.example/2", LOST, mismatch],
      ["in the first epoch", "gateway.example/0", LOST, mismatch],
      ["without a name", "gateway.example", LOST, mismatch],
      ["with another signature", "gateway.example/1", { ...LOST, signature }, "log epoch SIGNATURE_INVALID"],
    ] as const) {
      const verdict = await judged(origin, {
        history: INCOMPLETE,
        ...(lost_store === undefined ? {} : { lost_store }),
      });
      assert.deepEqual(
        [failures(verdict), verdict.log?.lostStore, verdict.outcome],
        [[failure], null, "rejected"],
        what,
      );
    }
    assert.deepEqual(failures(await judged("gateway.example/1", { lost_store: LOST })), [mismatch], "a complete past");
    const { problem } = epochOpening("gateway.example/1", {
      index: 0,
      lostStore: { ...LOST, more: 1 },
      isComplete: false,
    });
    assert.match(problem ?? "", /another form/);
  });

  test("is rejected where the hand-over's body was left out", async () => {
    const opened = new WrittenLog("gateway.example/1");
    await opened.begin(undefined, { lost_store: LOST, history: INCOMPLETE });
    const record = await opened.session();
    const readBodies: LogFiles["readBodies"] = async function* (tile) {
      for (let at = 0; at < tile.width; at += 1) yield await Promise.resolve(new Uint8Array());
    };
    const verdict = await judge({ record, files: { ...opened.files(), readBodies } });
    assert.deepEqual(failures(verdict), ["log epoch LOG_MISMATCH"]);
    assert.match(verdict.checks.find(({ name }) => name === "log epoch")?.why ?? "", /has no body in this export$/);
  });
});

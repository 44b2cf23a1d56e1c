import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { SessionPhases, type SessionEvent, type SessionPhase } from "./session-phases.ts";

const EVENTS = ["start", "close", "end", "claim", "fault", "discard"] as const satisfies readonly SessionEvent[];
const FINAL = ["claimed", "faulted", "discarded"];

/** The words that name a session's life, one letter an event, as an auditor could tell it. */
const LIFE = /^(?:d|s(?:c(?:f|e(?:[lf])?)?)?)?$/;
const LETTER: Readonly<Record<SessionEvent, string>> = {
  start: "s",
  close: "c",
  end: "e",
  claim: "l",
  fault: "f",
  discard: "d",
};

test("for any order of events a session takes one of the legal paths, and a refused event changes nothing", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...EVENTS), { maxLength: 30 }), (events) => {
      const lifecycle = new SessionPhases();
      let lived = "";
      let tookCallsBefore = true;
      for (const event of events) {
        const before: SessionPhase = lifecycle.phase;
        const legal = LIFE.test(lived + LETTER[event]);
        if (!legal) assert.throws(() => lifecycle.step(event), { code: "SESSION_CLOSED" });
        else {
          lifecycle.step(event);
          lived += LETTER[event];
        }
        assert.equal(lifecycle.phase === before, !legal);
        if (FINAL.includes(before)) assert.equal(legal, false, "nothing follows an end");
        assert.ok(tookCallsBefore || !lifecycle.takesCalls, "what was closed takes calls never again");
        tookCallsBefore = lifecycle.takesCalls;
        assert.equal(lifecycle.takesEntries, /^sc?$/.test(lived), "entries stand between the root and session_end");
      }
    }),
  );
});

test("every phase is reached, and every step of the table is taken", () => {
  const walked = new Set<string>();
  for (const events of ["d", "scel", "scef", "scf"]) {
    const lifecycle = new SessionPhases();
    for (const letter of events) {
      const event = EVENTS.find((known) => LETTER[known] === letter);
      assert.ok(event !== undefined);
      walked.add(`${lifecycle.phase} ${event} ${lifecycle.step(event)}`);
    }
  }
  assert.deepEqual([...walked].toSorted(), [
    "closing end ended",
    "closing fault faulted",
    "ended claim claimed",
    "ended fault faulted",
    "started close closing",
    "unused discard discarded",
    "unused start started",
  ]);
});

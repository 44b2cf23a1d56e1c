import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { PhaseMachine, type Event, type Message } from "./phases.ts";

const INPUTS: readonly (Message | Event)[] = ["launch", "provision", "request", "reload", "drain", "ready", "failed"];

test("the way from start to end", () => {
  const phases = new PhaseMachine();
  assert.deepEqual(
    (["ready", "launch", "provision", "request", "provision", "reload", "drain"] as const).map((input) =>
      phases.step(input),
    ),
    ["AwaitingLaunch", "Measured", "Serving", "Serving", "Serving", "Serving", "Draining"],
  );
});

test("a second launch, and provisioning, requests and reloads before their time are refused and change nothing", () => {
  for (const [before, refused] of [
    [["ready"], "request"],
    [["ready"], "provision"],
    [["ready", "launch"], "launch"],
    [["ready"], "reload"],
    [["ready", "launch", "provision", "drain"], "reload"],
    [["ready", "launch", "provision", "drain"], "request"],
    [["ready", "failed"], "launch"],
  ] as const) {
    const phases = new PhaseMachine();
    for (const input of before) phases.step(input);
    const phase = phases.phase;
    assert.throws(() => phases.step(refused), { code: "PHASE_VIOLATION" });
    assert.equal(phases.phase, phase);
  }
});

test("nothing leaves Fatal, and nothing serves that was not launched and provisioned, whatever the order", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...INPUTS), { maxLength: 30 }), (inputs) => {
      const phases = new PhaseMachine();
      const taken: string[] = [];
      for (const input of inputs) {
        const before = phases.phase;
        try {
          phases.step(input);
          taken.push(input);
        } catch {
          assert.equal(phases.phase, before);
        }
        if (before === "Fatal") assert.equal(phases.phase, "Fatal");
      }
      if (phases.phase === "Serving")
        assert.deepEqual(
          taken.filter((input, at) => input !== "request" && input !== "reload" && taken.indexOf(input) === at),
          ["ready", "launch", "provision"],
        );
    }),
  );
});

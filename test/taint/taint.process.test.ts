/**
 * Nothing undecided, nothing unrecorded: markers stand in every free place of every message, for every method of the table, every
 * dialect of agents and era of servers, and every outcome. What crosses has a shape and a decision, and the record commits to it.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { PATIENCE } from "../gateway/launcher.ts";
import { DIALECTS } from "./agent.ts";
import { nameOf, runCase, type Shown } from "./case.ts";
import { casesOf } from "./cases.ts";
import { startScene, type Scene } from "./scene.ts";
import { runUndecided } from "./undecided.ts";

describe("taint", { timeout: 300_000 * PATIENCE }, () => {
  let scene: Scene;
  const shown = new Map<string, Shown>();

  before(async () => {
    scene = await startScene();
  });
  after(async () => {
    await scene?.close();
  });

  for (const tried of casesOf())
    test(nameOf(tried), async () => {
      shown.set(nameOf(tried), await runCase(scene, tried));
    });

  test("positive control: what is permitted arrives, in both directions", () => {
    for (const era of ["legacy", "modern"]) {
      for (const dialect of DIALECTS) {
        const of = (method: string): Shown | undefined =>
          shown.get(`${method}, ${dialect} agent, ${era} server, result`);
        assert.deepEqual(of("tools/call")?.toServer, ["argument"], `${dialect} to ${era}`);
        for (const [method, place] of [
          ["tools/call", "text"],
          ["resources/read", "contents"],
          ["prompts/get", "prompt"],
          ["completion/complete", "completion"],
        ] as const)
          assert.ok(of(method)?.toAgent.includes(place), `${method}: ${era} to ${dialect}`);
      }
    }
  });

  test("what no policy decides reaches no server and brings nothing of one back", async () => {
    await runUndecided(scene);
  });
});

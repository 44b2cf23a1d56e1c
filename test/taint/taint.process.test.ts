/**
 * Nothing undecided, nothing unrecorded: markers stand in every free place of every message, for every method of the table, every
 * dialect of agents and era of servers, and every outcome. What crosses has a shape and a decision, and the record commits to it.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { METHODS } from "@cmcp/mcp";
import { ROOT } from "../gateway/deployment.ts";
import { PATIENCE } from "../gateway/launcher.ts";
import { DIALECTS } from "./agent.ts";
import { nameOf, runCase, type Shown } from "./case.ts";
import { casesOf } from "./cases.ts";
import { MUTANTS } from "./mutants.ts";
import { startScene, type Scene } from "./scene.ts";

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
    for (const { name, kind, eras } of METHODS) {
      if (kind !== "list" && kind !== "local") continue;
      if (name === "initialize" || name === "subscriptions/listen") continue;
      for (const dialect of DIALECTS.filter((one) => eras.includes(one === "modern" ? "modern" : "legacy"))) {
        const from = Object.values(scene.servers).map(({ received }) => received.length);
        const { raw } = await scene.agents[dialect].send(name, name === "logging/setLevel" ? { level: "debug" } : {}, {
          foreign: false,
        });
        assert.deepEqual(scene.markers.placesIn("server", raw), [], `${name} of a ${dialect} agent`);
        for (const [index, { received }] of Object.values(scene.servers).entries())
          assert.deepEqual(
            scene.markers.placesIn(
              "agent",
              received
                .slice(from[index])
                .map((one) => one.raw)
                .join("\n"),
            ),
            [],
            name,
          );
      }
    }
  });
});

test("what each mutant deletes stands once in its source", async () => {
  for (const { name, file, edits, also } of MUTANTS) {
    for (const place of [{ file, edits }, ...(also === undefined ? [] : [also])]) {
      const source = await readFile(join(ROOT, place.file), "utf8");
      for (const [find] of place.edits) assert.equal(source.split(find).length, 2, `${name}: ${find}`);
    }
  }
});

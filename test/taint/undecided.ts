import assert from "node:assert/strict";
import { METHODS } from "@cmcp/mcp";
import { DIALECTS } from "./agent.ts";
import type { Scene } from "./scene.ts";

/** Runs every method that no policy decides, by each dialect that has it: it reaches no server, and brings nothing of one back. */
export async function runUndecided(scene: Scene): Promise<void> {
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
}

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Plan } from "./plan.ts";
import { Child } from "./processes/child.ts";
import type { Bench } from "./scenario/bench.ts";
import { setUp, type Setup } from "./scenario/setup.ts";

/** Runs `work` with a generator and a folder of its own, and ends whatever it set up. */
export async function withBench<T>(plan: Plan, work: (bench: Bench) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "cmcp-bench-"));
  const generator = Child.start("./generator.ts", {});
  const setups: Setup[] = [];
  try {
    return await work({
      plan,
      generator,
      folder,
      setUp: async (wish = {}) => {
        const setup = await setUp(join(folder, `setup-${setups.length}`), wish);
        setups.push(setup);
        return setup;
      },
    });
  } finally {
    await generator.stop();
    for (const { servers } of setups) await servers.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * Random schedules of a lying host against the enclave process.
 *
 *   --seed=N     the schedule of that seed alone
 *   --from=N     the seed to begin with, instead of one by chance
 *   --count=N    so many schedules (2000)
 *   --minutes=N  for so long, instead
 */
import { randomInt } from "node:crypto";
import process from "node:process";
import { parseArgs } from "node:util";
import type { Finding } from "./oracle/finding.ts";
import { runAlone, shrunken } from "./run/alone.ts";
import { runSchedule } from "./run/run.ts";
import { scheduleOf } from "./schedule/generate.ts";
import { keepVector } from "./schedule/vector.ts";
import { World } from "./world.ts";

const LANES = 2;
const COUNT = 2_000;
/** Seeds that found something, before the run is given up. */
const MOST_FAILURES = 5;

const print = (line: string): void => void process.stdout.write(`${line}\n`);
const describe = (findings: readonly Finding[]): string =>
  findings.map(({ rule, what }) => `  ${rule}: ${what}`).join("\n");

/** What is left to run. */
class Plan {
  readonly failed: { readonly seed: number; readonly findings: readonly Finding[] }[] = [];
  ran = 0;
  lies = 0;
  #next: number;
  readonly #end: number;
  readonly #until: number;

  constructor(from: number, count: number, minutes: number | null) {
    this.#next = from;
    this.#end = minutes === null ? from + count : Number.MAX_SAFE_INTEGER;
    this.#until = minutes === null ? Number.POSITIVE_INFINITY : performance.now() + minutes * 60_000;
  }

  take(): number | null {
    if (this.#next >= this.#end || performance.now() > this.#until || this.failed.length >= MOST_FAILURES) return null;
    this.#next += 1;
    return this.#next - 1;
  }
}

/** Runs what the plan has, in one world after another. */
async function lane(plan: Plan): Promise<void> {
  let world: World | null = null;
  for (let seed = plan.take(); seed !== null; seed = plan.take()) {
    let principals = world === null || world.spent ? null : world.principals();
    if (world === null || principals === null) {
      await ended(plan, world);
      world = await World.start();
      principals = world.principals();
    }
    const findings = await runSchedule(world, scheduleOf(seed), principals ?? [0, 1]);
    plan.ran += 1;
    if (findings.length === 0) continue;
    world.spent = true;
    plan.failed.push({ seed, findings });
    print(`seed ${seed}:\n${describe(findings)}`);
  }
  await ended(plan, world);
}

async function ended(plan: Plan, world: World | null): Promise<void> {
  plan.lies += world?.host.told ?? 0;
  await world?.close();
}

/** Finds the fewest acts that still fail, and keeps them. */
async function explain(seed: number): Promise<void> {
  const schedule = scheduleOf(seed);
  const findings = await runAlone(schedule);
  if (findings.length === 0) {
    print(`seed ${seed}: not found again in a world of its own`);
    return;
  }
  const smallest = await shrunken(schedule, findings);
  print(`seed ${seed}, kept as test/hostile/vectors/${await keepVector(smallest, findings)}:\n${describe(findings)}`);
}

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    from: { type: "string" },
    count: { type: "string", default: String(COUNT) },
    minutes: { type: "string" },
  },
});
if (values.seed !== undefined) {
  const seed = Number(values.seed);
  const findings = await runAlone(scheduleOf(seed));
  print(`seed ${seed}: ${findings.length === 0 ? "nothing found" : `\n${describe(findings)}`}`);
  if (findings.length > 0) await explain(seed);
  process.exitCode = findings.length > 0 ? 1 : 0;
} else {
  const from = values.from === undefined ? randomInt(1, 2 ** 31) : Number(values.from);
  const plan = new Plan(from, Number(values.count), values.minutes === undefined ? null : Number(values.minutes));
  const started = performance.now();
  print(`schedules of a hostile host, from seed ${from}`);
  await Promise.all(Array.from({ length: LANES }, async () => await lane(plan)));
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  print(`${plan.ran} schedules, ${plan.lies} lies, in ${seconds} s; ${plan.failed.length} found something`);
  for (const { seed } of plan.failed) await explain(seed);
  process.exitCode = plan.failed.length > 0 || plan.ran === 0 ? 1 : 0;
}

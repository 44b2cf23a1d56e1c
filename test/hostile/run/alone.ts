import type { Finding } from "../oracle/finding.ts";
import type { Act, Schedule } from "../schedule/acts.ts";
import { shrink } from "../schedule/shrink.ts";
import { World } from "../world.ts";
import { runSchedule } from "./run.ts";

/** Runs a schedule in a world of its own. */
export async function runAlone(schedule: Schedule): Promise<Finding[]> {
  const world = await World.start();
  try {
    return await runSchedule(world, schedule, [0, 1]);
  } finally {
    await world.close();
  }
}

/** The same schedule with as few acts of the host, and then as few steps of agents, as still find what it found. */
export async function shrunken(schedule: Schedule, found: readonly Finding[]): Promise<Schedule> {
  const rules = new Set(found.map(({ rule }) => rule));
  const fails = async (acts: readonly Act[]): Promise<boolean> =>
    (await runAlone({ ...schedule, acts })).some(({ rule }) => rules.has(rule));
  const without = (side: Act["side"], kept: ReadonlySet<Act>, acts: readonly Act[]): readonly Act[] =>
    acts.filter((act) => act.side !== side || kept.has(act));
  let { acts } = schedule;
  for (const side of ["host", "agent"] as const) {
    const current = acts;
    const kept = await shrink(
      current.filter((act) => act.side === side),
      async (some) => await fails(without(side, new Set(some), current)),
    );
    acts = without(side, new Set(kept), current);
  }
  return { ...schedule, acts };
}

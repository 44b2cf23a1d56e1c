import { isHonest, type Act, type Schedule } from "../schedule/acts.ts";
import type { Finding } from "../oracle/finding.ts";
import type { World } from "../world.ts";
import { AgentSteps } from "./agent-steps.ts";
import { HostActs } from "./host-acts.ts";
import { settle } from "./settle.ts";
import { AgentState } from "./state.ts";

/** Runs a schedule in a world with principals of its own. Returns what the enclave did that it must never do. */
export async function runSchedule(
  world: World,
  schedule: Schedule,
  principals: readonly [number, number],
): Promise<Finding[]> {
  const agents = [new AgentState(principals[0]), new AgentState(principals[1])] as const;
  const steps = new AgentSteps(world, agents, isHonest(schedule));
  const host = new HostActs(world, steps);
  for (const act of schedule.acts) await perform(act, steps, host);
  await settle(world, steps, host);
  return world.findings();
}

async function perform(act: Act, steps: AgentSteps, host: HostActs): Promise<void> {
  if (act.side === "agent") await steps.perform(act);
  else await host.perform(act);
}

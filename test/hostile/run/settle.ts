import { setTimeout as sleep } from "node:timers/promises";
import { readCall } from "../agent.ts";
import { CONTROL, tokenOf } from "../host/deployment.ts";
import { checkClaim, checkExport } from "../oracle/documents.ts";
import { newMark } from "../oracle/marks.ts";
import type { World } from "../world.ts";
import type { AgentSteps } from "./agent-steps.ts";
import type { HostActs } from "./host-acts.ts";
import type { SeenSession } from "./state.ts";

/** Attempts of the test's own principal until a call must succeed, and the pause between them. */
const ATTEMPTS = 100;
const PAUSE_MS = 50;

/** The host serves again: so must the enclave, and everything that was said must verify and agree. */
export async function settle(world: World, steps: AgentSteps, host: HostActs): Promise<void> {
  world.host.behave();
  await steps.answered();
  if (!world.host.alive) {
    world.spent = true;
    await world.host.kill();
    const { refused, past } = await world.restart();
    host.tampered = past.tampered;
    host.over = refused !== null;
  }
  if (!host.over) {
    await provisionsAgain(world);
    await servesAgain(world, steps, host.tampered);
    await everyCallEnds(world);
    for (const held of steps.sessions) await closeAndCheck(world, steps, held);
  }
  for (const [mark, why] of steps.withheld)
    if (world.reached.has(mark))
      world.find(why.includes("seen") ? "label" : "forbidden", `a call reached the server: ${why}`);
  for (const mark of steps.sealed)
    if ((world.reached.get(mark) ?? 0) > 1) world.find("replay", "a sealed call reached the server more than once");
  if (world.impostors.read.splice(0).length > 0) world.find("cleartext", "a server of another key was talked to");
}

/** The enclave takes everybody's tokens as soon as its record has caught up. */
async function provisionsAgain({ host, deployed, find }: World): Promise<void> {
  let code: string | null = null;
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    code = await host.control({ t: "provision" }, deployed.provision);
    if (code === null) return;
    await sleep(PAUSE_MS);
  }
  find("recovery", `the host serves, and the enclave refuses its tokens with ${code}`);
}

/** A principal of whom the host knows nothing calls until it is answered as it should be. */
async function servesAgain(world: World, steps: AgentSteps, tampered: boolean): Promise<void> {
  let last = "";
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const mark = newMark();
    const outcome = await steps.request({
      method: "POST",
      path: "/mcp",
      token: tokenOf(CONTROL),
      body: { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "send_message", arguments: { mark } } },
    });
    const called = readCall(outcome, world.find);
    if (called.kind === "done" && world.reached.has(mark)) return;
    // A past that was tampered with is held against everybody.
    if (tampered && called.kind === "refused" && called.code === "SESSION_SENSITIVITY_POLICY_DENY") return;
    last = JSON.stringify(called).slice(0, 200);
    await sleep(PAUSE_MS);
  }
  world.find("recovery", `the host serves, and the enclave answers ${last}`);
}

/** Every call that was announced has its entry in the end. */
async function everyCallEnds({ record, find }: World): Promise<void> {
  const [instance = ""] = [...record.instances.keys()].slice(-1);
  for (let attempt = 0; attempt < ATTEMPTS && record.openIntents(instance).length > 0; attempt += 1)
    await sleep(PAUSE_MS);
  const open = record.openIntents(instance);
  if (open.length > 0) find("record", `${open.length} announced calls have no entry: ${open[0]?.tool_name}`);
}

async function closeAndCheck(world: World, steps: AgentSteps, held: SeenSession): Promise<void> {
  const { record, find } = world;
  const claim = await steps.document(held.owner, "POST", `/sessions/${held.session}/close`);
  const exported = await steps.document(held.owner, "GET", `/audit/export?session_id=${held.session}`);
  if (steps.honest && (claim === null || exported === null))
    find("honest", `a session could not be ${claim === null ? "closed" : "exported"}, and nobody lied`);
  if (exported !== null) await checkExport(exported, held, { record, find });
  if (claim !== null) await checkClaim(claim, held, exported, { record, find });
}

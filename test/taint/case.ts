import assert from "node:assert/strict";
import { commitmentTo, type AuditEntry } from "@cmcp/audit";
import { commitmentOf, type CommittedField, type DisclosedCall } from "@cmcp/audit/schema";
import { canonicalText, fromHex, isJsonObject } from "@cmcp/boundary";
import type { GovernedMethod } from "@cmcp/mcp";
import type { Dialect } from "./agent.ts";
import { FLOWS, type Step } from "./flows.ts";
import {
  committedAnswers,
  committedRequest,
  entryOf,
  handedMessages,
  receiptOf,
  withoutAnswers,
  type Ids,
} from "./oracle.ts";
import type { ServerEra } from "./offers.ts";
import type { Outcome } from "./outcomes.ts";
import type { Scene } from "./scene.ts";
import type { Received } from "./server.ts";

/** Who puts members into what it says that no shape has. */
export const FOREIGN = ["none", "agent", "server"] as const;
export type Foreign = (typeof FOREIGN)[number];

/**
 * One case of the suite: a method of the table, who speaks how, what the server makes of it, and who puts members
 * where no shape has any.
 */
export interface Case {
  readonly method: GovernedMethod;
  readonly dialect: Dialect;
  readonly era: ServerEra;
  readonly outcome: Outcome;
  readonly foreign: Foreign;
}

/** How a case is called. */
export function nameOf({ method, dialect, era, outcome, foreign }: Case): string {
  return `${method}, ${dialect} agent, ${era} server, ${outcome}${foreign === "none" ? "" : `, foreign members of the ${foreign}`}`;
}

/** Places of agents whose markers may reach a server, under an allow for exactly that request. */
const TO_SERVER: readonly string[] = ["argument", "value", "answer"];
/** Places of servers whose markers may reach an agent, under the decision they belong to. */
const TO_AGENT: readonly string[] = [
  "text",
  "link-name",
  "structured",
  "contents",
  "description",
  "prompt",
  "completion",
  "progress-message",
  "log-logger",
  "log-data",
  // What a log message says is JSON of any shape (MCP, Logging).
  "before-data",
  "question-message",
  "input-message",
  "error-message",
  "task-words",
  "state-words",
  "task-error",
];

/** What a case showed, for the positive control. */
export interface Shown {
  readonly toServer: readonly string[];
  readonly toAgent: readonly string[];
}

/** Runs a case and holds it to the invariants: what is undecided carries nothing, what crosses has a shape and is on record. */
export async function runCase(scene: Scene, tried: Case): Promise<Shown> {
  const { method, dialect, era, outcome, foreign } = tried;
  const server = scene.servers[era];
  const from = server.received.length;
  server.foreign = foreign === "server";
  const cast = { agent: scene.agents[dialect], server, era, outcome, foreign: foreign === "agent" };
  const steps = await FLOWS[method].flow(cast);
  const received = server.received.slice(from);
  const toServer = scene.markers.placesIn("agent", received.map(({ raw }) => raw).join("\n"));
  const toAgent = scene.markers.placesIn("server", steps.map(({ exchange }) => exchange.raw).join("\n"));
  const mayCross = outcome !== "denied";
  assert.deepEqual(
    toServer.filter((place) => !(mayCross && TO_SERVER.includes(place))),
    [],
    "an agent's bytes reached the server",
  );
  assert.deepEqual(
    toAgent.filter((place) => !(mayCross && TO_AGENT.includes(place.replace(/^(before-data)-.*$/, "$1")))),
    [],
    "a server's bytes reached the agent",
  );
  for (const step of steps) holdUndecided(scene, step, received);
  await holdToRecord(scene, tried, steps, received);
  return { toServer, toAgent };
}

/** A cancellation brings nothing of the server's back. */
function holdUndecided({ markers }: Scene, { method, exchange }: Step, received: readonly Received[]): void {
  if (method !== "tasks/cancel" && method !== "resources/unsubscribe") return;
  assert.deepEqual(markers.placesIn("server", exchange.raw), [], "a cancellation brought a server's bytes back");
  for (const got of received.filter((one) => one.method === method))
    assert.deepEqual(markers.placesIn("agent", got.raw), [], "a cancellation carried an agent's bytes out");
}

/** Every answer is committed to by its entry, and so is every request that left. */
async function holdToRecord(
  scene: Scene,
  { dialect }: Case,
  steps: readonly Step[],
  received: readonly Received[],
): Promise<void> {
  const receipts = steps.map(({ exchange }) => receiptOf(exchange));
  const { entries, disclosed } = await recordOf(scene, dialect, receipts);
  const ids = taskIds(steps, received);
  const states = new Map(steps.map(({ sent }) => [sent.requestState, sent.requestState]));
  const state = [...states.keys()].find((known) => typeof known === "string");
  for (const [index, { exchange, method }] of steps.entries()) {
    const receipt = receipts[index];
    if (receipt == null) {
      const said = scene.markers.placesIn("server", exchange.raw);
      assert.deepEqual(said, [], "an answer without a receipt holds a server's bytes");
      continue;
    }
    const entry = entryOf(entries, receipt["call_id"]);
    assert.ok(entry !== undefined, `${method} has its entry`);
    assert.ok(
      commitsTo(entry, disclosed, "response", handedMessages(exchange)),
      `the entry of ${method} commits to what the agent was handed`,
    );
  }
  const about = received.filter((one) => one.method !== null && steps.some(({ method }) => method === one.method));
  for (const got of about)
    assert.ok(
      isCommitted(got, { entries, disclosed }, { ids, state: typeof state === "string" ? state : null }),
      `an entry commits to the ${got.method} that left`,
    );
}

/** Whether an entry commits to a request that left; one sent again with answers given meanwhile is committed to with those. */
function isCommitted(
  got: Received,
  { entries, disclosed }: RecordedSessions,
  { ids, state }: { readonly ids: Ids; readonly state: string | null },
): boolean {
  const request = committedRequest(got, ids, state);
  if (entries.some((entry) => commitsTo(entry, disclosed, "request", request))) return true;
  const { first, answers } = withoutAnswers(got);
  const firstRequest = committedRequest(first, ids, null);
  return entries.some(
    (entry) =>
      commitsTo(entry, disclosed, "request", firstRequest) &&
      commitsTo(entry, disclosed, "answers", committedAnswers(answers)),
  );
}

/** Whether an entry commits to a value, under the salt that an auditor opened. */
function commitsTo(
  entry: AuditEntry,
  disclosed: RecordedSessions["disclosed"],
  field: CommittedField,
  value: object,
): boolean {
  const salt = disclosed.get(entry.call_id ?? "")?.fields[field]?.salt;
  return (
    salt !== undefined &&
    commitmentOf(entry, field) === commitmentTo(field, fromHex(salt) ?? new Uint8Array(), canonicalText(value))
  );
}

/** What is on record of sessions, and what an auditor opens of their calls. */
interface RecordedSessions {
  readonly entries: readonly AuditEntry[];
  readonly disclosed: ReadonlyMap<string, DisclosedCall>;
}

async function recordOf(
  scene: Scene,
  dialect: Dialect,
  receipts: readonly ReturnType<typeof receiptOf>[],
): Promise<RecordedSessions> {
  const sessions = new Set(
    receipts.flatMap((receipt) => (typeof receipt?.["session_id"] === "string" ? [receipt["session_id"]] : [])),
  );
  const entries: AuditEntry[] = [];
  const disclosed = new Map<string, DisclosedCall>();
  for (const session of sessions) {
    entries.push(...(await scene.entries(dialect, session)));
    for (const call of await scene.disclosed(session)) disclosed.set(call.call_id, call);
  }
  return { entries, disclosed };
}

/** The agent's id of each task, by the server's: both tell of one task at a time. */
function taskIds(steps: readonly Step[], received: readonly Received[]): ReadonlyMap<string, string> {
  const agents = unique(steps.map(({ sent }) => sent["taskId"]));
  const servers = unique(
    received.map(({ message }) => (isJsonObject(message["params"]) ? message["params"]["taskId"] : undefined)),
  );
  return new Map(servers.map((id, index) => [id, agents[index] ?? id]));
}

function unique(values: readonly unknown[]): string[] {
  return [...new Set(values.filter((value) => typeof value === "string"))];
}

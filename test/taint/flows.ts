import { isJsonObject, type JsonObject } from "@cmcp/boundary";
import type { GovernedMethod } from "@cmcp/mcp";
import type { Dialect, Exchange, TaintingAgent } from "./agent.ts";
import { QUESTION_ID } from "./fixed.ts";
import { promptName, resourceUri, templateUri, toolName, type ServerEra } from "./offers.ts";
import { OUTCOMES, type Outcome } from "./outcomes.ts";
import type { TaintingServer } from "./server.ts";

/** What of a flow one request is: what was sent, what came of it, and what the server got meanwhile. */
export interface Step {
  readonly method: string;
  readonly sent: JsonObject;
  readonly exchange: Exchange;
}

/** Who takes part in a flow. */
export interface Cast {
  readonly agent: TaintingAgent;
  readonly server: TaintingServer;
  readonly era: ServerEra;
  readonly outcome: Outcome;
  readonly foreign: boolean;
}

/** The requests by which a method comes to an outcome, one after the other. The last is the method's own. */
export type Flow = (cast: Cast) => Promise<Step[]>;

const ALL: readonly Outcome[] = OUTCOMES;
const PLAIN: readonly Outcome[] = ["result", "error", "fault", "denied"];
const OF_TASKS: readonly Outcome[] = ["task", "failing", "asking"];

/** How each method is tried: with which outcomes, by whom, and how. A method of the table without a row is a failure. */
export const FLOWS: Readonly<Record<GovernedMethod, { readonly outcomes: readonly Outcome[]; readonly flow: Flow }>> = {
  "tools/call": { outcomes: ALL, flow: callTool },
  "prompts/get": {
    outcomes: PLAIN,
    flow: async (cast) => [
      await send(cast, "prompts/get", {
        name: promptName(cast.era, cast.outcome),
        arguments: { text: cast.agent.mark("argument") },
      }),
    ],
  },
  "resources/read": {
    outcomes: PLAIN,
    flow: async (cast) => [
      ...(cast.outcome === "result" ? [await send(cast, "resources/read", { uri: filledUri(cast) })] : []),
      await send(cast, "resources/read", { uri: resourceUri(cast.era, cast.outcome) }),
    ],
  },
  "resources/subscribe": {
    outcomes: PLAIN,
    flow: async (cast) => [await send(cast, "resources/subscribe", { uri: resourceUri(cast.era, cast.outcome) })],
  },
  "resources/unsubscribe": { outcomes: PLAIN, flow: unsubscribe },
  "completion/complete": { outcomes: PLAIN, flow: complete },
  "tasks/get": { outcomes: OF_TASKS, flow: async (cast) => await aboutTask(cast, "tasks/get") },
  "tasks/result": { outcomes: OF_TASKS, flow: async (cast) => await aboutTask(cast, "tasks/result") },
  "tasks/update": { outcomes: OF_TASKS, flow: updateTask },
  "tasks/cancel": {
    outcomes: OF_TASKS,
    flow: async (cast) => [...(await aboutTask(cast, "tasks/cancel")), ...(await again(cast))],
  },
};

/** A URI that a template of the catalog has, and that only its caller knows. */
function filledUri({ agent, era }: Cast): string {
  return templateUri(era).replace("{item}", agent.mark("value"));
}

async function send(cast: Cast, method: string, params: JsonObject): Promise<Step> {
  const { agent, foreign } = cast;
  const answer = { action: "accept", content: { answer: agent.mark("answer") } };
  return { method, sent: params, exchange: await agent.send(method, params, { foreign, answer }) };
}

function last(step: Step): JsonObject {
  const { result } = step.exchange.messages.at(-1) ?? {};
  return isJsonObject(result) ? result : {};
}

async function callTool(cast: Cast): Promise<Step[]> {
  const first = await send(cast, "tools/call", callOf(cast));
  const { requestState, inputRequests } = last(first);
  if (typeof requestState !== "string" || !isJsonObject(inputRequests)) return [first];
  const answers = { [QUESTION_ID]: { action: "accept", content: { answer: cast.agent.mark("answer") } } };
  return [first, await send(cast, "tools/call", { ...callOf(cast), requestState, inputResponses: answers })];
}

function callOf({ agent, era, outcome }: Cast): JsonObject {
  const task =
    agent.dialect === "session" && OF_TASKS.includes(outcome) && era === "legacy" ? { task: { ttl: 60_000 } } : {};
  return { name: toolName(era, outcome), arguments: { text: agent.mark("argument") }, ...task };
}

async function unsubscribe(cast: Cast): Promise<Step[]> {
  const uri = resourceUri(cast.era, cast.outcome);
  const tame = { ...cast, foreign: false };
  return [await send(tame, "resources/subscribe", { uri }), await send(cast, "resources/unsubscribe", { uri })];
}

async function complete(cast: Cast): Promise<Step[]> {
  const value = cast.agent.mark("value");
  const ofPrompt = {
    ref: { type: "ref/prompt", name: promptName(cast.era, cast.outcome) },
    argument: { name: "text", value },
  };
  const ofTemplate = { ref: { type: "ref/resource", uri: templateUri(cast.era) }, argument: { name: "item", value } };
  const steps = [await send(cast, "completion/complete", ofPrompt)];
  if (cast.outcome === "result") steps.push(await send(cast, "completion/complete", ofTemplate));
  return steps;
}

/** A task, and one request about it. */
async function aboutTask(cast: Cast, method: string): Promise<Step[]> {
  const made = await makeTask(cast);
  return [...made, await send(cast, method, { taskId: taskOf(made) })];
}

async function makeTask(cast: Cast): Promise<Step[]> {
  return [await send({ ...cast, foreign: false }, "tools/call", callOf(cast))];
}

function taskOf([made]: readonly Step[]): string {
  const result = made === undefined ? {} : last(made);
  const task = isJsonObject(result.task) ? result.task : result;
  return typeof task.taskId === "string" ? task.taskId : "none";
}

/** Asks for the state first, which opens the questions of a task that asks, and answers more than was asked. */
async function updateTask(cast: Cast): Promise<Step[]> {
  const made = await makeTask(cast);
  const taskId = taskOf(made);
  const answer = { action: "accept", content: { answer: cast.agent.mark("answer") } };
  const early = await send(cast, "tasks/update", { taskId, inputResponses: { [QUESTION_ID]: unasked(cast) } });
  const state = await send({ ...cast, foreign: false }, "tasks/get", { taskId });
  const other = await send(cast, "tasks/update", { taskId, inputResponses: { other: unasked(cast) } });
  const given = await send(cast, "tasks/update", { taskId, inputResponses: { [QUESTION_ID]: answer } });
  const twice = await send(cast, "tasks/update", { taskId, inputResponses: { [QUESTION_ID]: unasked(cast) } });
  return [...made, early, state, other, given, twice];
}

function unasked({ agent }: Cast): JsonObject {
  return { action: "accept", content: { answer: agent.mark("unasked") } };
}

/** A cancel that comes a second time. */
async function again(cast: Cast): Promise<Step[]> {
  const made = await makeTask(cast);
  const taskId = taskOf(made);
  return [...made, await send(cast, "tasks/cancel", { taskId }), await send(cast, "tasks/cancel", { taskId })];
}

/** Whether an agent of that dialect can send a method at all, whatever it is answered. */
export function speaks(dialect: Dialect, eras: readonly string[]): boolean {
  return eras.includes(dialect === "modern" ? "modern" : "legacy");
}

import type { Client } from "@modelcontextprotocol/client";
import type { Imported } from "../gateway.ts";

/** What an agent does. `context` is what the suite hands over with a scenario. */
type Run = (client: Client, context: unknown) => Promise<void>;

/** What one client scenario of the suite wants of an agent, and of an operator whose gateway stands before it. */
export interface AgentScenario {
  readonly run: Run;
  /** Whether the agent can be asked for input. */
  readonly answers: boolean;
  /** What the operator approves beside tools. */
  readonly imported: Imported;
}

function scenario(
  run: Run,
  { answers = false, imported = [] }: { readonly answers?: boolean; readonly imported?: Imported } = {},
): AgentScenario {
  return { run, answers, imported };
}

interface ToolCalls {
  readonly toolCalls: readonly { readonly name: string; readonly arguments: Record<string, unknown> }[];
}

async function call(client: Client, name: string, args: Record<string, unknown> = {}): Promise<void> {
  await client.callTool({ name, arguments: args });
}

/** The listing comes first: it tells the agent which arguments travel in headers too. */
function calling(name: string, args?: Record<string, unknown>): Run {
  return async (client) => {
    await client.listTools();
    await call(client, name, args);
  };
}

async function listing(client: Client): Promise<void> {
  await client.listTools();
}

async function callEverythingListed(client: Client): Promise<void> {
  const { tools } = await client.listTools();
  for (const { name, inputSchema } of tools)
    await call(client, name, Object.fromEntries((inputSchema.required ?? []).map((argument) => [argument, "value"])));
}

async function useEverythingListed(client: Client): Promise<void> {
  await callEverythingListed(client);
  for (const { uri } of (await client.listResources()).resources) await client.readResource({ uri });
  for (const { name } of (await client.listPrompts()).prompts) await client.getPrompt({ name });
}

async function callAsTold(client: Client, context: unknown): Promise<void> {
  await client.listTools();
  for (const { name, arguments: args } of (context as ToolCalls).toolCalls) await call(client, name, args);
}

/** Two calls that need input, with one between them that must carry nothing of theirs. */
async function answerInput(client: Client): Promise<void> {
  await client.listTools();
  await Promise.all([call(client, "test_mrtr_echo_state"), call(client, "test_mrtr_unrelated")]);
  await call(client, "test_mrtr_no_state");
  // The official client refuses a result without `resultType` from a modern server; what counts is that it asks no second time.
  await call(client, "test_mrtr_no_result_type").catch(() => undefined);
}

async function returnSchema(client: Client): Promise<void> {
  const { tools } = await client.listTools();
  const schema = tools.find(({ name }) => name === "json_schema_2020_12_tool")?.inputSchema;
  await call(client, "json_schema_echo", { schema });
}

/** By the suite's name. A scenario that is not here fails: none is passed over. */
export const AGENT_SCENARIOS: ReadonlyMap<string, AgentScenario> = new Map<string, AgentScenario>([
  ["initialize", scenario(listing)],
  ["tools_call", scenario(calling("add_numbers", { a: 5, b: 3 }))],
  ["elicitation-sep1034-client-defaults", scenario(calling("test_client_elicitation_defaults"), { answers: true })],
  ["sse-retry", scenario(calling("test_reconnection"))],
  ["request-metadata", scenario(listing)],
  ["sep-2322-client-request-state", scenario(answerInput, { answers: true })],
  ["http-standard-headers", scenario(useEverythingListed, { imported: ["--resources", "--prompts"] })],
  ["http-custom-headers", scenario(callAsTold)],
  ["http-invalid-tool-headers", scenario(callEverythingListed)],
  ["json-schema-ref-no-deref", scenario(listing)],
  ["json-schema-2020-12-preservation", scenario(returnSchema)],
]);

import { Client, StreamableHTTPClientTransport, type ClientOptions } from "@modelcontextprotocol/client";
import type { AgentScenario } from "./scenarios.ts";

/** Answers questions: booleans are confirmed, all else is left to the defaults of the schema. */
function answerQuestions(client: Client): void {
  client.setRequestHandler("elicitation/create", ({ params }) => {
    const asked = "requestedSchema" in params ? Object.entries(params.requestedSchema.properties) : [];
    return {
      action: "accept",
      content: Object.fromEntries(
        asked.flatMap(([name, { type, ...rest }]) =>
          type === "boolean" && !("default" in rest) ? [[name, true]] : [],
        ),
      ),
    };
  });
}

/** Connects the official client in one version, runs what a scenario asks of it, and closes. */
export async function withAgent(
  url: string,
  version: string,
  { run, answers }: AgentScenario,
  context: unknown,
): Promise<void> {
  const versionNegotiation: ClientOptions["versionNegotiation"] = {
    mode: version === "2026-07-28" ? { pin: version } : "legacy",
  };
  const client = new Client(
    { name: "conformance-agent", version: "1.0.0" },
    { versionNegotiation, capabilities: answers ? { elicitation: { form: { applyDefaults: true } } } : {} },
  );
  if (answers) answerQuestions(client);
  await client.connect(new StreamableHTTPClientTransport(new URL(url)));
  try {
    await run(client, context);
  } finally {
    await client.close();
  }
}

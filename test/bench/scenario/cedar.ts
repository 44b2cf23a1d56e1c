import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { CatalogTool } from "@cmcp/catalog";
import { compilePolicy, NO_FLOWS, readBundle, type CallFacts, type CompiledPolicy } from "@cmcp/policy";
import { ROOT } from "../../gateway/deployment.ts";
import { INPUT_SCHEMA, TOOL, callArguments, rules } from "../call.ts";
import { TARGETS } from "../plan.ts";
import { atMost, figure, type Row } from "../report/row.ts";
import type { Bench } from "./bench.ts";
import { RULES } from "./setup.ts";
import { microseconds } from "./timing.ts";

const COUNTS: readonly number[] = [10, 100, 1_000];
const WORKER = new URL("../../../packages/policy/src/compile-worker.ts", import.meta.url);
const URL_OF_TOOL = "https://tools.example/mcp";

/** The measured tool as a catalog has it. */
export const CATALOG_TOOL: CatalogTool = {
  toolName: TOOL,
  nameAtServer: TOOL,
  actionName: "EchoText",
  server: {
    identity: URL_OF_TOOL,
    name: "Echo",
    displayName: "Echo",
    integrity: "untrusted",
    url: new URL(URL_OF_TOOL),
    transport: "streamable-http",
    trust: null,
    rotationMode: "key-pinned",
    evidenceClass: "hash-only",
  },
  description: "Echoes text.",
  inputSchema: INPUT_SCHEMA,
  outputSchema: null,
  definitionHash: `sha256:${"0".repeat(64)}`,
  driftDigest: `sha256:${"0".repeat(64)}`,
  complianceDomain: "public",
  requiresBaa: false,
  baaCovered: false,
  sensitivityLevel: "public",
  destinationClass: "external",
  projectionSchema: null,
  additionalArguments: false,
  consequential: false,
  toolCategory: "unclassified",
};

function facts(principalId: string): CallFacts {
  return {
    principal: { id: principalId },
    sessionId: "0d8f1a52-6d3b-4a4e-9d2c-3f5a6b7c8d9e",
    workflowId: "default",
    workflowAllowedTools: [TOOL],
    sessionSensitivity: "public",
    sessionMaxSensitivity: "public",
    sensitivityLevelInt: 0,
    sessionCompartments: [],
    sessionIntegrity: "trusted",
    flows: NO_FLOWS,
    dataCompartments: [],
    enforcementMode: "enforcing",
    catalogHash: `sha256:${"0".repeat(64)}`,
    attestationPlatform: "software-only",
    channel: "plain",
    isolation: "network-namespace",
    sessionIsolation: "gateway",
    history: {},
    historyComplete: true,
    tool: CATALOG_TOOL,
    arguments: callArguments(),
  };
}

async function compiled(count: number): Promise<CompiledPolicy> {
  const schema = await readFile(join(ROOT, "examples/quickstart/policies/schema.cedarschema"), "utf8");
  const manifest = JSON.stringify({
    version: "1.0.0",
    authored_at: "2026-01-01T00:00:00Z",
    author_identity: "bench@example.org",
    commit_sha: "0",
  });
  const bundle = readBundle({ "manifest.json": manifest, "rules.cedar": rules(count), "schema.cedarschema": schema });
  return await compilePolicy(bundle, { tools: new Map([[TOOL, CATALOG_TOOL]]) }, { workerUrl: WORKER });
}

/**
 * A decision under a bundle of `count` rules, ready to be repeated: for another principal each time, so that the engine
 * is asked anew, or for the same one, so that the engine's answer is known.
 */
export async function decision(count: number, asked: "anew" | "again"): Promise<() => void> {
  const policy = await compiled(count);
  const same = facts(randomUUID());
  return () => {
    if (policy.decide(asked === "again" ? same : facts(randomUUID())).decision !== "allow")
      throw new Error("the measured call is not allowed");
  };
}

/** Whether a decision costs the same however many rules name other tools. */
export async function cedar({ plan }: Bench): Promise<Row[]> {
  const figures: { count: number; taken: number }[] = [];
  // V8 optimises the engine as it runs; whatever is measured first would pay for all.
  await microseconds(await decision(RULES, "anew"), plan.stageMs);
  for (const count of COUNTS) {
    const decide = await decision(count, "anew");
    figures.push({ count, taken: await microseconds(decide, plan.stageMs) });
  }
  const again = await microseconds(await decision(RULES, "again"), plan.stageMs);
  const first = figures[0]?.taken ?? Number.NaN;
  const last = figures.at(-1)?.taken ?? Number.NaN;
  return [
    ...figures.map(({ count, taken }) =>
      figure(`decision, ${count} rules`, taken, "µs", "all but one name other tools"),
    ),
    figure(
      `decision, ${RULES} rules, asked again`,
      again,
      "µs",
      "what rules can read is as before: the engine's answer is known",
    ),
    atMost(
      "growth from 10 to 1 000 rules",
      { value: last / first, bound: TARGETS.cedarGrowth },
      "×",
      "in-process, exported functions",
    ),
  ];
}

import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deployQuickstart, listenOnAnyPort } from "../gateway/deployment.ts";
import { developmentEnvironment, startGateway } from "../gateway/gateway.ts";
import { startRecordsServer, type RecordsServer } from "../servers/records-server.ts";

/** The id of the rule that refuses, which no agent may read. */
export const REFUSING_RULE = "messages-stay-in-the-clinic";

/** What decides is the argument, so that the tool stays in the list whatever was called before. */
const POLICIES = `@id("everything-else")
permit (principal, action == cMCP::Action::"call_tool", resource);

@id("${REFUSING_RULE}")
forbid (principal, action == cMCP::Action::"call_tool", resource == cMCP::Resource::"send_message")
unless { context.arguments has to && context.arguments.to like "*@clinic.example" };
`;

const SCHEMA = `namespace cMCP {
  entity Principal;
  entity Resource = { tool_name: String };
  action call_tool appliesTo {
    principal: Principal,
    resource: Resource,
    context: { arguments: { to?: String } },
  };
}
`;

/** A gateway in front of the records server, which may send messages inside the clinic alone. */
export interface MessageGateway {
  /** The gateway's `/mcp`. */
  readonly url: string;
  readonly token: string;
  readonly records: RecordsServer;
  close(): Promise<void>;
}

/** Starts the server and the gateway; `close` stops both. */
export async function startMessageGateway(): Promise<MessageGateway> {
  const undo: (() => Promise<unknown>)[] = [];
  const close = async (): Promise<void> => {
    for (const step of undo.splice(0).toReversed()) await step();
  };
  try {
    const folder = await mkdtemp(join(tmpdir(), "cmcp-frameworks-"));
    undo.push(() => rm(folder, { recursive: true, force: true }));
    const records = await startRecordsServer();
    undo.push(() => records.close());
    const config = await deployQuickstart(join(folder, "deployment"), {
      everythingPort: 1,
      recordsPort: records.port,
      recordsFingerprint: records.fingerprint,
    });
    const policies = join(folder, "deployment/policies");
    await writeFile(join(policies, "everyday.cedar"), POLICIES);
    await rm(join(policies, "records.cedar"));
    await writeFile(join(policies, "schema.cedarschema"), SCHEMA);
    await listenOnAnyPort(config);
    const token = randomBytes(32).toString("base64url");
    const gateway = await startGateway(config, developmentEnvironment(token));
    undo.push(() => gateway.stop());
    return { url: gateway.mcp, token, records, close };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

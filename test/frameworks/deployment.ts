import { randomBytes } from "node:crypto";
import { appendFile, mkdtemp, rm, writeFile } from "node:fs/promises";
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

/** A gateway in front of the records server. */
export interface MessageGateway {
  /** The gateway's `/mcp`. */
  readonly url: string;
  /** Its base URL. */
  readonly base: string;
  /** What it was launched with. */
  readonly launchDigest: string;
  readonly token: string;
  readonly records: RecordsServer;
  close(): Promise<void>;
}

/** How such a gateway is started. */
export interface MessageGatewaySettings {
  /** `sealed` where it takes no token in the clear; `plain` unless said. */
  readonly channel?: "plain" | "sealed";
  /** Its rules; messages leave inside the clinic alone unless said. */
  readonly policies?: string;
  /** Members of the configuration's `enclave`, in YAML's flow style. */
  readonly enclave?: string;
}

/** Starts the server and the gateway; `close` stops both. */
export async function startMessageGateway({
  channel = "plain",
  policies: rules = POLICIES,
  enclave = "",
}: MessageGatewaySettings = {}): Promise<MessageGateway> {
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
    await writeFile(join(policies, "everyday.cedar"), rules);
    await rm(join(policies, "records.cedar"));
    await writeFile(join(policies, "schema.cedarschema"), SCHEMA);
    await listenOnAnyPort(config);
    await appendFile(config, `enclave: {channel: ${channel}${enclave === "" ? "" : `, ${enclave}`}}\n`);
    const token = randomBytes(32).toString("base64url");
    const gateway = await startGateway(config, developmentEnvironment(token));
    undo.push(() => gateway.stop());
    const { mcp: url, url: base, launch_digest: launchDigest } = gateway;
    return { url, base, launchDigest, token, records, close };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

import { cp, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { JsonObject } from "@cmcp/boundary";
import { cmcp } from "../gateway/cli.ts";
import { ROOT } from "../gateway/deployment.ts";
import { stdioServer } from "../gateway/three-servers.ts";

const SETTINGS = "stdio: {servers: {server-memory: {environment: {MEMORY_FILE_PATH: /tmp/memory.jsonl}}}}";

/**
 * Adds the published `server-memory`, over stdio, to a deployment: its files beside it, its tools approved as it has them, and the rule
 * of `examples/several-servers`.
 */
export async function addMemoryServer(config: string): Promise<void> {
  const folder = dirname(config);
  const [path, policies] = [join(folder, "catalog.json"), join(folder, "policies")];
  const entries = JSON.parse(await readFile(path, "utf8")) as JsonObject[];
  const tools = await stdioServer("server-memory", join(folder, "server-memory"), []);
  await writeFile(path, JSON.stringify([...entries, ...tools]));
  await cp(join(ROOT, "examples/several-servers/policies/memory.cedar"), join(policies, "memory.cedar"));
  const text = await readFile(config, "utf8");
  await writeFile(config, text.replace("enclave: {", `enclave: {${SETTINGS}, `));
  const schema = join(policies, "schema.cedarschema");
  const { code, stderr } = await cmcp(["policy", "schema", policies, "--catalog", path, "--out", schema]);
  if (code !== 0) throw new Error(stderr);
}

import process from "node:process";
import { CmcpError } from "@cmcp/boundary";
import { readLiveServer, type ListedServer } from "../catalog/live-server.ts";
import { readStdioServer } from "../catalog/stdio-server.ts";
import { tokenFrom } from "../session/gateway-client.ts";
import { makeTree } from "./make-tree.ts";
import type { AddOptions } from "./options.ts";
import { askRegistry, PUBLIC_REGISTRY } from "./registry.ts";
import type { ServerSource } from "./source.ts";
import type { ServerTree } from "./server-tree.ts";

const DEFAULT_PYTHON = "python3";

/** A server as it answered, with the files that were made for it. */
export interface ReadServer {
  readonly listed: ListedServer;
  /** `null` for a server over HTTP. */
  readonly tree: ServerTree | null;
  /** How it ran to list its tools; `null` for a server over HTTP. */
  readonly confinement: "confined" | "none" | null;
  /** Takes away what was made for it. */
  remove(): Promise<void>;
}

/** What an entry of a registry stands for; any other source itself. */
async function resolved(
  source: ServerSource,
  registry: string,
): Promise<Exclude<ServerSource, { readonly kind: "registry" }>> {
  if (source.kind !== "registry") return source;
  const target = await askRegistry(registry, source.name, source.version);
  if ("bundle" in target) return { kind: "bundle-url", url: target.bundle, sha256: target.sha256 };
  const { source: found, sha256 } = target;
  if (found.kind === "npm" || found.kind === "pypi") return sha256 === null ? found : { ...found, sha256 };
  if (found.kind === "http") return found;
  throw new CmcpError("PACKAGE_REFUSED", `the registry's entry ${source.name} names a ${found.kind}`);
}

/** The values that this shell has for variables; one that it lacks is not given. */
function valuesHere(secrets: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.keys(secrets).flatMap((variable) => {
      const value = process.env[variable] ?? "";
      return value === "" ? [] : [[variable, value]];
    }),
  );
}

/**
 * Gets a server and reads what it lists.
 * @param deployment the folder of the configuration
 * @throws CmcpError as `readLiveServer`, `makeTree` and `readStdioServer`
 */
export async function readServer(
  { source: asked, name, environment, secrets, egress, values }: AddOptions,
  deployment: string,
): Promise<ReadServer> {
  const source = await resolved(asked, values.registry ?? PUBLIC_REGISTRY);
  if (source.kind === "http") {
    const { trust, pin, "issuer-pin": issuerPins, "token-env": variable } = values;
    const token = variable === undefined ? null : tokenFrom(variable);
    const listed = await readLiveServer(source.url, { trust, pin, issuerPins }, ["tools"], token);
    return { listed, tree: null, confinement: null, remove: async () => {} };
  }
  const { bin = null, script = null, python = DEFAULT_PYTHON, program: programs } = values;
  const made = await makeTree(source, { deployment, name }, { bin, script, python, programs, args: values.arg });
  try {
    const { tree, command, args } = made.start;
    const started = { name, tree, command, args: [...args, ...values.arg], environment, secrets, egress };
    const listed = await readStdioServer(started, valuesHere(secrets));
    return { listed, tree: made, confinement: listed.confinement, remove: async () => await made.remove() };
  } catch (thrown) {
    await made.remove();
    throw thrown;
  }
}

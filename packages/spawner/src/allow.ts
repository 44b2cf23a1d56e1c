import { CmcpError, fromHex } from "@cmcp/boundary";
import { isPlainPath } from "./protocol/encode.ts";
import { boundsOf, defaultServerSettings, type StdioServerSettings, type StdioSettings } from "./schema.ts";
import type { AllowedServer } from "./server.ts";

/** `server.spawn` of a catalog entry. */
export interface CatalogSpawn {
  readonly command: string;
  readonly args?: readonly string[] | null | undefined;
  readonly binary_digest?: string | null | undefined;
  readonly measure_target?: string | null | undefined;
  /** Names of provisioned secrets, by the variables that have them. Never in a table: each start brings the values. */
  readonly secrets?: Readonly<Record<string, string>> | undefined;
  readonly egress?: readonly { readonly host: string; readonly port: number }[] | null | undefined;
}

/** What the measured configuration says about a catalog's stdio server. */
export interface AllowOptions {
  /** `attestation.allow_unmeasured_spawn` */
  readonly allowUnmeasured: boolean;
  /** Of `enclave.stdio.servers`; defaults where it has none. */
  readonly settings?: StdioServerSettings | undefined;
}

const DIGEST = /^sha256:([0-9a-f]{64})$/;
/** The same for every server on every machine. */
const ENVIRONMENT: Readonly<Record<string, string>> = {
  HOME: "/tmp",
  TMPDIR: "/tmp",
  PATH: "/usr/local/bin:/usr/bin:/bin",
  LANG: "C.UTF-8",
};

/** How a server with a way out finds it; Node uses it for `fetch` and `http` alike. */
const PROXY: Readonly<Record<string, string>> = {
  HTTPS_PROXY: "http://127.0.0.1:3128",
  https_proxy: "http://127.0.0.1:3128",
  NODE_USE_ENV_PROXY: "1",
};

/**
 * The server a catalog entry stands for. Its tree is `measure_target`, else `command`; `binary_digest` is the digest of
 * that tree, or of the file where it is one. A digest of the interpreter would be that of any server it can run.
 * @param name of the server, for messages
 * @throws CmcpError `CATALOG_INVALID`; `CONFIG_INVALID` for a variable that is a secret and has a measured value;
 *   `SPAWN_NOT_PINNED` without a digest where that is not allowed
 */
export function allowServer(
  name: string,
  spawn: CatalogSpawn,
  { allowUnmeasured, settings = defaultServerSettings() }: AllowOptions,
): AllowedServer {
  const refuse = (why: string): never => {
    throw new CmcpError("CATALOG_INVALID", `stdio server ${name}: ${why}`);
  };
  const { command, args, binary_digest: digest, measure_target: target, secrets = {}, egress } = spawn;
  if (!command.startsWith("/") && target == null)
    refuse("`command` names an interpreter, so `measure_target` must name the folder with the server's files");
  if (command.includes("/") && !isPlainPath(command))
    refuse("`command` must be a name or an absolute path without '.' and '..'");
  const tree = target ?? command;
  if (!isPlainPath(tree)) refuse("`measure_target` must be an absolute path without '.' and '..'");
  if (digest == null && !allowUnmeasured)
    throw new CmcpError("SPAWN_NOT_PINNED", `stdio server ${name}: the catalog records no binary_digest of ${tree}`);
  const environment = { ...ENVIRONMENT, ...settings.environment };
  const twice = Object.keys(secrets).find((variable) => Object.hasOwn(environment, variable));
  if (twice !== undefined)
    throw new CmcpError("CONFIG_INVALID", `stdio server ${name}: ${twice} is a secret and has a measured value, too`);
  const bytes = digest == null ? null : (fromHex(DIGEST.exec(digest)?.[1] ?? "") ?? null);
  if (digest != null && bytes?.byteLength !== 32) refuse("`binary_digest` must be sha256: and 64 lowercase hex digits");
  const hasEgress = (egress ?? []).length > 0;
  return {
    tree,
    digest: bytes,
    program: command,
    args: args ?? [],
    environment: { ...environment, ...(hasEgress ? PROXY : {}) },
    bounds: boundsOf(settings),
    hasEgress,
  };
}

/**
 * The servers that a catalog's stdio servers stand for, in their order, each with the settings that the configuration
 * has for it.
 * @throws CmcpError `CONFIG_INVALID` for settings of a server that is not there, and as {@link allowServer}
 */
export function allowServers(
  servers: readonly { readonly name: string; readonly spawn: CatalogSpawn }[],
  {
    allowUnmeasured,
    settings,
  }: Pick<AllowOptions, "allowUnmeasured"> & { readonly settings: StdioSettings["servers"] },
): readonly AllowedServer[] {
  const unknown = Object.keys(settings).find((name) => !servers.some((server) => server.name === name));
  if (unknown !== undefined)
    throw new CmcpError("CONFIG_INVALID", `enclave.stdio.servers: the catalog has no stdio server ${unknown}`);
  return servers.map(({ name, spawn }) =>
    allowServer(name, spawn, { allowUnmeasured, settings: Object.hasOwn(settings, name) ? settings[name] : undefined }),
  );
}

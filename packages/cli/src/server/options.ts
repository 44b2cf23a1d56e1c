import { basename, resolve } from "node:path";
import { CmcpError } from "@cmcp/boundary";
import { egressProblem, secretVariableProblem } from "@cmcp/catalog";
import type { EgressTarget } from "../catalog/stdio-server.ts";
import { required } from "../arguments.ts";
import { readSource, type ServerSource } from "./source.ts";

/** Options of `cmcp server add`. */
export const OPTIONS = {
  config: { type: "string" },
  "approved-by": { type: "string" },
  name: { type: "string" },
  arg: { type: "string", multiple: true, default: [] as string[] },
  env: { type: "string", multiple: true, default: [] as string[] },
  secret: { type: "string", multiple: true, default: [] as string[] },
  egress: { type: "string", multiple: true, default: [] as string[] },
  bin: { type: "string" },
  script: { type: "string" },
  python: { type: "string" },
  program: { type: "string", multiple: true, default: [] as string[] },
  tool: { type: "string", multiple: true, default: [] as string[] },
  alias: { type: "string", multiple: true, default: [] as string[] },
  read: { type: "string", multiple: true, default: [] as string[] },
  "read-hints": { type: "boolean", default: false },
  domain: { type: "string", default: "internal" },
  sensitivity: { type: "string", default: "confidential" },
  trust: { type: "string" },
  pin: { type: "string" },
  "issuer-pin": { type: "string", multiple: true, default: [] as string[] },
  registry: { type: "string" },
  "token-env": { type: "string" },
  credential: { type: "string" },
  json: { type: "boolean", default: false },
} as const;

/** The options' values, as they were typed. */
export interface AddValues {
  readonly config?: string | undefined;
  readonly "approved-by"?: string | undefined;
  readonly name?: string | undefined;
  readonly arg: readonly string[];
  readonly env: readonly string[];
  readonly secret: readonly string[];
  readonly egress: readonly string[];
  readonly bin?: string | undefined;
  readonly script?: string | undefined;
  readonly python?: string | undefined;
  readonly program: readonly string[];
  readonly tool: readonly string[];
  readonly alias: readonly string[];
  readonly read: readonly string[];
  readonly "read-hints": boolean;
  readonly domain: string;
  readonly sensitivity: string;
  readonly trust?: string | undefined;
  readonly pin?: string | undefined;
  readonly "issuer-pin": readonly string[];
  readonly registry?: string | undefined;
  readonly "token-env"?: string | undefined;
  readonly credential?: string | undefined;
}

/** What `cmcp server add` was asked for. */
export interface AddOptions {
  readonly source: ServerSource;
  readonly config: string;
  /** The server's name for people, which settings and records use. */
  readonly name: string;
  /** Its name in the catalog's `servers`. */
  readonly serverName: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Names of provisioned credentials, by the variables that have their values. */
  readonly secrets: Readonly<Record<string, string>>;
  /** Hosts that it may reach. */
  readonly egress: readonly EgressTarget[];
  readonly aliases: ReadonlyMap<string, string>;
  readonly credential: string | undefined;
  readonly values: AddValues;
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** Which options mean something for which sources. */
const FOR: Readonly<Record<ServerSource["kind"], readonly (keyof AddValues)[]>> = {
  npm: ["arg", "env", "secret", "egress", "bin"],
  pypi: ["arg", "env", "secret", "egress", "bin", "python", "program"],
  path: ["arg", "env", "secret", "egress", "script"],
  bundle: ["arg", "env", "secret", "egress"],
  "bundle-url": ["arg", "env", "secret", "egress"],
  registry: [
    "registry",
    "arg",
    "env",
    "secret",
    "egress",
    "bin",
    "python",
    "program",
    "trust",
    "pin",
    "issuer-pin",
    "token-env",
    "credential",
  ],
  http: ["trust", "pin", "issuer-pin", "token-env", "credential"],
};

function requireFitting(kind: ServerSource["kind"], values: AddValues): void {
  const isGiven = (name: keyof AddValues): boolean => {
    const value = values[name];
    return value !== undefined && (!Array.isArray(value) || value.length > 0);
  };
  const surplus = Object.values(FOR)
    .flat()
    .find((name) => isGiven(name) && !FOR[kind].includes(name));
  if (surplus !== undefined) throw new CmcpError("USAGE", `--${surplus} is for another kind of SOURCE`);
}

function defaultName(source: ServerSource): string {
  switch (source.kind) {
    case "npm":
    case "pypi":
      return source.name.slice(source.name.indexOf("/") + 1);
    case "registry":
      return source.name.slice(source.name.indexOf("/") + 1);
    case "path":
      return basename(resolve(source.path));
    case "bundle":
      return basename(source.file).replace(/\.[^.]*$/, "");
    case "bundle-url":
      return basename(source.url.pathname).replace(/\.[^.]*$/, "");
    case "http":
      return source.url.host;
  }
}

/** `NAME=VALUE` pairs of an option. @throws CmcpError `USAGE` */
function pairs(option: string, texts: readonly string[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const text of texts) {
    const at = text.indexOf("=");
    const name = text.slice(0, at);
    if (at < 1 || found.has(name))
      throw new CmcpError("USAGE", `--${option} is NAME=VALUE, once for each name: ${JSON.stringify(name || text)}`);
    found.set(name, text.slice(at + 1));
  }
  return found;
}

/** The credential of each variable: its name in lower case. @throws CmcpError `USAGE`, without what was typed: it may be a secret */
function secretsOf(variables: readonly string[]): Readonly<Record<string, string>> {
  if (!variables.every((name) => /^[A-Z][A-Z0-9_]{0,63}$/.test(name)))
    throw new CmcpError(
      "USAGE",
      "--secret is the name of a variable alone, in capital letters, digits and _. Its value is provisioned",
    );
  const problem = variables.map(secretVariableProblem).find((found) => found !== null);
  if (problem !== undefined) throw new CmcpError("USAGE", `--secret ${problem}`);
  return Object.fromEntries(variables.map((name) => [name, name.toLowerCase()]));
}

/** A host and its port; an IPv6 address is in brackets. @throws CmcpError `USAGE` */
function egressTarget(typed: string): EgressTarget {
  const [, address, name, port] = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(typed) ?? [];
  const host = address ?? name;
  if (host === undefined)
    throw new CmcpError("USAGE", `--egress is HOST:PORT, such as api.example.com:443: ${JSON.stringify(typed)}`);
  const target = { host, port: Number(port) };
  const problem = egressProblem(target);
  if (problem !== null) throw new CmcpError("USAGE", `--egress ${JSON.stringify(typed)}: ${problem}`);
  return target;
}

/** Reads the command line. @throws CmcpError `USAGE` */
export function readOptions(sourceText: string, values: AddValues): AddOptions {
  const config = required(values.config, "--config");
  const approvedBy = required(values["approved-by"], "--approved-by");
  if (!/^[^\s@]+@[^\s@]+$/.test(approvedBy)) throw new CmcpError("USAGE", "--approved-by is an e-mail address");
  const source = readSource(sourceText);
  requireFitting(source.kind, values);
  const name = values.name ?? defaultName(source);
  const serverName = name.replaceAll(/[^A-Za-z0-9._-]+/g, "-").replace(/^[^A-Za-z0-9]+/, "");
  if (!NAME.test(source.kind === "http" ? serverName : name))
    throw new CmcpError("USAGE", "--name is at most 64 letters, digits, dots, underscores and hyphens");
  const environment = Object.fromEntries(pairs("env", values.env));
  return {
    source,
    config,
    name,
    serverName,
    environment,
    secrets: secretsOf(values.secret),
    egress: values.egress.map(egressTarget),
    aliases: pairs("alias", values.alias),
    credential: values.credential,
    values,
  };
}

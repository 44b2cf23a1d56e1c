import { CmcpError } from "@cmcp/boundary";
import {
  DIGEST_BYTES,
  MAX_ARGUMENTS,
  MAX_PATH_BYTES,
  MAX_SECRETS,
  MAX_SECRET_BYTES,
  MAX_SECRET_NAME,
  MAX_SERVERS,
  MAX_TABLE_BYTES,
  MAX_VARIABLES,
} from "../limits.ts";
import type { AllowedServer } from "../server.ts";

/** First bytes of the first connection. */
export const MAGIC = "cmcp-spawn-1";
const START = 0x53;
const EGRESS = 0x45;

function unsigned(value: number, bytes: 1 | 2 | 4): Uint8Array {
  const out = Buffer.alloc(bytes);
  out.writeUIntBE(value, 0, bytes);
  return out;
}

function refuse(why: string): never {
  throw new CmcpError("CONFIG_INVALID", `stdio server: ${why}`);
}

function text(value: string): Uint8Array[] {
  const bytes = Buffer.from(value);
  if (bytes.includes(0)) refuse("a text has a NUL character");
  if (bytes.byteLength > 0xffff) refuse("a text has more than 65535 bytes");
  return [unsigned(bytes.byteLength, 2), bytes];
}

/** Whether a path is absolute and has one spelling: no empty, `.` or `..` component, not the root. */
export function isPlainPath(path: string): boolean {
  return (
    Buffer.byteLength(path) <= MAX_PATH_BYTES &&
    /^(\/[^/\0]+)+$/.test(path) &&
    path.split("/").every((part) => part !== "." && part !== "..")
  );
}

function* server({
  tree,
  digest,
  program,
  args,
  environment,
  bounds,
  hasEgress = false,
}: AllowedServer): Generator<Uint8Array> {
  if (!isPlainPath(tree)) refuse("its tree must be an absolute path without empty, '.' or '..' parts");
  if (program === "" || (program.includes("/") && !isPlainPath(program)))
    refuse("its program must be an absolute path or a plain name");
  if (digest !== null && digest.byteLength !== DIGEST_BYTES) refuse(`its digest must have ${DIGEST_BYTES} bytes`);
  const variables = Object.entries(environment);
  if (args.length + 1 > MAX_ARGUMENTS || variables.length > MAX_VARIABLES)
    refuse("it has too many arguments or environment variables");
  yield unsigned(digest === null ? 0 : 1, 1);
  yield digest ?? new Uint8Array(DIGEST_BYTES);
  for (const bound of [bounds.tasks, bounds.memoryMib, bounds.scratchMib, bounds.openFiles, bounds.cpuSeconds])
    yield unsigned(bound, 4);
  yield unsigned(hasEgress ? 1 : 0, 1);
  yield* text(tree);
  yield unsigned(args.length + 1, 2);
  for (const argument of [program, ...args]) yield* text(argument);
  yield unsigned(variables.length, 2);
  for (const [name, value] of variables) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
      refuse("the name of an environment variable must be letters, digits and _");
    yield* text(`${name}=${value}`);
  }
}

/**
 * The first message to a spawner (SPEC.md, "Table").
 * @throws CmcpError `CONFIG_INVALID` for servers a table cannot hold
 */
export function encodeTable(servers: readonly AllowedServer[]): Uint8Array {
  if (servers.length > MAX_SERVERS) refuse(`there are more than ${MAX_SERVERS}`);
  const body = Buffer.concat([unsigned(servers.length, 2), ...servers.flatMap((one) => [...server(one)])]);
  if (body.byteLength > MAX_TABLE_BYTES) refuse(`all together take more than ${MAX_TABLE_BYTES} bytes`);
  return Buffer.concat([Buffer.from(MAGIC), unsigned(body.byteLength, 4), body]);
}

/** Names of variables that may hold a secret. */
export const SECRET_NAME = /^[A-Z_][A-Z0-9_]*$/;
/** Bytes of a start before its secrets: `S`, the server's index, the secrets' length. */
export const START_HEAD_BYTES = 7;

/**
 * The request of a further connection: the server at `index` of the table, with secrets as variables of this one start.
 * @throws CmcpError `CONFIG_INVALID` for secrets that a start cannot hold; the message has no value of one
 */
export function encodeStart(index: number, secrets: Readonly<Record<string, string>> = {}): Uint8Array {
  const variables = Object.entries(secrets);
  if (variables.length > MAX_SECRETS) refuse(`it has more than ${MAX_SECRETS} secrets`);
  for (const [name, value] of variables) {
    if (!SECRET_NAME.test(name) || name.length > MAX_SECRET_NAME)
      refuse(`a secret's variable must be at most ${MAX_SECRET_NAME} capital letters, digits and _, no digit first`);
    if (Buffer.byteLength(value) > MAX_SECRET_BYTES) refuse(`a secret has more than ${MAX_SECRET_BYTES} bytes`);
  }
  const texts = variables.flatMap(([name, value]) => text(`${name}=${value}`));
  const body = Buffer.concat([unsigned(variables.length, 2), ...texts]);
  return Buffer.concat([unsigned(START, 1), unsigned(index, 2), unsigned(body.byteLength, 4), body]);
}

/** The request of a connection for the way out of the running server of this name. */
export function encodeEgress(name: Uint8Array): Uint8Array {
  return Buffer.concat([unsigned(EGRESS, 1), name]);
}

/** One piece of an archive, of 1 to 65536 bytes; without bytes, the archive's end. */
export function encodeChunk(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([unsigned(bytes.byteLength, 4), bytes]);
}

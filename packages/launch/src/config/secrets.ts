import { CmcpError, type JsonValue } from "@cmcp/boundary";

/**
 * Names whose values can be secrets: a variable of a server, or an option on its command line. Words are split at
 * `_`, `-` and capitals.
 */
const SECRET_NAME =
  /(?:^|_)(?:password|passwd|passphrase|pass|secret|token|(?:api|access|private|secret|encryption|signing|auth)_?key|apikey|credentials?)$/;
/** Names whose every value is a secret, a short one too; of the others only what could be a key or a token is. */
const ALWAYS = /(?:^|_)(?:password|passwd|passphrase|pass|secret)$/;
/** As keys and tokens are written; special tokens of a tokenizer, such as `<eos>`, are not. */
const KEY_VALUE = /^[A-Za-z0-9._~+/=:-]{8,4096}$/;
/** What is no secret, whatever its name: a switch, a number, a place where the secret is. */
const PLAIN =
  /^(?:|true|false|yes|no|on|off|none|null|disabled|enabled|[0-9.,_]{1,16}|[.~]{0,2}\/\S*|https?:\/\/\S*)$/i;

/** Forms that nothing else has. */
const FORMS: readonly (readonly [string, RegExp])[] = [
  ["a private key", /-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----/],
  ["a private key", /\bAGE-SECRET-KEY-1[0-9A-Z]{20}/],
  ["a signed token", /\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{16}/],
  ["an Authorization header", /\b(?:Bearer|Basic) +[A-Za-z0-9._~+/-]{16}/],
  ["a URL with a password", /\b[a-z][a-z0-9+.-]{1,20}:\/\/[^\s/:@]{0,256}:[^\s/@]{1,256}@/i],
  ["a source host's token", /\b(?:gh[opusr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{22}|glpat-[A-Za-z0-9_-]{20})/],
  ["a cloud's key", /\b(?:(?:AKIA|ASIA)[A-Z0-9]{16}\b|AIza[A-Za-z0-9_-]{35})/],
  [
    "a service's key",
    /\b(?:xox[abeprs]-[A-Za-z0-9-]{10}|(?:sk|rk)_live_[A-Za-z0-9]{16}|npm_[A-Za-z0-9]{36}|hf_[A-Za-z0-9]{30})/,
  ],
  ["a service's key", /\b(?:sk-[A-Za-z0-9]{20}|sk-proj-[A-Za-z0-9_-]{20}|sk-ant-[a-z0-9]{1,16}-[A-Za-z0-9_-]{20})/],
];

interface Finding {
  readonly path: readonly string[];
  readonly why: string;
}

/**
 * Refuses a measured value that looks like a secret: everybody who may verify the gateway reads it. A secret of no
 * known form under a name that does not say so is not found.
 *
 * @param what what the value is part of, as messages name it; its own keys follow
 * @throws CmcpError `CONFIG_SECRET` naming the key, never the value
 */
export function refuseSecrets(what: string, value: unknown, detail: Readonly<Record<string, string>> = {}): void {
  for (const { path, why } of findings(value, [])) {
    const key = path.map(printableKey).join(".");
    throw new CmcpError(
      "CONFIG_SECRET",
      `${what}${key}: looks like a secret (${why}), and measured configuration is readable by auditors`,
      {
        detail: { ...detail, key },
      },
    );
  }
}

/**
 * As {@link refuseSecrets}, for what a catalog says of servers: descriptions and schemas of tools may show examples.
 */
export function refuseSecretsOfServers(what: string, catalog: JsonValue): void {
  if (Array.isArray(catalog)) {
    for (const [index, entry] of catalog.entries()) refuseSecretsOfServers(`${what}${index}.`, entry);
    return;
  }
  if (typeof catalog !== "object" || catalog === null) return;
  for (const [name, value] of Object.entries(catalog)) {
    if (name === "server" || name === "servers") refuseSecrets(what, { [name]: value });
    else if (Array.isArray(value) && what.split(".").length < 3)
      refuseSecretsOfServers(`${what}${printableKey(name)}.`, value);
  }
}

function* findings(value: unknown, path: readonly string[]): Generator<Finding> {
  if (typeof value === "string") {
    const form = FORMS.find(([, pattern]) => pattern.test(value));
    if (form !== undefined) yield { path, why: form[0] };
    else if (path.at(-2) === "environment" && isSecret(path.at(-1) ?? "", value)) yield { path, why: "by its name" };
  } else if (Array.isArray(value)) {
    const items: readonly unknown[] = value;
    for (const [index, item] of items.entries()) {
      if (namesSecret(item, items[index + 1])) yield { path: [...path, `${index}`], why: "by its option" };
      yield* findings(item, [...path, `${index}`]);
    }
  } else if (typeof value === "object" && value !== null)
    for (const [name, member] of Object.entries(value)) yield* findings(member, [...path, name]);
}

/** Whether a command line gives an option a secret: `--api-key=…`, or the same in two. */
function namesSecret(item: unknown, next: unknown): boolean {
  if (typeof item !== "string") return false;
  const [, name, own] = /^--?([A-Za-z][A-Za-z0-9_-]{0,64})(?:=(.*))?$/s.exec(item) ?? [];
  const argument = own ?? (typeof next === "string" && !next.startsWith("-") ? next : "");
  return name !== undefined && isSecret(name, argument);
}

function isSecret(name: string, value: string): boolean {
  const words = name
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replaceAll("-", "_")
    .toLowerCase();
  if (!SECRET_NAME.test(words) || PLAIN.test(value)) return false;
  return ALWAYS.test(words) || KEY_VALUE.test(value);
}

/** A key is somebody's text: shown shortened and without control characters. */
function printableKey(key: string): string {
  return key.slice(0, 64).replace(/[^\x20-\x7e]/g, "?");
}

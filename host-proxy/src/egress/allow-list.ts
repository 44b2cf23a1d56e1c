import { CmcpError } from "@cmcp/boundary";

/** More addresses than any catalog names; a longer list is a mistake. */
export const MAX_ADDRESSES = 4096;

/** The exact addresses the relay may connect to. */
export interface EgressAllowList {
  has(host: string, port: number): boolean;
}

/**
 * Reads `host:port` entries; an IPv6 address is written in brackets. Names match exactly but for case:
 * no wildcard, no default port, no suffix rule.
 * @throws CONFIG_INVALID for an entry that is not an address
 */
export function egressAllowList(entries: readonly string[]): EgressAllowList {
  if (entries.length > MAX_ADDRESSES)
    throw new CmcpError("CONFIG_INVALID", `more than ${MAX_ADDRESSES} egress addresses`);
  const allowed = new Set(entries.map(parseEntry));
  return { has: (host, port) => allowed.has(address(host, port)) };
}

function parseEntry(entry: string): string {
  const found = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]{1,253}):([1-9][0-9]{0,4})$/.exec(entry);
  const [, host, digits] = found ?? [];
  const port = Number(digits);
  if (host === undefined || port > 65_535)
    throw new CmcpError("CONFIG_INVALID", `egress address "${entry}" is not host:port`);
  return address(host, port);
}

function address(host: string, port: number): string {
  return `${withoutBrackets(host).toLowerCase()} ${port}`;
}

/** The host as node:net takes it: an IPv6 address loses the brackets it has in a URL. */
export function withoutBrackets(host: string): string {
  return host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host;
}

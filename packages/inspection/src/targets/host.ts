/** Prefixes of IPv6 addresses that stand for the IPv4 address in their last 32 bits: mapped, translated, NAT64 and compatible. */
const CARRIERS: readonly (readonly number[])[] = [
  [0, 0, 0, 0, 0, 0xffff],
  [0, 0, 0, 0, 0xffff, 0],
  [0x64, 0xff9b, 0, 0, 0, 0],
  [0, 0, 0, 0, 0, 0],
];

/** The eight groups of an address as WHATWG URL serialises it. */
function groupsOf(address: string): readonly number[] {
  const [head = "", tail = ""] = address.split("::");
  const read = (text: string): number[] =>
    text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16));
  const [before, after] = [read(head), read(tail)];
  return [...before, ...Array.from({ length: 8 - before.length - after.length }, () => 0), ...after];
}

/** The IPv4 address that an IPv6 address stands for, else the address. `::` and `::1` stand for themselves. */
function withoutCarrier(address: string): string {
  const groups = groupsOf(address);
  const carried = CARRIERS.some((prefix) => prefix.every((group, index) => groups[index] === group));
  const [high = 0, low = 0] = groups.slice(6);
  if (!carried || (high === 0 && low <= 1 && groups[5] === 0 && groups[4] === 0)) return address;
  return [high >> 8, high & 0xff, low >> 8, low & 0xff].join(".");
}

/**
 * Brings a host into the one form that rules compare, as WHATWG URL reads it for `http`: lower case, international names in punycode, IPv4
 * in any of its forms as four decimal numbers. An IPv6 address is compressed, without brackets, and an IPv4 address
 * inside one stands alone. Dots at the end are removed.
 * @param host without user information and port
 * @returns `null` for what is no host
 */
export function normaliseHost(host: string): string | null {
  const bracketed = host.startsWith("[") && host.endsWith("]");
  if (host === "" || /[/?#@\\\s]/.test(host) || (!bracketed && host.includes(":"))) return null;
  const name = URL.parse(`http://${host}/`)?.hostname ?? "";
  if (name.startsWith("[")) return withoutCarrier(name.slice(1, -1));
  // Without its dots the name can be an address that it was not before.
  let end = name.length;
  while (name[end - 1] === ".") end -= 1;
  const undotted = name.slice(0, end);
  return undotted === name && name !== "" ? name : normaliseHost(undotted);
}

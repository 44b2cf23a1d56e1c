import { CmcpError } from "@cmcp/boundary";

/** Files by name. */
export type BuiltFiles = ReadonlyMap<string, Uint8Array>;

/** Says where two builds differ first; null when they are the same. */
export function firstDifference(first: BuiltFiles, second: BuiltFiles): string | null {
  const names = [...new Set([...first.keys(), ...second.keys()])].sort();
  if (names.length === 0) return "nothing was built";
  for (const name of names) {
    const [a, b] = [first.get(name), second.get(name)];
    if (a === undefined || b === undefined) return `only one build has ${name}`;
    if (Buffer.compare(a, b) === 0) continue;
    const at = a.findIndex((byte, index) => byte !== b[index]);
    return `${name} differs from byte ${at === -1 ? a.length : at} on`;
  }
  return null;
}

/** @throws CmcpError `IMAGE_NOT_REPRODUCIBLE` unless two builds are the same, byte for byte */
export function requireSame(first: BuiltFiles, second: BuiltFiles): void {
  const difference = firstDifference(first, second);
  if (difference !== null) throw new CmcpError("IMAGE_NOT_REPRODUCIBLE", difference);
}

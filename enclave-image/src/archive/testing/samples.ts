import { readFileSync } from "node:fs";

interface Sample {
  /** Of the data before compression. */
  readonly sha256: string;
  readonly bytes: number;
  /** Base64. */
  readonly xz: string;
}

const { samples } = JSON.parse(readFileSync(new URL("samples.json", import.meta.url), "utf8")) as {
  samples: Record<string, Sample>;
};

/** Files that XZ Utils and GNU tar made, by what is special about them. */
export const SAMPLES: ReadonlyMap<
  string,
  { readonly sha256: string; readonly bytes: number; readonly packed: Uint8Array }
> = new Map(
  Object.entries(samples).map(([name, { sha256, bytes, xz }]) => [
    name,
    { sha256, bytes, packed: new Uint8Array(Buffer.from(xz, "base64")) },
  ]),
);

/** A sample that must be there. */
export function sample(name: string): Uint8Array {
  const found = SAMPLES.get(name);
  if (found === undefined) throw new Error(`there is no sample ${name}`);
  return found.packed;
}

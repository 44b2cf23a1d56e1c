/** A profile as V8 gives it; times in microseconds. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** Longest time one sample stands for. A longer gap means that the process did not run. */
const MAX_SAMPLE_US = 1_500;
const SHOWN = 40;

/** The source file of a line of a bundle, from the comments the bundler leaves at each. */
export class SourceMap {
  readonly #starts: readonly { readonly line: number; readonly file: string }[];

  constructor(bundle: string) {
    this.#starts = bundle
      .split("\n")
      .flatMap((text, line) => (/^\/\/ \S+\.(?:ts|js|mjs|cjs)$/.test(text) ? [{ line, file: text.slice(3) }] : []));
  }

  fileAt(line: number): string {
    return this.#starts.findLast((start) => start.line <= line)?.file ?? "";
  }
}

function placeOf(frame: CpuProfile["nodes"][number]["callFrame"], sources: SourceMap): string {
  const file = frame.url.endsWith("/enclave.cjs")
    ? sources.fileAt(frame.lineNumber)
    : frame.url.startsWith("wasm")
      ? "wasm"
      : frame.url;
  const short = file
    .replace(/^.*node_modules\/\.pnpm\/[^/]+\/node_modules\//, "")
    .replace(/^file:\/\/.*?\/(packages|host-proxy|test)\//, "$1/");
  // Functions of the policy engine have numbers for names, which say nothing.
  return short === "wasm" ? "wasm" : `${short}:${frame.functionName === "" ? "(anonymous)" : frame.functionName}`;
}

/** The functions with the most time of their own, as text, with microseconds of each call. */
export function topCosts(profile: CpuProfile, calls: number, sources: SourceMap): string {
  const frames = new Map(profile.nodes.map((node) => [node.id, node.callFrame]));
  const costs = new Map<string, number>();
  let busy = 0;
  for (const [index, id] of profile.samples.entries()) {
    const frame = frames.get(id);
    if (frame === undefined || frame.functionName === "(idle)") continue;
    const time = Math.min(MAX_SAMPLE_US, Math.max(0, profile.timeDeltas[index] ?? 0));
    const place = placeOf(frame, sources);
    costs.set(place, (costs.get(place) ?? 0) + time);
    busy += time;
  }
  const lines = [...costs].toSorted((left, right) => right[1] - left[1]).slice(0, SHOWN);
  return [
    `  ${(busy / calls).toFixed(0).padStart(7)} µs/call in all`,
    ...lines.map(
      ([place, time]) =>
        `  ${(time / calls).toFixed(1).padStart(7)} µs/call  ${((time * 100) / busy).toFixed(1).padStart(4)} %  ${place}`,
    ),
  ].join("\n");
}

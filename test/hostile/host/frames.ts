import { encodeMap, type ByteStream, type WireMap } from "@cmcp/wire";
import type { HostAct } from "../schedule/acts.ts";
import { flipped, spliced, truncated } from "./doctored.ts";
import type { ArmedLies } from "./lies.ts";

type FrameAct = Extract<HostAct, { kind: "answer" | "request" }>;

/** Earlier writes that are kept for replays and splices. */
const KEPT_WRITES = 64;

function frame(map: WireMap): Buffer {
  const payload = encodeMap(map);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(payload.length);
  return Buffer.concat([length, payload]);
}

/** Whole frames that belong nowhere, chosen by `at`. */
function inserted(lie: "unknown" | "number" | "early-end" | "oversized", at: number): Buffer {
  const x = 1 + (at % 5);
  switch (lie) {
    case "unknown":
      return frame({ t: ["decision", "allow", "session", "egress"][at % 4] ?? "", x, decision: "allow" });
    case "number":
      return frame({ t: "body", x: 1 + (at % 0xffff_fffe), data: Buffer.from('{"decision":"allow"}') });
    case "early-end":
      return frame({ t: "end", x });
    case "oversized":
      return Buffer.from([0xff, 0xff, 0xff, at & 0xff]);
  }
}

/** Makes the bytes that the host writes to the enclave lie where an act says so. */
export class FrameMangler {
  readonly #lies: ArmedLies;
  readonly #kind: FrameAct["kind"];
  readonly #written: Uint8Array[] = [];
  readonly #streams = new Set<ByteStream>();
  /** How often it lied. */
  told = 0;
  /** How often it had when it last cut every stream. */
  #cutAt = 0;

  constructor(lies: ArmedLies, kind: FrameAct["kind"]) {
    this.#lies = lies;
    this.#kind = kind;
  }

  /** Takes over what is written to a stream. */
  attach<S extends ByteStream>(stream: S): S {
    this.#streams.add(stream);
    stream.once("close", () => this.#streams.delete(stream));
    const write = stream.write.bind(stream) as (chunk: Uint8Array) => boolean;
    stream.write = (chunk: unknown): boolean => {
      const bytes = chunk as Uint8Array;
      const act = this.#lies.take(this.#kind);
      const lied = act === null ? bytes : this.#doctored(bytes, act);
      this.#written.push(Uint8Array.from(bytes));
      if (this.#written.length > KEPT_WRITES) this.#written.shift();
      const more = write(lied);
      if (act?.lie === "truncate") stream.destroy();
      return more;
    };
    return stream;
  }

  /** Whether it lied on streams that may still be open. */
  get lied(): boolean {
    return this.told > this.#cutAt;
  }

  /** Cuts every stream. */
  cut(): void {
    this.#cutAt = this.told;
    for (const stream of this.#streams) stream.destroy();
  }

  #doctored(bytes: Uint8Array, { lie, at }: FrameAct): Uint8Array {
    this.told += 1;
    const old = this.#written[at % Math.max(1, this.#written.length)] ?? Buffer.alloc(1);
    switch (lie) {
      case "flip":
        return flipped(bytes, at);
      case "truncate":
        return truncated(bytes, at);
      case "replay":
        return Buffer.concat(at % 2 === 0 ? [old, bytes] : [bytes, old]);
      case "splice":
        return spliced(bytes, old, at);
      case "garbage":
        return bytes.map((byte, index) => (byte * 31 + at + index * 7) & 0xff);
      case "unknown":
      case "number":
      case "early-end":
      case "oversized":
        return Buffer.concat(at % 2 === 0 ? [inserted(lie, at), bytes] : [bytes, inserted(lie, at)]);
    }
  }
}
